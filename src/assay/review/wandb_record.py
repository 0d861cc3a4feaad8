"""Reads an offline W&B record back, without a host and without wandb's service.

wandb 0.31 has no reader in Python any more. The file is 7 bytes of header, then blocks of 32 KiB as LevelDB writes its
log: chunks of (checksum 4, length 2, type 1, data), a record being one chunk (type 1) or a first, middles and a last
(2, 3, 4), each record a protobuf message. metrics.csv is the source of truth; this is for checking what W&B is given.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from assay.errors import ConfigError

_HEADER_SIZE = 7
_BLOCK_SIZE = 32 * 1024


@dataclass
class Record:
    """What one run told W&B.

    history: one mapping a line, in order, as the host would get them.
    files: names of files handed over, media included.
    """

    id: str = ""
    name: str = ""
    project: str = ""
    group: str = ""
    job_type: str = ""
    tags: tuple[str, ...] = ()
    config: dict[str, Any] = field(default_factory=dict)
    history: list[dict[str, Any]] = field(default_factory=list)
    summary: dict[str, Any] = field(default_factory=dict)
    files: list[str] = field(default_factory=list)
    artifacts: list[str] = field(default_factory=list)
    exit_code: int | None = None


def find(folder: str | Path) -> Path:
    """The record's file in a run folder.

    Raises:
        ConfigError: there is not exactly one.
    """
    found = sorted((Path(folder) / "wandb").glob("offline-run-*/*.wandb"))
    if len(found) != 1:
        raise ConfigError(f"{folder} holds {len(found)} offline W&B records; `assay sync` needs only metrics.csv")
    return found[0]


def read(folder: str | Path) -> Record:
    """The record of a run folder."""
    messages: Any = importlib.import_module("wandb.proto.wandb_internal_pb2")

    record = Record()
    for data in _records(find(folder).read_bytes()):
        message = messages.Record.FromString(data)
        match message.WhichOneof("record_type"):
            case "run":
                run = message.run
                record.id, record.name, record.project = run.run_id, run.display_name, run.project
                record.group, record.job_type, record.tags = run.run_group, run.job_type, tuple(run.tags)
                record.config |= _items(run.config.update)
            case "config":
                record.config |= _items(message.config.update)
            case "history":
                record.history.append(_items(message.history.item))
            case "summary":
                record.summary |= _items(message.summary.update)
            case "files":
                record.files += [file.path for file in message.files.files]
            case "artifact":
                record.artifacts.append(message.artifact.name)
            case "exit":
                record.exit_code = message.exit.exit_code
    return record


def _items(items: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for item in items:
        *outer, key = item.nested_key or [item.key]
        place = found
        for name in outer:
            place = place.setdefault(name, {})
        place[key] = json.loads(item.value_json)
    return found


def _records(raw: bytes) -> Iterator[bytes]:
    parts = b""
    position = _HEADER_SIZE
    while position + 7 <= len(raw):
        if _BLOCK_SIZE - position % _BLOCK_SIZE < 7:  # too little room for a chunk: the next block
            position += _BLOCK_SIZE - position % _BLOCK_SIZE
            continue
        length = int.from_bytes(raw[position + 4 : position + 6], "little")
        kind = raw[position + 6]
        parts += raw[position + 7 : position + 7 + length]
        position += 7 + length
        if kind in (1, 4):
            yield parts
            parts = b""

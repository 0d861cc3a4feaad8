"""Checkpoints of a run: ``checkpoints/{last,previous,best}.ckpt``.

Each is a safetensors file of the flat :data:`~assay.contracts.TrainState`, with plain metadata (format, position, a
digest over every tensor). safetensors rather than ``torch.save``: the state is flat tensors, and the file then holds
no pickle at all. Written to a temporary name, synced, renamed; the last good one survives a full disk or a crash.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from assay.contracts import TrainState
from assay.errors import ConfigError

FORMAT = 1


def digest(state: Mapping[str, Tensor]) -> str:
    """sha256 over names, types, shapes and bytes, in the order of names."""
    summed = hashlib.sha256()
    for name in sorted(state):
        tensor = state[name].detach().cpu().contiguous()
        summed.update(f"{name}|{tensor.dtype}|{tuple(tensor.shape)}|".encode())
        summed.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return summed.hexdigest()


def is_finite(state: Mapping[str, Tensor]) -> bool:
    """Whether every parameter and moment is finite; counters and "best so far" may hold an infinity."""
    names = ("network.", "objective.", "optimizer.moment.")
    return all(bool(torch.isfinite(v).all()) for k, v in state.items() if k.startswith(names) and v.is_floating_point())


def write(path: Path, state: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
    """Writes atomically: a reader sees the old file or the new one, whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in state.items()}
    temporary = path.with_suffix(".tmp")
    metadata = {"format": str(FORMAT), "digest": digest(plain), "facts": json.dumps(dict(facts), sort_keys=True)}
    try:
        save_file(plain, temporary, metadata)
        with open(temporary, "rb") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    except (OSError, SafetensorError):
        temporary.unlink(missing_ok=True)
        raise


def read(path: Path) -> tuple[TrainState, dict[str, Any]]:
    """State and facts of a checkpoint.

    Raises:
        ConfigError: it is a pickle, truncated, altered, or of a newer format.
    """
    if not path.is_file():
        raise ConfigError(f"{path} is not there; a run folder holds checkpoints/last.ckpt once it has trained")
    refuse_pickle(path)
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
    except (SafetensorError, OSError, ValueError) as error:
        raise ConfigError(f"{path} is truncated or not a checkpoint ({error}); use another checkpoint") from error
    if metadata.get("format") != str(FORMAT):
        raise ConfigError(f"{path} has format {metadata.get('format')}; this version reads {FORMAT}")
    if metadata.get("digest") != digest(state):
        raise ConfigError(f"{path} was altered after it was written (its digest differs); use another checkpoint")
    return state, json.loads(metadata["facts"])


def refuse_pickle(path: Path) -> None:
    """Raises ConfigError for files that would run code when opened: pickles, and torch's archives of them.

    A safetensors file starts with the length of its header, which may be spelt like a pickle's start, and a brace."""
    with open(path, "rb") as file:
        head = file.read(9)
    if head[8:] == b"{":
        return
    if head[:2] in (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05") or head[:4] == b"PK\x03\x04":
        raise ConfigError(
            f"{path} holds a pickle, which could run code when opened, and is refused; "
            "load it where you trust it and save the tensors with safetensors"
        )


class Cadence:
    """When the next checkpoint is due: ``5min``, ``30s``, ``500steps`` or ``2epochs``."""

    def __init__(self, every: str) -> None:
        match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(s|min|h|steps?|epochs?)", every)
        if match is None:
            raise ConfigError(f"checkpoint.every={every} is not a cadence; write 5min, 30s, 500steps or 2epochs")
        number, unit = float(match[1]), match[2]
        self.seconds = number * {"s": 1, "min": 60, "h": 3600}[unit] if unit in ("s", "min", "h") else math.inf
        self.steps = int(number) if unit.startswith("step") else 0
        self.epochs = int(number) if unit.startswith("epoch") else 0
        self._written = time.monotonic()

    def due(self, step: int) -> bool:
        if self.steps:
            return step % self.steps == 0
        return time.monotonic() - self._written >= self.seconds

    def due_after_epoch(self, epoch: int) -> bool:
        return bool(self.epochs) and (epoch + 1) % self.epochs == 0

    def written(self) -> None:
        self._written = time.monotonic()

"""A text tokenised once, in a file that is mapped into memory: for what does not fit it, and for what many runs read.

Two files of one name lie in ``data_dir/tokens``. ``NAME.ids`` holds the ids of all splits, little-endian, 16 bits each
where the vocabulary allows and else 32, and behind them, from a multiple of 8 bytes on, where each document begins and
where the last one ends, int64. ``NAME.json`` is its card: format, counts, digests, the fitted tokenizer, the files that
were read. NAME is a digest of those files' bytes and of how they were tokenised. Both may be deleted at any time, and
are written anew when they are asked for. Nothing in them is code.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch

from assay.alone import alone
from assay.data.corpus_switches import FOLDER
from assay.data.preprocessing.stream import StreamPreprocessing
from assay.data.text_files import Split
from assay.data.token_identity import FORMAT, contents_of, name_of, settings_of, sources_of
from assay.data.tokenised import Facts, Texts, dtype_of, fit, tokenise
from assay.data.tokenising import Progress
from assay.engines.checkpoint import sync_folder
from assay.errors import ConfigError


@dataclass(frozen=True)
class Mapped:
    """ids: of all splits, mapped read-only. preprocessing: fitted as the file was. notes: what was done."""

    ids: np.ndarray
    facts: Facts
    preprocessing: StreamPreprocessing
    notes: list[str]


def opened(
    root: str,
    splits: Mapping[str, Split],
    texts: Texts,
    how: Mapping[str, Any],
    preprocessing: StreamPreprocessing,
    fitted: bool,
) -> Mapped:
    """The token file of a text, written first where there is none.

    Of several processes that want one file the first writes it, the others wait. What a killed one leaves has another
    name, is never read, and goes when the file is written. A file that is truncated or was altered is written anew, and
    that is said.

    Args:
        root: ``data_dir``.
        splits: the bytes that are read; ``texts`` reads them.
        how: what decides the ids beside these bytes and the tokenizer: encoding, breaks.
        preprocessing: its tokenizer is fitted to the training split, unless it is ``fitted``.
    Raises:
        ConfigError: the folder cannot be written to, or a file is no text.
    """
    folder = Path(root).expanduser() / FOLDER
    settings, sources = settings_of(how, preprocessing, fitted), sources_of(splits)
    if (known := _remembered(folder, settings, sources)) and (found := _usable(folder, known, sources)):
        return found
    name = name_of(settings, contents_of(splits))
    if found := _usable(folder, name, sources):
        return found
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with alone(folder, name, f"writes {folder / name}.ids"):
            if found := _usable(folder, name, sources, _say):  # another process has written it meanwhile
                return found
            _write(folder, name, settings, sources, texts, preprocessing, fitted)
    except OSError as error:
        raise ConfigError(
            f"the ids of this text cannot be kept in {folder} ({error}): name another place with data.root=FOLDER"
        ) from error
    found = _usable(folder, name, sources)
    assert found is not None, "what was just written can be read"
    found.notes.append(f"tokenised into {folder / name}.ids, {(folder / f'{name}.ids').stat().st_size / 1e6:,.1f} MB")
    return found


def _remembered(folder: Path, settings: Mapping[str, Any], sources: Mapping[str, Any]) -> str | None:
    """The name of a file that was made of these files as they are, so that they need not be read to know it."""
    for path in sorted(folder.glob("*.json")):
        card = _card(path)
        if card and card["settings"] == settings and card["sources"] == sources:
            return path.stem
    return None


def _card(path: Path) -> dict[str, Any] | None:
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
        return card if card["format"] == FORMAT else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _nothing(line: str) -> None:
    """What is wrong with a file is said by the process that writes it anew."""


def _usable(
    folder: Path, name: str, sources: Mapping[str, Any], say: Callable[[str], None] = _nothing
) -> Mapped | None:
    """The file, if it is there and whole. It is trusted while its size and time are those of its card; otherwise its
    bytes are summed, once."""
    path, beside = folder / f"{name}.ids", folder / f"{name}.json"
    card = _card(beside)
    if card is None:
        if path.exists():
            say(f"{path} has no card that can be read, and is written anew")
        return None
    try:
        held = path.stat()
        if held.st_size != card["bytes"]:
            say(f"{path} has {held.st_size:,} bytes in place of {card['bytes']:,}, and is written anew")
            return None
        if held.st_mtime_ns != card["mtime_ns"] and _sum(path) != card["sha256"]:
            say(f"{path} was altered after it was written, and is written anew")
            return None
        found = _map(path, card)
    except (OSError, ValueError, KeyError, TypeError):
        say(f"{path} or its card cannot be read, and is written anew")
        return None
    if held.st_mtime_ns != card["mtime_ns"] or card["sources"] != sources:
        with contextlib.suppress(OSError):  # a folder that may not be written to: it is summed again next time
            _write_card(beside, {**card, "mtime_ns": held.st_mtime_ns, "sources": sources})
    return found


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _map(path: Path, card: Mapping[str, Any]) -> Mapped:
    size, count = np.dtype(card["dtype"]).itemsize, card["tokens"]
    ids = np.memmap(path, card["dtype"], mode="r", shape=(count,))
    starts = np.fromfile(path, "<i8", offset=_aligned(size * count))
    spans = {split: (first, last) for split, (first, last) in card["spans"].items()}
    facts = Facts(torch.from_numpy(starts.astype(np.int64)), spans, card["counts"], card["digest"])
    preprocessing = StreamPreprocessing.from_json(card["preprocessing"])
    if len(starts) != max(last for _, last in spans.values()) + 1 or int(starts[-1]) != count:
        raise ValueError("the card is another file's")
    return Mapped(ids, facts, preprocessing, [])


def _aligned(size: int) -> int:
    return -(-size // 8) * 8


def _sum(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _write(
    folder: Path,
    name: str,
    settings: Mapping[str, Any],
    sources: Mapping[str, Any],
    texts: Texts,
    preprocessing: StreamPreprocessing,
    fitted: bool,
) -> None:
    """Under another name, synced, renamed; the card last, since without one the file is none."""
    size = sum(stop - begin for regions in sources.values() for _, begin, stop, *_ in regions)
    trained = sum(stop - begin for _, begin, stop, *_ in sources["train"])
    if not fitted:
        told = Progress("fitting the tokenizer", trained)
        fit(texts, preprocessing, told)
        told.ended()
    temporary = folder / f"{name}.{os.getpid()}.tmp"
    told = Progress("tokenising", size)
    try:
        with open(temporary, "wb") as file:
            summed = _Summed(file)
            facts = tokenise(texts, preprocessing, lambda ids: summed(ids.tobytes()), told)
            summed(b"\0" * (_aligned(summed.size) - summed.size))
            summed(facts.documents.numpy().astype("<i8").tobytes())
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(folder.stat().st_mode & 0o666)  # as open as its folder
        path = folder / f"{name}.ids"
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    finally:
        told.ended()
    dtype = dtype_of(len(preprocessing.vocabulary))
    card = {
        "format": FORMAT,
        "written": time.strftime("%Y-%m-%d %H:%M:%S"),
        "dtype": dtype.str,
        "tokens": int(facts.documents[-1]),
        "spans": dict(facts.spans),
        "counts": dict(facts.counts),
        "digest": facts.digest,
        "vocabulary": {"size": len(preprocessing.vocabulary), "digest": preprocessing.digest()},
        "bytes": summed.size,
        "sha256": summed.digest.hexdigest(),
        "mtime_ns": path.stat().st_mtime_ns,
        "settings": dict(settings),
        "sources": dict(sources),
        "preprocessing": preprocessing.to_json(),
    }
    _write_card(folder / f"{name}.json", card)


class _Summed:
    """Writes to a file, and sums what it writes."""

    def __init__(self, file: BinaryIO) -> None:
        self.file, self.digest, self.size = file, hashlib.sha256(), 0

    def __call__(self, data: bytes) -> None:
        self.file.write(data)
        self.digest.update(data)
        self.size += len(data)


def _write_card(path: Path, card: Mapping[str, Any]) -> None:
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "w", encoding="utf-8") as file:
            json.dump(card, file, ensure_ascii=False)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    sync_folder(path.parent)

"""The file of a teacher's answers: written once, whole or not at all; read by mapping it into memory.

A safetensors file with two tensors, ``index`` (n,) int64, the numbers of the examples, and ``answers`` (n, …), and with
the fields of the key as text in its header, so that any reader of that format can open it and nothing in it is code.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from assay.alone import alone
from assay.distillation.cache_key import FIELDS, difference, numbers_bytes
from assay.distillation.cache_switch import FORMAT, header
from assay.engines.checkpoint import refuse_pickle, sync_folder
from assay.errors import ConfigError

DTYPES = {"float32": (torch.float32, "F32"), "float16": (torch.float16, "F16")}


@dataclass(frozen=True)
class Kept:
    """answers (n, …), memory-mapped; numbers (n,) int64 of their examples; facts: the header."""

    answers: Tensor
    numbers: Tensor
    facts: Mapping[str, str]


def opened(
    path: Path, key: Mapping[str, str], ask: Callable[[], tuple[Tensor, Iterable[Tensor]]], made: Mapping[str, str]
) -> tuple[Kept, float | None]:
    """The answers of a file, written first where it is not there; and the seconds that writing took.

    Of several processes that want one file the first writes it, the others wait. What a killed one leaves has another
    name, is never read, and goes when the file is written.

    Args:
        path: of the file.
        key: :func:`assay.distillation.cache_key.fields`.
        ask: the numbers of the examples, and their answers piece by piece, in that order.
        made: facts for the header besides the key: with what it was made.
    Raises:
        ConfigError: the file is there and holds something else, or was altered.
        OSError: there is no room for it.
    """
    if path.is_file():
        with contextlib.suppress(OSError):
            os.utime(path)  # `assay clean --older-than` goes by when a file was last of use
        return read(path, key), None
    path.parent.mkdir(parents=True, exist_ok=True)
    with alone(path.parent, path.name, f"writes the teacher's answers to {path}"):
        if path.is_file():  # another process has written it meanwhile
            return read(path, key), None
        began = time.monotonic()
        _write(path, key, *ask(), made)
        seconds = time.monotonic() - began
    return read(path, key), seconds


def read(path: Path, key: Mapping[str, str]) -> Kept:
    """Maps the file and holds it against the key.

    Raises:
        ConfigError: it holds something else, or was altered.
    """
    refuse_pickle(path)
    told, start = header(path)
    facts = told["__metadata__"]
    if (line := difference(facts, key)) is not None:
        raise ConfigError(f"{path} holds {line}; leave distillation.cache=… out, or name another file")
    try:
        numbers, answers = (_mapped(path, start, told[name]) for name in ("index", "answers"))
        whole = facts["digest"] == _digest(key, numbers, answers)
    except (OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
        raise _damaged(path) from error
    if not whole:
        raise _damaged(path)
    return Kept(answers, numbers, facts)


def _mapped(path: Path, start: int, about: Mapping[str, Any]) -> Tensor:
    """A tensor of the file, its pages read when they are asked for; what is written to it stays in this process."""
    begin, end = about["data_offsets"]
    data = np.memmap(path, np.uint8, mode="c", offset=start + begin, shape=(end - begin,))
    dtype = {"I64": torch.int64, **{name: dtype for dtype, name in DTYPES.values()}}[about["dtype"]]
    return torch.from_numpy(data).view(dtype).view(about["shape"])


def _damaged(path: Path) -> ConfigError:
    return ConfigError(f"{path} is truncated or was altered after it was written: delete it, and it is written anew")


def _digest(key: Mapping[str, str], numbers: Tensor, answers: Tensor) -> str:
    summed = _begun(key, numbers, tuple(answers.shape[1:]))
    summed.update(_bytes(answers))
    return summed.hexdigest()


def _begun(key: Mapping[str, str], numbers: Tensor, shape: tuple[int, ...]) -> Any:
    """sha256 of all that comes before the answers."""
    told = json.dumps([{name: key[name] for name in FIELDS}, len(numbers), shape])
    return hashlib.sha256(told.encode() + numbers_bytes(numbers))


def _bytes(tensor: Tensor) -> memoryview:
    return tensor.reshape(-1).view(torch.uint8).numpy().data


def _write(
    path: Path, key: Mapping[str, str], numbers: Tensor, pieces: Iterable[Tensor], made: Mapping[str, str]
) -> None:
    """Under another name, synced, renamed. The header comes first in the file and the digest last to be known: it is
    put in its place at the end."""
    dtype, name = DTYPES[key["dtype"]]
    facts = {"format": FORMAT, **key, **made, "digest": "0" * 64}
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    summed, count, begun = None, 0, b""
    try:
        with open(temporary, "wb") as file:
            for piece in pieces:
                piece = _as(piece, dtype)
                if summed is None:
                    shape = tuple(piece.shape[1:])
                    summed, begun = (
                        _begun(key, numbers, shape),
                        _header(facts, name, len(numbers), shape, dtype.itemsize),
                    )
                    file.write(begun + numbers_bytes(numbers))
                summed.update(_bytes(piece))
                file.write(_bytes(piece))
                count += len(piece)
            assert summed is not None, "no answers"
            assert count == len(numbers), f"{count} answers for {len(numbers)} examples"
            file.seek(0)
            file.write(begun.replace(b'"' + b"0" * 64 + b'"', f'"{summed.hexdigest()}"'.encode()))
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(path.parent.stat().st_mode & 0o666)  # as open as its folder
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def _as(answers: Tensor, dtype: torch.dtype) -> Tensor:
    """Half precision ends at 65,504: an impossible class stays merely that improbable, where -∞ would give NaN."""
    if dtype == torch.float16:
        answers = answers.clamp(torch.finfo(dtype).min, torch.finfo(dtype).max)
    return answers.to("cpu", dtype).contiguous()


def _header(facts: Mapping[str, str], name: str, count: int, shape: tuple[int, ...], itemsize: int) -> bytes:
    """Of a safetensors file: length, JSON, blanks up to a multiple of 8 bytes."""
    first = 8 * count
    last = first + itemsize * count * torch.Size(shape).numel()
    told = {
        "__metadata__": dict(facts),
        "index": {"dtype": "I64", "shape": [count], "data_offsets": [0, first]},
        "answers": {"dtype": name, "shape": [count, *shape], "data_offsets": [first, last]},
    }
    text = json.dumps(told).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text

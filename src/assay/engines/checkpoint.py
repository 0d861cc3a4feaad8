"""A checkpoint: a safetensors file of the flat :data:`~assay.contracts.TrainState` and of plain facts about it.

Its metadata holds a format number and a digest over every tensor and fact. safetensors rather than ``torch.save``: the
state is flat tensors, and the file then holds no pickle at all. Written to a temporary name, synced, renamed: the one
before survives a full disk or a crash. Which checkpoints a run keeps is :mod:`assay.engines.checkpoints`.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from assay.contracts import TrainState
from assay.errors import ConfigError

FORMAT = 2
SUFFIX = ".tmp"  # of a file being written


def digest(state: Mapping[str, Tensor], facts: str = "") -> str:
    """sha256 over names, types, shapes and bytes, in the order of names, and over the facts."""
    summed = hashlib.sha256()
    for name in sorted(state):
        tensor = state[name].detach().cpu().contiguous()
        summed.update(f"{name}|{tensor.dtype}|{tuple(tensor.shape)}|".encode())
        summed.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    summed.update(facts.encode())
    return summed.hexdigest()


def is_finite(state: Mapping[str, Tensor]) -> bool:
    """Whether the loss, every parameter and moment is finite; "best so far" may hold an infinity."""
    names = ("network.", "objective.", "optimizer.moment.", "counter.")
    return all(bool(torch.isfinite(v).all()) for k, v in state.items() if k.startswith(names) and v.is_floating_point())


def write(path: Path, state: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
    """Writes atomically: a reader sees the old file or the new one, whole.

    Raises:
        OSError: there is no room for it, or no right to write; the old file is as it was.
    """
    prepare(path, state, facts).replace(path)
    sync_folder(path.parent)


def prepare(path: Path, state: Mapping[str, Tensor], facts: Mapping[str, Any]) -> Path:
    """The first half of :func:`write`: the whole file under its temporary name, synced."""
    path.parent.mkdir(parents=True, exist_ok=True)
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in state.items()}
    temporary = path.with_name(path.name + SUFFIX)
    told = json.dumps(dict(facts), sort_keys=True)
    metadata = {"format": str(FORMAT), "digest": digest(plain, told), "facts": told}
    try:
        save_file(plain, temporary, metadata)
        temporary.chmod(path.parent.stat().st_mode & 0o666)  # as open as its folder
        with open(temporary, "rb") as file:
            os.fsync(file.fileno())
    except SafetensorError as error:  # its only way to say that the disk is full
        temporary.unlink(missing_ok=True)
        full = "os error 28" in str(error) or "os error 27" in str(error)
        raise OSError(errno.ENOSPC if full else errno.EIO, str(error), str(path)) from error
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return temporary


def sync_folder(folder: Path) -> None:
    """Makes renames last through a power cut, where the system lets a folder be opened."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


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
    if metadata.get("digest") != digest(state, metadata.get("facts", "")):
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

"""A user's text files, of any size: found, and cut into splits. No torch here."""

from __future__ import annotations

import glob
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

from assay.errors import ConfigError

_SUFFIX = ".txt"
_LINE = 1 << 20  # bytes looked through for the end of a line to cut at


@dataclass(frozen=True)
class Region:
    """Bytes [begin, stop) of a file; ``size`` is that of the whole file."""

    path: str
    begin: int
    stop: int
    size: int


Split = tuple[Region, ...]


def find(path: str, key: str = "data.path") -> list[str]:
    """The files that a path names, in the order of their names: itself, the .txt files of a folder and of those within
    it, or what a glob matches.

    Raises:
        ConfigError: there is none, or one may not be read.
    """
    path = os.path.expanduser(str(path))
    if os.path.isfile(path):
        found = [path]
    elif os.path.isdir(path):
        found = sorted(glob.glob(os.path.join(glob.escape(path), "**", f"*{_SUFFIX}"), recursive=True))
        if not found:
            raise ConfigError(f"{key}={path} is a folder without {_SUFFIX} files: name others by a glob, {path}/*.md")
    else:
        found = sorted(place for place in glob.glob(path, recursive=True) if os.path.isfile(place))
        if not found:
            raise ConfigError(f"{key}={path} is not there: name a text file, a folder of {_SUFFIX} files, or a glob")
    for place in found:
        if not os.access(place, os.R_OK):
            raise ConfigError(f"{place} may not be read: its permissions forbid it")
    return found


def splits_of(
    path: str, val_path: str | None, test_path: str | None, val_share: float, test_share: float
) -> tuple[dict[str, Split], list[str]]:
    """What of which file is training, validation and test. A split without files of its own is cut from the end of the
    training text, where a line ends, so that no two overlap: validation, then test.

    Returns:
        The splits in that order, and notes.
    Raises:
        ConfigError: a file is not there or in two splits, or the text is too short to be cut.
    """
    named = {"val": val_path, "test": test_path}
    given = {split: find(place, f"data.{split}_path") for split, place in named.items() if place is not None}
    train, notes = _apart(find(path), given)
    shares = {"val": val_share, "test": test_share}
    shares = {split: share for split, share in shares.items() if split not in given}
    found = _cut(_whole(train), shares) | {split: _whole(files) for split, files in given.items()}
    for split, regions in found.items():
        if not regions:
            mend = "give more text" if split in ("train", *shares) else "name another file"
            raise ConfigError(f"the {split} split of data.path={path} has no text: {mend}, or use data.val_path=…")
    if shares:
        told = " and ".join(f"{share:.3g} for {split}" for split, share in shares.items())
        notes.append(f"cut from the end of the text: {told}")
    return {split: found[split] for split in ("train", "val", "test")}, notes


def _apart(train: list[str], given: Mapping[str, Sequence[str]]) -> tuple[list[str], list[str]]:
    """The training files that are in no other split."""
    owner: dict[str, str] = {}
    for split, files in given.items():
        for file in files:
            if owner.setdefault(os.path.realpath(file), split) != split:
                raise ConfigError(f"{file} is in both data.val_path and data.test_path: name different files")
    kept = [file for file in train if os.path.realpath(file) not in owner]
    if not kept:
        raise ConfigError("every file of data.path is in data.val_path or data.test_path too: none is left to train on")
    left = len(train) - len(kept)
    return kept, [f"files of data.path that are validation or test files, and not trained on: {left:,}"] if left else []


def _whole(files: Sequence[str]) -> Split:
    return tuple(Region(file, 0, size, size) for file in files if (size := os.path.getsize(file)))


def _cut(regions: Split, shares: Mapping[str, float]) -> dict[str, Split]:
    """The text, less a share of its bytes for each split at its end."""
    ends = [0, *accumulate(region.stop for region in regions)]
    behind = [*accumulate(list(shares.values())[::-1])][::-1]  # of each cut, the share that lies behind it
    cuts = [0, *(_line_end(regions, ends, round((1 - share) * ends[-1])) for share in behind), ends[-1]]
    found = {}
    for split, (begin, stop) in zip(("train", *shares), pairwise(cuts), strict=True):
        parts = []
        for region, first in zip(regions, ends, strict=False):
            low, high = max(begin - first, 0), min(stop - first, region.size)
            if low < high:
                parts.append(Region(region.path, low, high, region.size))
        found[split] = tuple(parts)
    return found


def _line_end(regions: Split, ends: Sequence[int], wanted: int) -> int:
    """The first place at or behind the wanted one where a line begins; where none does for a long way, a character that
    is no space ends a word before it."""
    for region, first in zip(regions, ends, strict=False):
        if first == wanted:
            return wanted
        if first < wanted < first + region.size:
            with open(region.path, "rb") as file:
                file.seek(max(wanted - first - 1, 0))
                ahead = file.read(_LINE)
            begin = max(wanted - 1, first)
            for mark in (b"\n", b" "):
                if (place := ahead.find(mark)) >= 0:
                    return begin + place + 1
            return begin + 1 + _character(ahead[1:])
    return ends[-1]


def _character(ahead: bytes) -> int:
    """How far it is to the first byte that begins a character of UTF-8."""
    return next(place for place, byte in enumerate(ahead) if byte & 0xC0 != 0x80)

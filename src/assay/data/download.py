"""Published files: there, whole and verified, or fetched. No torch here: preflight answers before it loads.

A set is a :class:`Download`; its files are verified by checksum and only then take their name, so a half-written one
is never mistaken for data.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import os
import queue
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any

from assay.errors import ConfigError

_CONNECT_S = 5.0  # in which one mirror must answer
_STALL_S = 20.0  # without a byte, a download is given up
_BLOCK = 1 << 18
_FAILURES = (OSError, HTTPException, ValueError)


@dataclass(frozen=True)
class File:
    """A published file, the same file unpacked where its name ends in .gz, and under other names that it is kept by.

    also: (name, md5, bytes) of further forms that will do.
    sha256: its beginning, where that is published in place of an md5; the size is then the most it may be.
    """

    name: str
    md5: str
    size: int
    unpacked_md5: str = ""
    unpacked_size: int = 0
    also: tuple[tuple[str, str, int], ...] = ()
    sha256: str = ""

    def forms(self) -> list[tuple[str, str, int]]:
        """(name, md5, bytes) of each form that will do."""
        forms = [(self.name, self.md5, self.size)]
        if self.unpacked_md5:
            forms.append((self.name.removesuffix(".gz"), self.unpacked_md5, self.unpacked_size))
        return [*forms, *self.also]


@dataclass(frozen=True)
class Download:
    """A set's files.

    Args:
        title: as a person knows it.
        folder: below ``data_dir``, the usual loaders' layout; empty for that folder itself.
        mirrors: addresses that file names are appended to.
        by_hand: where there is none, how the files are made.
    """

    title: str
    folder: str
    files: tuple[File, ...]
    mirrors: tuple[str, ...]
    by_hand: str = ""

    def path(self, root: str, file: File) -> Path | None:
        """Where a whole file of the right size is, in either form."""
        for name, _, size in file.forms():
            path = Path(root).expanduser() / self.folder / name
            if path.is_file() and (path.stat().st_size == size or file.sha256):
                return path
        return None

    def verified(self, root: str, file: File) -> Path:
        """The file, its checksum compared.

        Raises:
            ConfigError: it is not there, or altered.
        """
        path = self.path(root, file)
        if path is None:
            raise ConfigError(f"{Path(root) / self.folder / file.name} is not there or not whole; see `assay data`")
        if file.sha256:
            found = hashlib.sha256(path.read_bytes()).hexdigest()
            if not found.startswith(file.sha256):
                raise ConfigError(
                    f"{path} is not the published file (sha256 {found}): delete it, and it is fetched again"
                )
            return path
        md5 = hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
        if md5 not in {checksum for name, checksum, _ in file.forms() if name == path.name}:
            raise ConfigError(f"{path} is not the published file (md5 {md5}): delete it, and it is downloaded again")
        return path

    def read(self, root: str, file: File) -> bytes:
        """The verified file's bytes, unpacked."""
        path = self.verified(root, file)
        data = path.read_bytes()
        return gzip.decompress(data) if path.suffix == ".gz" and not path.name.endswith(".tar.gz") else data

    def check(self, config: Mapping[str, Any]) -> set[str]:
        """What a set's check does before a run: its files are there, or are now."""
        self.ensure(str(config["root"]))
        return set()

    def ensure(self, root: str) -> None:
        """Downloads what is not there.

        Raises:
            ConfigError: no mirror answers, or none gives the published bytes.
        """
        lacking = [file for file in self.files if self.path(root, file) is None]
        if not lacking:
            return
        folder = Path(root).expanduser() / self.folder
        mirror = _first_to_answer([address + lacking[0].name for address in self.mirrors])
        if mirror is None:
            raise ConfigError(self._advice(folder, lacking, "is not there, and no source answers"))
        first = self.mirrors[mirror]
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if not os.access(folder, os.W_OK):
                raise PermissionError
        except OSError:
            raise ConfigError(self._advice(folder, lacking, "is not there, and may not be written to")) from None
        size = sum(file.size for file in lacking) / 1e6
        print(f"downloading {self.title}, {size:.0f} MB, to {folder}", file=sys.stderr)
        for file in lacking:
            self._fetch(file, folder, [first, *(address for address in self.mirrors if address != first)])

    def _fetch(self, file: File, folder: Path, mirrors: list[str]) -> None:
        problems = []
        for address in mirrors:
            part = folder / f".{file.name}.{os.getpid()}.part"
            try:
                md5 = _copy(address + file.name, part, file)
                if md5 == file.md5 or (file.sha256 and md5.startswith(file.sha256)):
                    os.replace(part, folder / file.name)
                    return
                problems.append(f"{address} gave other bytes ({'sha256' if file.sha256 else 'md5'} {md5})")
            except _FAILURES as error:
                problems.append(f"{address}: {error}")
            finally:
                with contextlib.suppress(FileNotFoundError):
                    part.unlink()
        raise ConfigError(self._advice(folder, [file], "could not be downloaded: " + "; ".join(problems)))

    def _advice(self, folder: Path, files: list[File], what: str) -> str:
        names = ", ".join(file.name for file in files)
        above = f"the folder above {self.folder.split('/')[0]}" if self.folder else "another folder"
        origin = f"from {' or '.join(self.mirrors)}" if self.mirrors else self.by_hand
        return f"{self.title} {what}: put {names} in {folder}, {origin}, or name {above} with data_dir= or ASSAY_DATA"


def _first_to_answer(addresses: list[str]) -> int | None:
    """The place of the first address that answers, all asked at once; None after the time is over.

    Threads, since a name that does not resolve and a host with many addresses both outlast a socket's own timeout.
    """
    answers: queue.Queue[int | None] = queue.Queue()

    def ask(place: int) -> None:
        try:
            with urllib.request.urlopen(urllib.request.Request(addresses[place], method="HEAD"), timeout=_CONNECT_S):
                answers.put(place)
        except _FAILURES:
            answers.put(None)

    for place in range(len(addresses)):
        threading.Thread(target=ask, args=(place,), daemon=True).start()
    deadline = time.monotonic() + _CONNECT_S
    for _ in addresses:
        try:
            place = answers.get(timeout=max(deadline - time.monotonic(), 0.01))
        except queue.Empty:
            return None
        if place is not None:
            return place
    return None


def _copy(address: str, part: Path, file: File) -> str:
    """Downloads to ``part`` with progress on stderr; returns the md5, or the sha256 where that is what is known."""
    digest = hashlib.sha256() if file.sha256 else hashlib.md5(usedforsecurity=False)
    done, shown = 0, -1
    with urllib.request.urlopen(address, timeout=_STALL_S) as response, open(part, "wb") as target:
        while block := response.read(_BLOCK):
            target.write(block)
            digest.update(block)
            done += len(block)
            if done > file.size:
                break  # not the published file, however long it goes on
            tenth = 10 * done // file.size
            if sys.stderr.isatty() and tenth > shown:
                shown = tenth
                print(f"\r  {file.name} {10 * tenth:3d} %", end="", file=sys.stderr, flush=True)
        target.flush()
        os.fsync(target.fileno())
    print(f"\r  {file.name}, {done / 1e6:.1f} MB" if sys.stderr.isatty() else f"  {file.name}", file=sys.stderr)
    return digest.hexdigest()

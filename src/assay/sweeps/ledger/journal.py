"""A file of JSON lines that several processes append to, of which nothing that was written is ever lost.

Each append happens under a lock of the operating system on the file itself, which on network disks also brings its
newest bytes, and is synced before the lock is let go. A line that was torn by a kill is closed by the next writer and
skipped by every reader: whoever wrote it was never told that it stands. Imports no torch.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import RLock
from typing import IO, Any

_guards: dict[str, RLock] = {}  # a lock of the system's is shared by all threads of a process


class Journal:
    """One reader and writer of a journal; others, of this process and of others, may share the file.

    Args:
        path: of the file; it need not be there.
        take: is called with each line, in order, once.
        forget: is called when the file was replaced: all lines follow again.
    """

    def __init__(self, path: Path, take: Callable[[Mapping[str, Any]], None], forget: Callable[[], None]) -> None:
        self.path = path
        self.take = take
        self.forget = forget
        self.damaged = 0
        """Lines that could not be read."""
        self._offset = 0
        self._file = (0, 0)

    def guard(self) -> RLock:
        return _guards.setdefault(os.path.realpath(self.path), RLock())

    def read(self) -> None:
        """Takes what was appended since."""
        with self.guard():
            try:
                file = open(self.path, "rb")  # noqa: SIM115 (only its absence is expected)
            except FileNotFoundError:
                self._begin_again((0, 0))
                return
            with file:
                self._read(file)

    @contextmanager
    def appending(self) -> Generator[Callable[[Sequence[Mapping[str, Any]]], None]]:
        """What appends lines, all or none, and takes them. Inside, nobody else appends, and all is taken.

        Raises:
            OSError: of the appending: the disk is full; the file is as it was.
        """
        with self.guard(), self._opened() as file:
            self._read(file)

            def append(lines: Sequence[Mapping[str, Any]]) -> None:
                if lines:
                    _append(file.fileno(), lines)
                    self._read(file)

            yield append

    @contextmanager
    def _opened(self) -> Generator[IO[bytes]]:
        """The file, locked; another one if it was replaced while we waited.

        The lock goes with the first closing of the file by this process, so nothing else may open it meanwhile.
        """
        while True:
            with open(self.path, "ab+", buffering=0) as file:
                _lock(file)
                try:
                    same = os.path.samestat(os.fstat(file.fileno()), os.stat(self.path))
                except FileNotFoundError:
                    same = False
                if same:
                    yield file
                    return

    def _read(self, file: IO[bytes]) -> None:
        """Up to the last whole line."""
        facts = os.fstat(file.fileno())
        this = facts.st_dev, facts.st_ino
        if this != self._file or facts.st_size < self._offset:
            self._begin_again(this)
        if facts.st_size == self._offset:
            return
        file.seek(self._offset)
        text = file.read()
        whole = text[: text.rfind(b"\n") + 1]
        self._offset += len(whole)
        for line in whole.split(b"\n"):
            if line.strip():
                try:
                    self.take(json.loads(line))
                except (ValueError, KeyError, TypeError, AttributeError):
                    self.damaged += 1

    def _begin_again(self, file: tuple[int, int]) -> None:
        self._offset, self._file, self.damaged = 0, file, 0
        self.forget()


@contextmanager
def alone(path: Path) -> Generator[None]:
    """One process at a time; others wait."""
    with open(path, "ab") as file:
        _lock(file)
        yield


def _append(descriptor: int, lines: Sequence[Mapping[str, Any]]) -> None:
    size = os.fstat(descriptor).st_size
    text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
    torn = size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"
    data = (b"\n" if torn else b"") + text.encode()
    try:
        while data:
            data = data[os.write(descriptor, data) :]
        os.fsync(descriptor)
    except OSError:
        os.ftruncate(descriptor, size)
        raise


def _lock(file: IO[bytes]) -> None:
    """Waits for the file; let go when it is closed."""
    try:
        import fcntl
    except ImportError:  # Windows: one parent at a time
        return
    try:
        fcntl.lockf(file, fcntl.LOCK_EX)
    except OSError:  # a disk without locks
        return

"""One process at a time writes a file that several want."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Generator
from pathlib import Path


@contextlib.contextmanager
def alone(folder: Path, name: str, what: str) -> Generator[None]:
    """While open, no other process writes this file.

    A lock of the operating system, which goes with its process however that ends. Where the disk knows none, two
    processes may do the same work under two names, and the last rename wins: both wrote the same.

    Args:
        name: of the file; names of half-written ones begin with it and end in .tmp.
        what: the other process is said to do.
    """
    lock = folder / f"{name}.lock"
    with open(lock, "a+", encoding="utf-8") as file:
        if _locked(file.fileno(), what):
            for left in folder.glob(f"{name}.*.tmp"):  # of processes that were killed
                left.unlink(missing_ok=True)
        yield
        lock.unlink(missing_ok=True)  # the file is there now: whoever waits here or comes later reads it


def _locked(handle: int, what: str) -> bool:
    """Waits for the lock; whether there are locks."""
    try:
        import fcntl
    except ImportError:  # Windows
        return False
    try:
        fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        print(f"waiting for another run, which {what}", file=sys.stderr, flush=True)
        fcntl.lockf(handle, fcntl.LOCK_EX)
    except OSError:  # a disk without locks
        return False
    return True

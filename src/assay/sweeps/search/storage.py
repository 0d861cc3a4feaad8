"""Where a study lies: Optuna's journal in the sweep's folder, or a database by its URL."""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from assay.errors import ConfigError

if TYPE_CHECKING:
    from optuna.storages import BaseStorage

JOURNAL = "study.journal"


def check(url: str | None) -> None:
    """Raises ConfigError if ``search.storage`` is no URL of a database, or holds a password."""
    if url is None:
        return
    parts = urlsplit(url)
    if parts.scheme.partition("+")[0] not in ("sqlite", "mysql", "postgresql", "mssql", "oracle"):
        raise ConfigError(
            f"search.storage={url} is no database; write sqlite:////PATH, postgresql://USER@HOST/NAME or "
            f"mysql+pymysql://USER@HOST/NAME, or leave it out for {JOURNAL} in the sweep's folder"
        )
    if parts.password:
        raise ConfigError(
            "search.storage holds a password, which would stand in the sweep's files: give it to the database's client "
            "another way, as PGPASSWORD or ~/.my.cnf"
        )


def opened(sweep: Path, url: str | None) -> BaseStorage:
    """The storage of a sweep's study; a journal is made if it is not there.

    Raises:
        ConfigError: the database does not answer, or is not to be read.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    if url is None:
        from optuna.storages.journal import JournalFileBackend

        path = str(sweep / JOURNAL)
        lock: Any = Lock(path)
        return optuna.storages.JournalStorage(JournalFileBackend(path, lock))
    try:
        return optuna.storages.RDBStorage(url)
    except Exception as error:  # whatever the database's driver raises
        text = " ".join(str(error).split())[:200]
        raise ConfigError(f"search.storage={url} cannot be opened: {text}") from error


class Lock:
    """A lock of the operating system in place of Optuna's link: it goes with its process, so that nobody waits half a
    minute for one that was killed. Who has it takes away a last line that a kill or a full disk has torn: Optuna
    would refuse the whole journal for it, and whoever wrote it was never told that it stands.

    Args:
        path: of the journal.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._held: Any = None

    def acquire(self) -> bool:
        self._held = locked(f"{self.path}.lock")
        self._held.__enter__()
        _heal(self.path)
        return True

    def release(self) -> None:
        self._held.__exit__(None, None, None)


def _heal(path: str) -> None:
    with open(path, "rb+") as file:
        end = file.seek(0, os.SEEK_END)
        back = 1
        while end and back <= end:
            file.seek(end - back)
            tail = file.read(back)
            if (last := tail.rfind(b"\n")) >= 0 or back == end:
                whole = end - back + last + 1 if last >= 0 else 0
                if whole < end:
                    file.truncate(whole)
                return
            back = min(back * 64, end)


@contextmanager
def locked(path: str | Path) -> Generator[None]:
    """One process inside; it is let go with the process, however that ends."""
    with open(path, "a+b") as file:
        try:
            import fcntl
        except ImportError:  # Windows: one parent at a time
            yield
            return
        fcntl.flock(file, fcntl.LOCK_EX)
        yield

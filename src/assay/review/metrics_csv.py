"""metrics.csv: every point of a run, one a row, in the order it was measured. All other logs are made from it.

The header is ``step,epoch,name,value``. There is no wall clock in it, so that the same run twice gives the same bytes.
Imports no torch.
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from assay.errors import ConfigError

HEADER = "step,epoch,name,value"


class Row(NamedTuple):
    """One point."""

    step: int
    epoch: int
    name: str
    value: float


class MetricsCSV:
    """Appends points; what one call writes reaches the file as a whole, at once, and survives a kill.

    A file that already holds points (a resumed run) is continued; a row torn by a kill is taken off first.

    Args:
        path: of the file; its folder exists.
    Attributes:
        rows: points in the file.
    Raises:
        ConfigError: the file is there and is not a metrics.csv.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.rows = 0
        if self.path.exists() and self.path.stat().st_size:
            whole = _whole_lines(self.path)
            _refuse_other(self.path, whole)
            os.truncate(self.path, len(whole))
            self.rows = whole.count(b"\n") - 1
        self._file = open(self.path, "ab", buffering=0)  # noqa: SIM115  # unbuffered: one write call, one append
        if self._file.tell() == 0:
            self._file.write(f"{HEADER}\n".encode())

    def write(self, step: int, epoch: int, values: Mapping[str, float]) -> None:
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        for name, value in values.items():
            # A label may hold a line break, and be part of a name; rows are lines.
            writer.writerow((int(step), int(epoch), " ".join(name.split()), repr(float(value))))
        self._file.write(text.getvalue().encode())
        self.rows += len(values)

    def sync(self) -> None:
        """What was written survives a power cut."""
        os.fsync(self._file.fileno())

    def close(self) -> None:
        self._file.close()


def read(path: str | Path) -> list[Row]:
    """All points; a last row without its line end (being written, or torn by a kill) does not count.

    Raises:
        ConfigError: the file cannot be read, or is not a metrics.csv.
    """
    path = Path(path)
    try:
        whole = _whole_lines(path)
    except OSError as error:
        raise ConfigError(f"{path} cannot be read ({error.strerror}); name a run folder") from error
    _refuse_other(path, whole)
    try:
        return list(parse(whole.decode().split("\n", 1)[1]))
    except (ValueError, IndexError) as error:
        raise ConfigError(f"{path} holds a row that is not {HEADER} ({error}); it was changed by hand") from error


def parse(text: str) -> Iterator[Row]:
    """The points in whole rows without the header."""
    for step, epoch, name, value in csv.reader(io.StringIO(text)):
        yield Row(int(step), int(epoch), name, float(value))


def cut(path: str | Path, rows: int) -> int:
    """Takes off, atomically, the points after the first ``rows``: what was measured after the state that a run
    restores.

    Returns:
        The number of points taken off.
    Raises:
        ConfigError: the file holds fewer, is not a metrics.csv, or cannot be read.
    """
    path = Path(path)
    lines = _whole_lines(path).splitlines(keepends=True)
    _refuse_other(path, b"".join(lines[:1]))
    if len(lines) - 1 < rows:
        raise ConfigError(f"{path} holds {len(lines) - 1} points, and its run had written {rows}: it was changed")
    temporary = path.with_name(path.name + ".tmp")
    with open(temporary, "wb") as file:
        file.write(b"".join(lines[: rows + 1]))
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    return len(lines) - 1 - rows


def _whole_lines(path: Path) -> bytes:
    found = path.read_bytes()
    return found[: found.rfind(b"\n") + 1]


def _refuse_other(path: Path, whole: bytes) -> None:
    header = whole.split(b"\n", 1)[0].decode(errors="replace")
    if header != HEADER:
        raise ConfigError(f"{path} begins with {header[:60]!r}; a metrics.csv begins with {HEADER!r}")

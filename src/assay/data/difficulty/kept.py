"""``curriculum.csv`` of a run folder: the difficulties that a run began with, so that it can be resumed without what
they were taken from. A table that ``curriculum=custom curriculum.path=…`` reads."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import torch
from torch import Tensor

from assay.data.difficulty import table
from assay.data.examples import Examples
from assay.errors import ConfigError

NAME = "curriculum.csv"


def write(where: Path, examples: Examples, difficulty: Tensor) -> None:
    """Whole: under another name first, then renamed. Every number is exact."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(table.COLUMNS)
    writer.writerows(zip(examples.index.tolist(), map(repr, difficulty.tolist()), strict=True))
    temporary = where / f"{NAME}.tmp"
    temporary.write_text(text.getvalue(), encoding="utf-8")
    temporary.replace(where / NAME)


def read(where: Path, examples: Examples) -> Tensor:
    """(n,) float64. Raises ConfigError where the file has gone or was altered."""
    path = where / NAME
    try:
        with open(path, encoding="utf-8", newline="") as file:
            found = {int(row["id"]): float(row["difficulty"]) for row in csv.DictReader(file)}
        return torch.tensor([found[number] for number in examples.index.tolist()], dtype=torch.float64)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(
            f"{path}, the difficulties that this run began with, cannot be read ({error}): use `assay rerun`"
        ) from error

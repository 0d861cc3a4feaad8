"""Assay: which technique works for my task, and by how much?

The whole public API: :func:`train`, :func:`load`, :func:`runs`. Importing it loads no torch.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.errors import ConfigError

if TYPE_CHECKING:
    from assay.predict import Predictor

__all__ = ["ConfigError", "load", "runs", "train"]


def train(*overrides: str) -> Any:
    """Trains one point as ``assay train`` does: the same overrides, checks, folder.

    Example:
        ``run = assay.train("model=lstm", "optim=adam"); run.summary["test/accuracy"]; run.predict(images)``
    Raises:
        ConfigError: preflight refuses; nothing was made.
    """
    from assay.door import train as train_

    return train_(overrides)


def load(run: str | Path) -> Predictor:
    """The trained model of a run folder, an artifact or ``latest``: ``assay.load("latest").predict(inputs)``."""
    from assay.predict import load as load_

    return load_(run)


def runs(path: str | Path = "outputs") -> list[dict[str, Any]]:
    """All runs below a folder, newest last: one row each with its switches, seed and summary as columns.

    Rows are plain dictionaries: ``pandas.DataFrame(assay.runs())`` makes a table of them.
    """
    from assay.door import runs as runs_

    return runs_(Path(path))

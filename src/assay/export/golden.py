"""golden.npz: inputs, and the answers that every file of an export must give for them.

The inputs are test examples of the run, where its data are still there and still the same; else made up, which is said.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from assay.artifacts import Artifact
from assay.data.examples import Column, Dense
from assay.data.preprocessing.table import TablePreprocessing
from assay.errors import ConfigError
from assay.export import onnx_file
from assay.export.whole import cells, example, fields
from assay.folder import read_config
from assay.targets import build

COUNT = 8


class _Cells(TablePreprocessing):
    """Publishes a table's cells as a file of ours reads them, not scaled."""

    def __call__(self, raws: Sequence[Any]) -> dict[str, Column]:
        read = cells(self, raws)
        return {"source": Dense(read.float() if self.impute.drops else read)}  # of dropped rows are float32 zeros


def inputs(artifact: Artifact, folder: Path) -> tuple[tuple[Tensor, ...], str]:
    """Inputs of a file, in its order, and what they are, in words.

    Args:
        folder: of the artifact; the run's config lies above it.
    """
    try:
        return _real(artifact, folder.parent)
    except (ConfigError, OSError) as error:
        why = str(error).partition(";")[0] if isinstance(error, ConfigError) else error.strerror
        return made_up(artifact, COUNT, 9), f"{COUNT} made-up inputs ({why})"


def _real(artifact: Artifact, run: Path) -> tuple[tuple[Tensor, ...], str]:
    if not (run / "config.yaml").is_file():
        raise ConfigError("an artifact without its run")
    config = read_config(run)
    dataset = build(config["data"])
    if hasattr(dataset, "fitted"):
        dataset.fitted = _as_cells(artifact.preprocessing)
    dataset.setup()
    if dataset.digest != artifact.card.get("digest"):
        raise ConfigError("the data are no longer those of the run")
    test = dataset.splits["test"]
    few = test.few(COUNT)
    batch = few.gather(torch.arange(len(few)))
    return tuple(batch[name] for name in fields(artifact)), f"{len(few)} test examples of {config['switches']['data']}"


def _as_cells(preprocessing: Any) -> Any:
    if not isinstance(preprocessing, TablePreprocessing):
        return preprocessing
    made = copy.copy(preprocessing)
    made.__class__ = _Cells
    made.notes = []
    return made


def made_up(artifact: Artifact, batch: int, time: int) -> tuple[Tensor, ...]:
    """No longer than the network can read."""
    longest = onnx_file.longest(artifact.network) or time
    return example(artifact, batch, min(time, longest), prepared=False, seed=batch)

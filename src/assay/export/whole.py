"""What is exported: the network between what a program can hand it and the answer that a person reads."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from assay.artifacts import Artifact
from assay.data.preprocessing.impute import NoImputation
from assay.data.preprocessing.nearest_rows import NearestRows
from assay.data.preprocessing.scaling import MinMax, NoScaling, Standard
from assay.data.preprocessing.table import TablePreprocessing


@dataclass(frozen=True)
class Port:
    """A file's input.

    name: of the tensor.
    dtype: as NumPy spells it.
    shape: of one example; "time" is a length that varies from batch to batch.
    means: in words.
    """

    name: str
    dtype: str
    shape: tuple[int | str, ...]
    means: str


class Whole(nn.Module):
    """source -> probabilities of classes (B, C) or of labels (B, L) float32, or numbers (B,) float64 in the label's
    own units.

    Args:
        artifact: a trained network; it is used as it is, in eval mode.
        prepared: the input is the column that the data publish. False: a table's cells come in, empty ones as NaN, and
            are filled and scaled inside, in float64 as in training.
    """

    def __init__(self, artifact: Artifact, prepared: bool = True) -> None:
        super().__init__()
        self.network = artifact.network
        self.label = artifact.spec.label
        self.cells: TablePreprocessing | None = None
        if not prepared and isinstance(artifact.preprocessing, TablePreprocessing):
            self.cells = copy.copy(artifact.preprocessing)
            if not fills(self.cells):
                self.cells.impute = NoImputation()  # the cells come filled

    def forward(self, x: Tensor) -> Tensor:
        if self.cells is not None:
            x = self.cells.prepared(x)
        output = self.network({"source": x})
        if output.log_probs is None:
            return output.logits.double() * self.label.scale + self.label.center  # (B,)
        return output.log_probs[..., 1].exp() if self.label.kind == "labels" else output.log_probs.exp()


def port(artifact: Artifact, prepared: bool = True) -> Port:
    """What the file of an artifact reads."""
    field = artifact.spec.source
    shape: tuple[int | str, ...] = tuple("time" if size is None else size for size in field.shape)
    match field.kind:
        case "image":
            color = {1: "grey", 3: "red, green and blue"}.get(shape[0], "channels")  # type: ignore[arg-type]
            return Port("pixels", "float32", shape, f"channels ({color}), rows, columns: bytes / 255, so in [0, 1]")
        case "ids":
            return Port("ids", "int64", ("time",), f"token ids, {field.padding_id or 0} after the end")
        case "table" if not prepared:
            return Port("cells", "float64", (len(artifact.preprocessing.features),), _cells(artifact.preprocessing))
        case "table":
            return Port("columns", "float32", shape, "numbers filled and scaled, codes of categories")
        case _:
            return Port(field.kind, "float32", shape, "numbers as the data hold them")


def _cells(preprocessing: Any) -> str:
    gaps = "NaN where empty" if fills(preprocessing) else "none empty"
    scaled = "as they are" if isinstance(preprocessing.scaling, NoScaling) else "not scaled"
    return f"numbers {scaled}, {gaps}; categories by their code, 0 an unknown one"


def fills(preprocessing: Any) -> bool:
    """Whether the file itself fills empty cells. Filling from the nearest rows chooses rows, which no graph of fixed
    shapes does: Assay does that before, and whoever runs the file alone must."""
    impute = preprocessing.impute
    return impute.fills and not impute.drops and not isinstance(impute, NearestRows)


def cells(table: TablePreprocessing, raws: Sequence[Any]) -> Tensor:
    """(N, D) float64: what the file reads of rows; their gaps filled where it does not fill them."""
    found = table.cells(raws)
    if not fills(table):
        numbers = [place for place, is_number in enumerate(table.numeric) if is_number]
        found[:, numbers] = table.impute.transform(found[:, numbers])
    return found


def example(artifact: Artifact, batch: int, time: int, prepared: bool = True, seed: int = 0) -> Tensor:
    """Made-up inputs of every kind; ids of varying length, cells with gaps where the file fills them."""
    into = port(artifact, prepared)
    generator = torch.Generator().manual_seed(seed)
    shape = [batch, *(time if size == "time" else int(size) for size in into.shape)]
    if into.name == "ids":
        size = int(artifact.spec.source.size or 2)
        ids = torch.randint(min(2, size - 1), size, shape, generator=generator)
        length = torch.randint(1, time + 1, (batch, 1), generator=generator)
        length[0] = time  # the longest of the batch
        return ids if artifact.spec.source.padding_id is None else ids.where(torch.arange(time) < length, 0)
    x = torch.rand(shape, generator=generator)
    if into.name in ("columns", "cells"):
        x = (x * 4 - 2).double()
        if into.name == "cells":
            x = _unscaled(artifact.preprocessing, x)
        codes = artifact.spec.source.cardinalities[: shape[1]]
        for place, size in enumerate(codes):
            if size:
                x[:, place] = torch.randint(0, size, (batch,), generator=generator)
            elif into.name == "cells" and fills(artifact.preprocessing):
                x[torch.rand(batch, generator=generator) < 0.2, place] = torch.nan
    return x.to(getattr(torch, into.dtype))


def _unscaled(table: TablePreprocessing, x: Tensor) -> Tensor:
    """Cells (N, D) whose scaled numbers are ``x``: what the training split may have held."""
    numbers = [place for place, is_number in enumerate(table.numeric) if is_number]
    match table.scaling:
        case Standard(mean_=low, scale_=width) | MinMax(min_=low, range_=width):
            x[:, numbers] = x[:, numbers] * width + low
    return x

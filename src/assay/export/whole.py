"""What is exported: the network between what a program can hand it and the answer that a person reads."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from assay.artifacts import Artifact
from assay.contracts import Field
from assay.data.preprocessing.impute import NoImputation
from assay.data.preprocessing.nearest_rows import NearestRows
from assay.data.preprocessing.scaling import MinMax, NoScaling, Standard
from assay.data.preprocessing.table import TablePreprocessing


@dataclass(frozen=True)
class Port:
    """A file's input.

    name: of the tensor.
    dtype: as NumPy spells it.
    shape: of one example; "time" and "letters" are lengths that vary from batch to batch.
    means: in words.
    field: of a batch, that it is.
    """

    name: str
    dtype: str
    shape: tuple[int | str, ...]
    means: str
    field: str = "source"


class Whole(nn.Module):
    """The source, and what is read beside it -> probabilities of classes (B, C) or of labels (B, L) float32, numbers
    (B,) float64 in the label's own units, or logarithms of tags' probabilities (B, T, C), each word by itself.

    Args:
        artifact: a trained network; it is used as it is, in eval mode.
        prepared: the input is the column that the data publish. False: a table's cells come in, empty ones as NaN, and
            are filled and scaled inside, in float64 as in training.
    """

    def __init__(self, artifact: Artifact, prepared: bool = True) -> None:
        super().__init__()
        self.network = artifact.network
        self.fields = fields(artifact)
        self.label = artifact.spec.label
        self.cells: TablePreprocessing | None = None
        if not prepared and isinstance(artifact.preprocessing, TablePreprocessing):
            self.cells = copy.copy(artifact.preprocessing)
            if not fills(self.cells):
                self.cells.impute = NoImputation()  # the cells come filled

    def forward(self, *inputs: Tensor) -> Tensor:
        if self.cells is not None:
            inputs = (self.cells.prepared(inputs[0]),)
        output = self.network(dict(zip(self.fields, inputs, strict=True)))
        if self.label.kind == "tags":
            return output.logits.log_softmax(-1)
        if output.log_probs is None:
            return output.logits.double() * self.label.scale + self.label.center  # (B,)
        return output.log_probs[..., 1].exp() if self.label.kind == "labels" else output.log_probs.exp()


def fields(artifact: Artifact) -> tuple[str, ...]:
    """Of a batch, what the network reads: the source, and what its stem reads beside it."""
    return ("source", *getattr(getattr(artifact.network, "stem", None), "fields", ()))


def ports(artifact: Artifact, prepared: bool = True) -> tuple[Port, ...]:
    """What the file of an artifact reads, the source first."""
    source = _source(artifact, prepared)
    return (source, *(_beside(name, artifact.spec.fields[name].kind) for name in fields(artifact)[1:]))


def _beside(name: str, kind: str) -> Port:
    if kind == "characters":
        means = "ids of each word's characters, 0 after its end"
        return Port(name, "int64", ("time", "letters"), means, name)
    return Port(
        f"feature_{name}", "int64", ("time",), f"ids of {name} of each word, 1 an unknown one, 0 after the end", name
    )


def _source(artifact: Artifact, prepared: bool) -> Port:
    field = artifact.spec.source
    shape: tuple[int | str, ...] = tuple("time" if size is None else size for size in field.shape)
    match field.kind:
        case "image":
            color = {1: "grey", 3: "red, green and blue"}.get(shape[0], "channels")  # type: ignore[arg-type]
            return Port("pixels", "float32", shape, f"channels ({color}), rows, columns: bytes / 255, so in [0, 1]")
        case "ids":
            return Port("ids", "int64", ("time",), f"token ids, {field.padding_id or 0} after the end")
        case "table" if not prepared and isinstance(artifact.preprocessing, TablePreprocessing):
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


def example(artifact: Artifact, batch: int, time: int, prepared: bool = True, seed: int = 0) -> tuple[Tensor, ...]:
    """Made-up inputs of every kind; ids of varying length, cells with gaps where the file fills them."""
    into, *beside = ports(artifact, prepared)
    generator = torch.Generator().manual_seed(seed)
    if into.name == "ids":
        held = torch.ones(batch, time, dtype=torch.bool)
        if artifact.spec.source.padding_id is not None:
            length = torch.randint(1, time + 1, (batch, 1), generator=generator)
            length[0] = time  # the longest of the batch
            held = torch.arange(time) < length
        return (
            _ids(artifact.spec.source, held, generator),
            *(_ids(artifact.spec.fields[one.field], _spelled(held, one, generator), generator) for one in beside),
        )
    return (_numbers(artifact, into, batch, time, generator),)


def _ids(field: Field, held: Tensor, generator: torch.Generator) -> Tensor:
    """Of what is known, 0 where nothing is held."""
    size = int(field.size or 2)
    return torch.randint(min(2, size - 1), size, held.shape, generator=generator).where(held, 0)


def _spelled(held: Tensor, into: Port, generator: torch.Generator) -> Tensor:
    """Which characters of the words (B, T) there are, (B, T, L): one at least, eight at most; or the words."""
    if "letters" not in into.shape:
        return held
    length = torch.randint(1, 9, (*held.shape, 1), generator=generator)
    return (torch.arange(int(length.max())) < length) & held.unsqueeze(-1)


def _numbers(artifact: Artifact, into: Port, batch: int, time: int, generator: torch.Generator) -> Tensor:
    shape = [batch, *(time if size == "time" else int(size) for size in into.shape)]
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

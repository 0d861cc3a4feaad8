"""Sights of small networks for the tests of diagnostics: as a run shows them, without a run."""

from __future__ import annotations

from types import SimpleNamespace

import torch

from assay.callbacks.diagnostic import Moment, Sight
from assay.contracts import DataSpec, Field
from assay.data.examples import Dense, Examples, Ragged
from assay.layers.stems.embedding import Embedding
from assay.layers.stems.identity import Identity
from assay.losses.cross_entropy import CrossEntropy
from assay.tasks.classification import Classification

CLASSES = 3


def label():
    return Field("class", size=CLASSES, names=("a", "b", "c"))


def data(source, count, seed=0):
    examples = Examples(
        {"source": source, "label": Dense(torch.arange(count) % CLASSES)}, torch.arange(count, dtype=torch.int64)
    )
    return SimpleNamespace(
        dataset=SimpleNamespace(splits={"train": examples, "val": examples}), training=None, seed=seed
    )


def dense(encoder, shape, count=20, moment=Moment.END, dtype=torch.float64):
    """A classifier of ``encoder`` on numbers of a shape."""
    numbers = torch.randn(count, *shape, generator=torch.Generator().manual_seed(5), dtype=dtype)
    kind = {1: "vector", 2: "sequence", 3: "image"}[len(shape)]
    field = Field(kind, tuple(shape))
    task = Classification(DataSpec({"source": field, "label": label()}), CrossEntropy(0.0))
    network = task.network(Identity(field), encoder).to(dtype)
    return Sight(moment, 7, 1, task, network, data(Dense(numbers), count), torch.device("cpu"))


def texts(encoder, width, lengths, moment=Moment.END):
    """A classifier of ``encoder`` on ids, padded with 0."""
    torch.manual_seed(3)
    sequences = [torch.randint(1, 9, (length,)).tolist() for length in lengths]
    field = Field("ids", (None,), size=9, padding_id=0)
    task = Classification(DataSpec({"source": field, "label": label()}), CrossEntropy(0.0))
    torch.manual_seed(6)  # whatever was drawn before
    network = task.network(Embedding(field, width), encoder).double()
    return Sight(moment, 7, 1, task, network, data(Ragged.join(sequences, 0), len(lengths)), torch.device("cpu"))

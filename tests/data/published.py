"""What the tests of published sets share: a set as its option makes it, and its examples by number."""

from __future__ import annotations

from functools import cache

import pytest
import torch

from assay.data.dataset import DataSet
from assay.preflight import compose
from assay.targets import build
from tests import covers


@cache  # reading one may take a second
def ready(name: str, *words: str) -> DataSet:
    """The set of the option, set up; a skip where its files are not at hand."""
    if not covers.at_hand(name):
        pytest.skip(f"the files of data={name} are not at hand (ASSAY_DATA or ../shared/data)")
    dataset = build(compose((f"data={name}", *covers.DOWNLOADS, *words)).config["data"])
    dataset.setup()
    return dataset


def counts(dataset: DataSet) -> dict[str, list[int]]:
    """Examples of each class, by split."""
    return {
        split: torch.bincount(examples.column("label"), minlength=len(dataset.spec.label.names)).tolist()
        for split, examples in dataset.splits.items()
    }


def by_number(dataset: DataSet) -> dict[int, tuple[torch.Tensor, float]]:
    """{stable number: (source, label)} over all splits."""
    found = {}
    for examples in dataset.splits.values():
        batch = examples.gather(torch.arange(len(examples)))
        found |= dict(
            zip(batch["index"].tolist(), zip(batch["source"], batch["label"].tolist(), strict=True), strict=True)
        )
    return found


def texts_by_number(dataset: DataSet) -> dict[int, tuple[str, str]]:
    """{stable number: (tokens joined by spaces, class)} over all splits; tokens unseen in training are <unk>."""
    names = dataset.spec.label.names
    return {n: (dataset.preprocessing.show(ids), names[int(label)]) for n, (ids, label) in by_number(dataset).items()}

"""What every data set offers, and how one is put together."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Protocol

import torch
from torch import Tensor

from assay.contracts import DataSpec
from assay.data.examples import Column, Examples
from assay.data.preprocessing import Preprocessing


class DataSet(Protocol):
    """A data set: its constructor's arguments are the keys of its yaml; the rest is known after ``setup``.

    batch_size, epochs: as configured; an integer or "full".
    workers: processes that decode its files; 0 where all is in memory.
    spec: the fields "source" and "label", and what a network may read beside the source.
    splits: "train", "val" and "test", disjoint.
    preprocessing: raw inputs -> "source", fitted on the training split; the artifact keeps it.
    notes: what was found, a line each: delimiter, target, copies, rare classes.
    source_name, licence: where the data come from, and their terms, for the data card.
    digest: sha256 of the contents, whatever files they came in; two runs with the same one can be compared.

    A set whose source depends on what is fitted also has ``fitted``: None or, set before ``setup``, the preprocessing
    to use instead of fitting one. `assay evaluate` so shows a trained model other data as it saw its own.

    Two more may be had, with these values where they are not:

    ordered = False: whether training examples come in their order, epoch after epoch, since each batch goes on from the
        one before (the windows of a text, in as many tracks as a batch has rows).
    evaluation_batch_size = None: examples of a batch of validation and test; None: four times the batch size.

    One of running text, whose label is of kind "tokens", has ``counts``: split -> its tokens to predict, characters,
    documents, types and unknown tokens, as they were counted while it was tokenised; nothing counts them again.
    """

    batch_size: int | str
    epochs: int
    workers: int
    spec: DataSpec
    splits: dict[str, Examples]
    preprocessing: Preprocessing
    notes: list[str]
    source_name: str
    licence: str
    digest: str

    def setup(self) -> None:
        """Reads, cuts and fits; a second call does nothing."""
        ...


def some(dataset: DataSet, split: str, count: int) -> Examples:
    """``count`` examples of a split to look at, always the same; of one whose batches go on from one another, its first
    batches, so many that they hold the count."""
    examples = dataset.splits[split]
    if not getattr(dataset, "ordered", False):
        return examples.few(count)
    size = len(examples) if isinstance(dataset.batch_size, str) else dataset.batch_size
    return examples.select(torch.arange(min(-(-count // size) * size, len(examples))))


def cut(columns: Mapping[str, Column], positions: Mapping[str, Tensor]) -> dict[str, Examples]:
    """One :class:`Examples` per split, all over the same columns."""
    return {split: Examples(columns, positions[split]) for split in ("train", "val", "test")}


def sha256(*parts: bytes | Iterable[str]) -> str:
    """One digest of bytes and lists of texts, lengths included, so that no two contents run together."""
    digest = hashlib.sha256()
    for part in parts:
        data = part if isinstance(part, bytes) else json.dumps(list(part)).encode()
        digest.update(len(data).to_bytes(8, "little"))
        digest.update(data)
    return digest.hexdigest()


def label_tensor(kind: str, values: Iterable) -> Tensor:
    """Targets as batches hold them: class (N,) int64, labels (N, L) float32, number (N,) float32."""
    return torch.tensor(list(values), dtype=torch.int64 if kind == "class" else torch.float32)

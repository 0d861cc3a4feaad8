"""Rows of numbers and categories, once they are read: what every table does alike."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import chain, compress

import torch
from torch import Tensor

from assay.contracts import DataSpec
from assay.data.dataset import cut, sha256
from assay.data.delimited import FeatureTable, complete_rows
from assay.data.examples import Column, Dense, Examples
from assay.data.folds import Cut
from assay.data.preprocessing.impute import Imputation
from assay.data.preprocessing.scaling import Scaling
from assay.data.preprocessing.table import TablePreprocessing
from assay.data.tables import joined_labels, positions_of


@dataclass(frozen=True)
class Prepared:
    """What ``setup`` of a data set publishes."""

    preprocessing: TablePreprocessing
    spec: DataSpec
    digest: str
    notes: list[str]
    splits: dict[str, Examples]


def prepared(
    table: FeatureTable, preprocessing: TablePreprocessing, fit: bool, split_seed: int, cutting: Cut = positions_of
) -> Prepared:
    """Cuts what has no file of its own, and fits filling, scaling and categories on the training split if asked to."""
    label, field = joined_labels(table.target, list(table.rows))
    rows = list(chain.from_iterable(table.rows.values()))
    if preprocessing.impute.drops:
        whole, dropped = complete_rows(table, preprocessing.missing)
        kept = torch.nonzero(torch.tensor(list(chain.from_iterable(whole.values()))))[:, 0]
        sources = {split: list(compress(table.rows[split], held)) for split, held in whole.items()}
        given = table.groups and {s: list(compress(table.groups[s], held)) for s, held in whole.items()}
        positions, notes = cutting(sources, label[kept], field, split_seed, given)
        positions, notes = {split: kept[places] for split, places in positions.items()}, [*dropped, *notes]
    else:
        kept = torch.arange(len(rows))
        positions, notes = cutting(table.rows, label, field, split_seed, table.groups)
    if fit:
        preprocessing.fit([rows[number] for number in positions["train"].tolist()])
    columns = {"source": _spread(preprocessing, rows, kept), "label": Dense(label)}
    spec = DataSpec({"source": preprocessing.field(), "label": field})
    digest = sha256(table.features, chain.from_iterable(rows), label.numpy().tobytes(), field.names)
    notes = [*table.notes, *preprocessing.notes, *notes]
    preprocessing.notes.clear()
    return Prepared(preprocessing, spec, digest, notes, cut(columns, positions))


def _spread(preprocessing: TablePreprocessing, rows: Sequence[tuple[str, ...]], kept: Tensor) -> Column:
    """The source of the rows that are kept, each at its own number among all."""
    column = preprocessing([rows[number] for number in kept.tolist()] if len(kept) < len(rows) else rows)["source"]
    if len(kept) == len(rows):
        return column
    found = column.gather(torch.arange(len(kept)))
    return Dense(torch.zeros(len(rows), found.shape[1]).index_copy_(0, kept, found))


class TableSet:
    """A published table. Splits that it lacks are cut from training, stratified; copies of a row stay in one split.

    Args:
        read: whether gaps are filled -> the table.
        missing: what an empty cell looks like.
        source_name, licence: for the data card.
        scaling, impute: of the numbers, fitted on the training split.
        batch_size: examples per batch, or "full".
        split_seed: of what is cut.
        epochs: passes over the training split that the trainer makes by default.
        cutting: how splits are made of what was read.
    Raises:
        ConfigError: a file is not there, or a cell of it will not do.
    """

    workers = 0
    fitted: TablePreprocessing | None = None

    def __init__(
        self,
        read: Callable[[bool], FeatureTable],
        missing: Sequence[str],
        source_name: str,
        licence: str,
        scaling: Scaling,
        impute: Imputation,
        batch_size: int | str,
        split_seed: int,
        epochs: int,
        cutting: Cut = positions_of,
    ) -> None:
        self.cutting = cutting
        self.read, self.missing, self.source_name, self.licence = read, missing, source_name, licence
        self.scaling, self.impute = scaling, impute
        self.batch_size, self.split_seed, self.epochs = batch_size, split_seed, epochs
        self.notes: list[str] = []
        self.splits: dict[str, Examples] = {}

    def setup(self) -> None:
        if self.splits:
            return
        table = self.read((self.impute if self.fitted is None else self.fitted.impute).fills)
        count = sum(table.numeric)
        note = f"{len(table.numeric)} features: {count} numbers, {len(table.numeric) - count} categories"
        table = replace(table, notes=[note])  # a user's table has notes of the switches that read it otherwise
        preprocessing = self.fitted or TablePreprocessing(
            table.features, table.numeric, self.missing, self.scaling, self.impute
        )
        made = prepared(table, preprocessing, self.fitted is None, self.split_seed, self.cutting)
        self.preprocessing, self.spec, self.digest = made.preprocessing, made.spec, made.digest
        self.notes, self.splits = made.notes, made.splits

"""A user's table of numbers and categories."""

from __future__ import annotations

import os
from collections.abc import Sequence

from assay.data.delimited import read_table
from assay.data.examples import Examples
from assay.data.folds import cutting
from assay.data.preprocessing.impute import Imputation
from assay.data.preprocessing.scaling import Scaling
from assay.data.preprocessing.table import TablePreprocessing
from assay.data.table_set import prepared


class TabularCSV:
    """Rows of numbers and categories from a delimited file with a header.

    Splits without a file of their own are cut from training, stratified 80/10/10; a row of features that stands twice
    stays in one split. Examples are numbered from 0, training file first.

    Args:
        path: the file.
        label: column to predict; a list of columns of 0 and 1 is multi-label.
        scaling, impute: of the numbers, fitted on the training split.
        features: columns to learn from; None takes all others that have a name.
        categories: columns of numbers that are read as categories.
        val_path, test_path: files with the same columns.
        target: auto, class, labels or number; auto follows the rules of :mod:`assay.data.targets`.
        delimiter, encoding: None finds them.
        missing: what an empty cell looks like.
        batch_size: examples per batch, or "full".
        split_seed: of the split.
        epochs: passes over the training split that the trainer makes by default.
        fold, folds: see :class:`assay.data.folds.OneFold`.
        groups: a column whose equal cells (a patient, an author) stay in one split.
    Raises:
        ConfigError: anything wrong with a file, with its line.
    """

    workers = 0
    licence = "the user's own"
    fitted: TablePreprocessing | None = None

    def __init__(
        self,
        path: str,
        label: str | Sequence[str],
        scaling: Scaling,
        impute: Imputation,
        features: Sequence[str] | None = None,
        categories: Sequence[str] | None = None,
        val_path: str | None = None,
        test_path: str | None = None,
        target: str = "auto",
        delimiter: str | None = None,
        encoding: str | None = None,
        missing: Sequence[str] = ("", "?", "NA", "NaN", "nan", "null"),
        batch_size: int | str = 32,
        split_seed: int = 0,
        epochs: int = 30,
        fold: int | None = None,
        folds: int | None = None,
        groups: str | None = None,
    ) -> None:
        self.path, self.label, self.features, self.categories = path, label, features, categories
        self.val_path, self.test_path = val_path, test_path
        self.target, self.delimiter, self.encoding, self.missing = target, delimiter, encoding, missing
        self.scaling, self.impute = scaling, impute
        self.batch_size, self.split_seed, self.epochs = batch_size, split_seed, epochs
        self.cutting, self.groups = cutting(fold, folds), groups
        self.source_name = os.path.basename(path)
        self.notes: list[str] = []
        self.splits: dict[str, Examples] = {}

    def setup(self) -> None:
        if self.splits:
            return
        table = read_table(
            self.path,
            self.label,
            self.features if self.fitted is None else self.fitted.features,
            self.val_path,
            self.test_path,
            self.target,
            self.delimiter,
            self.encoding,
            self.missing,
            self.categories,
            self.impute.fills if self.fitted is None else self.fitted.impute.fills,
            self.groups,
        )
        preprocessing = self.fitted or TablePreprocessing(
            table.features, table.numeric, self.missing, self.scaling, self.impute
        )
        made = prepared(table, preprocessing, self.fitted is None, self.split_seed, self.cutting)
        self.preprocessing, self.spec, self.digest = made.preprocessing, made.spec, made.digest
        self.notes, self.splits = made.notes, made.splits

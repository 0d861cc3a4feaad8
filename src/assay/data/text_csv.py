"""A user's table of texts."""

from __future__ import annotations

import os
from collections.abc import Sequence
from itertools import chain

from assay.data.delimited import read_text
from assay.data.examples import Examples
from assay.data.folds import cutting
from assay.data.preprocessing.text import TextPreprocessing
from assay.data.tables import joined_labels
from assay.data.text_set import prepared
from assay.data.tokenizers import Tokenizer


class TextCSV:
    """Texts and their labels from a delimited file with a header.

    Splits without a file of their own are cut from training, stratified 80/10/10; a text that stands twice stays in one
    split. Examples are numbered from 0, training file first.

    Args:
        path: the file.
        text, label: names of columns; several labels are a list of columns of 0 and 1.
        val_path, test_path: files with the same columns.
        target: auto, class, labels or number; auto follows the rules of :mod:`assay.data.targets`.
        label_separator: between several labels in one cell.
        delimiter, encoding: None finds them.
        tokenizer: fitted on the training split.
        max_length: tokens kept of a text.
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
    fitted: TextPreprocessing | None = None

    def __init__(
        self,
        path: str,
        text: str,
        label: str | Sequence[str],
        tokenizer: Tokenizer,
        val_path: str | None = None,
        test_path: str | None = None,
        target: str = "auto",
        label_separator: str | None = None,
        delimiter: str | None = None,
        encoding: str | None = None,
        max_length: int = 400,
        batch_size: int | str = 32,
        split_seed: int = 0,
        epochs: int = 10,
        fold: int | None = None,
        folds: int | None = None,
        groups: str | None = None,
    ) -> None:
        self.path, self.text, self.label = path, text, label
        self.val_path, self.test_path = val_path, test_path
        self.target, self.label_separator, self.delimiter, self.encoding = target, label_separator, delimiter, encoding
        self.tokenizer, self.max_length = tokenizer, max_length
        self.batch_size, self.split_seed, self.epochs = batch_size, split_seed, epochs
        self.cutting, self.groups = cutting(fold, folds), groups
        self.source_name = os.path.basename(path)
        self.notes: list[str] = []
        self.splits: dict[str, Examples] = {}

    def setup(self) -> None:
        if self.splits:
            return
        table = read_text(
            self.path,
            self.text,
            self.label,
            self.val_path,
            self.test_path,
            self.target,
            self.label_separator,
            self.delimiter,
            self.encoding,
            self.groups,
        )
        label, field = joined_labels(table.target, list(table.texts))
        texts = list(chain.from_iterable(table.texts.values()))
        positions, notes = self.cutting(table.texts, label, field, self.split_seed, table.groups)
        preprocessing = self.fitted or TextPreprocessing(self.tokenizer, self.max_length, self.text)
        made = prepared(texts, label, field, positions, preprocessing, self.fitted is None)
        self.preprocessing, self.spec, self.digest = made.preprocessing, made.spec, made.digest
        self.notes = [*table.notes, *notes]
        self.splits = made.splits

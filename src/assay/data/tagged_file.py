"""A user's tagged sentences."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from assay.data.folds import cutting
from assay.data.tagged import Tagged
from assay.data.tagged_columns import Name
from assay.data.tagged_paths import Files, read_files
from assay.data.tagged_set import TaggedSet


def tagged_file(
    path: str,
    words: int | str = 1,
    tags: int | str = -1,
    features: Sequence[int | str] = (),
    val_path: str | None = None,
    test_path: str | None = None,
    format: str = "auto",
    scheme: str = "auto",
    delimiter: str | None = None,
    encoding: str | None = None,
    lowercase: bool = False,
    digits: str = "keep",
    min_count: int = 1,
    tagger: str | None = None,
    batch_size: int | str = 16,
    split_seed: int = 0,
    epochs: int = 20,
    fold: int | None = None,
    folds: int | None = None,
) -> TaggedSet:
    """Sentences from files of columns (a word a line, a blank line between sentences) or of lines (a sentence a line:
    words, a tab, tags), or from a folder of seq.in, seq.out and label, or of one such folder for each split.

    Splits without a file of their own are cut from training, 80/10/10; a sentence that stands twice stays in one split.

    Args:
        path: the file or folder.
        words, tags, features: of files of columns, see :func:`assay.data.tagged_columns.read_columns`.
        val_path, test_path: of the same form.
        format: columns or lines; auto finds it.
        scheme: see :func:`assay.data.tag_schemes.in_scheme`.
        delimiter, encoding: None finds them.
        lowercase, digits, min_count, tagger, batch_size, split_seed, epochs: see :class:`TaggedSet`.
        fold, folds: see :class:`assay.data.folds.OneFold`.
    Raises:
        ConfigError: anything wrong with a file, with its line.
    """
    source = _Source((path, words, tags, features, val_path, test_path, format, scheme, delimiter, encoding))
    return TaggedSet(
        source.read,
        os.path.basename(os.path.normpath(path)),
        "the user's own",
        lowercase,
        digits,
        min_count,
        tagger,
        batch_size,
        epochs,
        split_seed,
        cutting(fold, folds),
        columns=source.columns,
    )


class _Source:
    """The files, read once, and where they keep what."""

    def __init__(self, keys: tuple) -> None:
        self.keys = keys
        self.files: Files | None = None

    def read(self) -> tuple[dict[str, Tagged], list[str]]:
        self.files = read_files(*self.keys)
        return self.files.held, self.files.notes

    def columns(self) -> Mapping[str, Name]:
        """For `assay predict`; columns counted from the end as they are counted from the beginning."""
        layout = None if self.files is None else self.files.layout
        return {} if layout is None else layout.columns()

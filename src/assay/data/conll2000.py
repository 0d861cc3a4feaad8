"""CoNLL-2000: chunks of the Wall Street Journal."""

from __future__ import annotations

import io
import zipfile
from functools import partial

from assay.data.folds import cutting
from assay.data.sources.conll2000 import DOWNLOAD
from assay.data.tagged import Tagged
from assay.data.tagged_columns import read_columns
from assay.data.tagged_set import TaggedSet
from assay.errors import ConfigError

_MEMBERS = {"train": "conll2000/train.txt", "test": "conll2000/test.txt"}


def conll2000(
    root: str,
    tags: str = "chunk",
    lowercase: bool = True,
    digits: str = "zero",
    min_count: int = 1,
    tagger: str | None = None,
    batch_size: int | str = 16,
    split_seed: int = 0,
    epochs: int = 8,
    fold: int | None = None,
    folds: int | None = None,
) -> TaggedSet:
    """8,936 training and 2,012 test sentences of sections 15-18 and 20, 211,727 and 47,377 words.

    Tjong Kim Sang and Buchholz 2000, "Introduction to the CoNLL-2000 Shared Task: Chunking". A tenth of training
    validates.

    Args:
        root: holds nltk/corpora/conll2000.zip (NLTK's archive).
        tags: chunk, IOB2 spans of 11 types with the feature ``pos``, the part of speech that the Brill tagger gave each
            word; or pos, those parts of speech themselves.
        lowercase: characters are those that were typed.
        digits, min_count, tagger, batch_size, split_seed, epochs: see :class:`TaggedSet`.
        fold, folds: see :class:`assay.data.folds.OneFold`.
    Raises:
        ConfigError: other tags.
    """
    if tags not in ("chunk", "pos"):
        raise ConfigError(f"data.tags={tags} is neither chunk nor pos")
    columns = {"words": 1, "pos": 2} if tags == "chunk" else {"words": 1}
    return TaggedSet(
        partial(_read, root, tags),
        f"CoNLL-2000 (Tjong Kim Sang and Buchholz 2000), {'chunks' if tags == 'chunk' else 'parts of speech'}",
        "not stated; text of the Wall Street Journal, of the Penn Treebank (LDC)",
        lowercase,
        digits,
        min_count,
        tagger,
        batch_size,
        epochs,
        split_seed,
        cutting(fold, folds, {"val": 0.1}),
        [DOWNLOAD],
        root,
        lambda: columns,
    )


def _read(root: str, tags: str) -> tuple[dict[str, Tagged], list[str]]:
    (file,) = DOWNLOAD.files
    held = {}
    with zipfile.ZipFile(io.BytesIO(DOWNLOAD.read(root, file))) as archive:
        for split, member in _MEMBERS.items():
            text = archive.read(member).decode()
            where = 3 if tags == "chunk" else 2
            held[split], _ = read_columns(text, member, 1, where, ["pos:2"] if tags == "chunk" else [], "space")
    return held, []

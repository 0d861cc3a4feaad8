"""ATIS with what tables of the domain say of each word."""

from __future__ import annotations

from functools import partial

from assay.data.folds import cutting
from assay.data.sources.atis_tables import DOWNLOAD
from assay.data.tagged import Tagged
from assay.data.tagged_columns import read_columns
from assay.data.tagged_set import TaggedSet

_COLUMNS = {"words": 1, "table": 2}


def atis_tables(
    root: str,
    lowercase: bool = False,
    digits: str = "keep",
    min_count: int = 1,
    tagger: str | None = None,
    batch_size: int | str = 16,
    split_seed: int = 0,
    epochs: int = 25,
    fold: int | None = None,
    folds: int | None = None,
) -> TaggedSet:
    """4,978 training and 893 test queries; of each word the entity that a table of the domain lists it as (cities,
    airlines, times…), the feature ``table``; digits are written DIGIT already.

    The form in which Mesnil, He, Deng and Bengio 2013 and Yao et al. 2013 took ATIS. A tenth of training validates.

    Args:
        root: holds atis-tables with atis.train.tables.iob and atis.test.tables.iob: word, table feature and slot tag.
        lowercase, digits, min_count, tagger, batch_size, split_seed, epochs: see :class:`TaggedSet`.
        fold, folds: see :class:`assay.data.folds.OneFold`.
    """
    return TaggedSet(
        partial(_read, root),
        "ATIS with tables, the atis.pkl of github.com/jageshmaharjan/ATIS.keras (022ba627) written out",
        "not stated there; mesnilgr/is13, whose data it is, states CC BY-NC 4.0",
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
        lambda: _COLUMNS,
    )


def _read(root: str) -> tuple[dict[str, Tagged], list[str]]:
    held = {}
    for split, file in zip(("train", "test"), DOWNLOAD.files, strict=True):
        text = DOWNLOAD.read(root, file).decode()
        held[split], _ = read_columns(text, f"{DOWNLOAD.folder}/{file.name}", 1, 3, ["table:2"], "tab")
    return held, []

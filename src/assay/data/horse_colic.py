"""Horse colic: whether the lesion is surgical, from a fifth of which the cells are empty."""

from __future__ import annotations

from functools import partial

from assay.data.delimited import FeatureTable, table_of
from assay.data.folds import cutting
from assay.data.plain_rows import plain_rows
from assay.data.preprocessing.impute import Imputation
from assay.data.preprocessing.scaling import Scaling
from assay.data.sources.horse_colic import DOWNLOAD
from assay.data.table_set import TableSet
from assay.errors import ConfigError

_COLUMNS = (
    "surgery", "age", "hospital number", "rectal temperature", "pulse", "respiratory rate",
    "temperature of extremities", "peripheral pulse", "mucous membranes", "capillary refill time", "pain",
    "peristalsis", "abdominal distension", "nasogastric tube", "nasogastric reflux", "nasogastric reflux PH",
    "rectal examination", "abdomen", "packed cell volume", "total protein", "abdominocentesis appearance",
    "abdominocentesis total protein", "outcome", "surgical lesion", "lesion 1", "lesion 2", "lesion 3",
    "pathology data",
)  # fmt: skip
_NUMBERS = (
    "rectal temperature", "pulse", "respiratory rate", "nasogastric reflux PH", "packed cell volume", "total protein",
    "abdominocentesis total protein",
)  # fmt: skip
_LABEL = "surgical lesion"
_LEFT_OUT = ("hospital number", "lesion 1", "lesion 2", "lesion 3", "pathology data")
_MISSING = ("?",)


def horse_colic(
    root: str,
    scaling: Scaling,
    impute: Imputation,
    batch_size: int | str = 16,
    split_seed: int = 0,
    epochs: int = 30,
    fold: int | None = None,
    folds: int | None = None,
) -> TableSet:
    """300 horses, 7 numbers and 15 categories, 1,605 cells empty. McLeish and Cecile 1989.

    Stratified 80/10/10; the 68 rows of UCI's test file are another file. Left out: the hospital number, the lesion's
    code, which gives the answer away, and the last column, of which the authors say that it has no meaning.

    Args:
        root: holds horse-colic with horse-colic.csv.
        scaling, impute, batch_size, split_seed, epochs: see :class:`TableSet`.
        fold, folds: see :class:`assay.data.folds.OneFold`.
    """
    source = "UCI Horse Colic (McLeish and Cecile 1989), training file, as jbrownlee/Datasets has it"
    read = partial(_read, root)
    return TableSet(
        read, _MISSING, source, "CC BY 4.0", scaling, impute, batch_size, split_seed, epochs, cutting(fold, folds)
    )


def _read(root: str, fills: bool) -> FeatureTable:
    DOWNLOAD.ensure(root)
    (file,) = DOWNLOAD.files
    table = plain_rows(DOWNLOAD.read(root, file).decode("ascii"), file.name, _COLUMNS)
    for row, cell in enumerate(table.cells[_LABEL]):
        if cell not in ("1", "2"):
            raise ConfigError(f"{table.at(row)}: {_LABEL}={cell!r} is neither 1 (yes) nor 2 (no)")
    table.cells[_LABEL] = [{"1": "yes", "2": "no"}[cell] for cell in table.cells[_LABEL]]
    features = [name for name in _COLUMNS if name != _LABEL and name not in _LEFT_OUT]
    categories = set(features) - set(_NUMBERS)
    return table_of({"train": table}, features, [_LABEL], "class", _MISSING, categories, fills)

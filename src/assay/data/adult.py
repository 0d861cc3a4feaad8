"""Adult: whether a person earns over 50,000 dollars a year."""

from __future__ import annotations

from functools import partial

from assay.data.delimited import FeatureTable, table_of
from assay.data.folds import cutting
from assay.data.plain_rows import plain_rows
from assay.data.preprocessing.impute import Imputation
from assay.data.preprocessing.scaling import Scaling
from assay.data.sources.adult import DOWNLOAD
from assay.data.table_set import TableSet

_FEATURES = (
    "age", "workclass", "fnlwgt", "education", "education-num", "marital-status", "occupation", "relationship", "race",
    "sex", "capital-gain", "capital-loss", "hours-per-week", "native-country",
)  # fmt: skip
_NUMBERS = ("age", "fnlwgt", "education-num", "capital-gain", "capital-loss", "hours-per-week")
_LABEL = "income"
_MISSING = ("?",)


def adult(
    root: str,
    scaling: Scaling,
    impute: Imputation,
    batch_size: int | str = 64,
    split_seed: int = 0,
    epochs: int = 5,
    fold: int | None = None,
    folds: int | None = None,
) -> TableSet:
    """32,561 training and 16,281 test rows of the 1994 census, 6 numbers and 8 categories. Kohavi 1996.

    A tenth of training validates. Empty cells ("?") stand in three categories, where they are a category of their own.

    Args:
        root: holds adult with adult.data and adult.test, or the same as adult-train.csv and adult-test.csv.
        scaling, impute, batch_size, split_seed, epochs: see :class:`TableSet`.
        fold, folds: see :class:`assay.data.folds.OneFold`.
    """
    source = "UCI Adult (Kohavi 1996, Scaling Up the Accuracy of Naive-Bayes Classifiers)"
    read = partial(_read, root)
    return TableSet(
        read, _MISSING, source, "CC BY 4.0", scaling, impute, batch_size, split_seed, epochs, cutting(fold, folds)
    )


def _read(root: str, fills: bool) -> FeatureTable:
    DOWNLOAD.ensure(root)
    files = {}
    for split, file in zip(("train", "test"), DOWNLOAD.files, strict=True):
        text = DOWNLOAD.read(root, file).decode("ascii")
        files[split] = table = plain_rows(text, file.name, [*_FEATURES, _LABEL], skip=int(text.startswith("|")))
        table.cells[_LABEL] = [cell.rstrip(".") for cell in table.cells[_LABEL]]  # the test file ends them in a stop
    return table_of(files, _FEATURES, [_LABEL], "class", _MISSING, set(_FEATURES) - set(_NUMBERS), fills)

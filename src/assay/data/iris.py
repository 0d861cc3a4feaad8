"""Iris."""

from __future__ import annotations

from functools import partial

from assay.data.folds import cutting
from assay.data.preprocessing.impute import Imputation
from assay.data.preprocessing.scaling import Scaling
from assay.data.shipped import shipped_classes
from assay.data.table_set import TableSet

_FEATURES = ("sepal length (cm)", "sepal width (cm)", "petal length (cm)", "petal width (cm)")


def iris(
    scaling: Scaling,
    impute: Imputation,
    batch_size: int | str = 16,
    split_seed: int = 0,
    epochs: int = 60,
    fold: int | None = None,
    folds: int | None = None,
) -> TableSet:
    """150 flowers of three kinds by four lengths. Fisher 1936.

    Stratified 80/10/10.

    Args:
        scaling, impute, batch_size, split_seed, epochs: see :class:`TableSet`.
        fold, folds: see :class:`assay.data.folds.OneFold`.
    """
    source = "UCI Iris (Fisher 1936), as scikit-learn ships it"
    read = partial(shipped_classes, "iris", "iris.csv", _FEATURES)
    return TableSet(
        read, (), source, "CC BY 4.0", scaling, impute, batch_size, split_seed, epochs, cutting(fold, folds)
    )

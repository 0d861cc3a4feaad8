"""Diabetes: how far the disease went within a year."""

from __future__ import annotations

from functools import partial

from assay.data.folds import cutting
from assay.data.preprocessing.impute import Imputation
from assay.data.preprocessing.scaling import Scaling
from assay.data.shipped import shipped_numbers
from assay.data.table_set import TableSet

_FEATURES = ("age", "sex", "bmi", "bp", "s1", "s2", "s3", "s4", "s5", "s6")


def diabetes(
    scaling: Scaling,
    impute: Imputation,
    batch_size: int | str = 32,
    split_seed: int = 0,
    epochs: int = 30,
    fold: int | None = None,
    folds: int | None = None,
) -> TableSet:
    """442 patients by ten measurements, as they were taken. Efron, Hastie, Johnstone and Tibshirani 2004.

    Stratified 80/10/10 by tenths of the number. Differs from ``load_diabetes``: its scaling saw all rows; here
    ``scaling`` sees the training split.

    Args:
        scaling, impute, batch_size, split_seed, epochs: see :class:`TableSet`.
        fold, folds: see :class:`assay.data.folds.OneFold`.
    """
    source = "Least Angle Regression (Efron, Hastie, Johnstone and Tibshirani 2004), as scikit-learn ships it"
    read = partial(shipped_numbers, "diabetes", "diabetes_data_raw.csv.gz", "diabetes_target.csv.gz", _FEATURES)
    return TableSet(
        read, (), source, "not stated", scaling, impute, batch_size, split_seed, epochs, cutting(fold, folds)
    )

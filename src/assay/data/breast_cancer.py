"""Breast cancer Wisconsin (diagnostic)."""

from __future__ import annotations

from functools import partial

from assay.data.folds import cutting
from assay.data.preprocessing.impute import Imputation
from assay.data.preprocessing.scaling import Scaling
from assay.data.shipped import shipped_classes
from assay.data.table_set import TableSet

_MEASURES = (
    "radius", "texture", "perimeter", "area", "smoothness", "compactness", "concavity", "concave points", "symmetry",
    "fractal dimension",
)  # fmt: skip
_FEATURES = tuple(
    [f"mean {name}" for name in _MEASURES]
    + [f"{name} error" for name in _MEASURES]
    + [f"worst {name}" for name in _MEASURES]
)


def breast_cancer(
    scaling: Scaling,
    impute: Imputation,
    batch_size: int | str = 32,
    split_seed: int = 0,
    epochs: int = 30,
    fold: int | None = None,
    folds: int | None = None,
) -> TableSet:
    """569 tumours, malignant or benign, by 30 measurements of their cells. Street, Wolberg and Mangasarian 1993.

    Stratified 80/10/10.

    Args:
        scaling, impute, batch_size, split_seed, epochs: see :class:`TableSet`.
        fold, folds: see :class:`assay.data.folds.OneFold`.
    """
    source = "UCI Breast Cancer Wisconsin Diagnostic (Street, Wolberg and Mangasarian 1993), as scikit-learn ships it"
    read = partial(shipped_classes, "breast_cancer", "breast_cancer.csv", _FEATURES)
    return TableSet(
        read, (), source, "CC BY 4.0", scaling, impute, batch_size, split_seed, epochs, cutting(fold, folds)
    )

"""Wine."""

from __future__ import annotations

from functools import partial

from assay.data.folds import cutting
from assay.data.preprocessing.impute import Imputation
from assay.data.preprocessing.scaling import Scaling
from assay.data.shipped import shipped_classes
from assay.data.table_set import TableSet

_FEATURES = (
    "alcohol",
    "malic_acid",
    "ash",
    "alcalinity_of_ash",
    "magnesium",
    "total_phenols",
    "flavanoids",
    "nonflavanoid_phenols",
    "proanthocyanins",
    "color_intensity",
    "hue",
    "od280/od315_of_diluted_wines",
    "proline",
)


def wine(
    scaling: Scaling,
    impute: Imputation,
    batch_size: int | str = 16,
    split_seed: int = 0,
    epochs: int = 40,
    fold: int | None = None,
    folds: int | None = None,
) -> TableSet:
    """178 wines of three growers by 13 chemical measurements. Forina et al. 1988.

    Stratified 80/10/10.

    Args:
        scaling, impute, batch_size, split_seed, epochs: see :class:`TableSet`.
        fold, folds: see :class:`assay.data.folds.OneFold`.
    """
    source = "UCI Wine recognition (Forina et al. 1988), as scikit-learn ships it"
    read = partial(shipped_classes, "wine", "wine_data.csv", _FEATURES)
    return TableSet(
        read, (), source, "CC BY 4.0", scaling, impute, batch_size, split_seed, epochs, cutting(fold, folds)
    )

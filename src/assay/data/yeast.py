"""Yeast: which functions a gene has."""

from __future__ import annotations

from functools import partial

from assay.data.folds import cutting
from assay.data.mulan import MISSING, read_mulan
from assay.data.preprocessing.impute import Imputation
from assay.data.preprocessing.scaling import Scaling
from assay.data.sources.yeast import DOWNLOAD
from assay.data.table_set import TableSet


def yeast(
    root: str,
    scaling: Scaling,
    impute: Imputation,
    batch_size: int | str = 32,
    split_seed: int = 0,
    epochs: int = 30,
    fold: int | None = None,
    folds: int | None = None,
) -> TableSet:
    """1,500 training and 917 test genes, 103 numbers of expression and phylogeny, 14 functions. Elisseeff, Weston 2001.

    Mulan's split; a tenth of training validates, stratified by the rarest label of an example.

    Args:
        root: holds mulan/yeast with the two ARFF files and the XML file of the labels.
        scaling, impute, batch_size, split_seed, epochs: see :class:`TableSet`.
        fold, folds: see :class:`assay.data.folds.OneFold`.
    """
    source = "Mulan yeast (Elisseeff and Weston 2001, A Kernel Method for Multi-Labelled Classification)"
    facts = (scaling, impute, batch_size, split_seed, epochs, cutting(fold, folds))
    return TableSet(partial(read_mulan, DOWNLOAD, root), MISSING, source, "not stated", *facts)

"""Emotions: which feelings a song evokes."""

from __future__ import annotations

from functools import partial

from assay.data.folds import cutting
from assay.data.mulan import MISSING, read_mulan
from assay.data.preprocessing.impute import Imputation
from assay.data.preprocessing.scaling import Scaling
from assay.data.sources.emotions import DOWNLOAD
from assay.data.table_set import TableSet


def emotions(
    root: str,
    scaling: Scaling,
    impute: Imputation,
    batch_size: int | str = 32,
    split_seed: int = 0,
    epochs: int = 40,
    fold: int | None = None,
    folds: int | None = None,
) -> TableSet:
    """391 training and 202 test songs, 72 numbers of rhythm and timbre, 6 emotions. Trohidis et al. 2008.

    Mulan's split; a tenth of training validates, stratified by the rarest label of an example.

    Args:
        root: holds mulan/emotions with the two ARFF files and the XML file of the labels.
        scaling, impute, batch_size, split_seed, epochs: see :class:`TableSet`.
        fold, folds: see :class:`assay.data.folds.OneFold`.
    """
    source = "Mulan emotions (Trohidis et al. 2008, Multilabel Classification of Music into Emotions)"
    facts = (scaling, impute, batch_size, split_seed, epochs, cutting(fold, folds))
    return TableSet(partial(read_mulan, DOWNLOAD, root), MISSING, source, "not stated", *facts)

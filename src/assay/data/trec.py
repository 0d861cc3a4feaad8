"""TREC: what a question asks for."""

from __future__ import annotations

from functools import partial

from assay.data.folds import cutting
from assay.data.sources.trec import DOWNLOAD
from assay.data.text_set import Texts, TextSet, labelled_lines
from assay.data.tokenizers import Tokenizer
from assay.errors import ConfigError

_COARSE = {
    "ABBR": "abbreviation",
    "DESC": "description",
    "ENTY": "entity",
    "HUM": "human",
    "LOC": "location",
    "NUM": "number",
}
_FINE = {
    "ABBR": "abb exp",
    "DESC": "def desc manner reason",
    "ENTY": "animal body color cremat currency dismed event food instru lang letter other plant product religion sport "
    "substance symbol techmeth termeq veh word",
    "HUM": "desc gr ind title",
    "LOC": "city country mount other state",
    "NUM": "code count date dist money ord other perc period speed temp volsize weight",
}


def trec(
    root: str,
    tokenizer: Tokenizer,
    classes: int = 6,
    max_length: int = 400,
    batch_size: int | str = 50,
    split_seed: int = 0,
    epochs: int = 10,
    fold: int | None = None,
    folds: int | None = None,
) -> TextSet:
    """5,452 training and 500 test questions of 6 coarse or 50 fine classes. Li and Roth 2002.

    A tenth of training validates.

    Args:
        root: holds trec with train_5500.label and TREC_10.label, or the same as train.txt and test.txt.
        classes: 6 or 50; eight of the fine ones have no test question.
        tokenizer, max_length, batch_size, split_seed, epochs: see :class:`TextSet`.
        fold, folds: see :class:`assay.data.folds.OneFold`.
    Raises:
        ConfigError: another number of classes.
    """
    if classes not in (6, 50):
        raise ConfigError(f"data.classes={classes} is neither 6 (coarse) nor 50 (fine)")
    fine = [f"{coarse}:{one}" for coarse, some in _FINE.items() for one in some.split()]
    coarse = {label: list(_COARSE).index(label.partition(":")[0]) for label in fine}
    number = coarse if classes == 6 else {label: place for place, label in enumerate(fine)}
    names = tuple(_COARSE.values()) if classes == 6 else tuple(fine)
    source = "UIUC question classification (Li and Roth 2002, Learning Question Classifiers)"
    read = partial(_read, number=number)
    facts = (root, tokenizer, max_length, batch_size, epochs, split_seed)
    return TextSet(DOWNLOAD, read, names, source, "not stated", *facts, cutting=cutting(fold, folds))


def _read(root: str, number: dict[str, int]) -> Texts:
    train, test = (labelled_lines(DOWNLOAD.read(root, file), "latin-1", file.name, number) for file in DOWNLOAD.files)
    return {"train": train, "test": test}

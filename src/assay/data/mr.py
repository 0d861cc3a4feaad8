"""MR: sentences of movie reviews."""

from __future__ import annotations

from assay.data.folds import cutting
from assay.data.sources.mr import DOWNLOAD
from assay.data.text_set import Texts, TextSet
from assay.data.tokenizers import Tokenizer
from assay.errors import ConfigError


def mr(
    root: str,
    tokenizer: Tokenizer,
    max_length: int = 400,
    batch_size: int | str = 50,
    split_seed: int = 0,
    epochs: int = 5,
    fold: int | None = None,
    folds: int | None = 10,
) -> TextSet:
    """5,331 negative and 5,331 positive sentences. Pang and Lee 2005, arXiv:cs/0506075; tested by folds as Kim 2014.

    Differs from Kim: folds are stratified, and the copies of a sentence lie in one fold; his are drawn sentence by
    sentence.

    Args:
        root: holds rt-polarity with the two files.
        tokenizer, max_length, batch_size, split_seed, epochs: see :class:`TextSet`.
        fold, folds: see :class:`assay.data.folds.OneFold`; the first fold where none is named.
    """
    source = "rt-polarity, sentence polarity dataset v1.0 (Pang and Lee 2005, arXiv:cs/0506075)"
    licence = "not stated; its authors ask to be cited"
    names = ("negative", "positive")
    facts = (root, tokenizer, max_length, batch_size, epochs, split_seed)
    return TextSet(DOWNLOAD, _read, names, source, licence, *facts, cutting(fold, folds))


def _read(root: str) -> Texts:
    texts: list[str] = []
    numbers: list[int] = []
    for number, file in enumerate(DOWNLOAD.files):
        lines = DOWNLOAD.read(root, file).decode("latin-1").rstrip("\n").split("\n")
        if empty := [line for line, text in enumerate(lines, 1) if not text.strip()]:
            raise ConfigError(f"{file.name}, line {empty[0]} is empty")
        texts.extend(text.strip() for text in lines)
        numbers.extend([number] * len(lines))
    return {"train": (texts, numbers)}

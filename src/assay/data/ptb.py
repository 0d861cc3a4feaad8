"""Penn Treebank as a text to predict."""

from __future__ import annotations

from typing import Literal

from assay.data.sources.ptb import DOWNLOAD
from assay.data.stream_set import Order, Reading, StreamSet
from assay.data.tokenizers.char import Char
from assay.data.tokenizers.whitespace import Whitespace

_SPLITS = ("train", "val", "test")


def ptb(
    root: str,
    level: Literal["word", "char"] = "word",
    length: int = 20,
    order: Order = "stream",
    evaluation_tracks: int = 1,
    stride: int | None = None,
    batch_size: int | str = 20,
    epochs: int = 13,
) -> StreamSet:
    """Wall Street Journal articles of 1989, as Mikolov et al. prepared them for "Recurrent neural network based
    language model", 2010: lower case, numbers as N, the commonest 10,000 words, all others ``<unk>``. 929,589 words to
    train on, 73,760 to validate and 82,430 to test, with one end mark a line.

    The splits are the published ones, and the vocabulary is the published one with a padding id beside it. Published
    perplexities leave out the first word of each split, which nothing precedes; here it is predicted from the end mark,
    one word of 82,430 more. ``length``, ``batch_size`` and ``epochs`` are those of Zaremba et al. 2014,
    arXiv:1409.2329, for the small network.

    Args:
        root: holds ptb with the three files.
        level: words, or the characters of the same lines, spaces and line breaks among them.
        length, order, evaluation_tracks, stride, batch_size: see :class:`assay.data.stream_set.Reading`.
        epochs: see :class:`StreamSet`.
    """
    source = "Penn Treebank, WSJ, as prepared for language models by Mikolov et al. 2010"
    licence = "not stated; the text is the LDC's (LDC99T42)"
    reading = Reading(length, order, batch_size, evaluation_tracks, stride)
    tokenizer = Whitespace() if level == "word" else Char()
    return StreamSet(DOWNLOAD, _read, tokenizer, source, licence, root, reading, epochs)


def _read(root: str) -> dict[str, str]:
    """Of each split its lines, without the spaces at their ends."""
    texts = {}
    for split, file in zip(_SPLITS, DOWNLOAD.files, strict=True):
        lines = DOWNLOAD.read(root, file).decode("utf-8").removesuffix("\n").split("\n")
        texts[split] = "".join(f"{line.strip()}\n" for line in lines)
    return texts

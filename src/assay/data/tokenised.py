"""Texts of any size as one array of ids, piece by piece. Letters: D documents, V vocabulary."""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from assay.data.preprocessing.stream import StreamPreprocessing
from assay.data.text_pieces import Piece
from assay.data.tokenizers.vocabulary import UNKNOWN_ID

Texts = Mapping[str, Callable[[], Iterable[Piece]]]
"""split -> its text, from the beginning each time; "train" comes first."""


@dataclass(frozen=True)
class Facts:
    """What is known of a text beside its ids.

    documents: (D + 1,) int64, where each begins among the ids of all splits; the last entry is their end.
    spans: split -> [first, last) of its documents.
    counts: split -> tokens, characters, documents, types (different ids) and unknown tokens.
    digest: sha256 of the text of each split and of where its documents begin, however it was tokenised.
    """

    documents: Tensor
    spans: Mapping[str, tuple[int, int]]
    counts: Mapping[str, Mapping[str, int]]
    digest: str

    def of(self, split: str) -> Tensor:
        """Where the documents of a split begin, and where the last one ends."""
        first, last = self.spans[split]
        return self.documents[first : last + 1]


def fit(texts: Texts, preprocessing: StreamPreprocessing, seen: Callable[[str], None]) -> None:
    """Fits the tokenizer to the training split, a piece in memory at a time."""

    def told() -> Iterable[str]:
        for piece in texts["train"]():
            yield piece.text
            seen(piece.text)

    preprocessing.fit(told())


def tokenise(
    texts: Texts,
    preprocessing: StreamPreprocessing,
    write: Callable[[np.ndarray], Any],
    seen: Callable[[str], None],
) -> Facts:
    """Ids of all splits, one after the other, in the least type that holds them.

    Args:
        preprocessing: fitted.
        write: is given the ids of each piece.
        seen: is told each text that has been read.
    """
    size = len(preprocessing.vocabulary)
    dtype = dtype_of(size)
    documents, summed = array("q"), hashlib.sha256()
    spans, counts, total = {}, {}, 0
    for split, read in texts.items():
        first, begun, characters, opens = len(documents), total, 0, True
        held = np.zeros(size, np.int64)
        summed.update(f"\0{split}\0".encode())
        for piece in read():
            opens = opens or piece.opens
            ids = np.array(preprocessing.encode(piece.text), dtype)
            if opens and len(ids):
                documents.append(total)
                summed.update(b"\0")
                opens = False
            summed.update(piece.text.encode("utf-8", "surrogatepass"))
            characters += len(piece.text)
            held += np.bincount(ids, minlength=size)
            total += len(ids)
            write(ids)
            seen(piece.text)
        spans[split] = (first, len(documents))
        counts[split] = {
            "tokens": total - begun,
            "characters": characters,
            "documents": len(documents) - first,
            "types": int((held > 0).sum()),
            "unknown": int(held[UNKNOWN_ID]),
        }
    documents.append(total)
    return Facts(torch.frombuffer(documents, dtype=torch.int64), spans, counts, summed.hexdigest())


def dtype_of(size: int) -> np.dtype:
    """Of ids below ``size``, as a file holds them on any machine."""
    return np.dtype("<u2" if size <= 1 << 16 else "<u4")


def _nothing(text: str) -> None:
    """Nobody waits for a text of this size."""


def in_memory(
    texts: Texts, preprocessing: StreamPreprocessing, fitted: bool, seen: Callable[[str], None] = _nothing
) -> tuple[np.ndarray, Facts]:
    """The ids in memory, of a tokenizer that is fitted first unless it is."""
    if not fitted:
        fit(texts, preprocessing, seen)
    parts: list[np.ndarray] = []
    facts = tokenise(texts, preprocessing, parts.append, seen)
    return np.concatenate(parts), facts

"""Spans of tags, counted as conlleval counts them: precision, recall and F1, overall and by type.

NumPy alone: the review counts with it too, and loads no torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Codes = NDArray[np.int64]
Right = NDArray[np.bool_]

OUTSIDE, BEGIN, INSIDE, END, SINGLE = range(5)
PREFIXES = {"B": BEGIN, "I": INSIDE, "E": END, "S": SINGLE, "M": INSIDE, "L": END, "U": SINGLE}
"""Of a tag such as B-NP: those of IOB1, IOB2, IOBES, and the same under the names of BMES and BILOU."""


UNTYPED = "span"
"""The type of spans where tags are B, I and O alone."""


def parted(names: Sequence[str]) -> list[tuple[int, str]]:
    """Of each tag its prefix and the type of its spans: (BEGIN, "NP") for B-NP; (OUTSIDE, "") for what is of no span.
    Tags that are prefixes alone count if all are, besides O: among parts of speech, "I" would be one of them."""
    bare = all(name == "O" or name in PREFIXES for name in names)

    def parts(name: str) -> tuple[int, str]:
        prefix, _, kind = name.partition("-")
        kind = kind or (UNTYPED if bare else "")
        return (PREFIXES[prefix], kind) if kind and prefix in PREFIXES else (OUTSIDE, "")

    return [parts(name) for name in names]


def has_spans(names: Sequence[str]) -> bool:
    """Whether tags of these names mark spans; parts of speech do not."""
    return any(prefix != OUTSIDE for prefix, _ in parted(names))


@dataclass(frozen=True)
class Count:
    """Spans of one type, or of all: how many there are, how many were found, and how many of these are right."""

    there: int
    found: int
    right: int

    @property
    def precision(self) -> float:
        return self.right / self.found if self.found else 0.0

    @property
    def recall(self) -> float:
        return self.right / self.there if self.there else 0.0

    @property
    def f1(self) -> float:
        return 2 * self.right / (self.there + self.found) if self.right else 0.0


@dataclass(frozen=True)
class Counts:
    """Spans by type, (K,) each.

    names: of the types, in the order in which the tags have them.
    """

    names: tuple[str, ...]
    there: Codes
    found: Codes
    right: Codes

    @property
    def overall(self) -> Count:
        """All types together (micro average), the F1 that papers give."""
        return Count(int(self.there.sum()), int(self.found.sum()), int(self.right.sum()))

    def of(self, kind: str) -> Count:
        at = self.names.index(kind)
        return Count(int(self.there[at]), int(self.found[at]), int(self.right[at]))


class Found(NamedTuple):
    """Spans, (S,) each, in the order in which they begin: row, first and last place, number of the type."""

    row: Codes
    first: Codes
    last: Codes
    kind: Codes


class Spans:
    """What of a sequence of tags is a span, by the rules of the conlleval script.

    Tjong Kim Sang and Buchholz 2000, "Introduction to the CoNLL-2000 Shared Task: Chunking", and its conlleval.pl. A
    span begins at B and S; at I and E after O, after E and S, and after another type; it ends before another one
    begins, before O, and after the last tag. So every sequence has spans, I-NP after O as well as B-NP, in whatever of
    IOB1, IOB2 and IOBES it is written. A span is right if beginning, end and type are those of a target.

    Differs from the script: a span also ends between E and B, and S is a span of its own (IOBES is later than the
    script; as its successors have it); M, L and U are read as I, E and S; and the brackets of its other notation are
    not read.

    Args:
        names: of the tags, by number.
    """

    def __init__(self, names: Sequence[str]) -> None:
        parts = parted(names)
        self.types = tuple(dict.fromkeys(kind for prefix, kind in parts if prefix != OUTSIDE))
        number = {kind: at for at, kind in enumerate(self.types)}
        self._prefix = np.array([prefix for prefix, _ in parts] + [OUTSIDE])  # the last one: what pads, -1
        self._type = np.array([number.get(kind, -1) for _, kind in parts] + [-1])

    def __call__(self, tags: Any) -> Found:
        """(n, T) integers, -1 where there is none -> its spans."""
        tags = np.asarray(tags)
        prefix, kind = self._prefix[tags], self._type[tags]  # (n, T)
        before, type_before = _beside(prefix, OUTSIDE, None), _beside(kind, -1, None)  # (n, T + 1)
        prefix, kind = _beside(prefix, None, OUTSIDE), _beside(kind, None, -1)
        anew = (prefix == BEGIN) | (prefix == SINGLE) | (before == END) | (before == SINGLE) | (kind != type_before)
        row, first = np.nonzero((prefix != OUTSIDE) & anew)
        _, after = np.nonzero((before != OUTSIDE) & anew)  # as many: in a row one ends before the next begins
        return Found(row, first, after - 1, kind[row, first])

    def matched(self, label: Any, prediction: Any) -> tuple[Found, Found, Right]:
        """Spans of targets and of predictions, (n, T) integers both, and which of the latter are right (S,); what is
        said where a label is -1 does not count."""
        label = np.asarray(label)
        there, found = self(label), self(np.where(label < 0, -1, np.asarray(prediction)))
        size, length = max(len(self.types), 1), label.shape[1]
        told = np.full(label.size, -1)  # (n · T,): end and type of the span that begins at a place
        told[there.row * length + there.first] = there.last * size + there.kind
        return there, found, told[found.row * length + found.first] == found.last * size + found.kind

    def count(self, label: Any, prediction: Any) -> Counts:
        """How many spans of each type are there, found and right."""
        there, found, right = self.matched(label, prediction)
        kinds = (there.kind, found.kind, found.kind[right])
        return Counts(self.types, *(np.bincount(kind, minlength=len(self.types)) for kind in kinds))


def _beside(values: Codes, before: int | None, after: int | None) -> Codes:
    """(n, T) -> (n, T + 1): a column before, or after."""
    column = np.full((len(values), 1), before if after is None else after)
    return np.concatenate([column, values] if after is None else [values, column], 1)


def by_name(label: Any, prediction: Any, names: Sequence[str]) -> Counts:
    """Spans by type; tags by their name where these mark no spans."""
    if has_spans(names):
        return Spans(names).count(label, prediction)
    label, prediction = np.asarray(label), np.asarray(prediction)
    held = label >= 0
    tags = (label[held], prediction[held & (prediction >= 0)], label[held & (label == prediction)])
    return Counts(tuple(names), *(np.bincount(tag, minlength=len(names)) for tag in tags))


def tag_accuracy(label: Any, prediction: Any) -> tuple[Codes, Codes]:
    """How many tags each row has, and how many are right: (n, T) integers, -1 where there is none -> (n,), (n,)."""
    label = np.asarray(label)
    counted = label >= 0
    return counted.sum(1), (counted & (label == np.asarray(prediction))).sum(1)

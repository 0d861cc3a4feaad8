"""Preprocessing: raw inputs -> the column "source", fitted on training, used alike by training and predict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from assay.data.examples import Column


class Preprocessing(Protocol):
    """What an artifact keeps so that ``predict`` needs nothing else.

    notes: what was done to inputs that a reader should know (an image inverted, a category never seen); a caller prints
        and clears them.
    """

    notes: list[str]

    def read(self, paths: Sequence[str]) -> tuple[list[str], list[Any]]:
        """What the user named -> (an id for each input, raw inputs)."""
        ...

    def __call__(self, raws: Sequence[Any]) -> dict[str, Column]:
        """Raw inputs -> {"source": column}."""
        ...

    def show(self, value: Any) -> str:
        """One example's source tensor, as text for a person."""
        ...

    def to_json(self) -> dict[str, Any]: ...


def from_json(plain: Mapping[str, Any]) -> Preprocessing:
    """The fitted preprocessing that ``to_json`` described."""
    from assay.data.preprocessing.image import ImagePreprocessing
    from assay.data.preprocessing.sequence import SequencePreprocessing
    from assay.data.preprocessing.stream import StreamPreprocessing
    from assay.data.preprocessing.table import TablePreprocessing
    from assay.data.preprocessing.tagged import TaggedPreprocessing
    from assay.data.preprocessing.text import TextPreprocessing

    kinds: dict[str, Any] = {
        "image": ImagePreprocessing,
        "sequence": SequencePreprocessing,
        "stream": StreamPreprocessing,
        "table": TablePreprocessing,
        "tagged": TaggedPreprocessing,
        "text": TextPreprocessing,
    }
    return kinds[plain["type"]].from_json(plain)

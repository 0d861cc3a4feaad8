"""Windows of a text as examples: ids that are read, the ids that come next, and where the text breaks.

Letters: D documents, n rows asked for, T tokens of a window.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from assay.data.examples import Column, Examples
from assay.data.tokenizers.vocabulary import PADDING_ID

NOT_SCORED = -1
"""The label of a position that asks for nothing: padding, and the context of a sliding window."""


@dataclass(frozen=True)
class Place:
    """Where rows lie among the tokens; all (n,).

    begin: the first token of the window. scored, stop: its scored tokens are [scored, stop). opens: a document begins
    with it. fresh: nothing before it is carried on.
    """

    begin: Tensor
    scored: Tensor
    stop: Tensor
    opens: Tensor
    fresh: Tensor


class Layout:
    """Which window of a text each row is. A document is cut into windows of ``length`` tokens; none holds two.

    As tracks (truncated back-propagation): the windows, in the order of the text, are dealt to ``tracks`` readers side
    by side, each a connected piece, and row w·tracks + k is the w-th window of track k: batches of ``tracks`` rows that
    come in order continue one another. Tracks differ by one window at most; the row of one that has ended asks for
    nothing. Otherwise row w is window w, and a window may begin before the tokens that it is to score.

    Args:
        documents: (D + 1,) int64, where each begins among the tokens, and where the last one ends; none is empty.
        length: T.
        tracks: 0: rows do not continue one another.
        stride: tokens scored by each window of a document but its first; the rest of the window is context. None: all.
    """

    def __init__(self, documents: Tensor, length: int, tracks: int = 0, stride: int | None = None) -> None:
        stride = stride or length
        assert 1 <= stride <= length
        assert not tracks or stride == length, "tracks carry their context on"
        self.documents, self.length, self.tracks, self.stride = documents, length, tracks, stride
        over = (documents.diff() - length).clamp(min=0)
        each = 1 + (over + stride - 1) // stride  # (D,) windows
        self.firsts = torch.cat([each.new_zeros(1), each.cumsum(0)])  # (D + 1,)
        self.windows = int(self.firsts[-1])
        self.rows = -(-self.windows // tracks) * tracks if tracks else self.windows

    def place(self, rows: Tensor) -> Place:
        """Rows (n,) int64 -> where they lie."""
        if not self.tracks:
            return self._window(rows, torch.ones_like(rows, dtype=torch.bool))
        track, turn = rows % self.tracks, rows // self.tracks
        number = track * self.windows // self.tracks + turn
        ended = number >= (track + 1) * self.windows // self.tracks
        place = self._window((number - ended.long()).clamp(min=0), turn == 0)
        after = place.stop  # the row of a track that has ended: behind its last window, with nothing to score
        return Place(
            torch.where(ended, after, place.begin),
            torch.where(ended, after, place.scored),
            place.stop,
            place.opens & ~ended,
            place.fresh | place.opens | ended,
        )

    def _window(self, number: Tensor, fresh: Tensor) -> Place:
        document = torch.searchsorted(self.firsts, number, right=True) - 1
        within = number - self.firsts[document]
        begin = self.documents[document] + within * self.stride
        stop = torch.minimum(begin + self.length, self.documents[document + 1])
        context = (within > 0) * (self.length - self.stride)
        return Place(begin, begin + context, stop, within == 0, fresh)


class _OfWindows:
    """A field of the windows of a layout.

    Args:
        tokens: ids of the text, of any unsigned type; held in memory or mapped from a file, and never copied.
        layout: of the rows.
        first: the number of the layout's first row: rows before it are another column's.
    """

    uniform, lazy = True, False

    def __init__(self, tokens: np.ndarray, layout: Layout, first: int = 0) -> None:
        self.tokens, self.layout, self.first = tokens, layout, first

    def __len__(self) -> int:
        return self.first + self.layout.rows

    def _place(self, positions: Tensor) -> tuple[Place, Tensor]:
        """Where the rows lie, and the places of their tokens (n, T)."""
        place = self.layout.place(positions - self.first)
        return place, place.begin[:, None] + torch.arange(self.layout.length)

    def _read(self, at: Tensor) -> Tensor:
        """Tokens at (n, T), or at any place in their stead where there is none -> int64."""
        return torch.from_numpy(self.tokens[at.clamp(0, len(self.tokens) - 1).numpy()].astype(np.int64))


class Inputs(_OfWindows):
    """(n, T): before each token the one that precedes it; before the first one of a document, ``start``. Padded behind
    the end; a row that asks for nothing has one token nevertheless, for models that must have something to read.

    Args:
        start: the id that stands before a text.
        others: see above.
    """

    def __init__(self, tokens: np.ndarray, layout: Layout, start: int, first: int = 0) -> None:
        super().__init__(tokens, layout, first)
        self.start = start

    def gather(self, positions: Tensor) -> Tensor:
        place, at = self._place(positions)
        ids = self._read(at - 1)
        ids[:, 0] = torch.where(place.opens, self.start, ids[:, 0])
        beyond = at >= place.stop[:, None]
        beyond[:, 0] = False
        return ids.masked_fill_(beyond, PADDING_ID)


class Targets(_OfWindows):
    """(n, T): the tokens to predict; -1 where nothing is scored."""

    def gather(self, positions: Tensor) -> Tensor:
        place, at = self._place(positions)
        beside = (at < place.scored[:, None]) | (at >= place.stop[:, None])
        return self._read(at).masked_fill_(beside, NOT_SCORED)


class Fresh(_OfWindows):
    """(n,) bool: True where no state of a row before is carried on."""

    def gather(self, positions: Tensor) -> Tensor:
        return self.layout.place(positions - self.first).fresh


def examples_of(tokens: np.ndarray, layout: Layout, start: int, first: int = 0) -> Examples:
    """The windows of a text in their order: ``source``, ``label`` and ``fresh``, numbered from ``first``."""
    columns: dict[str, Column] = {
        "source": Inputs(tokens, layout, start, first),
        "label": Targets(tokens, layout, first),
        "fresh": Fresh(tokens, layout, first),
    }
    return Examples(columns, torch.arange(first, first + layout.rows))

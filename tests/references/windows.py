"""Windows of running text, written down one after the other. Imports nothing of assay."""

from __future__ import annotations

from itertools import pairwise

Window = tuple[list[int], list[int], bool]


def windows(documents: list[list[int]], length: int, stride: int, start: int) -> list[Window]:
    """(ids read, ids to predict, whether a document begins) of each window, padded with 0 and -1.

    A window of a document begins ``stride`` behind the one before; what that one has scored is context here.
    """
    found = []
    for tokens in documents:
        before = [start, *tokens[:-1]]
        begin, scored = 0, 0
        while scored < len(tokens):
            read, asked = before[begin : begin + length], tokens[begin : begin + length]
            asked = [token if begin + place >= scored else -1 for place, token in enumerate(asked)]
            pad = length - len(read)
            found.append((read + [0] * pad, asked + [-1] * pad, begin == 0))
            scored, begin = begin + length, begin + stride
    return found


def tracks(found: list[Window], number: int) -> list[list[Window]]:
    """The windows cut into ``number`` runs, as even as can be: run k ends where k+1 shares of the whole do."""
    ends = [len(found) * k // number for k in range(number + 1)]
    return [found[a:b] for a, b in pairwise(ends)]

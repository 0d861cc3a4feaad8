"""What a search draws from: dimensions, the rest of the command, and the runs that one draw of them means."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from assay.composition.compose import Composer
from assay.composition.spaces import Dimension, Value, choices_of
from assay.errors import ConfigError
from assay.sweeps.ledger.ledger import Entry, Planned
from assay.sweeps.strategy import Compose

Cell = dict[str, str]
"""Of a trial: key -> value as typed."""

_LISTED = 4096  # points of a space that are still written out


class Space:
    """Dimensions and what they are put into.

    Args:
        dimensions: of the command; at least one.
        rest: its other arguments, without those of the search.
        composer: of its options.
        compose: see :data:`assay.sweeps.strategy.Compose`.
    """

    def __init__(
        self, dimensions: Sequence[Dimension], rest: Sequence[str], composer: Composer, compose: Compose
    ) -> None:
        self.dimensions = list(dimensions)
        self.rest = list(rest)
        self.composer = composer
        self.compose = compose
        self._choices: dict[tuple[str, ...], Mapping[str, str]] = {}

    def asked(self, cell: Cell) -> list[Dimension]:
        """The dimensions that exist where these values are chosen: those under a condition only where it holds."""
        bound = [one for one in self.dimensions if one.condition[0]]
        if not bound:
            return self.dimensions
        groups = self.composer.catalogue.groups
        chosen = tuple(f"{key}={text}" for key, text in cell.items() if key in groups)
        if chosen not in self._choices:
            fixed = [one for one in self.rest if one.partition("=")[0] in groups]
            self._choices[chosen] = choices_of([*fixed, *chosen], self.composer)
        choices = self._choices[chosen]
        return [
            one for one in self.dimensions if not one.condition[0] or choices.get(one.condition[0]) == one.condition[1]
        ]

    def cell(self, values: Mapping[str, Value]) -> Cell:
        """Values by key -> the texts of those that exist."""
        free = {one.key: one.text(values[one.key]) for one in self.dimensions if not one.condition[0]}
        return {one.key: one.text(values[one.key]) for one in self.asked(free) if one.key in values}

    def points(self, cell: Cell) -> list[Planned]:
        """The checked runs of a trial, one for each seed and fold.

        Raises:
            ConfigError: preflight refuses it.
        """
        words = [f"{one.plain}={cell[one.key]}" for one in self.dimensions if one.key in cell]
        return [replace(point, cell=dict(cell), role="trial") for point in self.compose([*self.rest, *words])]

    def first(self) -> list[Planned]:
        """The runs of the first values, by which others are counted."""
        return self.points(self.cell({one.key: one.ends()[0] for one in self.dimensions}))

    def listed(self) -> list[Cell] | None:
        """Every point there is; None where they are too many."""
        if math.prod(one.size for one in self.dimensions) > _LISTED:
            return None
        shares = [[(place + 0.5) / one.size for place in range(int(one.size))] for one in self.dimensions]
        found: dict[tuple[tuple[str, str], ...], Cell] = {}
        for combined in itertools.product(*shares):
            pairs = zip(self.dimensions, combined, strict=True)
            cell = self.cell({one.key: one.at(share) for one, share in pairs})
            found[tuple(cell.items())] = cell
        return list(found.values())

    def drawn(self, seed: str) -> Cell:
        """One point at random, each dimension by itself; the same for the same seed, on every machine."""
        stream = random.Random(seed)
        return self.cell({one.key: one.at(stream.random()) for one in self.dimensions})

    def draws(self, seed: int) -> Iterator[Cell]:
        """Points at random, none twice; ends where there are no more. Those that come are the same however many are
        taken."""
        count = math.inf if (listed := self.listed()) is None else len(listed)
        seen: set[tuple[tuple[str, str], ...]] = set()
        for number in itertools.count():
            if len(seen) >= count:
                return
            cell = self.drawn(f"{seed}/{number}")
            if (key := tuple(cell.items())) not in seen:
                seen.add(key)
                yield cell


def known(entries: Sequence[Entry]) -> dict[tuple[tuple[str, str], ...], list[int]]:
    """{what was drawn: the numbers of its runs} of the trials that a ledger holds."""
    found: dict[tuple[tuple[str, str], ...], list[int]] = {}
    for entry in entries:
        if entry.role == "trial":
            found.setdefault(tuple(sorted(entry.cell.items())), []).append(entry.number)
    return found


def shown(cell: Cell) -> str:
    return " ".join(f"{key}={text}" for key, text in cell.items())


def refused(cell: Cell, error: ConfigError) -> str:
    return f"{shown(cell)} was drawn and refused: {error}"

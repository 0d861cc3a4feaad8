"""Random search."""

from __future__ import annotations

from assay.errors import ConfigError
from assay.sweeps.ledger.ledger import Entry, Ledger
from assay.sweeps.search.space import Cell, Space, known, refused
from assay.sweeps.strategy import Offers

_REFUSED = 20  # draws one after the other that preflight refuses: the space holds next to nothing


class Random:
    """Points drawn at random, each dimension by itself, none twice.

    Bergstra and Bengio, "Random Search for Hyper-Parameter Optimization", 2012, section 2.1: where few of the
    dimensions matter, as many values of each are tried as there are trials, which a grid does not do.
    Differs from the paper: a point that was drawn before, possible where values are named, is drawn anew.

    The n-th point is a function of ``seed`` and n alone: more trials go on where fewer ended.

    Args:
        space: what is drawn from.
        trials: points in all; each is one run for each seed and fold.
        seed: of the draws.
    """

    def __init__(self, space: Space, trials: int, seed: int) -> None:
        self.space = space
        self.trials = trials
        self.draws = space.draws(seed)
        self.numbers: list[list[int]] = []
        self.each = 1
        self.offers = Offers()
        self.notes: list[str] = []
        self.ahead: Cell | None = None
        """Drawn, and not planned yet."""

    @property
    def runs(self) -> int:
        return self.trials * self.each

    def begin(self, ledger: Ledger) -> None:
        self.each = len(self.space.first())
        self.known = known(ledger.entries())
        while len(self.numbers) < self.trials and self._next(ledger, planned=True):
            pass

    def _next(self, ledger: Ledger, planned: bool = False) -> bool:
        """Plans one more point; whether there was one. ``planned``: only if an earlier process has planned it."""
        for _ in range(_REFUSED):
            cell = self.ahead if self.ahead is not None else next(self.draws, None)
            self.ahead = None
            if cell is None:
                self.trials = len(self.numbers)
                self.notes.append(f"the space holds {self.trials} points, and all of them were tried")
                return False
            there = self.known.get(tuple(sorted(cell.items())), [])
            if len(there) == self.each:
                self.numbers.append(there)
                return True
            if planned and not there:
                self.ahead = cell
                return False
            try:
                self.numbers.append([entry.number for entry in ledger.plan(self.space.points(cell))])
                return True
            except ConfigError as error:
                self.notes.append(refused(cell, error))
        raise ConfigError(f"{_REFUSED} points one after the other were refused, the last one so: {self.notes[-1]}")

    def more(self, ledger: Ledger, free: int) -> list[Entry]:
        found = self.offers.among(ledger, self._all(), free)
        while len(found) < free and len(self.numbers) < self.trials and self._next(ledger):
            found += self.offers.among(ledger, self.numbers[-1], free - len(found))
        return found

    def _all(self) -> list[int]:
        return [number for numbers in self.numbers for number in numbers]

    def told(self, entry: Entry) -> None:
        """The next draw does not hang on it."""

    def finished(self, ledger: Ledger) -> bool:
        wanted = set(self._all())
        return len(self.numbers) >= self.trials and all(
            self.offers.ended(entry) for entry in ledger.entries() if entry.number in wanted
        )

    def lines(self, ledger: Ledger) -> list[str]:
        return self.notes

"""Which points of a sweep run next: the contract of grids, searches and tuning, and the grid itself. Imports no torch.

A course (:mod:`assay.sweeps.course`) asks for work whenever a slot is free. A strategy keeps nothing of its own that
could be lost: what it knows is in the ledger, and of a search in the study beside it. So the same command goes on
wherever an earlier process of it stopped, and several processes may share a sweep.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from assay.sweeps.ledger.ledger import Entry, Ledger, Planned

Compose = Callable[[Sequence[str]], list[Planned]]
"""Arguments of a command, ``seeds`` and ``folds`` among them -> its checked points. Raises ConfigError."""

OPEN = ("planned", "running", "failed")


class Strategy(Protocol):
    """Who decides what runs next.

    Attributes:
        runs: how many runs there will be in all, as far as is known; for the remaining time.
    """

    @property
    def runs(self) -> int: ...

    def begin(self, ledger: Ledger) -> None:
        """Once in each process of the sweep, before its first job: everything that can be refused is refused here.

        Raises:
            ConfigError: a point that might be asked for is refused.
        """

    def more(self, ledger: Ledger, free: int) -> list[Entry]:
        """Plans, and returns up to ``free`` entries that may start now; none while it waits for others to end.

        An entry is offered again where its worker has died, and once more in each process where it has failed.
        """

    def told(self, entry: Entry) -> None:
        """A run of this process has ended: done, failed for good, or pruned; the ledger says so already."""

    def finished(self, ledger: Ledger) -> bool:
        """Whether all has ended, also what other processes were at."""

    def lines(self, ledger: Ledger) -> list[str]:
        """What the last screen says of it, one a line: values chosen, warnings, where the study lies."""


class Offers:
    """Which entries may start now. One of these for each process of a sweep."""

    def __init__(self) -> None:
        self.given: set[int] = set()

    def among(self, ledger: Ledger, numbers: Iterable[int], free: int) -> list[Entry]:
        """Up to ``free`` of these points that nobody is at: new ones, those of dead workers, and what failed in an
        earlier process; by number."""
        found = []
        entries = {entry.number: entry for entry in ledger.entries()}
        for number in dict.fromkeys(numbers):
            if len(found) >= free:
                break
            entry = entries[number]
            if entry.state not in OPEN or (entry.state == "failed" and number in self.given):
                continue
            if not ledger.at_it(entry):
                found.append(entry)
        self.given |= {entry.number for entry in found}
        return found

    def ended(self, entry: Entry) -> bool:
        """Whether nothing more will come of it: a failure of an earlier process is tried again first."""
        return entry.state in ("done", "pruned") or (entry.state == "failed" and entry.number in self.given)


class Grid:
    """Every point of the command, in its order.

    Args:
        points: all of them, checked.
    """

    def __init__(self, points: Sequence[Planned]) -> None:
        self.points = list(points)
        self.numbers: list[int] = []
        self.offers = Offers()

    @property
    def runs(self) -> int:
        return len(self.points)

    def begin(self, ledger: Ledger) -> None:
        self.numbers = [entry.number for entry in ledger.plan(self.points)]

    def more(self, ledger: Ledger, free: int) -> list[Entry]:
        return self.offers.among(ledger, self.numbers, free)

    def told(self, entry: Entry) -> None:
        """Nothing hangs on it."""

    def finished(self, ledger: Ledger) -> bool:
        wanted = set(self.numbers)
        return all(self.offers.ended(entry) for entry in ledger.entries() if entry.number in wanted)

    def lines(self, ledger: Ledger) -> list[str]:
        return []

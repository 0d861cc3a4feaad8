"""Search by a sampler of Optuna's: each point is drawn knowing how those before it ended."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

from assay.errors import ConfigError
from assay.folder import write_json
from assay.sweeps.ledger.ledger import Entry, Ledger, Planned
from assay.sweeps.search.objective import has_diverged, mode_of, score_of
from assay.sweeps.search.pruners import TRIAL, Pruner
from assay.sweeps.search.space import Space, known, refused
from assay.sweeps.search.storage import JOURNAL, check
from assay.sweeps.search.study import REFUSED, REPEAT, Study
from assay.sweeps.strategy import Offers

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

_REFUSED = 20  # draws one after the other that preflight refuses: the space holds next to nothing


class Suggested:
    """Points that a sampler suggests, and a pruner stops early.

    What is optimised is ``monitor`` in ``monitor_mode`` on the validation split, at its best epoch; with several seeds
    or folds their mean, and a trial of which one run fails has failed. A pruner watches the first run of a trial; the
    others begin when that one has come to its end. A loss that is not finite is told as worse than any other.

    Everything is counted in the study, which several processes share and which outlives them.

    Args:
        space: what is drawn from.
        folder: of the sweep.
        trials: points in all.
        seed: of the draws: with one slot, the same seed gives the same trials.
        pruner: none, halving, hyperband or median (:class:`assay.sweeps.search.pruners.Pruner`).
        reduction: of halving and hyperband: one in so many goes on at each rung.
        min_epochs: that every trial trains before it may be stopped.
        storage: URL of a database; null: Optuna's journal in the sweep's folder.
        sampler: see :mod:`assay.sweeps.search.samplers`.
    Raises:
        ConfigError: the storage is none.
    """

    def __init__(
        self,
        space: Space,
        folder: Path,
        trials: int,
        seed: int,
        pruner: str,
        reduction: int,
        min_epochs: int,
        storage: str | None,
        sampler: Callable[..., Any],
    ) -> None:
        check(storage)
        self.space, self.folder, self.trials = space, folder, trials
        self.pruner, self.reduction, self.min_epochs = pruner, reduction, min_epochs
        self.storage = storage
        self.sampler = lambda trial: sampler(seed=seed, trial=trial)
        self.offers = Offers()
        self.numbers: dict[int, list[int]] = {}
        """Of the runs of each trial, by its number."""
        self.notes: list[str] = []
        self.each = 1
        self.exhausted = False

    @property
    def runs(self) -> int:
        return self.trials * self.each

    def begin(self, ledger: Ledger) -> None:
        self.ledger = ledger
        first = self.space.first()
        self.each = len(first)
        config = first[0].config
        epochs = max(int(config["trainer"]["max_epochs"]), 1)
        self.prunes = Pruner(self.pruner, self.reduction, self.min_epochs, max(epochs, self.min_epochs))
        if self.pruner != "none":
            refuse_loops(first[0])
        self.study = Study(self.folder, self.space, self.storage, mode_of(config), self.sampler)
        self.known = known(ledger.entries())
        for trial in self.study.points():
            self._plan(trial, ledger)
        self._settle(ledger)

    def _plan(self, trial: FrozenTrial, ledger: Ledger) -> bool:
        """The runs of a trial, which an earlier process may have planned; False where preflight refuses them."""
        cell = self.study.cell(trial)
        numbers = self.known.get(tuple(sorted(cell.items())), [])
        if len(numbers) != self.each:
            try:
                numbers = [entry.number for entry in ledger.plan(self.space.points(cell))]
            except ConfigError as error:
                self.notes.append(refused(cell, error))
                self.study.note(trial, REFUSED, str(error))
                self.study.tell(trial, "pruned")
                return False
        self.numbers[trial.number] = numbers
        self._watch(ledger.entry(numbers[0]), trial)
        return True

    def _watch(self, entry: Entry, trial: FrozenTrial) -> None:
        """Tells the run that reports whom to report to, or that there is nobody any more."""
        if self.prunes.name == "none":
            (entry.folder / TRIAL).unlink(missing_ok=True)
        elif entry.state in ("planned", "running", "failed") and not (entry.folder / TRIAL).exists():
            facts = {"storage": self.storage, "study": self.study.name, "trial": trial._trial_id}
            write_json(entry.folder / TRIAL, {"format": 1, **facts, "pruner": asdict(self.prunes)})

    def more(self, ledger: Ledger, free: int) -> list[Entry]:
        self._settle(ledger)
        found = self.offers.among(ledger, self._may_start(ledger), free)
        refusals = 0
        while len(found) < free and not self.exhausted:
            trial = self.study.ask(self.trials)
            if trial is None:
                self._adopt(ledger)
                self.exhausted = True
            elif self._plan(trial, ledger):
                refusals = 0
                started = self.numbers[trial.number][: 1 if self.prunes.name != "none" else None]
                found += self.offers.among(ledger, started, free - len(found))
            elif (refusals := refusals + 1) >= _REFUSED:
                raise ConfigError(f"{refusals} points one after the other were refused, the last so: {self.notes[-1]}")
        return found

    def _adopt(self, ledger: Ledger) -> None:
        """Trials that other processes have drawn: whoever has a slot runs them."""
        for trial in self.study.points():
            if trial.number not in self.numbers:
                self._plan(trial, ledger)

    def _may_start(self, ledger: Ledger) -> list[int]:
        if self.prunes.name == "none":
            return [number for numbers in self.numbers.values() for number in numbers]
        started: list[int] = []
        for numbers in self.numbers.values():
            started += numbers if ledger.entry(numbers[0]).state == "done" else numbers[:1]
        return started

    def told(self, entry: Entry) -> None:
        """The study hears of it before the next draw. A run whose loss is not finite was given up: it is no failure,
        and worse than any other."""
        if has_diverged(entry):
            self.ledger.finish(entry.number, "pruned", reason=entry.reason, seconds=entry.seconds)

    def _settle(self, ledger: Ledger) -> None:
        """Tells the study of every trial whose runs have ended, whoever ran them."""
        for trial in self.study.points():
            entries = [ledger.entry(number) for number in self.numbers.get(trial.number, [])]
            if not entries or (trial.state.is_finished() and trial.state.name != "FAIL"):
                continue
            if trial.state.is_finished():
                if (value := _mean(entries)) is not None:
                    self.study.tell_again(trial, value)
            elif (ended := self._ending(entries)) is not None:
                self.study.tell(trial, *ended)

    def _ending(self, entries: Sequence[Entry]) -> tuple[str, float | None, str] | None:
        """State, value and reason of a trial; None while it runs."""
        first, watched = entries[0], self.prunes.name != "none"
        if first.state == "pruned":
            return "pruned", None, first.reason
        if not all(map(self.offers.ended, entries)) and not (
            watched and self.offers.ended(first) and first.state == "failed"
        ):
            return None
        if (bad := next((one for one in entries if one.state == "failed"), None)) is not None:
            return "failed", None, bad.reason
        value = _mean(entries)
        return ("pruned", None, "it has no score") if value is None else ("done", value, "")

    def finished(self, ledger: Ledger) -> bool:
        if not self.exhausted:
            return False
        self._settle(ledger)
        return all(trial.state.is_finished() for trial in self.study.points())

    def lines(self, ledger: Ledger) -> list[str]:
        """What became of the trials, and where the study lies."""
        points = self.study.points()
        states = [trial.state.name for trial in points]
        counts = {
            "done": states.count("COMPLETE"),
            "stopped early": states.count("PRUNED"),
            "failed": states.count("FAIL"),
        }
        said = ", ".join(f"{count} {word}" for word, count in counts.items() if count)
        aside = sum(REPEAT in trial.user_attrs for trial in self.study.trials())
        repeats = f"; {aside} more were drawn again, and not run" if aside else ""
        place = self.storage or JOURNAL
        return [*self.notes, f"{len(points)} trials: {said}{repeats}; the study is {self.study.name} in {place}"]


def _mean(entries: Sequence[Entry]) -> float | None:
    scores = [score_of(entry) for entry in entries]
    found = [score for score in scores if score is not None]
    return fmean(found) if len(found) == len(scores) else None


def refuse_loops(point: Planned) -> None:
    """Raises ConfigError if the point is a loop over runs: each stage has epochs of its own."""
    from assay.loops.plan import loop_of

    if loop_of(point.config) is not None:
        raise ConfigError(
            "search.pruner stops single runs, and these points are loops over runs: use search.pruner=none"
        )

"""The study of a search: Optuna's trials, each of which is a point of the space and the runs of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.composition.spaces import Dimension
from assay.sweeps.search.space import Cell, Space, shown
from assay.sweeps.search.storage import JOURNAL, locked, opened

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.trial import FrozenTrial

REPEAT, AGAIN, REFUSED = "repeats", "again", "refused"
"""What is noted of a trial: drawn before as that one; told once more as that one's runs were; why it never ran."""

_DRAWS = 5  # of points that were drawn before, until one of the others is taken at random


def distribution(one: Dimension) -> BaseDistribution:
    from optuna import distributions

    if one.low is None or one.high is None:
        return distributions.CategoricalDistribution(one.choices)
    if one.whole:
        return distributions.IntDistribution(int(one.low), int(one.high), one.log, one.step)
    return distributions.FloatDistribution(one.low, one.high, one.log)


def _suggest(trial: Any, one: Dimension) -> None:
    if one.low is None or one.high is None:
        trial.suggest_categorical(one.key, one.choices)
    elif one.whole:
        trial.suggest_int(one.key, int(one.low), int(one.high), step=one.step, log=one.log)
    else:
        trial.suggest_float(one.key, one.low, one.high, log=one.log)


class Study:
    """One study, opened by one process; several may have it open.

    Args:
        sweep: its folder.
        space: what is drawn from.
        url: of its storage; None: a journal in the folder.
        mode: min or max.
        sampler: made for each draw (see :mod:`assay.sweeps.search.samplers`).
    Raises:
        ConfigError: the storage cannot be opened.
    """

    def __init__(self, sweep: Path, space: Space, url: str | None, mode: str, sampler: Callable[[int], Any]) -> None:
        import optuna

        self.sweep = sweep
        self.space = space
        self.sampler = sampler
        self.storage = opened(sweep, url)
        self.name = Path(JOURNAL).stem if url is None else sweep.name
        direction = "maximize" if mode == "max" else "minimize"
        with self.lock():
            self.study = optuna.create_study(
                storage=self.storage,
                study_name=self.name,
                direction=direction,
                load_if_exists=True,
                sampler=sampler(0),
            )

    def lock(self) -> Any:
        """One process asks and counts at a time."""
        return locked(self.sweep / "study.lock")

    def trials(self) -> list[FrozenTrial]:
        return self.study.get_trials(deepcopy=False)

    def points(self) -> list[FrozenTrial]:
        """One trial for each point that was drawn and not refused; the first."""
        return [one for one in self.trials() if not {REPEAT, AGAIN, REFUSED} & one.user_attrs.keys()]

    def cell(self, trial: FrozenTrial) -> Cell:
        return self.space.cell(trial.params)

    def ask(self, most: int) -> FrozenTrial | None:
        """A new point; None where there are ``most`` already, or where the space holds no other."""
        from optuna.trial import TrialState

        with self.lock():
            there = {shown(self.cell(one)): one.number for one in self.trials()}
            if len(self.points()) >= most:
                return None
            for _ in range(_DRAWS):
                trial, cell = self._draw()
                if shown(cell) not in there:
                    return self._frozen(trial.number)
                trial.set_user_attr(REPEAT, there[shown(cell)])
                self.study.tell(trial, state=TrialState.FAIL)
            if (cell := self._other(there)) is None:
                return None
            self.study.enqueue_trial({key: self._value(key, text) for key, text in cell.items()})
            trial, _ = self._draw()
            return self._frozen(trial.number)

    def _draw(self) -> tuple[Any, Cell]:
        """Conditions by what is suggested first: a key that another option has is never asked for."""
        self.study.sampler = self.sampler(len(self.trials()))
        free = {one.key: distribution(one) for one in self.space.dimensions if not one.condition[0]}
        trial = self.study.ask(free)
        cell = self.space.cell(trial.params)
        for one in self.space.asked(cell):
            if one.condition[0]:
                _suggest(trial, one)
        return trial, self.space.cell(trial.params)

    def _other(self, there: Mapping[str, int]) -> Cell | None:
        """One that was never drawn, at random."""
        listed = self.space.listed()
        if listed is not None:
            listed = [cell for cell in listed if shown(cell) not in there]
            return listed[len(there) * 7919 % len(listed)] if listed else None
        draws = (self.space.drawn(f"other/{len(there)}/{number}") for number in range(100))
        return next((cell for cell in draws if shown(cell) not in there), None)

    def _value(self, key: str, text: str) -> Any:
        one = next(one for one in self.space.dimensions if one.key == key)
        return text if one.choices else int(text) if one.whole else float(text)

    def _frozen(self, number: int) -> FrozenTrial:
        return next(one for one in self.trials() if one.number == number)

    def note(self, trial: FrozenTrial, key: str, value: Any) -> None:
        self.storage.set_trial_user_attr(trial._trial_id, key, value)

    def tell(self, trial: FrozenTrial, state: str, value: float | None = None, reason: str = "") -> None:
        """How its runs ended, once: done, pruned or failed; a point that was refused or never came to a finite loss
        is the worst there is, which Optuna knows as pruned before any report."""
        from optuna.trial import TrialState

        with self.lock():
            if self._frozen(trial.number).state.is_finished():
                return
            if reason:
                self.note(trial, "reason", reason)
            states = {"done": TrialState.COMPLETE, "pruned": TrialState.PRUNED, "failed": TrialState.FAIL}
            self.study.tell(trial.number, value if state == "done" else None, states[state])

    def tell_again(self, trial: FrozenTrial, value: float) -> None:
        """Runs that had failed were done another time: what was told stays as it is, and this stands beside it."""
        from optuna.trial import create_trial

        with self.lock():
            if all(one.user_attrs.get(AGAIN) != trial.number for one in self.trials()):
                self.study.add_trial(
                    create_trial(
                        value=value,
                        params=trial.params,
                        distributions=trial.distributions,
                        user_attrs={AGAIN: trial.number},
                    )
                )

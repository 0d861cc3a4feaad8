"""A sweep without training: what a run would report and score is a function of its overrides."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from assay.callbacks.pruning import Reports
from assay.composition.compose import composer_of
from assay.composition.spaces import split
from assay.errors import ConfigError
from assay.folder import write_json
from assay.sweeps.jobs.leases import worker_name
from assay.sweeps.ledger.ledger import Entry, Ledger, Planned
from assay.sweeps.search.pruners import TRIAL
from assay.sweeps.search.space import Space

COMPOSER = composer_of()
EPOCHS = 9

Curve = Callable[[Mapping[str, str], int], list[float] | None]
"""(overrides by key, seed) -> the score after each epoch; None: the loss is not finite."""


def composed(words: Sequence[str], seeds: int = 1, refuse: Callable[[Mapping[str, str]], bool] = lambda said: False):
    """Planned points of overrides, without Hydra."""
    said = dict(word.partition("=")[::2] for word in words)
    if refuse(said):
        raise ConfigError("these do not go together")
    seed = int(said.pop("seed", "0"))
    count = int(said.pop("seeds", seeds))
    base: dict[str, Any] = {"trainer": {"max_epochs": EPOCHS}, "monitor": "val/accuracy", "monitor_mode": None}
    return [
        Planned({**base, "seed": number, "said": said}, (*words, f"seed={number}"), {}, number)
        for number in range(seed, seed + count)
    ]


def space(*words: str, seeds: int = 1, refuse: Callable[[Mapping[str, str]], bool] = lambda said: False) -> Space:
    dimensions, rest = split(list(words), COMPOSER)
    return Space(dimensions, rest, COMPOSER, lambda one: composed(one, seeds, refuse))


class Killed(Exception):
    """The parent of the sweep has died."""


def end(ledger: Ledger, entry: Entry, curve: Curve) -> tuple[Entry, int]:
    """Runs a point that is claimed: how it ended, and after how many epochs."""
    said = dict(word.partition("=")[::2] for word in entry.overrides)
    scores = curve(said, entry.seed)
    if scores is None:
        return ledger.finish(entry.number, "failed", reason="the loss is not finite: layer fc"), 0
    state, used = "done", len(scores)
    if (entry.folder / TRIAL).exists():
        reports = Reports(entry.folder / TRIAL)
        for epoch in range(1, len(scores)):
            if reports(epoch, max(scores[:epoch])):
                state, used = "pruned", epoch
                break
    metrics = {"val/accuracy": max(scores[:used])}
    write_json(entry.folder / "summary.json", {"status": state, "monitor": "val/accuracy", **metrics})
    return ledger.finish(entry.number, state, metrics=metrics), used


def course(strategy: Any, folder: Path, curve: Curve, slots: int = 1, kill_after: int | None = None) -> list[Entry]:
    """Runs a sweep, ``slots`` points at a time, which end in the order in which they began; the ledger's entries.

    Raises:
        Killed: after ``kill_after`` ends, with the next point begun.
    """
    ledger = Ledger(folder)
    ends = 0
    with ledger.at_work(worker_name()) as worker:
        strategy.begin(ledger)
        running: list[Entry] = []
        while True:
            for entry in strategy.more(ledger, slots - len(running)):
                assert ledger.claim(entry.number, worker, entry.attempts), entry
                running.append(ledger.entry(entry.number))
            if not running:
                assert strategy.finished(ledger)
                return ledger.entries()
            if ends == kill_after:
                raise Killed
            ended, _ = end(ledger, running.pop(0), curve)
            strategy.told(ended)
            ends += 1

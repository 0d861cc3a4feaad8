"""The checkpoints of one run: ``checkpoints/{last,previous,best}.ckpt``, so kept that any moment may be the last.

``last`` and ``previous`` are whole states; ``best`` holds the weights that scored best. A kill between the writing of
``best`` and of ``last`` must not leave a ``last`` whose best is gone: a ``best`` that ``last`` or ``previous`` still
names stays, as ``best-<step>.ckpt``, until neither does.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor

from assay.contracts import TrainState
from assay.engines import checkpoint
from assay.errors import ConfigError
from assay.state import under


@dataclass(frozen=True)
class Saved:
    """What a run goes on from.

    state: whole.
    facts: plain values beside it.
    best: the best weights so far; empty before the first validation.
    notes: what had to be passed over to find it.
    """

    state: TrainState
    facts: dict[str, Any]
    best: dict[str, Tensor] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


class Checkpoints:
    """The folder ``checkpoints/`` of a run.

    ``facts["best"]["step"]`` names the step of the best weights, -1 for none.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._best_of = {"last": -1, "previous": -1}  # the step of the best weights that each names
        self._best = -1  # and of those in best.ckpt

    def save(self, state: Mapping[str, Tensor], facts: Mapping[str, Any], best: Mapping[str, Tensor]) -> None:
        """Writes ``best`` if it is newer than its file, then ``last``; the one before becomes ``previous``.

        Raises:
            OSError: there is no room; what was there is as it was.
        """
        step = int(facts["best"]["step"])
        if best and step != self._best:
            self._keep_best()
            weights = {f"network.{name}": tensor for name, tensor in best.items()}
            checkpoint.write(self.folder / "best.ckpt", weights, {**facts, "weights": "only"})
            self._best = step
        last = self.folder / "last.ckpt"
        written = checkpoint.prepare(last, state, facts)
        _become_previous(last)
        written.replace(last)
        checkpoint.sync_folder(self.folder)
        self._best_of = {"last": step, "previous": self._best_of["last"]}
        self._drop_best()

    def load(self) -> Saved | None:
        """The newest whole state; None where none was written yet.

        Raises:
            ConfigError: there are states, and none of them can be used.
        """
        refusals: list[str] = []
        for name in ("last", "previous"):
            path = self.folder / f"{name}.ckpt"
            if not path.is_file():
                continue
            try:
                state, facts = checkpoint.read(path)
                best = self._find_best(int(facts["best"]["step"]))
            except ConfigError as refusal:
                refusals.append(str(refusal))
                continue
            step = int(facts["best"]["step"])
            self._best_of = {"last": step, "previous": step}
            notes = [f"{refusal}: going on from {path.name}" for refusal in refusals]
            return Saved(state, facts, best, tuple(notes))
        if refusals:
            raise ConfigError("; ".join(refusals) + "; no state is left to resume: `assay rerun` starts anew")
        return None

    def _find_best(self, step: int) -> dict[str, Tensor]:
        if step < 0:
            return {}
        refusals = []
        for path in (self.folder / "best.ckpt", self._named(step)):
            if not path.is_file():
                continue
            try:
                weights, facts = checkpoint.read(path)
            except ConfigError as refusal:
                refusals.append(str(refusal))
                continue
            if int(facts["best"]["step"]) == step:
                self._best = step if path.name == "best.ckpt" else -1  # -1: what is in best.ckpt is not counted on
                return under(weights, "network")
        reason = "; ".join(refusals) or f"{self.folder} does not hold the best weights, of step {step}"
        raise ConfigError(reason)

    def _named(self, step: int) -> Path:
        return self.folder / f"best-{step}.ckpt"

    def _keep_best(self) -> None:
        if self._best in self._best_of.values() and self._best >= 0:
            (self.folder / "best.ckpt").replace(self._named(self._best))

    def _drop_best(self) -> None:
        for path in set(self.folder.glob("best-*.ckpt")) - {self._named(step) for step in self._best_of.values()}:
            path.unlink()


def _become_previous(last: Path) -> None:
    """A second name for it, so that there is a ``last`` at every moment; renamed where a disk has no such links."""
    if not last.exists():
        return
    previous = last.with_name("previous.ckpt")
    second = previous.with_name(previous.name + checkpoint.SUFFIX)
    second.unlink(missing_ok=True)
    try:
        os.link(last, second)
    except OSError:
        last.replace(previous)
        return
    second.replace(previous)
    with suppress(FileNotFoundError):  # both were one file already: a kill fell between the two renames
        second.unlink()

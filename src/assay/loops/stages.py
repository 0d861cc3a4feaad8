"""Running the stages of a loop, each in a folder of its own, so that a kill at any moment costs no finished one.

A loop is its command run again: a stage that is done is passed by, one that was interrupted goes on bit for bit, and
what comes after begins. What a stage is, is told by its overrides, the digests of the artifacts it reads, and the data.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from assay import environment, folder, preflight, screens
from assay import run as running
from assay.artifacts import read_facts
from assay.composition.compose import Composer
from assay.errors import ConfigError
from assay.lifecycle import resume as resuming
from assay.loops.plan import Stage, key_of
from assay.targets import build

MARK = "stage.json"
NOT_BITS = ("name", "outputs", "data_dir", "plan", "logger", "checkpoint", "log_every", "switches", "init_from")
"""Keys that leave the result of a stage as it is; of ``init_from`` the digest of its artifact counts."""


class Stages:
    """The stage folders of one loop.

    Args:
        where: of the loop; its stages lie in ``stages/``.
        config: of the loop, checked.
        composer: that its options were found by.
        reuse: whether stages of other loops are copied where they are the same.
    Attributes:
        dataset: set up, of the loop's config: all stages share it.
        finished: (stage, folder), in order, those passed by included.
    """

    def __init__(self, where: Path, config: Mapping[str, Any], composer: Composer, reuse: bool) -> None:
        self.where, self.config, self.composer, self.reuse = where, config, composer, reuse
        self.dataset = build(config["data"])
        self.dataset.setup()
        self.finished: list[tuple[Stage, Path]] = []
        for left in (where / "stages").glob(".*.tmp"):  # a copy that a kill interrupted
            shutil.rmtree(left)

    def folder_of(self, name: str) -> Path:
        """Of a stage, or of a run that was there before."""
        place = self.where / "stages" / name
        return place if place.is_dir() else folder.find(name)

    def run(self, stage: Stage) -> Path:
        """Brings one stage to its end; returns its folder.

        Raises:
            ConfigError, Failed, Stopped: as :func:`assay.run.run`.
        """
        place = self.where / "stages" / stage.name
        overrides = stage.filled(self.folder_of)
        mark = {"overrides": _deciding(stage.overrides), "inputs": self.inputs(stage), "data": self.dataset.digest}
        found = read_mark(place)
        if found is not None and {key: found.get(key) for key in mark} == mark:
            self._go_on(place, overrides)
        else:
            if place.exists():
                said = "began from other artifacts or settings than it would now: it is run anew" if found else None
                say(self.where, f"stage {stage.name} {said}" if said else None)
                shutil.rmtree(place)
            self._begin(stage, place, overrides, mark)
        self.finished.append((stage, place))
        return place

    def inputs(self, stage: Stage) -> dict[str, str]:
        """{what a stage starts from: digest of its weights}."""
        return {name: read_facts(folder.find_artifact(str(self.folder_of(name))))["digest"] for name in stage.after}

    def _begin(self, stage: Stage, place: Path, overrides: list[str], mark: Mapping[str, Any]) -> None:
        try:
            (point,) = preflight.points(overrides, self.composer, False)
        except ConfigError as error:
            raise ConfigError(f"stage {stage.name}: {error}") from error
        mark = {**mark, "fingerprint": self.fingerprint(stage, point.config, mark["inputs"])}
        if self.reuse and (twin := self._twin(mark["fingerprint"])) is not None:
            _copy(twin, place, {**mark, "taken_from": os.path.relpath(twin, self.where)})
            say(self.where, f"stage {stage.name}: the same as {screens.shown(twin)}, taken from there")
            return
        say(self.where, f"── stage {stage.name}: {' '.join(stage.own)}".rstrip(": "))
        place.mkdir(parents=True)
        folder.write_config(place, point.config, point.overrides)
        folder.write_json(place / MARK, mark)
        running.run(point.config, list(point.overrides), place, part_of=self.where)

    def _go_on(self, place: Path, overrides: Sequence[str]) -> None:
        """Resumes what is not done; what may change on resuming is as it is now."""
        if status(place) == "done":
            return
        changeable = [one for one in overrides if key_of(one) in resuming.MAY_CHANGE and key_of(one) != "threads"]
        stored = folder.read_overrides(place)
        config, typed = resuming.prepare(place, [one for one in changeable if one not in stored])
        say(self.where, f"── stage {place.name} goes on")
        running.run(config, typed, place, resume=True, part_of=self.where)

    def fingerprint(self, stage: Stage, config: Mapping[str, Any], inputs: Mapping[str, str]) -> str:
        """sha256 of all that decides a stage's result: config without paths, artifacts it starts from, data, source."""
        plain = {key: value for key, value in config.items() if key not in NOT_BITS}
        facts = {"config": plain, "data": self.dataset.digest, "source": environment.source_digest()}
        text = json.dumps({**facts, "inputs": sorted(inputs.values()), "versions": environment.versions()}, default=str)
        for name, digest in inputs.items():
            text = text.replace(json.dumps(str(self.folder_of(name)))[1:-1], digest)
        return hashlib.sha256(text.encode()).hexdigest()

    def _twin(self, fingerprint: str) -> Path | None:
        """A finished stage of another loop with this fingerprint."""
        outputs = Path(self.config["outputs"])
        marks = [*outputs.glob(f"*/*/stages/*/{MARK}"), *outputs.glob(f"sweeps/*/*/stages/*/{MARK}")]
        for path in sorted(marks, reverse=True):
            found = read_mark(path.parent)
            if found is not None and found.get("fingerprint") == fingerprint and status(path.parent) == "done":
                return path.parent
        return None


def read_mark(place: Path) -> dict[str, Any] | None:
    """stage.json: written once config.yaml is whole; None where a kill came before it."""
    try:
        found = json.loads((place / MARK).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def status(place: Path) -> str:
    """Of a stage: done once its summary and its artifact are there."""
    try:
        return str(json.loads((place / "summary.json").read_text(encoding="utf-8"))["status"])
    except (OSError, ValueError, KeyError, TypeError):
        return "begun"


def _deciding(overrides: Sequence[str]) -> list[str]:
    """Without those that a loop may be resumed with."""
    return [one for one in overrides if not key_of(one).startswith(("logger", "threads", "checkpoint"))]


def _copy(source: Path, place: Path, mark: Mapping[str, Any]) -> None:
    """A finished stage without what only its resuming needs; whole, or not there."""
    temporary = place.with_name(f".{place.name}.tmp")
    left_out = shutil.ignore_patterns("checkpoints", "wandb", folder.LOCK, "review.html")
    shutil.copytree(source, temporary, ignore=left_out, symlinks=True)
    folder.write_json(temporary / MARK, mark)
    temporary.rename(place)


def say(where: Path, text: str | None) -> None:
    """To the screen and to log.txt of the loop."""
    if text is None:
        return
    with open(where / "log.txt", "a", encoding="utf-8") as file:
        file.write(text + "\n")
    try:
        print(text, flush=True)
    except OSError:  # whoever read it has gone
        sys.stdout = None

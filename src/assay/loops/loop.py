"""A loop over runs from its first stage to its last screen: what it leaves is read as a run is."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch

from assay import environment, failures, folder, screens
from assay import run as running
from assay.composition.compose import Composer
from assay.loops import report
from assay.loops.chain import Chain
from assay.loops.plan import loop_of, made
from assay.loops.stages import Stages, say, status


class Loop:
    """One loop: its folder holds ``stages/``, chain.json with a row for each, and the artifact of the last one.

    Args:
        config, overrides, where: as :func:`assay.run.run`.
        composer: that its options were found by: each stage is composed anew.
    """

    def __init__(self, config: dict[str, Any], overrides: Sequence[str], where: Path, composer: Composer) -> None:
        self.config, self.overrides, self.where, self.composer = config, list(overrides), where, composer
        node = loop_of(config)
        assert node is not None
        self.plan = made(node)

    def run(self, *, resume: bool = False) -> dict[str, Any]:
        """All stages that are not done; returns what summary.json holds.

        Raises:
            ConfigError: the first stage was refused, of which nothing is left behind; or a later one.
            Failed, Stopped: a stage was; `assay resume` of the loop goes on.
        """
        started = time.monotonic() - (self._earlier_seconds() if resume else 0.0)
        ended, line = "failed", None
        with folder.held(self.where):
            try:
                stages = self._stages()
                if not resume:
                    folder.write_config(self.where, self.config, self.overrides)
                self._write_environment(stages)
                (self.where / "summary.json").unlink(missing_ok=True)
                summary = self._all(stages, started)
                ended = "done"
                return summary
            except running.Stopped:
                ended = "stopped"
                raise
            except KeyboardInterrupt:
                ended = "interrupted"
                say(self.where, f"Stopped between two stages; {screens.resuming(self.where)}")
                raise
            except Exception as error:
                line = failures.in_short(error) if not isinstance(error, running.Failed) else str(error)
                raise
            finally:
                if ended != "done":
                    self._ended(ended, line, time.monotonic() - started, resume)

    def _stages(self) -> Stages:
        reuse = self.plan.reuse if isinstance(self.plan, Chain) else True
        return Stages(self.where, self.config, self.composer, reuse)

    def _all(self, stages: Stages, started: float) -> dict[str, Any]:
        rows = report.Rows(self.where, stages)
        if isinstance(self.plan, Chain) and self.plan.teacher is not None:
            rows.add_teacher(self.plan.teacher)
        if isinstance(self.plan, Chain) and self.plan.budgeted:
            from assay.loops import budget

            budget.search(self.plan, self.overrides, self.config, stages, rows)
        else:
            for stage in self.plan.plan(self.overrides, self.config["seed"]):
                if stage.trains:
                    stages.run(stage)
                    rows.add_run(stage.name)
                else:
                    rows.add_file(stage.name, rows.last_run)
        return self._close(stages, rows, time.monotonic() - started)

    def _close(self, stages: Stages, rows: report.Rows, seconds: float) -> dict[str, Any]:
        last = self.where / "stages" / rows.last_run
        if not isinstance(self.plan, Chain):
            rows.add_ensemble([place for _, place in stages.finished])
        for name in ("artifact", "predictions"):
            _taken(last / name, self.where / name)
        shutil.copyfile(last / "data.json", self.where / "data.json")
        if rows.rows[-1]["stage"].endswith("-export"):
            _taken(self.where / "stages" / rows.rows[-1]["stage"], self.where / "export")
        facts = rows.write()
        kept = json.loads((last / "summary.json").read_text(encoding="utf-8"))
        scores = {key: value for key, value in kept.items() if key.startswith(("test/", "train/", "baseline"))}
        monitor = kept["monitor"]
        summary = {
            "format": folder.FORMAT,
            "status": "done",
            **scores,
            "monitor": monitor,
            monitor: rows.of(rows.last_run)["val"].get(monitor.removeprefix("val/")),
            "parameters": kept["parameters"],
            "stages": sum(row["stage"] != "teacher" for row in rows.rows),
            "bytes": rows.rows[-1]["bytes"],
            "seconds": round(seconds, 3),
            "exact": all(self._summary(place).get("exact", False) for _, place in stages.finished),
        }
        folder.write_json(self.where / "chain.json", {"format": folder.FORMAT, **facts})
        folder.write_json(self.where / "summary.json", summary)
        say(self.where, rows.screen(seconds))
        return summary

    def _summary(self, place: Path) -> dict[str, Any]:
        return json.loads((place / "summary.json").read_text(encoding="utf-8"))

    def _write_environment(self, stages: Stages) -> None:
        """Once: a loop that is resumed keeps where and with which command it began."""
        earlier = environment.read(self.where)
        if earlier is not None:
            environment.refuse_other_data(earlier, stages.dataset.digest)
            return
        made = environment.describe(
            device="as each stage says",
            capability=torch.backends.cpu.get_cpu_capability(),
            world_size=1,
            seed=self.config["seed"],
            data=stages.dataset.digest,
            chosen={"threads": None},  # each stage chooses
            source=environment.write_source(self.where),
        )
        folder.write_json(self.where / "environment.json", made)

    def _earlier_seconds(self) -> float:
        try:
            return float(self._summary(self.where).get("seconds", 0.0))
        except (OSError, ValueError):
            return 0.0

    def _ended(self, ended: str, line: str | None, seconds: float, resume: bool) -> None:
        begun = [path for path in (self.where / "stages").glob("*") if path.is_dir()]
        if not begun and ended == "failed" and not resume:  # refused before anything was trained
            folder.discard(self.where)
            return
        done = sorted(path.name for path in begun if status(path) == "done")
        summary = {"status": ended, "reason": line, "stages": len(done), "seconds": round(seconds, 3)}
        with suppress(OSError):
            folder.write_json(self.where / "summary.json", {"format": folder.FORMAT, **summary})


def _taken(source: Path, place: Path) -> None:
    """A copy of a stage's folder, whole or not at all."""
    temporary = place.with_name(f".{place.name}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    shutil.copytree(source, temporary)
    shutil.rmtree(place, ignore_errors=True)
    temporary.rename(place)

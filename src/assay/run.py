"""One run: fit, test, save, and say so. No technique lives here.

What it is made of is :mod:`assay.parts`, what it leaves :mod:`assay.closing`. Only entry points and ``loops/`` import
this module.
"""

from __future__ import annotations

from assay.startup import fast_imports, plain_cuda_check

fast_imports()  # before Lightning: what a training step does not need stays unloaded

import os
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch

from assay import closing, environment, failures, folder, rate_range, screens
from assay.callbacks import pruning
from assay.callbacks.progress import Progress
from assay.composition.places import Place, place
from assay.data.card import card as data_card
from assay.data.share import Part
from assay.engines.cadence import Cadence
from assay.engines.checkpoints import Checkpoints, Saved
from assay.engines.eager import Eager, NonFiniteLoss
from assay.engines.processes import company, device_of
from assay.engines.ranks import Lost, Ranks
from assay.errors import ConfigError
from assay.failures import Failed
from assay.parts import Parts
from assay.recorder import Recorder, Stopped
from assay.review import metrics_csv
from assay.review.metrics_csv import MetricsCSV
from assay.surroundings import AtOnce, Kernels, logged, profiled, signals
from assay.targets import build

plain_cuda_check()


def run(
    config: dict[str, Any], overrides: Sequence[str], where: Path, *, resume: bool = False, part_of: Path | None = None
) -> dict[str, Any]:
    """Trains, tests and saves one point; returns what summary.json holds.

    Args:
        config: resolved and checked by preflight, plain containers.
        overrides: as typed.
        where: the run folder, made exclusively by the caller.
        resume: go on from what the folder holds, bit for bit; without a checkpoint, from the beginning.
        part_of: the folder of the loop that this run is a stage of; `latest` and what the user is told are that.
    Raises:
        ConfigError: the data or a part refuse the config; of a new run nothing is left behind, one that is resumed
            stays as it is.
        Failed: the loss was not finite, memory ran out, the disk is full, or another process of the run died.
        Stopped: a signal ended the run, after saving.
    """
    point = {"config": config, "overrides": list(overrides), "where": str(where), "resume": resume}
    at = place(config["trainer"])
    with folder.held(where), logged(where), Kernels(config["deterministic"]) as kernels:
        try:
            with company(at, where, point) as ranks:
                try:
                    job = Job(config, overrides, where, kernels, resume=resume, ranks=ranks, part_of=part_of)
                except ConfigError:
                    if not resume:
                        folder.discard(where)
                    raise
                return job.run()
        except Lost as lost:
            raise Failed(str(lost)) from None
        except OSError as error:
            if not failures.is_disk_full(error):
                raise
            raise Failed(failures.disk_full(error, where)) from error


def follow_run(point: Mapping[str, Any], at: Place, store: Any) -> None:
    """The part in a run of any process but the first (see :mod:`assay.follow`).

    Raises:
        Failed, Stopped: as the first one does.
    """
    config = point["config"]
    sharded = config["trainer"]["strategy"] == "fsdp"
    ranks = Ranks(Part(at.rank, at.world), store, device_of(config["trainer"], at), sharded)
    with tempfile.TemporaryDirectory() as scratch, logged(Path(scratch)), Kernels(config["deterministic"]) as kernels:
        try:
            where = Path(point["where"])
            Job(config, point["overrides"], where, kernels, resume=point["resume"], ranks=ranks).follow()
        finally:
            ranks.close()


class Job:
    """One run from its first screen to its last.

    Args:
        config, overrides, where, resume, part_of: as :func:`run`.
        kernels: what remembers operations that are not deterministic.
        ranks: the processes that train together, or None.
    """

    def __init__(
        self,
        config: dict[str, Any],
        overrides: Sequence[str],
        where: Path,
        kernels: Kernels,
        *,
        resume: bool,
        ranks: Ranks | None = None,
        part_of: Path | None = None,
    ) -> None:
        self.config = config
        self.overrides = overrides
        self.where = where
        self.part_of = part_of
        self.kernels = kernels
        self.ranks = ranks
        first = ranks is None or ranks.first  # who decides, writes and speaks
        earlier = environment.read(where) if resume else None
        self.parts = parts = Parts(config, where, earlier, ranks)
        checkpoints = Checkpoints(where / "checkpoints")
        self.saved = checkpoints.load() if resume else None
        if resume:
            _refuse_cleaned(where, self.saved)
            self._refuse_longer()
        if resume and first:
            _cut_back(where, self.saved)
        if first and (resume or not (where / "config.yaml").exists()):
            folder.write_config(where, config, overrides)
        if first:
            folder.write_json(where / "data.json", data_card(parts.dataset, parts.switches["data"]))
        if first and parts.transferred is not None:
            folder.write_json(where / "init_from.json", parts.transferred.to_json())
        if first and parts.narrowed is not None:
            folder.write_json(where / "narrowed.json", parts.narrowed.to_json())
        if first and parts.found is not None:
            rate_range.write(where, parts.found)
        self.log = build(config["logger"], where, config) if first and config["logger"] is not None else None
        note = self.log.start() if self.log is not None else None
        nowhere = Path(os.devnull)
        self.progress = Progress(parts.total, parts.monitor, None if first else nowhere.open("w"))
        stopping = config["early_stopping"]
        self.recorder = Recorder(
            checkpoints if first else None,
            MetricsCSV(where / "metrics.csv" if first else nowhere),
            monitor=parts.monitor,
            mode=parts.mode,
            cadence=Cadence(config["checkpoint"]["every"]),
            progress=self.progress,
            stopping=build(stopping, mode=parts.mode) if stopping is not None else None,
            callbacks=build(config.get("callbacks") or {}),
            ranks=ranks,
        )
        pruning.attach(self.recorder, where, config["trainer"]["max_epochs"])
        state = None if self.saved is None else self.saved.state
        self.module = Eager(
            parts.task, parts.network, parts.make_step, self.recorder, config["log_every"], state, ranks
        )
        self.recorder.module = self.module
        if self.saved is not None:
            self.recorder.restore(self.saved)
        if not first:
            return
        self.differences = self._write_environment(earlier)
        if not resume or where.resolve().is_relative_to(Path(config["outputs"]).resolve()):  # else it was moved
            folder.point_latest(config["outputs"], part_of or where)
        self._first_screen(note)

    def _write_environment(self, earlier: dict[str, Any] | None) -> list[str]:
        """Writes environment.json; of a run that is resumed it stays, and what differs now is added and returned."""
        now = environment.describe(
            device=self.parts.device,
            capability=torch.backends.cpu.get_cpu_capability(),
            world_size=self.ranks.part.world if self.ranks is not None else 1,
            seed=self.config["seed"],
            data=self.parts.dataset.digest,
            chosen=self.parts.chosen,
            source=environment.write_source(self.where) if earlier is None else {},
        )
        if earlier is None:
            folder.write_json(self.where / "environment.json", now)
            return []
        found = environment.differences(earlier, now)
        resumes: list[dict[str, Any]] = [*earlier.get("resumes", [])]
        resumes.append({"step": self.module.number, "differences": found})
        folder.write_json(self.where / "environment.json", {**earlier, "resumes": resumes})
        return [difference for one in resumes for difference in one["differences"]]

    def _refuse_longer(self) -> None:
        """Early stopping has the last word: going on would need another patience, which is another run."""
        if self.saved is not None and self.saved.facts["over"] and self.parts.total > self.saved.facts["total"]:
            raise ConfigError(
                f"early_stopping={self.parts.switches['early_stopping']} ended this run at epoch "
                f"{self.saved.facts['epoch'] + 1}; to go on, use `assay rerun` with early_stopping=none"
            )

    def run(self) -> dict[str, Any]:
        started = time.monotonic() - (self.saved.facts["seconds"] if self.saved is not None else 0)
        self.recorder.clock = lambda: time.monotonic() - started
        status, line = "failed", None
        try:
            with signals(self.recorder):
                with profiled(self.config["debug"] == "profile", self.where):
                    self._fit()
                self.progress.finished()
                pruning.obey(self.recorder)
                summary, screen = closing.close(
                    self.parts,
                    self.module,
                    self.recorder,
                    self.where,
                    overrides=self.overrides,
                    seconds=time.monotonic() - started,
                    inexact=self._inexact(),
                )
                note = self.log.finish("done", summary) if self.log is not None else None
                screen = screen if self.part_of is None else screen.partition("\nNext:")[0]  # the loop says what next
                self._say(screen + (f"\n{note}" if note else ""))
            status = "done"
            return summary
        except NonFiniteLoss:
            self.parts.data.part = None  # rank 0 replays alone, all rows of each batch
            loader = None if self.parts.sharded else self.parts.data.train_dataloader()
            line = failures.non_finite(self.module, loader, self.where, self.parts.config, self.recorder.history)
            raise Failed(line) from None
        except RuntimeError as error:
            line = self.ranks.lost(2.0) if self.ranks is not None else None
            if line is None and not failures.is_out_of_memory(error):
                raise
            line = line or failures.out_of_memory(self.parts.device, self.config)
            raise Failed(line) from error
        except OSError as error:
            if not failures.is_disk_full(error):
                raise
            line = failures.disk_full(error, self.where)
            raise Failed(line) from error
        except Stopped:
            status = "stopped"
            self.recorder.save()
            self._say(f"Stopped at step {self.module.number}, saved; {screens.resuming(self.part_of or self.where)}")
            raise
        except pruning.Pruned as pruned:
            status, line = "pruned", str(pruned)
            self._say(line)
            return {"status": status, "reason": line, **pruning.found(self.recorder)}
        except AtOnce:
            status = "interrupted"
            raise KeyboardInterrupt from None
        except Exception as error:
            line = failures.in_short(error)
            raise
        finally:
            self.progress.finished()
            if status != "done":
                summary = {"status": status, "reason": line, "steps": self.module.number}
                summary |= pruning.found(self.recorder)
                with suppress(OSError):  # a full disk has no room for it either
                    folder.write_json(self.where / "summary.json", {"format": folder.FORMAT, **summary})
                self.recorder.points.close()
                if self.log is not None:
                    self.log.finish(status, summary)

    def _fit(self) -> None:
        self.parts.network.train()
        if self.recorder.over or self.module.number >= self.parts.total:
            self.parts.trainer.precision_plugin.convert_module(self.module)
            self.module.configure_optimizers()  # restores the state; there are no steps left to take
            if self.saved is None:  # there never were any
                self.module.trainer = self.parts.trainer
                self.recorder.save()
            else:
                self.module.epoch = self.saved.facts["epoch"]
            return
        self.parts.trainer.fit(self.module, datamodule=self.parts.data)
        self.module.report()
        self.recorder.save()
        asked = self.recorder.stop_signal
        if number := asked if self.ranks is None else self.ranks.told(asked):
            raise Stopped(number)

    def follow(self) -> None:
        """What :meth:`run` does, in any process but the first: the same steps, and its share of validation and test."""
        try:
            self._fit()
            pruning.obey(self.recorder)
            closing.examine(self.parts, self.module, self.recorder)
        except NonFiniteLoss:
            raise Failed("the loss is not finite") from None
        except pruning.Pruned:
            return
        except Stopped:
            self.recorder.save()  # where the state is divided, its part of it
            raise

    def _inexact(self) -> list[str]:
        """Why the same command might not give the same bits."""
        asked = [] if self.kernels.wanted else ["deterministic=never was asked for"]
        if (planned := self._planned()) is not None:
            asked.append(f"the schedule was made for {planned} steps, and the run has {self.parts.total}")
        return [
            *self.differences,
            *asked,
            *(f"{operation} has no deterministic kernel" for operation in self.kernels.without),
        ]

    def _first_screen(self, note: str | None) -> None:
        parts, label = self.parts, self.parts.spec.label
        classes = None
        if label.kind in ("class", "tags"):
            target = parts.labels("train").long()
            shares = torch.bincount(target[target >= 0], minlength=label.size or 1).double()
            classes = (int(label.size or 0), float(shares.max() / shares.sum()))
        text = screens.first(
            data=parts.switches["data"],
            sizes={name: len(split) for name, split in parts.dataset.splits.items()},
            classes=classes,
            called="tags" if label.kind == "tags" else "classes",
            notes=[*parts.dataset.notes, *parts.notes],
            model=parts.switches["model"],
            parameters=parts.parameters,
            frozen=parts.frozen,
            optimizer=parts.switches["optim"],
            device=parts.device if self.ranks is None else f"{self.ranks.part.world} processes on {parts.device}",
            threads=parts.chosen["threads"],
            folder=self.where,
            log=note or ("metrics.csv only" if self.log is None else "metrics.csv and W&B"),
        )
        if self.saved is not None:
            text += "\n" + screens.resumed(
                step=self.module.number,
                total=parts.total,
                notes=self.saved.notes,
                differences=self.differences,
                planned=self._planned(),
            )
        self._say(text)

    def _planned(self) -> int | None:
        """The steps that the schedule was made for, where a resumed run has another number of them."""
        planned = self.saved.state.get("schedule.scheduler.total_steps") if self.saved is not None else None
        return None if planned is None or int(planned) == self.parts.total else int(planned)

    def _say(self, text: str) -> None:
        with open(self.where / "log.txt", "a", encoding="utf-8") as file:
            file.write(text + "\n")
        try:
            print(text, flush=True)
        except OSError:  # whoever read it has gone (`| head`, a closed terminal): the run goes on, log.txt has the text
            sys.stdout = None


def _refuse_cleaned(where: Path, saved: Saved | None) -> None:
    """Only a run that ended before its first step has no checkpoint; of any other it was deleted."""
    points = where / "metrics.csv"
    if saved is None and points.is_file() and points.stat().st_size and metrics_csv.read(points):
        raise ConfigError(f"{where} has been trained, and its checkpoints are gone: `assay rerun` trains it again")


def _cut_back(where: Path, saved: Saved | None) -> None:
    """metrics.csv as it was when the state was saved; what a resumed run will measure again is taken off."""
    (where / "summary.json").unlink(missing_ok=True)
    if saved is None:
        (where / "metrics.csv").unlink(missing_ok=True)
    else:
        metrics_csv.cut(where / "metrics.csv", saved.facts["rows"])

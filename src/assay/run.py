"""The composer of one run: build, fit, test, save. No technique lives here.

Only entry points and ``loops/`` import this module.
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
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.plugins.environments import LightningEnvironment
from torch import Tensor

from assay import artifacts, environment, failures, figures, folder, predictions, screens
from assay.assemble import assemble
from assay.callbacks.progress import Progress
from assay.composition.places import Place, place
from assay.contracts import DataSpec
from assay.data.card import card as data_card
from assay.data.module import DataModule
from assay.data.share import Part
from assay.engines.cadence import Cadence
from assay.engines.checkpoints import Checkpoints, Saved
from assay.engines.eager import Eager, NonFiniteLoss
from assay.engines.processes import company, device_of
from assay.engines.ranks import Lost, Ranks
from assay.engines.step import Step
from assay.engines.threads import choose_threads
from assay.errors import ConfigError
from assay.failures import Failed
from assay.layers.random import KeyedStreams
from assay.optim.schedule import Schedule
from assay.recorder import Recorder, Stopped
from assay.review import metrics_csv
from assay.review.metrics_csv import MetricsCSV
from assay.surroundings import AtOnce, Kernels, logged, profiled, signals
from assay.targets import build

plain_cuda_check()

OVERFIT_EXAMPLES = 10
FAST_STEPS = 2
PROFILE_STEPS = 50


def run(config: dict[str, Any], overrides: Sequence[str], where: Path, *, resume: bool = False) -> dict[str, Any]:
    """Trains, tests and saves one point; returns what summary.json holds.

    Args:
        config: resolved and checked by preflight, plain containers.
        overrides: as typed.
        where: the run folder, made exclusively by the caller.
        resume: go on from what the folder holds, bit for bit; without a checkpoint, from the beginning.
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
                return Job(config, overrides, where, kernels, resume=resume, ranks=ranks).run()
        except ConfigError:
            if not resume:
                folder.discard(where)
            raise
        except Lost as lost:
            raise Failed(str(lost)) from None


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
    """One run and its parts, built in the order in which facts become known: data, objective, network, loop."""

    def __init__(
        self,
        config: dict[str, Any],
        overrides: Sequence[str],
        where: Path,
        kernels: Kernels,
        *,
        resume: bool,
        ranks: Ranks | None = None,
    ) -> None:
        self.config = config
        self.overrides = overrides
        self.where = where
        self.kernels = kernels
        self.ranks = ranks
        first = ranks is None or ranks.first  # who decides, writes and speaks
        earlier = environment.read(where) if resume else None
        self.switches: Mapping[str, str] = config["switches"]
        self.trainer_keys = dict(config["trainer"])

        dataset = build(config["data"])
        if not first:
            ranks.join()
        dataset.setup()
        if ranks is not None and first:
            ranks.join()  # after a download, which the others then find
        if earlier is not None:
            environment.refuse_other_data(earlier, dataset.digest)
        self._rehearse(dataset)
        self.dataset = dataset
        self.spec = _with_label_units(dataset.spec, self._labels("train"))

        objective = build(config["loss"])
        if config["distillation"] is not None:
            objective = build(config["distillation"], objective)
            objective.fit(self.spec)
        self.task, self.network = assemble(config, self.spec, objective)
        self.monitor = config["monitor"] or self.task.monitor
        self.mode = config["monitor_mode"] or (
            self.task.monitor_mode
            if not config["monitor"]
            else ("min" if screens.lower_is_better(self.monitor) else "max")
        )
        _refuse_batch_statistics(self.network, ranks)
        augment = build(config["augment"], self.spec, config["seed"])
        self.augment = None if self.switches.get("augment") == "none" else augment
        self.data = DataModule(
            dataset,
            seed=config["seed"],
            accumulate=config["accumulate"],
            part=ranks.part if ranks is not None else None,
            mixes=getattr(augment, "mixes", False),
        )
        self.data.setup()
        steps = self._steps_an_epoch() * self.trainer_keys["max_epochs"]
        limit = self.trainer_keys["max_steps"]
        self.total = steps if limit < 0 else min(steps, limit)
        size = config["data"]["batch_size"]
        size = len(dataset.splits["train"]) if size == "full" else size
        here = self.trainer_keys["devices"] if ranks is not None else 1
        self.chosen = {"threads": choose_threads(config["threads"], self.network, self._one_batch(), size, here)}
        if earlier is not None and config["threads"] == "auto":
            self.chosen = earlier["chosen"]
        torch.set_num_threads(self.chosen["threads"])

        self._refuse_unknown_monitor()
        self.trainer = self._trainer()
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
            folder.write_json(where / "data.json", data_card(dataset, self.switches["data"]))
        self.log = build(config["logger"], where, config) if first and config["logger"] is not None else None
        note = self.log.start() if self.log is not None else None
        nowhere = Path(os.devnull)
        self.progress = Progress(self.total, self.monitor, None if first else nowhere.open("w"))
        self.points = MetricsCSV(where / "metrics.csv" if first else nowhere)
        stopping = config["early_stopping"]
        self.recorder = Recorder(
            checkpoints if first else None,
            self.points,
            monitor=self.monitor,
            mode=self.mode,
            cadence=Cadence(config["checkpoint"]["every"]),
            progress=self.progress,
            stopping=build(stopping, mode=self.mode) if stopping is not None else None,
            callbacks=build(config.get("callbacks") or {}),
            ranks=ranks,
        )
        state = None if self.saved is None else self.saved.state
        self.module = Eager(self.task, self.network, self.make_step, self.recorder, config["log_every"], state, ranks)
        self.recorder.module = self.module
        if self.saved is not None:
            self.recorder.restore(self.saved)
        if not first:
            return
        self.differences = self._write_environment(earlier)
        folder.point_latest(config["outputs"], where)
        self._first_screen(note)

    # building

    def make_step(self) -> Step:
        config = self.config
        parameters = [*self.network.parameters(), *self.task.objective.parameters()]
        optimizer = build(config["optim"], parameters)
        schedule = None
        if config["scheduler"] is not None:
            make = build(config["scheduler"])
            schedule = Schedule(make, optimizer, total_steps=self.total, mode=self.mode)
        return Step(
            self.task,
            self.network,
            optimizer,
            streams=KeyedStreams(config["seed"]),
            augment=self.augment,
            clip=build(config["clip"]) if config["clip"] is not None else None,
            average=build(config["ema"], self.network) if config["ema"] is not None else None,
            schedule=schedule,
            ranks=self.ranks,
        )

    def _write_environment(self, earlier: dict[str, Any] | None) -> list[str]:
        """Writes environment.json; of a run that is resumed it stays, and what differs now is added and returned."""
        now = environment.describe(
            device=self.device,
            capability=torch.backends.cpu.get_cpu_capability(),
            world_size=self.ranks.part.world if self.ranks is not None else 1,
            seed=self.config["seed"],
            data=self.dataset.digest,
            chosen=self.chosen,
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

    def _trainer(self) -> pl.Trainer:
        rehearsal = {"limit_val_batches": 1, "limit_test_batches": 1} if self.config["debug"] == "fast" else {}
        keys = {key: value for key, value in self.trainer_keys.items() if key not in ("strategy", "num_nodes")}
        if self.ranks is not None:  # Lightning sees one process on one device; what they say to each other is ours
            device = self.ranks.device
            keys |= {"accelerator": device.type, "devices": 1 if device.index is None else [device.index]}
            keys["plugins"] = [LightningEnvironment()]  # not SLURM's, which would have its own idea of them
        trainer = build(
            {**keys, **rehearsal},
            logger=False,  # the recorder writes metrics.csv and W&B
            enable_checkpointing=False,  # ours hold the TrainState
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
            use_distributed_sampler=False,  # order is a function of (seed, epoch)
            default_root_dir=self.where,
            inference_mode=not self._sharded,  # what is gathered in it could not be trained with
        )
        # Signals have one owner: Lightning would leave after the batch, before what belongs to it is done.
        trainer._signal_connector.register_signal_handlers = lambda: None
        return trainer

    def _rehearse(self, dataset: Any) -> None:
        """debug=…: what the data and the length of a rehearsal are."""
        debug = self.config["debug"]
        if debug == "overfit":
            few = dataset.splits["train"].select(torch.arange(min(OVERFIT_EXAMPLES, len(dataset.splits["train"]))))
            dataset.splits = {"train": few, "val": few, "test": few}
            self.trainer_keys["max_epochs"] = max(100, self.trainer_keys["max_epochs"])
        elif debug == "fast":
            self.trainer_keys |= {"max_epochs": 1, "limit_train_batches": FAST_STEPS}
        elif debug == "profile":
            self.trainer_keys["max_steps"] = PROFILE_STEPS

    def _steps_an_epoch(self) -> int:
        """As Lightning reads ``limit_train_batches``: an integer is a number of steps, a float a share of them."""
        every = len(self.data.train_dataloader())
        limit = self.trainer_keys.get("limit_train_batches")
        if limit is None:
            return every
        return int(every * limit) if isinstance(limit, float) else min(every, limit)

    def _labels(self, split: str) -> Tensor:
        return self.dataset.splits[split].column("label")

    def _one_batch(self) -> dict[str, Tensor]:
        return next(iter(self.data.loader(self.dataset.splits["val"])))

    def _refuse_unknown_monitor(self) -> None:
        with torch.inference_mode():
            batch = self._one_batch()
            self.network.eval()
            names = [f"val/{name}" for name in self.task.scores(self.task.readings(self.network(batch), batch))]
            self.network.train()
        if self.monitor not in names:
            raise ConfigError(f"monitor={self.monitor} is not measured; possible are {', '.join(names)}")

    def _refuse_longer(self) -> None:
        """Early stopping has the last word: going on would need another patience, which is another run."""
        if self.saved is not None and self.saved.facts["over"] and self.total > self.saved.facts["total"]:
            raise ConfigError(
                f"early_stopping={self.switches['early_stopping']} ended this run at epoch "
                f"{self.saved.facts['epoch'] + 1}; to go on, use `assay rerun` with early_stopping=none"
            )

    @property
    def device(self) -> str:
        device = self.trainer.strategy.root_device
        return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type

    # running

    def run(self) -> dict[str, Any]:
        started = time.monotonic() - (self.saved.facts["seconds"] if self.saved is not None else 0)
        self.recorder.clock = lambda: time.monotonic() - started
        status, line = "failed", None
        try:
            with signals(self.recorder):
                with profiled(self.config["debug"] == "profile", self.where):
                    self._fit()
                summary = self._finish(time.monotonic() - started)
            status = "done"
            return summary
        except NonFiniteLoss:
            self.data.part = None  # rank 0 replays alone, all rows of each batch
            loader = None if self._sharded else self.data.train_dataloader()
            line = failures.non_finite(self.module, loader, self.where, self.config, self.recorder.history)
            raise Failed(line) from None
        except RuntimeError as error:
            line = self.ranks.lost(2.0) if self.ranks is not None else None
            if line is None and not failures.is_out_of_memory(error):
                raise
            line = line or failures.out_of_memory(self.device, self.config)
            raise Failed(line) from error
        except OSError as error:
            if not failures.is_disk_full(error):
                raise
            line = failures.disk_full(error, self.where)
            raise Failed(line) from error
        except Stopped:
            status = "stopped"
            self.recorder.save()
            self._say(f"Stopped at step {self.module.number}, saved; {screens.resuming(self.where)}")
            raise
        except AtOnce:
            status = "interrupted"
            raise KeyboardInterrupt from None
        finally:
            self.progress.finished()
            if status != "done":
                summary = {"status": status, "reason": line, "steps": self.module.number}
                with suppress(OSError):  # a full disk has no room for it either
                    folder.write_json(self.where / "summary.json", {"format": folder.FORMAT, **summary})
                self.points.close()
                if self.log is not None:
                    self.log.finish(status, summary)

    def _fit(self) -> None:
        self.network.train()
        if self.saved is not None and (self.recorder.over or self.module.number >= self.total):
            self.trainer.precision_plugin.convert_module(self.module)
            self.module.configure_optimizers()  # restores the state; there are no steps left to take
            self.module.epoch = self.saved.facts["epoch"]
            return
        self.trainer.fit(self.module, datamodule=self.data)
        self.module.report()
        self.recorder.save()
        asked = self.recorder.stop_signal
        if number := asked if self.ranks is None else self.ranks.told(asked):
            raise Stopped(number)

    @property
    def _sharded(self) -> bool:
        return self.ranks is not None and self.ranks.sharded

    def _load_best(self) -> None:
        """The best weights into the network; into a whole one, where it was divided."""
        if self._sharded:
            from assay.engines.sharded import whole

            self.recorder.best = whole(self.recorder.best or dict(self.network.state_dict()))
            _, self.network = assemble(self.config, self.spec, self.task.objective)
            self.trainer.precision_plugin.convert_module(self.network)
            self.module.network = self.network
        self.recorder.load_best()

    def follow(self) -> None:
        """What :meth:`run` does, in any process but the first: the same steps, and its share of validation and test."""
        try:
            self._fit()
            self._load_best()
            self.trainer.test(self.module, datamodule=self.data, verbose=False)
        except NonFiniteLoss:
            raise Failed("the loss is not finite") from None
        except Stopped:
            self.recorder.save()  # where the state is divided, its part of it
            raise

    def _finish(self, seconds: float) -> dict[str, Any]:
        self.progress.finished()
        self._load_best()
        self.trainer.test(self.module, datamodule=self.data, verbose=False)
        readings = {name: value.cpu() for name, value in self.module.readings.items()}
        test = self.module.test_scores
        train = self._training_scores()
        baseline_name, baseline = self.task.baseline(self._labels("train"), readings)
        step, epoch = self.module.number, self.module.epoch
        self.recorder.send(step, epoch, {f"test/{name}": value for name, value in test.items()})
        self.points.close()
        predictions.write(self.where / "predictions" / "test.csv", self.task, readings)
        predictions.write_hardest(
            self.where / "predictions" / "hardest.json",
            self.task,
            readings,
            self.dataset.splits["test"],
            self.spec.source,
            self.dataset.preprocessing,
        )
        speed = self.module.number / max(self.module.training_seconds, 1e-9)
        parameters = sum(p.numel() for p in self.network.parameters())
        summary = {
            "format": folder.FORMAT,
            "status": "done",
            **{f"test/{name}": value for name, value in test.items()},
            **{f"train/{name}": value for name, value in train.items()},
            **{f"baseline/{name}": value for name, value in baseline.items()},
            "baseline": baseline_name,
            "monitor": self.monitor,
            self.monitor: self.recorder.history.get(self.recorder.best_epoch),
            "best_epoch": self.recorder.best_epoch,
            "epochs": epoch + 1,
            "steps": step,
            "parameters": parameters,
            "seconds": round(seconds, 3),
            "training_seconds": round(self.module.training_seconds, 3),
            "steps_per_second": round(speed, 3),
            "exact": not self._inexact(),
            **({"inexact": self._inexact()} if self._inexact() else {}),
        }
        card = {
            "data": self.switches["data"],
            "digest": self.dataset.digest,
            "source": self.dataset.source_name,
            "licence": self.dataset.licence,
            "sizes": {name: len(split) for name, split in self.dataset.splits.items()},
            "test": test,
            "versions": environment.versions(),
            "source_digest": environment.source_digest(),
        }
        artifacts.save(self.where / "artifact", self.network, self.config, self.spec, self.dataset.preprocessing, card)
        figures.write(self.where, self.task, readings, self.monitor)
        folder.write_json(self.where / "summary.json", summary)
        note = self.log.finish("done", summary) if self.log is not None else None
        self._say(
            screens.last(
                model=self.switches["model"],
                test=test,
                baseline_name=baseline_name,
                baseline=baseline,
                train=train,
                monitor=self.monitor,
                best_epoch=self.recorder.best_epoch,
                epochs=epoch + 1,
                seconds=seconds,
                steps_per_second=speed,
                folder=self.where,
                inputs=screens.INPUTS.get(self.spec.source.kind, "INPUT"),
                overrides=self.overrides,
                longer=self._longer(),
            )
            + (f"\n{note}" if note else "")
        )
        return summary

    def _longer(self) -> str | None:
        history, best = self.recorder.history, self.recorder.best_epoch
        earlier = (score for epoch, score in history.items() if epoch < best)
        if self.module.number < self.total or self.config["debug"] != "none":
            return None
        if history.get(best) in earlier:  # as good before: more would not help
            return None
        if self.trainer_keys["max_steps"] > 0:
            return f"trainer.max_steps={2 * self.module.number}"
        return f"trainer.max_epochs={2 * self.trainer_keys['max_epochs']}"

    def _training_scores(self) -> dict[str, float]:
        """Scores on as many training examples as there are test ones: the gap needs no more."""
        from assay.evaluation import evaluate

        few = min(len(self.dataset.splits["train"]), max(len(self.dataset.splits["test"]), 1))
        split = self.dataset.splits["train"].select(torch.arange(few))
        return evaluate(self.task, self.network, self.data.loader(split), self.trainer.strategy.root_device)[0]

    def _inexact(self) -> list[str]:
        """Why the same command might not give the same bits."""
        asked = [] if self.kernels.wanted else ["deterministic=never was asked for"]
        return [
            *self.differences,
            *asked,
            *(f"{operation} has no deterministic kernel" for operation in self.kernels.without),
        ]

    # saying

    def _first_screen(self, note: str | None) -> None:
        classes = None
        if self.spec.label.kind == "class":
            shares = torch.bincount(self._labels("train").long(), minlength=self.spec.label.size or 1).double()
            classes = (int(self.spec.label.size or 0), float(shares.max() / shares.sum()))
        text = screens.first(
            data=self.switches["data"],
            sizes={name: len(split) for name, split in self.dataset.splits.items()},
            classes=classes,
            notes=self.dataset.notes,
            model=self.switches["model"],
            parameters=sum(p.numel() for p in self.network.parameters()),
            optimizer=self.switches["optim"],
            device=self.device if self.ranks is None else f"{self.ranks.part.world} processes on {self.device}",
            threads=self.chosen["threads"],
            folder=self.where,
            log=note or ("metrics.csv only" if self.log is None else "metrics.csv and W&B"),
        )
        if self.saved is not None:
            text += "\n" + screens.resumed(
                step=self.module.number,
                total=self.total,
                notes=self.saved.notes,
                differences=self.differences,
                planned=self._planned(),
            )
        self._say(text)

    def _planned(self) -> int | None:
        """The steps that the schedule was made for, where a resumed run has another number of them."""
        planned = self.saved.state.get("schedule.scheduler.total_steps") if self.saved is not None else None
        return None if planned is None or int(planned) == self.total else int(planned)

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


def _refuse_batch_statistics(network: torch.nn.Module, ranks: Ranks | None) -> None:
    """Raises ConfigError if a layer would take the statistics of one process's rows for those of the batch."""
    if ranks is not None and any(isinstance(m, torch.nn.modules.batchnorm._BatchNorm) for m in network.modules()):
        raise ConfigError(
            "a batch normalisation in this network would see the rows of one process only: use trainer=auto, or "
            "normalization=layer"
        )


def _with_label_units(spec: DataSpec, labels: Tensor) -> DataSpec:
    """A number's mean and deviation on the training split, so that the task can learn it in units of its own."""
    if spec.label.kind != "number":
        return spec
    values = labels.double()
    scale = float(values.std(correction=0))
    label = replace(spec.label, center=float(values.mean()), scale=scale if scale > 0 else 1.0)
    return DataSpec({**spec.fields, "label": label})

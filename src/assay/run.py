"""The composer of one run: build, fit, test, save. No technique lives here.

Only entry points and ``loops/`` import this module.
"""

from __future__ import annotations

from assay.startup import fast_imports, plain_cuda_check

fast_imports()  # before Lightning: what a training step does not need stays unloaded

import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor

from assay import artifacts, failures, figures, folder, predictions, screens
from assay.assemble import assemble
from assay.callbacks.progress import Progress
from assay.contracts import DataSpec
from assay.data.module import DataModule
from assay.engines.checkpoint import Cadence
from assay.engines.eager import Eager, NonFiniteLoss
from assay.engines.step import Step
from assay.engines.threads import choose_threads
from assay.errors import ConfigError
from assay.failures import Failed
from assay.layers.random import KeyedStreams
from assay.optim.schedule import Schedule
from assay.recorder import Recorder, Stopped
from assay.review.metrics_csv import MetricsCSV
from assay.surroundings import AtOnce, logged, profiled, signals
from assay.targets import build

plain_cuda_check()

OVERFIT_EXAMPLES = 10
FAST_STEPS = 2
PROFILE_STEPS = 50


def run(config: dict[str, Any], overrides: Sequence[str], where: Path) -> dict[str, Any]:
    """Trains, tests and saves one point; returns what summary.json holds.

    Args:
        config: resolved and checked by preflight, plain containers.
        overrides: as typed.
        where: the run folder, made exclusively by the caller.
    Raises:
        ConfigError: the data or a part refuse the config; nothing is left behind.
        Failed: the loss was not finite, or memory ran out.
        Stopped: a signal ended the run, after saving.
    """
    with logged(where):
        try:
            job = Job(config, overrides, where)
        except ConfigError:
            shutil.rmtree(where, ignore_errors=True)
            with suppress(OSError):  # the day and the outputs folder, where this run was their first
                where.parent.rmdir()
                where.parent.parent.rmdir()
            raise
        return job.run()


class Job:
    """One run and its parts, built in the order in which facts become known: data, objective, network, loop."""

    def __init__(self, config: dict[str, Any], overrides: Sequence[str], where: Path) -> None:
        self.config = config
        self.overrides = overrides
        self.where = where
        self.switches: Mapping[str, str] = config["switches"]
        self.trainer_keys = dict(config["trainer"])

        dataset = build(config["data"])
        dataset.setup()
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
        self.data = DataModule(dataset, seed=config["seed"], accumulate=config["accumulate"])
        self.data.setup()
        steps = self._steps_an_epoch() * self.trainer_keys["max_epochs"]
        limit = self.trainer_keys["max_steps"]
        self.total = steps if limit < 0 else min(steps, limit)
        size = config["data"]["batch_size"]
        size = len(dataset.splits["train"]) if size == "full" else size
        self.chosen = {"threads": choose_threads(config["threads"], self.network, self._one_batch(), size)}
        torch.set_num_threads(self.chosen["threads"])

        self._refuse_unknown_monitor()
        self.log = build(config["logger"], where, config) if config["logger"] is not None else None
        note = self.log.start() if self.log is not None else None
        self.progress = Progress(self.total, self.monitor)
        stopping = config["early_stopping"]
        self.recorder = Recorder(
            where,
            monitor=self.monitor,
            mode=self.mode,
            cadence=Cadence(config["checkpoint"]["every"]),
            progress=self.progress,
            sinks=[self.log.points] if self.log is not None else [],
            stopping=build(stopping, mode=self.mode) if stopping is not None else None,
            callbacks=build(config.get("callbacks") or {}),
        )
        self.module = Eager(self.task, self.network, self.make_step, self.recorder, config["log_every"])
        self.recorder.module = self.module
        self.trainer = self._trainer()
        folder.write_config(where, config, overrides)
        source = folder.write_source(where)
        facts = folder.environment(self.device, self.chosen["threads"], config["seed"], self.chosen, source)
        folder.write_json(where / "environment.json", facts)
        folder.point_latest(config["outputs"], where)
        self._first_screen(note)
        self.points = MetricsCSV(where / "metrics.csv")
        self.recorder.sinks.insert(0, self.points.write)

    # building

    def make_step(self) -> Step:
        config = self.config
        parameters = [*self.network.parameters(), *self.task.objective.parameters()]
        optimizer = build(config["optim"], parameters)
        schedule = None
        if config["scheduler"] is not None:
            make = build(config["scheduler"])
            schedule = Schedule(make, optimizer, total_steps=self.total, mode=self.mode)
        augment = build(config["augment"], self.spec, config["seed"])
        return Step(
            self.task,
            self.network,
            optimizer,
            streams=KeyedStreams(config["seed"]),
            augment=None if self.switches.get("augment") == "none" else augment,
            clip=build(config["clip"]) if config["clip"] is not None else None,
            average=build(config["ema"], self.network) if config["ema"] is not None else None,
            schedule=schedule,
        )

    def _trainer(self) -> pl.Trainer:
        rehearsal = {"limit_val_batches": 1, "limit_test_batches": 1} if self.config["debug"] == "fast" else {}
        return build(
            {**self.trainer_keys, **rehearsal},
            logger=False,  # the recorder writes metrics.csv and W&B
            enable_checkpointing=False,  # ours hold the TrainState
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
            use_distributed_sampler=False,  # order is a function of (seed, epoch)
            default_root_dir=self.where,
            inference_mode=True,
        )

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
        return next(iter(self.data.val_dataloader()))

    def _refuse_unknown_monitor(self) -> None:
        with torch.inference_mode():
            batch = self._one_batch()
            self.network.eval()
            names = [f"val/{name}" for name in self.task.scores(self.task.readings(self.network(batch), batch))]
            self.network.train()
        if self.monitor not in names:
            raise ConfigError(f"monitor={self.monitor} is not measured; possible are {', '.join(names)}")

    @property
    def device(self) -> str:
        device = self.trainer.strategy.root_device
        return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type

    # running

    def run(self) -> dict[str, Any]:
        started = time.monotonic()
        status, line = "failed", None
        try:
            with signals(self.recorder):
                with profiled(self.config["debug"] == "profile", self.where):
                    self._fit()
                summary = self._finish(time.monotonic() - started)
            status = "done"
            return summary
        except NonFiniteLoss:
            loader = self.data.train_dataloader()
            line = failures.non_finite(self.module, loader, self.where, self.config, self.recorder.history)
            raise Failed(line) from None
        except RuntimeError as error:
            if not failures.is_out_of_memory(error):
                raise
            line = failures.out_of_memory(self.device, self.config)
            raise Failed(line) from error
        except Stopped:
            status = "stopped"
            self.module.report()
            self.recorder.save()
            self._say(
                f"Stopped at step {self.module.number}; {screens.shown(self.where)}/checkpoints/last.ckpt is saved."
            )
            raise
        except AtOnce:
            status = "interrupted"
            raise KeyboardInterrupt from None
        finally:
            self.progress.finished()
            if status != "done":
                summary = {"status": status, "reason": line, "steps": self.module.number}
                folder.write_json(self.where / "summary.json", {"format": folder.FORMAT, **summary})
                self.points.close()
                if self.log is not None:
                    self.log.finish(status, summary)

    def _fit(self) -> None:
        self.network.train()
        original = self.module.on_train_start

        def on_train_start() -> None:
            original()
            self.recorder.save()  # the state before step 1: what a replay starts from
            self.progress.started()

        self.module.on_train_start = on_train_start
        self.trainer.fit(self.module, datamodule=self.data)
        self.module.report()
        self.recorder.save()

    def _finish(self, seconds: float) -> dict[str, Any]:
        self.progress.finished()
        self.recorder.load_best()
        self.trainer.test(self.module, datamodule=self.data, verbose=False)
        readings = {name: value.cpu() for name, value in self.module.readings.items()}
        test = self.module.test_scores
        train = self._training_scores()
        baseline_name, baseline = self.task.baseline(self._labels("train"), readings)
        step, epoch = self.module.number, self.module.epoch
        self.recorder.send(step, epoch, {f"test/{name}": value for name, value in test.items()})
        self.points.close()
        predictions.write(self.where / "predictions" / "test.csv", self.task, readings)
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
        }
        card = {
            "data": self.switches["data"],
            "digest": self.dataset.digest,
            "source": self.dataset.source_name,
            "licence": self.dataset.licence,
            "sizes": {name: len(split) for name, split in self.dataset.splits.items()},
            "test": test,
            "versions": folder.versions(),
            "source_digest": folder.source_digest(),
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
            device=self.device,
            threads=self.chosen["threads"],
            folder=self.where,
            log=note or ("metrics.csv only" if self.log is None else "metrics.csv and W&B"),
        )
        self._say(text)

    def _say(self, text: str) -> None:
        with open(self.where / "log.txt", "a", encoding="utf-8") as file:
            file.write(text + "\n")
        try:
            print(text, flush=True)
        except OSError:  # whoever read it has gone (`| head`, a closed terminal): the run goes on, log.txt has the text
            sys.stdout = None


def _with_label_units(spec: DataSpec, labels: Tensor) -> DataSpec:
    """A number's mean and deviation on the training split, so that the task can learn it in units of its own."""
    if spec.label.kind != "number":
        return spec
    values = labels.double()
    scale = float(values.std(correction=0))
    label = replace(spec.label, center=float(values.mean()), scale=scale if scale > 0 else 1.0)
    return DataSpec({**spec.fields, "label": label})

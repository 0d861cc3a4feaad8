"""What a run is made of, built in the order in which facts become known: data, objective, network, threads, loop."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from assay import environment, narrowing, rate_range, screens
from assay.assemble import assemble
from assay.contracts import Batch, Estimator
from assay.data.augment.chain import Chain
from assay.data.module import DataModule
from assay.data.training import Training
from assay.data.units import with_label_units
from assay.distillation import cache, seams
from assay.engines.estimating import Estimating
from assay.engines.layout import lay_out
from assay.engines.lr_finder import Range
from assay.engines.ranks import Ranks
from assay.engines.step import Step
from assay.engines.threads import choose_threads
from assay.errors import ConfigError
from assay.layers.random import KeyedStreams
from assay.misfits import refuse_batch_statistics, refuse_search
from assay.optim import groups
from assay.optim.schedule import Schedule
from assay.quantizing import begin_quantizing
from assay.rehearsal import rehearse
from assay.targets import accepted, build
from assay.trainers import make_trainer
from assay.transfer import Report, published_weights, transfer
from assay.transfer_files import TORCHVISION


class Parts:
    """The parts of one run, before its first step.

    Args:
        config: resolved and checked by preflight.
        where: the run folder.
        earlier: environment.json of a run that is resumed: its choices are obeyed.
        ranks: the processes that train together, or None.
    Attributes:
        dataset, spec, data: the set, its facts, and its loaders.
        task, network: with the objective in the task.
        monitor, mode: the metric that best, stopping and plateau watch.
        total: optimiser steps of the whole run.
        chosen: what the run chose for itself, kept in environment.json.
        transferred: what init_from copied; narrowed: what compression took out; found: what lr_finder saw; None where
            there was nothing to do.
        training: which training examples count how much and when.
        trainer: Lightning's.
    Raises:
        ConfigError: the data or a part refuse the config, or the data are not those that the run began with.
    """

    def __init__(
        self, config: dict[str, Any], where: Path, earlier: Mapping[str, Any] | None, ranks: Ranks | None
    ) -> None:
        self.config = config
        self.ranks = ranks
        self.switches: Mapping[str, str] = config["switches"]
        self.trainer_keys = dict(config["trainer"])
        self.dataset = self._dataset()
        if earlier is not None:
            environment.refuse_other_data(earlier, self.dataset.digest)
        self.trainer_keys |= rehearse(config["debug"], self.dataset, self.trainer_keys)
        self.spec = with_label_units(self.dataset.spec, self.dataset.splits["train"])
        objective = build(config["loss"])
        if config["distillation"] is not None:
            objective = build(config["distillation"], objective)
            seams.fit(objective, self.spec, self.dataset.preprocessing)
        self.task, self.network = assemble(config, self.spec, objective)
        if config["regularization"] is not None:
            self.task.objective = build(config["regularization"], self.task.objective, self.network)
        refuse_batch_statistics(self.network, ranks)
        self.transferred = self._transferred(where)
        for member in seams.members(self.network):
            groups.freeze(member, config.get("freeze", []), config.get("freeze_batch_norm", "frozen"))
        rates = {"layer_decay": 1.0, "groups": [], **config["optim"]}  # a run of before they were keys
        decay, named = rates["layer_decay"], rates["groups"]
        self.factors = seams.of_members(self.network, lambda member: groups.factors(member, decay, named))
        if self.switches["optim"] == "lbfgs":
            refuse_search(self.trainer_keys["precision"], self.factors)
        self.monitor, self.mode = self._watched()
        augments = [self._augment(node) for node in (config.get("augment") or {}).values()]
        self.augment = Chain(augments) if augments else None
        self.training = self._training(where, None if earlier is None else earlier["chosen"])
        self.data = DataModule(
            self.dataset,
            seed=config["seed"],
            accumulate=config["accumulate"],
            training=self.training,
            part=ranks.part if ranks is not None else None,
            mixes=self.augment is not None and self.augment.mixes,
        )
        self.data.setup()
        self._refuse_unknown_monitor()
        self.trainer = make_trainer(self.trainer_keys, config["debug"], ranks, where)
        self.narrowed = narrowing.begin(self, where)
        steps = self._steps_an_epoch() * self.trainer_keys["max_epochs"]
        limit = self.trainer_keys["max_steps"]
        self.total = steps if limit < 0 else min(steps, limit)
        self.chosen: dict[str, Any] = {"threads": self._threads()}
        if earlier is not None and config["threads"] == "auto":
            self.chosen = dict(earlier["chosen"])
        self.chosen |= self.training.chosen
        torch.set_num_threads(self.chosen["threads"])
        precision, home = self.trainer_keys["precision"], self.trainer.strategy.root_device.type
        lay_out(self.network, config.get("channels_last", "never"), home, precision, sharded=self.sharded)
        begun = None if earlier is None else earlier["chosen"]
        self.taught = cache.attach(objective, self.dataset, self.training, config, self.total, home, ranks, begun)
        self.chosen |= self.taught.chosen
        self.quantizer, self.quantization, self.before = begin_quantizing(self), None, {}
        if config["distillation"] is not None:
            seams.meet(self.task.objective, self.network, self._one_batch(), config["seed"])
        self.row: dict[str, Any] | None = None  # of compression.json: what the network cost before
        self.found: Range | None = None
        if config.get("lr_finder"):
            self._find_rate(earlier)

    @property
    def sharded(self) -> bool:
        """Whether each process holds a part of the network only."""
        return self.ranks is not None and self.ranks.sharded

    @property
    def device(self) -> str:
        device = self.trainer.strategy.root_device
        return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type

    @property
    def parameters(self) -> int:
        """Of the network that is kept; of one that is fitted by counting, the numbers that it keeps."""
        network = seams.deployed(self.network)
        own = network.buffers() if isinstance(network, Estimator) else network.parameters()
        return sum(p.numel() for p in own)

    @property
    def frozen(self) -> int:
        """Of them, those that freeze=… keeps as they are."""
        return sum(p.numel() for p in seams.deployed(self.network).parameters() if not p.requires_grad)

    @property
    def notes(self) -> list[str]:
        """What distillation, init_from and lr_finder did, a line each, for the first screen."""
        found = [*self.taught.notes, *([self.transferred.line()] if self.transferred is not None else [])]
        found += [] if self.narrowed is None else self.narrowed.lines()
        return found if self.found is None else [*found, self.found.line()]

    def labels(self, split: str) -> Tensor:
        return self.dataset.splits[split].column("label")

    def make_step(self) -> Step | Estimating:
        config = self.config
        if isinstance(self.network, Estimator):
            return Estimating(self.task, self.network, build(self._optim(), []))
        optimizer = self.make_optimizer(self.network, self.task.objective)
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
            constraint=self._constraint(),
            masks=narrowing.masks(config, self.network, self.total),
            average=self._average(),
            schedule=schedule,
            ranks=self.ranks,
        )

    def make_optimizer(self, network: nn.Module, objective: nn.Module) -> Any:
        """Of what trains of the two, each parameter with its own rate."""
        own = self._optim()
        return build(own, groups.parameter_groups(network, objective, own["lr"], self.factors))

    def _optim(self) -> dict[str, Any]:
        """The optimiser's own keys."""
        return {key: value for key, value in self.config["optim"].items() if key not in ("layer_decay", "groups")}

    def _augment(self, node: Mapping[str, Any]) -> Any:
        make = build(node)
        return make(self.spec, self.config["seed"], **accepted(make, splits=self.dataset.splits))

    def _constraint(self) -> Any:
        """Of the weights of each network that trains."""
        if self.config.get("constraint") is None:
            return None
        bounds = [build(self.config["constraint"], member) for member in seams.members(self.network)]
        return lambda: [bound() for bound in bounds]

    def _average(self) -> Any:
        """The averaged weights of ema=…, beside the network's own."""
        if self.config["ema"] is None:
            return None
        make = build(self.config["ema"])
        offered = {"total_steps": self.total, "epoch_steps": self._steps_an_epoch(), "batches": self.plain_batches}
        return make(self.network, **accepted(make, **offered))

    def whole_steps(self, epoch: int = 0) -> Iterator[list[Batch]]:
        """The training steps of an epoch, unaugmented, of all processes together."""
        loader = self.data.loader(self.training.examples, train=True, sampler=self.training.sampler)
        loader.set_epoch(epoch)
        yield from loader

    def plain_batches(self) -> Iterator[Batch]:
        return chain.from_iterable(self.whole_steps())

    def _find_rate(self, earlier: Mapping[str, Any] | None) -> None:
        """lr_finder=true: optim.lr by a range test, once for a run; the first one's choice, where several made it."""
        if earlier is not None:
            self._use_rate(earlier["chosen"]["lr"])
            return
        self.found = rate_range.measure(self)
        rate = self.found.chosen()
        self._use_rate(rate if self.ranks is None else self.ranks.agreed({"lr": rate})["lr"])

    def _use_rate(self, rate: float) -> None:
        """As if it had been typed; a schedule whose peak is optim.lr follows."""
        self.chosen["lr"] = rate
        typed, schedule = self.config["optim"]["lr"], self.config["scheduler"]
        if schedule is not None and schedule.get("max_lr") == typed:
            schedule = {**schedule, "max_lr": rate}
        self.config = {**self.config, "optim": {**self.config["optim"], "lr": rate}, "scheduler": schedule}

    def _transferred(self, where: Path) -> Report | None:
        """Weights of another run, put into the network; not where a checkpoint of this one holds them."""
        source = self.config.get("init_from")
        if source is None:
            return None
        if any((where / "checkpoints").glob("*.ckpt")):
            narrowing.resumed(self.network, where)
            return None
        if source.startswith(TORCHVISION):
            return published_weights(seams.deployed(self.network), source, self.config["data_dir"])
        return transfer(seams.deployed(self.network), self.spec, source)

    def _dataset(self) -> Any:
        """Set up; by the first process before the others, which then find what it downloaded."""
        dataset = build(self.config["data"])
        if self.ranks is not None and not self.ranks.first:
            self.ranks.join()
        dataset.setup()
        if self.ranks is not None and self.ranks.first:
            self.ranks.join()
        return dataset

    def _training(self, where: Path, begun: Mapping[str, Any] | None) -> Training:
        """By the first process before the others, which then read what it wrote."""
        first = self.ranks is None or self.ranks.first
        if self.ranks is not None and not first:
            self.ranks.told(0)  # waits for it
        made = Training(self.config, self.trainer_keys, self.dataset, where, begun, first)
        if self.ranks is not None and first:
            self.ranks.told(0)
        self.dataset.notes = [*self.dataset.notes, *made.notes]
        return made

    def _watched(self) -> tuple[str, str]:
        """The monitored metric and whether more or less of it is better."""
        asked = self.config["monitor"]
        if self.config["monitor_mode"]:
            return asked or self.task.monitor, self.config["monitor_mode"]
        if not asked:
            return self.task.monitor, self.task.monitor_mode
        return asked, "min" if screens.lower_is_better(asked) else "max"

    def _threads(self) -> int:
        size = self.config["data"]["batch_size"]
        size = len(self.dataset.splits["train"]) if size == "full" else size
        here = self.trainer_keys["devices"] if self.ranks is not None else 1
        return choose_threads(self.config["threads"], self.network, self._one_batch(), size, here)

    def _steps_an_epoch(self) -> int:
        """As Lightning reads ``limit_train_batches``: an integer is a number of steps, a float a share of them."""
        every = len(self.data.train_dataloader())
        limit = self.trainer_keys.get("limit_train_batches")
        if limit is None:
            return every
        return int(every * limit) if isinstance(limit, float) else min(every, limit)

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

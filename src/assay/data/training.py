"""What is trained on: which examples, how much each counts, and which of them an epoch visits."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from assay.data.dataset import DataSet
from assay.data.difficulty import kept
from assay.data.examples import Examples
from assay.data.samplers import Sampler
from assay.data.samplers.curriculum import Curriculum
from assay.data.samplers.plain import InOrder, Shuffled
from assay.data.schedule import Schedule
from assay.targets import accepted, build


class Training:
    """The training split as the switches ``class_weights``, ``shift``, ``sampling`` and ``curriculum`` have it.

    Weights of several switches are multiplied and have a mean of 1 over the split. An example of weight 0 is left out.
    A sampler is fitted on the labels of what is left; a curriculum orders whatever the sampler gives.

    Args:
        config: of the run.
        trainer: its keys as the run uses them: a rehearsal has its own.
        dataset: set up.
        where: the run folder, which keeps the difficulties of a curriculum.
        begun: what an earlier process of this run chose (:attr:`chosen`); None where it begins.
        writes: whether this process is the one that writes to the folder.
    Attributes:
        examples: of the training split; with a column "weight" where a switch weighs them.
        sampler: its visits, epoch by epoch.
        notes: what differs from all examples once an epoch, a line each, for the first screen.
        chosen: what a resumed run must not choose anew: the length of the run that a curriculum was made for.
    Raises:
        ConfigError: a switch refuses the data.
    """

    def __init__(
        self,
        config: Mapping[str, Any],
        trainer: Mapping[str, Any],
        dataset: DataSet,
        where: Path,
        begun: Mapping[str, Any] | None = None,
        writes: bool = True,
    ) -> None:
        self.config, self.trainer, self.dataset = config, trainer, dataset
        self.notes: list[str] = []
        self.chosen: dict[str, Any] = {}
        self.examples = self._weighed(dataset.splits["train"])
        self.sampler = self._sampled()
        if config.get("curriculum") is not None:
            self.sampler = self._paced(where, begun, writes)

    def _weighed(self, train: Examples) -> Examples:
        config, spec, found = self.config, self.dataset.spec, []
        if config.get("class_weights") is not None:
            found.append(("class_weights", build(config["class_weights"], train.column("label"), spec)))
        if config.get("shift") is not None:
            make = build(config["shift"])
            given = {"splits": self.dataset.splits, "spec": spec}
            found.append(("shift", make(**accepted(make, **given, seed=config["seed"]))))
        if not found:
            return train
        weight = torch.stack([weighed.each for _, weighed in found]).prod(0)  # (n,)
        self.notes += [f"{self._option(group)}: {weighed.note}" for group, weighed in found]
        train, weight = train.select(weight > 0), weight[weight > 0]
        return train.weighed((weight / weight.mean()).float())

    def _option(self, group: str) -> str:
        return f"{group}={self.config['switches'].get(group)}"

    def _sampled(self) -> Sampler:
        seed = self.config["seed"]
        if self.config.get("sampling") is None:
            ordered = getattr(self.dataset, "ordered", False)
            return InOrder(len(self.examples)) if ordered else Shuffled(len(self.examples), seed)
        make = build(self.config["sampling"])
        made = make(self.examples.column("label"), seed, **accepted(make, spec=self.dataset.spec))
        self.notes.append(f"{self._option('sampling')}: {made.note}")
        return made

    def _paced(self, where: Path, begun: Mapping[str, Any] | None, writes: bool) -> Sampler:
        made, seed = build(self.config["curriculum"]), self.config["seed"]
        if begun is None:
            self.chosen["curriculum_epochs"] = self._epochs()
            if writes:
                kept.write(where, self.examples, made.difficulty(self.examples, self.dataset))
        else:
            self.chosen["curriculum_epochs"] = begun["curriculum_epochs"]
        epochs = float(self.chosen["curriculum_epochs"])
        self.notes.append(
            f"{self._option('curriculum')}: from the easiest {made.pacing.start:.3g} of the examples to all of them "
            f"over the first {made.pacing.until * epochs:.3g} of {epochs:.3g} epochs"
        )
        return Curriculum(self.sampler, kept.read(where, self.examples), made.pacing, epochs, seed)

    def _epochs(self) -> float:
        """Epochs of the whole run, a broken one where ``trainer.max_steps`` ends it."""
        epochs, limit = float(self.trainer["max_epochs"]), self.trainer["max_steps"]
        if limit < 0:
            return epochs
        steps = Schedule(self.sampler, self.config["data"]["batch_size"], self.config["accumulate"]).steps()
        return min(limit / steps, epochs)

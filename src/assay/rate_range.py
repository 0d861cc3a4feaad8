"""``lr_finder=true``: a range test of a run's own parts, and the table and plot that it leaves in the run folder."""

from __future__ import annotations

import copy
import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from torch import nn

from assay.data.loaders import to_device
from assay.engines.lr_finder import Range, range_test
from assay.engines.step import Step
from assay.figures import blank
from assay.layers.random import KeyedStreams
from assay.targets import build


def measure(parts: Any) -> Range:
    """A range test on a copy of all that a step changes: nothing of the run is moved. Each of several processes makes
    it by itself, on whole batches.

    Args:
        parts: of the run (:class:`assay.parts.Parts`), its trainer built.
    """
    precision, device = parts.trainer.precision_plugin, parts.trainer.strategy.root_device
    task, network = copy.deepcopy((parts.task, parts.network))  # together: an objective may hold the network
    precision.convert_module(nn.ModuleList([network, task.objective])).to(device).train()
    step = Step(
        task,
        network,
        parts.make_optimizer(network, task.objective),
        streams=KeyedStreams(parts.config["seed"]),
        augment=parts.augment,
        clip=build(parts.config["clip"]) if parts.config["clip"] is not None else None,
    )

    def batches(epoch: int) -> Iterator[Any]:
        for micro_batches in parts.whole_steps(epoch):
            yield [precision.convert_input(batch) for batch in to_device(micro_batches, device)]

    with precision.train_step_context():
        return range_test(step, batches)


def write(where: Path, found: Range) -> None:
    """``lr_finder.csv`` and ``figures/lr_finder.png``."""
    with open(where / "lr_finder.csv", "w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(["lr", "loss", "smoothed"])
        table.writerows(zip(found.rates, found.losses, found.smooth, strict=True))
    (where / "figures").mkdir(exist_ok=True)
    figure = blank(7, 4)
    axes = figure.add_subplot()
    axes.plot(found.rates, found.losses, linewidth=0.7, alpha=0.4, color="tab:blue", label="loss of a batch")
    axes.plot(found.rates, found.smooth, linewidth=1.6, color="tab:blue", label="smoothed")
    for rate, words, style in ((found.chosen(), "a tenth of the minimum's", "-"), (found.steepest, "steepest", ":")):
        axes.axvline(rate, color="tab:red", linewidth=1.0, linestyle=style, label=f"{rate:.2g}, {words}")
    low, high = min(found.smooth), max(found.smooth[0], min(found.smooth) * 2)
    axes.set(xscale="log", xlabel="optim.lr", ylabel="training loss")
    axes.set_ylim(low - 0.1 * (high - low), high + 0.3 * (high - low))
    axes.legend(frameon=False)
    axes.grid(alpha=0.3)
    figure.savefig(where / "figures" / "lr_finder.png", dpi=110)

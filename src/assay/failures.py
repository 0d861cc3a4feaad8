"""How a run that failed says so: one line with the cause and the settings that help."""

from __future__ import annotations

import errno
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from assay import screens
from assay.data.loaders import to_device
from assay.engines import replay
from assay.engines.checkpoint import read
from assay.engines.eager import Eager
from assay.errors import ConfigError


class Failed(RuntimeError):
    """The run ended early for a reason that a line explains: its text. The exit code is 1."""


def is_out_of_memory(error: RuntimeError) -> bool:
    """torch has a class for it on GPUs; on the CPU only the words tell."""
    words = ("can't allocate memory", "not enough memory")
    return isinstance(error, torch.OutOfMemoryError) or any(word in str(error) for word in words)


def non_finite(module: Eager, loader: Any, where: Path, config: Mapping[str, Any], scores: Mapping[int, float]) -> str:
    """Replays from the last checkpoint with hooks on, and names step, layer and examples.

    Args:
        module: of the run, its Trainer still attached.
        loader: of the training split; None where no process can replay alone.
        where: the run folder.
        scores: epoch -> monitored metric, for schedules that watch it.
    """
    mend = f"try optim.lr={config['optim']['lr'] / 10:g} or clip=norm"
    if loader is None:
        return f"the loss is not finite, before step {module.number}; {mend}, or trainer=ddp, which names the examples"
    step = module.bare_step()
    device, precision = module.trainer.strategy.root_device, module.trainer.precision_plugin
    module.to(device)  # the Trainer, leaving, has put it on the CPU
    if step.average is not None:
        step.average = module.make_step().average
    state, _ = read(where / "checkpoints" / "last.ckpt")

    def move(micro_batches: Any) -> Any:
        return [precision.convert_input(batch) for batch in to_device(micro_batches, device)]

    with precision.train_step_context():
        culprit = replay.find(step, loader, state, module.number, scores, move)
    cause = str(culprit) if culprit is not None else f"before step {module.number}, not repeated by a replay"
    return f"the loss is not finite: {cause}; {mend}"


def in_short(error: Exception) -> str:
    """One line for summary.json; the trace is on the screen."""
    text = " ".join(str(error).split())[:300]
    return text if isinstance(error, ConfigError) else f"{type(error).__name__}: {text}"


def is_disk_full(error: OSError) -> bool:
    return error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def disk_full(error: OSError, where: Path) -> str:
    return (
        f"the disk is full: {error.filename or where} could not be written; what was saved before is whole. "
        f"Make room (`assay clean` helps), then {screens.resuming(where)}"
    )


def out_of_memory(device: str, config: Mapping[str, Any]) -> str:
    """The settings that make the same step in smaller pieces, or a smaller step."""
    size = config["data"]["batch_size"]
    smaller = "data.batch_size=64"
    if size != "full":
        smaller = f"data.batch_size={size // 2} accumulate={2 * config['accumulate']}"
    return (
        f"out of memory on {device} with data.batch_size={size}: try {smaller} (the same step in smaller pieces), "
        "trainer.precision=bf16-mixed, or a smaller model.*"
    )

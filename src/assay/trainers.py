"""Lightning's Trainer as Assay uses it: its loop and its devices; log, checkpoints, order and signals are our own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Timer
from pytorch_lightning.plugins.environments import LightningEnvironment

from assay.engines.ranks import Ranks
from assay.targets import build


def make_trainer(keys: Mapping[str, Any], debug: str, ranks: Ranks | None, where: Path) -> pl.Trainer:
    """Of one process.

    Args:
        keys: of ``trainer=…``, as a rehearsal has them.
        debug: the option of ``debug``.
        ranks: the processes that train together, or None.
        where: the run folder.
    """
    rehearsal = {"limit_val_batches": 1, "limit_test_batches": 1} if debug == "fast" else {}
    keys = {key: value for key, value in keys.items() if key not in ("strategy", "num_nodes")}
    keys["plugins"] = [LightningEnvironment()]  # not SLURM's, which would have its own idea of processes
    if ranks is not None:  # Lightning sees one process on one device; what they say to each other is ours
        device = ranks.device
        keys |= {"accelerator": device.type, "devices": 1 if device.index is None else [device.index]}
    trainer = build(
        {**keys, **rehearsal},
        logger=False,  # the recorder writes metrics.csv and W&B
        enable_checkpointing=False,  # ours hold the TrainState
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,  # order is a function of (seed, epoch)
        default_root_dir=where,
        inference_mode=ranks is None or not ranks.sharded,  # what is gathered in it could not be trained with
    )
    # Signals have one owner: Lightning would leave after the batch, before what belongs to it is done.
    trainer._signal_connector.register_signal_handlers = lambda: None
    return trainer


def timed_out(trainer: Any) -> bool:
    """Whether ``trainer.max_time`` is given and over."""
    timer = next((one for one in trainer.callbacks if isinstance(one, Timer)), None)
    return timer is not None and (timer.time_remaining() or 0) <= 0

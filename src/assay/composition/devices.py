"""Which accelerators this machine has, asked of the operating system: torch takes seconds to load."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from assay.composition.places import is_distributed, place
from assay.errors import ConfigError

_OURS = {
    "accumulate_grad_batches": "accumulate=…",
    "gradient_clip_val": "clip=norm or clip=value",
    "gradient_clip_algorithm": "clip=norm or clip=value",
    "logger": "logger=wandb or logger=none",
    "callbacks": "callbacks=[…]",
    "enable_checkpointing": "checkpoint.every=…",
    "default_root_dir": "outputs=…",
    "log_every_n_steps": "log_every=…",
    "fast_dev_run": "debug=fast",
    "overfit_batches": "debug=overfit",
    "profiler": "debug=profile",
    "deterministic": "seed=…, which decides every draw",
    "enable_progress_bar": "a pipe: a run that is not at a terminal prints plain lines",
    "enable_model_summary": "the first screen, which counts the parameters",
    "num_sanity_val_steps": "debug=fast, which rehearses validation and test",
    "use_distributed_sampler": "seed=…: order is a function of seed and epoch",
    "inference_mode": "nothing: evaluation never keeps gradients",
    "sync_batchnorm": "normalization=layer, which needs no other example",
    "plugins": "trainer.precision, trainer=ddp or trainer=fsdp",
    "strategy": "trainer=ddp or trainer=fsdp",
    "num_nodes": "trainer=ddp or trainer=fsdp",
}
"""Arguments of Lightning's Trainer that a run sets itself, and the switch of ours that does what they would."""


@cache
def gpu_count() -> int:
    """NVIDIA and AMD GPUs that this process may see; 1 on Apple silicon."""
    if sys.platform == "darwin":
        return int(platform.machine() == "arm64")
    visible = os.environ.get("CUDA_VISIBLE_DEVICES", os.environ.get("HIP_VISIBLE_DEVICES"))
    if visible is not None:
        named = [name for name in visible.split(",") if name.strip()]
        if not named or named[0].strip() == "-1":
            return 0
        return min(len(named), _installed())
    return _installed()


def _installed() -> int:
    nvidia = [path for path in Path("/dev").glob("nvidia[0-9]*") if path.name[6:].isdigit()]
    if nvidia:
        return len(nvidia)
    if Path("/dev/kfd").exists():
        return len(list(Path("/dev/dri").glob("renderD*")))
    import shutil  # seldom needed, and 5 ms of every refusal
    import subprocess

    if shutil.which("nvidia-smi") is None:  # WSL and containers hide the device files
        return 0
    try:
        said = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, timeout=20, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return 0
    return sum(line.startswith("GPU ") for line in said.splitlines())


def core_count() -> int:
    """CPU cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def check(trainer: Mapping[str, Any]) -> set[str]:
    """``checked by:`` of the trainers.

    Raises:
        ConfigError: more devices are asked for than there are, a precision that this one does not have, what a
            switch of ours does, or several processes that were not started so.
    """
    distributed = is_distributed(trainer)
    if distributed and "num_nodes" not in trainer:
        raise ConfigError(f"trainer.strategy={trainer['strategy']} is an option of its own: use trainer=ddp or fsdp")
    for key, ours in _OURS.items():
        if trainer.get(key) is not None and not (distributed and key in ("strategy", "num_nodes")):
            raise ConfigError(f"trainer.{key} does nothing to the runs made here: use {ours}")
    devices, accelerator = trainer.get("devices"), trainer.get("accelerator")
    gpus = 0 if accelerator == "cpu" else gpu_count()
    if trainer.get("precision") == "16-mixed" and gpus == 0:
        raise ConfigError("trainer.precision=16-mixed needs a GPU; on the CPU use bf16-mixed or 32-true")
    if not isinstance(devices, int):
        raise ConfigError(f"trainer.devices={devices} is not a number of devices: write trainer.devices=1 or more")
    if devices > 1 and not distributed:
        raise ConfigError(f"trainer.devices={devices} needs a process for each device: use trainer=ddp")
    if distributed:
        _check_several(devices, accelerator, gpus, trainer)
    else:
        place(trainer)  # refuses several processes that were started without being asked for
    return {"distributed"} if distributed else set()


def _check_several(devices: int, accelerator: Any, gpus: int, trainer: Mapping[str, Any]) -> None:
    if accelerator in ("mps",) or (sys.platform == "darwin" and gpus):
        raise ConfigError("an Apple machine has one GPU, and processes cannot share it: use trainer=auto")
    if accelerator == "gpu" and gpus == 0:
        raise ConfigError("trainer.accelerator=gpu finds no GPU on this machine: use trainer.accelerator=cpu")
    if gpus and devices > gpus:
        raise ConfigError(
            f"trainer.devices={devices} is more than the {gpus} of this machine: trainer.devices={gpus}"
            + (", or trainer.num_nodes=… for more machines" if gpus > 1 else " or trainer.accelerator=cpu")
        )
    if not gpus and devices > core_count():
        raise ConfigError(
            f"trainer.devices={devices} is more processes than this machine has cores: trainer.devices={core_count()}"
        )
    place(trainer)

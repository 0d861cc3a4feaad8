"""What jobs of a sweep are lent: a slot each, CPU threads divided among them, GPUs one job at a time.

GPUs are leased with locks of the operating system in one folder of the machine, so that two sweeps of one user that run
at once do not train on the same one; the lock goes with the process, however that ends.
"""

from __future__ import annotations

import getpass
import os
import platform
import re
import secrets
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from assay import folder
from assay.composition.devices import core_count, gpu_count
from assay.composition.places import is_distributed
from assay.errors import ConfigError


@dataclass
class Lease:
    """What one job is lent.

    Attributes:
        slots: how many of the slots it takes.
        threads: CPU threads it may use; None where the job divides the cores itself.
        devices: names of GPUs, as CUDA_VISIBLE_DEVICES has them.
    """

    slots: int
    threads: int | None
    devices: tuple[str, ...] = ()
    held: ExitStack = field(default_factory=ExitStack, repr=False)


def needs_gpu(trainer: Mapping[str, Any]) -> int:
    """How many GPUs a run with this trainer uses on this machine."""
    if trainer.get("accelerator") == "cpu" or gpu_count() == 0:
        return 0
    return int(trainer.get("devices") or 1)


def alone(trainer: Mapping[str, Any]) -> bool:
    """Whether a run with this trainer is one process on the CPU."""
    return not needs_gpu(trainer) and not (is_distributed(trainer) and int(trainer.get("devices") or 1) > 1)


def visible() -> list[str]:
    """The GPUs that this process may see, by the names that a child is told."""
    names = os.environ.get("CUDA_VISIBLE_DEVICES", "")
    given = [name.strip() for name in names.split(",") if name.strip()]
    return given[: gpu_count()] if given else [str(number) for number in range(gpu_count())]


class Leases:
    """Slots, threads and GPUs of one parent.

    Args:
        jobs: how many jobs at once; ``auto``: one for each GPU where the runs use them, else one for each core.
        trainer: of the sweep's first point, which tells ``auto`` whether GPUs are used.
        place: the folder of the locks; None: one of this user's, the same for all sweeps of the machine.
    Raises:
        ConfigError: ``jobs`` is no number of jobs.
    """

    def __init__(self, jobs: int | str, trainer: Mapping[str, Any], place: Path | None = None) -> None:
        asked = re.fullmatch(r"[1-9][0-9]*", str(jobs))
        if jobs != "auto" and not asked:
            raise ConfigError(f"sweep.jobs={jobs} is no number of jobs: write auto, or 1 and more")
        self.auto = jobs == "auto"
        self.cores = core_count()
        self.gpus = visible() if needs_gpu(trainer) else []
        self.slots = int(str(jobs)) if asked else len(self.gpus) or self.cores
        self.free = self.slots
        self.shared: dict[str, int] = dict.fromkeys(self.gpus, 0)  # jobs of ours on each
        self.place = place or Path(tempfile.gettempdir(), f"assay-gpus-{getpass.getuser()}")
        self._locks: dict[str, ExitStack] = {}

    def take(self, trainer: Mapping[str, Any]) -> Lease | None:
        """What a job with this trainer is lent; None while there is not enough of it."""
        gpus, processes = needs_gpu(trainer), int(trainer.get("devices") or 1)
        slots = min(processes, self.slots) if self.auto and is_distributed(trainer) else 1
        if self.free < slots:
            return None
        names = self._lock(gpus) if gpus else ()
        if names is None:
            return None
        self.free -= slots
        divided = is_distributed(trainer) and processes > 1
        threads = None if divided else max(1, self.cores * slots // self.slots)
        return Lease(slots, threads, names)

    def give(self, lease: Lease) -> None:
        """Takes back what a job was lent."""
        self.free += lease.slots
        for name in lease.devices:
            self.shared[name] -= 1
            if self.shared[name] == 0:
                self._locks.pop(name).close()

    def _lock(self, count: int) -> tuple[str, ...] | None:
        """GPUs for a job: free ones first; ones with jobs of ours only where more jobs than GPUs were asked for."""
        if count > len(self.gpus):
            raise ConfigError(f"a job asks for {count} GPUs of {len(self.gpus)}: use trainer.devices={len(self.gpus)}")
        limit = -(-self.slots // len(self.gpus))  # jobs on one GPU
        chosen: list[str] = []
        for name in sorted(self.gpus, key=lambda name: self.shared[name]):
            if len(chosen) < count and self.shared[name] < limit and self._own(name):
                chosen.append(name)
        if len(chosen) < count:
            for name in chosen:
                if self.shared[name] == 0:
                    self._locks.pop(name).close()
            return None
        for name in chosen:
            self.shared[name] += 1
        return tuple(chosen)

    def _own(self, name: str) -> bool:
        """Whether this process has the lock of a GPU, now if not before."""
        if name in self._locks:
            return True
        place = self.place / re.sub(r"\W", "-", name)
        place.mkdir(parents=True, exist_ok=True)
        if folder.is_running(place):
            return False
        stack = ExitStack()
        try:
            stack.enter_context(folder.held(place))
        except ConfigError:  # another sweep was faster
            return False
        self._locks[name] = stack
        return True


def worker_name() -> str:
    """Of this process, unlike any other's that ever worked on a sweep: in a container the same number comes again."""
    return f"{re.sub(r'[^A-Za-z0-9.-]', '-', platform.node()) or 'here'}-{os.getpid()}-{secrets.token_hex(3)}"

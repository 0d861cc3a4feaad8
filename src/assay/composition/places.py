"""Which process of a distributed run this is, as whoever started it says in the environment. Imports no torch.

Four ways to start one: a single command, which starts the other processes of its machine; that command once on each of
several machines, with MASTER_ADDR, MASTER_PORT and NODE_RANK; torchrun; and srun. The names are theirs.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from assay.errors import ConfigError


@dataclass(frozen=True)
class Place:
    """One process of several.

    rank: among all; 0 decides, logs and writes.
    local_rank: on its machine, which is the number of its GPU.
    world: processes in all.
    here: processes on this machine, which share its cores.
    address, port: where rank 0 listens; port 0 is any that is free.
    starts: whether this process starts the others of its machine.
    hosts: whether rank 0 listens itself; torchrun does it for its processes.
    """

    rank: int
    local_rank: int
    world: int
    here: int
    address: str = "127.0.0.1"
    port: int = 0
    starts: bool = False
    hosts: bool = True

    def beside(self, number: int) -> Place:
        """The place of the ``number``-th process that this one starts."""
        return Place(self.rank + number, number, self.world, self.here, self.address, self.port)


def is_distributed(trainer: Mapping[str, Any]) -> bool:
    return trainer.get("strategy") in ("ddp", "fsdp")


def place(trainer: Mapping[str, Any]) -> Place | None:
    """This process's place in a run of such a trainer; None where the run has one process.

    Raises:
        ConfigError: the environment starts another number of processes than the trainer has, or lacks a variable that
            several machines need.
    """
    env = os.environ
    devices, nodes = int(trainer.get("devices") or 1), int(trainer.get("num_nodes") or 1)
    world = devices * nodes
    started = _started()
    if started is None:
        if not is_distributed(trainer) or world == 1:
            return None
        if nodes == 1:
            return Place(0, 0, world, devices, starts=True)
        lacking = [name for name in ("MASTER_ADDR", "MASTER_PORT", "NODE_RANK") if not env.get(name)]
        if lacking:
            raise ConfigError(
                f"trainer.num_nodes={nodes} needs to know the other machines, and {', '.join(lacking)} "
                f"{'is' if len(lacking) == 1 else 'are'} not set: use torchrun or srun, or set them on each machine"
            )
        node = _number("NODE_RANK")
        if node >= nodes:
            raise ConfigError(f"NODE_RANK={node} is none of trainer.num_nodes={nodes} machines, numbered from 0")
        return Place(node * devices, 0, world, devices, env["MASTER_ADDR"], _number("MASTER_PORT"), devices > 1)
    by, rank, local, total, address, port = started
    if total == 1 and not is_distributed(trainer):
        return None
    if not is_distributed(trainer):
        raise ConfigError(f"{by} started {total} processes, and this trainer trains in one: use trainer=ddp")
    if total != world:
        raise ConfigError(
            f"{by} started {total} processes, and trainer.devices={devices} × trainer.num_nodes={nodes} is {world}: "
            f"use trainer.devices={total // nodes}"
        )
    if world == 1:
        return None
    hosts = env.get("TORCHELASTIC_USE_AGENT_STORE") != "True"
    return Place(rank, local, world, devices, address, port, hosts=hosts)


def _started() -> tuple[str, int, int, int, str, int] | None:
    """(who, rank, local rank, processes, address, port) where something else started every process."""
    env = os.environ
    if all(env.get(name) for name in ("RANK", "LOCAL_RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")):
        rank, local, world = (_number(name) for name in ("RANK", "LOCAL_RANK", "WORLD_SIZE"))
        return "torchrun", rank, local, world, env["MASTER_ADDR"], _number("MASTER_PORT")
    if all(env.get(name) for name in ("SLURM_PROCID", "SLURM_LOCALID", "SLURM_STEP_NUM_TASKS")):  # inside srun
        rank, local, world = (_number(name) for name in ("SLURM_PROCID", "SLURM_LOCALID", "SLURM_STEP_NUM_TASKS"))
        if world == 1:
            return None
        address = env.get("MASTER_ADDR") or first_host(env.get("SLURM_STEP_NODELIST", "127.0.0.1"))
        job = env.get("SLURM_JOB_ID", "0")[-4:]
        port = _number("MASTER_PORT") if env.get("MASTER_PORT") else 15000 + int(job)
        return "srun", rank, local, world, address, port
    return None


def first_host(nodes: str) -> str:
    """The first machine of SLURM's short list: ``host[5-9],other`` -> ``host5``."""
    found = re.match(r"([^,\[]*)(?:\[([^,\-\]]*)[^\]]*\])?([^,]*)", nodes)
    return "".join(part or "" for part in found.groups()) if found else nodes


def _number(name: str) -> int:
    text = os.environ[name]
    if not text.isdigit():
        raise ConfigError(f"the environment variable {name}={text} is not a number")
    return int(text)

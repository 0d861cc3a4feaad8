"""``launcher=slurm``: the points of a sweep as tasks of SLURM arrays. Submits and returns. Imports no torch.

submitit writes the script and calls sbatch, and no more: of itself it would pickle a function for each job, open that
on the node, and catch signals there. Here the script's command is ours (:mod:`assay.sweeps.slurm.task`), what a task is
told is JSON, and signals have one owner, the run. For this the executor's own method for a command is used.
"""

from __future__ import annotations

import importlib
import shlex
import shutil
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.errors import ConfigError
from assay.screens import pasted, shown
from assay.sweeps.jobs.job import Job
from assay.sweeps.slurm import queue
from assay.sweeps.slurm.queue import Batch

if TYPE_CHECKING:
    from assay.sweeps.course import Orders
    from assay.sweeps.ledger.ledger import Entry, Ledger
    from assay.sweeps.strategy import Strategy

ARRAY = 1000
"""Indices of one array: SLURM's usual bound of them is 1,001."""


def check(config: Mapping[str, Any]) -> set[str]:
    """What can be refused before a folder is made: a machine without sbatch, and tuning, which needs results.

    Raises:
        ConfigError: SLURM is not here, or ``sweep.tune`` is asked for.
    """
    node = config["launcher"]
    if node["cluster"] == "slurm" and (absent := [name for name in ("sbatch", "srun") if shutil.which(name) is None]):
        raise ConfigError(
            f"launcher=slurm finds no {' and no '.join(absent)} on this machine: type the command where SLURM's "
            "commands are, or use launcher=local"
        )
    if (config.get("sweep") or {}).get("tune"):
        raise ConfigError(
            "launcher=slurm submits every point at once, and sweep.tune chooses values by the scores of earlier runs: "
            "leave sweep.tune out, or use launcher=local within one allocation"
        )
    return set()


class Slurm:
    """Submits points.

    Args:
        partition, account, qos: as sbatch; None: the cluster's default.
        timeout_min, cpus_per_task, mem_gb, gpus_per_node: of each task.
        array_parallelism: tasks at once.
        signal_delay_s: how long before the time limit a run is told to save.
        requeue: how often a point goes back into the queue at its time limit.
        setup: lines of the script before the command.
        parameters: of sbatch besides.
        cluster: ``slurm``, or ``local`` for submitit's stand-in.
    """

    def __init__(
        self,
        partition: str | None,
        account: str | None,
        qos: str | None,
        timeout_min: int,
        cpus_per_task: int,
        mem_gb: float,
        gpus_per_node: int,
        array_parallelism: int,
        signal_delay_s: int,
        requeue: int,
        setup: list[str],
        parameters: dict[str, Any],
        cluster: str,
    ) -> None:
        self.given = {"slurm_partition": partition, "slurm_account": account, "slurm_qos": qos}
        self.timeout_min, self.cpus_per_task, self.gpus_per_node = timeout_min, cpus_per_task, gpus_per_node
        self.mem_gb, self.array_parallelism, self.signal_delay_s = mem_gb, array_parallelism, signal_delay_s
        self.requeue, self.setup, self.parameters, self.cluster = requeue, setup, parameters, cluster

    def run(self, ledger: Ledger, strategy: Strategy, orders: Orders) -> int:
        """Submits what the sweep still needs and the queue does not hold.

        Returns:
            0.
        Raises:
            ConfigError: SLURM refuses; what was submitted before stands.
        """
        strategy.begin(ledger)
        ledger.reconcile()
        try:
            there = queue.queued(ledger.folder)
        except OSError as error:
            raise ConfigError(f"launcher=slurm cannot ask what is queued already: {error}") from error
        due = [entry for entry in strategy.more(ledger, strategy.runs) if entry.number not in there]
        name = pasted(shown(ledger.folder))
        if due:
            self._submit(ledger.folder, due, orders)
        counts = [f"{len(due)} submitted" if due else "nothing to submit"]
        counts += [f"{len(there)} queued before"] if there else []
        done = sum(entry.state in ("done", "pruned") for entry in ledger.entries())
        counts += [f"{done} done"] if done else []
        print(f"{shown(ledger.folder)}: {', '.join(counts)}")
        print(f"Next:\n  assay status {name}\n  assay cancel {name}", flush=True)
        return 0

    def _submit(self, sweep: Path, due: Sequence[Entry], orders: Orders) -> None:
        place = queue.place(sweep)
        place.mkdir(exist_ok=True)
        (place / queue.CANCELLED).unlink(missing_ok=True)
        groups: dict[int, list[int]] = defaultdict(list)
        for entry in due:
            job = self._job(sweep, entry, orders)
            (place / f"{entry.number}.json").write_text(job.to_json() + "\n", encoding="utf-8")
            groups[entry.number - entry.number % ARRAY if self.cluster == "slurm" else entry.number].append(
                entry.number
            )
        for base, numbers in groups.items():
            queue.note(sweep, Batch(self._batch(sweep, base, numbers, orders), base, tuple(numbers), self.cluster))

    def _job(self, sweep: Path, entry: Entry, orders: Orders) -> Job:
        return Job(
            entry.number,
            entry.folder.resolve(),
            orders.config_of(entry),
            list(entry.overrides),
            threads=self.cpus_per_task,
            command=list(orders.command),
            extra={
                "sweep": str(sweep.resolve()),
                "requeue": self.requeue,
                "on_error": orders.on_error,
                "cluster": self.cluster,
                **orders.extra_of(entry),
            },
        )

    def _batch(self, sweep: Path, base: int, numbers: Sequence[int], orders: Orders) -> str:
        """Submits one array; its number."""
        submitit = importlib.import_module("submitit")
        place = queue.place(sweep).resolve()
        try:
            if self.cluster == "local":
                executor = submitit.LocalExecutor(place)
                executor.update_parameters(
                    timeout_min=self.timeout_min, signal_delay_s=self.signal_delay_s, setup=self.setup,
                    gpus_per_node=self.gpus_per_node,
                )  # fmt: skip
            else:
                executor = submitit.SlurmExecutor(place)
                executor.update_parameters(**self._asked(sweep.name, base, numbers))
                executor.parameters["map_count"] = len(numbers)  # the output of each task in a file of its own
            return str(executor._submit_command(command(sweep, base, orders.paths)).job_id)
        except (OSError, RuntimeError, ValueError) as error:  # RuntimeError: what submitit makes of sbatch's answer
            said = " ".join(str(error).split())[:300]
            raise ConfigError(
                f"launcher=slurm: sbatch refuses the sweep ({said}); see `assay switches launcher`"
            ) from error

    def _asked(self, name: str, base: int, numbers: Sequence[int]) -> dict[str, Any]:
        """For submitit's script: SLURM sends USR2 before the time limit, to the tasks and not to their shell."""
        more = {key.replace("_", "-"): value for key, value in self.parameters.items()}
        more["array"] = f"{indices([number - base for number in numbers])}%{self.array_parallelism}"
        if self.requeue:
            more["requeue"] = True
        found = {
            **{key.removeprefix("slurm_"): value for key, value in self.given.items()},
            "job_name": f"assay-{name}",
            "time": self.timeout_min,
            "cpus_per_task": self.cpus_per_task,
            "mem": f"{round(self.mem_gb * 1024)}MB",
            "gpus_per_node": self.gpus_per_node or None,
            "signal_delay_s": self.signal_delay_s,
            "setup": self.setup or None,
            "array_parallelism": self.array_parallelism,
            "additional_parameters": more,
        }
        return {key: value for key, value in found.items() if value is not None} | {"wckey": None}


def command(sweep: Path, base: int, paths: Sequence[Path]) -> str:
    """The line that every task runs: this Python, our modules from the sweep's snapshot where it has one."""
    from assay.sweeps.jobs.plain import environment

    words = ["env", f"PYTHONPATH={environment(paths)['PYTHONPATH']}", sys.executable, "-u", "-P", "-m"]
    return shlex.join([*words, "assay.sweeps.slurm.task", str(sweep.resolve()), str(base)])


def indices(numbers: Sequence[int]) -> str:
    """``0-3,7,9-10``, as sbatch reads it."""
    runs: list[list[int]] = []
    for number in sorted(numbers):
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in runs)

"""A stand-in for SLURM's commands, as far as Assay calls them: one state file, tasks that a test starts and ends.

    python slurm.py sbatch|squeue|scancel|scontrol|srun …     what the wrappers on PATH run

``FAKE_SLURM`` names its folder. Formats are those of SLURM 23's manual pages, from memory: ``squeue --array`` has a
line for each task, ``%F|%K|%T|%r|%N``; sbatch answers "Submitted batch job N"; unknown options are refused.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

KNOWN = {
    "array", "job-name", "partition", "account", "qos", "time", "cpus-per-task", "mem", "gpus-per-node", "signal",
    "nodes", "output", "error", "open-mode", "requeue", "constraint",
}  # fmt: skip


class Slurm:
    """The state, and what a test does with it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / "state.json"

    def install(self, places: Path) -> None:
        """Writes the wrappers."""
        places.mkdir(parents=True)
        self.folder.mkdir(parents=True, exist_ok=True)
        for name in ("sbatch", "squeue", "scancel", "scontrol", "srun"):
            wrapper = places / name
            words = shlex.join([sys.executable, str(Path(__file__).resolve()), name])
            wrapper.write_text(f'#!/bin/sh\nFAKE_SLURM={shlex.quote(str(self.folder))} exec {words} "$@"\n')
            wrapper.chmod(0o755)

    def read(self) -> dict:
        with suppress(OSError, ValueError):
            return json.loads(self.path.read_text())
        return {"next": 100, "jobs": {}, "calls": []}

    def write(self, state: dict) -> None:
        temporary = self.path.with_suffix(f".{os.getpid()}")
        temporary.write_text(json.dumps(state))
        temporary.replace(self.path)

    def calls(self, name: str) -> list[list[str]]:
        return [words[1:] for words in self.read()["calls"] if words[0] == name]

    def script(self, job: str) -> str:
        return self.read()["jobs"][job]["script"]

    def tasks(self, job: str) -> dict[str, dict]:
        return self.read()["jobs"][job]["tasks"]

    def set(self, job: str, index: int, **facts: object) -> None:
        state = self.read()
        state["jobs"][job]["tasks"][str(index)] |= facts
        self.write(state)

    def start(self, job: str, index: int) -> subprocess.Popen:
        """A node begins the task."""
        facts = self.tasks(job)[str(index)]
        env = {
            **os.environ,
            "SLURM_JOB_ID": f"{job}{index}",
            "SLURM_ARRAY_JOB_ID": job,
            "SLURM_ARRAY_TASK_ID": str(index),
            "SLURM_JOB_NAME": "assay",
            "SLURM_NTASKS": "1",
            "SLURM_NNODES": "1",
            "SLURM_PROCID": "0",
            "SLURM_LOCALID": "0",
            "SLURM_STEP_NUM_TASKS": "1",
            "SLURM_RESTART_COUNT": str(facts["restarts"]),
            "FAKE_SLURM": str(self.folder),
        }
        self.set(job, index, state="RUNNING", node="node7")
        return subprocess.Popen(["bash", "-c", self.script(job)], env=env)

    def ended(self, job: str, index: int) -> None:
        """It has left its node; what asked for the queue is in it again."""
        facts = self.tasks(job)[str(index)]
        again = facts.pop("again", False)
        restarts = facts["restarts"] + int(again)
        self.set(job, index, state="PENDING" if again else "COMPLETED", node="", restarts=restarts, again=False, pid=0)

    def signal(self, job: str, index: int, number: int) -> None:
        """As SLURM does: to the processes that srun has started."""
        if pid := self.tasks(job)[str(index)].get("pid"):
            os.kill(pid, number)


def _indices(text: str) -> list[int]:
    found: list[int] = []
    for part in text.partition("%")[0].split(","):
        first, _, last = part.partition("-")
        found += range(int(first), int(last or first) + 1)
    return found


def sbatch(slurm: Slurm, words: list[str]) -> int:
    script = Path(words[-1]).read_text()
    asked = dict(re.findall(r"^#SBATCH --([\w-]+)(?:=(.*))?$", script, re.MULTILINE))
    if unknown := set(asked) - KNOWN:
        print(f"sbatch: unrecognized option '--{sorted(unknown)[0]}'", file=sys.stderr)
        return 1
    if asked.get("partition") == "nowhere":
        print("sbatch: error: invalid partition specified: nowhere", file=sys.stderr)
        return 1
    state = slurm.read()
    job = str(state["next"])
    state["next"] += 1
    blank = {"state": "PENDING", "reason": "Priority", "node": "", "restarts": 0, "pid": 0}
    tasks = {str(index): dict(blank) for index in _indices(asked.get("array", "0"))}
    state["jobs"][job] = {"script": script, "asked": asked, "tasks": tasks}
    slurm.write(state)
    print(f"Submitted batch job {job}")
    return 0


def squeue(slurm: Slurm, words: list[str]) -> int:
    assert "--format=%F|%K|%T|%r|%N" in words
    for job, facts in slurm.read()["jobs"].items():
        for index, one in facts["tasks"].items():
            if one["state"] not in ("COMPLETED", "CANCELLED"):
                reason = one["reason"] if one["state"] == "PENDING" else "None"
                print(f"{job}|{index}|{one['state']}|{reason}|{one['node']}")
    return 0


def scancel(slurm: Slurm, words: list[str]) -> int:
    for task in (word for word in words if not word.startswith("--")):
        job, _, index = task.partition("_")
        if "--signal=TERM" in words:
            slurm.signal(job, int(index), signal.SIGTERM)
        else:
            slurm.set(job, int(index), state="CANCELLED")
    return 0


def scontrol(slurm: Slurm, words: list[str]) -> int:
    job, _, index = words[-1].partition("_")
    if words[0] == "requeue":
        slurm.set(job, int(index), again=True)
    else:
        time = slurm.tasks(job)[index].get("preempted", "None")
        print(f"JobId={job} JobState=RUNNING Requeue=1 PreemptEligibleTime=2026-11-21T10:00:00 PreemptTime={time}")
    return 0


def srun(slurm: Slurm, words: list[str]) -> int:
    while words[0].startswith("--"):
        words = words[2:] if words[0] in ("--output", "--error") else words[1:]
    slurm.set(os.environ["SLURM_ARRAY_JOB_ID"], int(os.environ["SLURM_ARRAY_TASK_ID"]), pid=os.getpid())
    os.execvp(words[0], words)
    return 0


def main(words: list[str]) -> int:
    slurm = Slurm(Path(os.environ["FAKE_SLURM"]))
    state = slurm.read()
    state["calls"].append(words)
    slurm.write(state)
    answer = {"sbatch": sbatch, "squeue": squeue, "scancel": scancel, "scontrol": scontrol, "srun": srun}[words[0]]
    return answer(slurm, words[1:])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""One job of a sweep: what it is told, as JSON, and what the process does that was started for it.

``python -m assay.sweeps.jobs.job`` is told on stdin, which stays open: it ends when its starter does, and then the job
saves and stops. A child of the warm parent (:mod:`assay.sweeps.jobs.warm_server`) calls :func:`work` itself.
Imports no torch before it works.
"""

from __future__ import annotations

import errno
import json
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from assay import folder
from assay.errors import ConfigError
from assay.sweeps.ledger.job_folders import read_summary

DONE, FAILED, REFUSED, NO_ROOM, LOST = 0, 1, 2, 74, 75
"""Exit codes of a job. 74 (EX_IOERR): the disk is full; 75 (EX_TEMPFAIL): its starter died, so that nobody knows its
code; 128 + n: it saved and stopped because of signal n. None of those three is a verdict about the point."""

NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""What the system calls a full disk, a quota that is used up, and a file that may not grow."""

ENDED = ("done", "pruned")
"""What summary.json says of a run that is not begun again."""

WAIT = 0.05  # seconds between two looks at a folder that an earlier process still writes to


@dataclass(frozen=True)
class Job:
    """One point of a sweep, ready to be trained.

    Attributes:
        number: of the point.
        folder: of its run; made if it is not there.
        config: resolved and checked, plain containers.
        overrides: as typed.
        resume: go on from what the folder holds, bit for bit; a run that is done there is not trained again.
        threads: CPU threads that it may use; None: as many as it likes.
        devices: CUDA_VISIBLE_DEVICES; None: as this process has it.
        command: the words of the sweep's command line, which environment.json shows.
        extra: what a search tells its trials, for parts of the run that ask (:func:`current`).
    """

    number: int
    folder: Path
    config: dict[str, Any]
    overrides: list[str]
    resume: bool = True
    threads: int | None = None
    devices: str | None = None
    command: list[str] = field(default_factory=list)
    extra: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> str:
        """One line."""
        return json.dumps({**asdict(self), "folder": str(self.folder)}, ensure_ascii=True)

    @classmethod
    def from_json(cls, text: str) -> Job:
        facts: dict[str, Any] = json.loads(text)
        facts["folder"] = Path(facts["folder"])
        return cls(**facts)


_current: Job | None = None


def current() -> Job | None:
    """The job that this process was started for; None in a run that belongs to no sweep."""
    return _current


def work(job: Job) -> tuple[int, str]:
    """Trains a job to its end, in the process that was started for it alone.

    Returns:
        The exit code, and the reason if the job is not done. What is more to be said stands in log.txt.
    """
    global _current
    _current = job
    before = {number: signal.signal(number, leave) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        _wait(job.folder)
        if job.resume and read_summary(job.folder).get("status") in ENDED:  # by one who could not say so any more
            return DONE, ""
        _settle(job)
        folder.write_config(job.folder, job.config, job.overrides)
        return _train(job)
    except OSError as error:
        return trouble(error, job)
    except SystemExit as left:  # a signal outside the steps: nothing of what was saved is touched
        return left.code if isinstance(left.code, int) else FAILED, ""
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def leave(number: int, frame: Any) -> None:
    """Outside the steps of a run a signal ends its process at once: there is nothing to save."""
    raise SystemExit(128 + number)


def _wait(where: Path) -> None:
    """For a process that still saves what it did in this folder: its starter died, and it has noticed."""
    told = False
    while folder.is_running(where):
        if not told:
            print("waiting for the process that still writes here", file=sys.stderr)
        told = True
        time.sleep(WAIT)


def _settle(job: Job) -> None:
    """What the job is lent, and the command it came from. Torch reads how many threads there are once, and alone a run
    prepares its data with all of them: only what a step uses is bounded (:mod:`assay.engines.threads`), so that the
    bits of a run are the same in a sweep."""
    if job.devices is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = job.devices
    import torch  # noqa: F401

    if job.threads is not None:
        os.environ["OMP_NUM_THREADS"] = str(job.threads)
    if job.command:
        sys.argv = list(job.command)


def _train(job: Job) -> tuple[int, str]:
    import assay.run  # noqa: F401 (first: it puts off the imports that a step does not need)
    from assay.failures import Failed, is_disk_full
    from assay.loops import start
    from assay.recorder import Stopped

    try:
        start.run(job.config, job.overrides, job.folder, _composer(job), resume=job.resume)
    except Stopped as stopped:
        return 128 + int(stopped.args[0]), ""
    except KeyboardInterrupt:
        return 128 + signal.SIGINT, ""
    except ConfigError as refused:
        return REFUSED, _failed(job, str(refused))
    except Failed as failed:
        print(failed, file=sys.stderr)
        full = isinstance(failed.__cause__, OSError) and is_disk_full(failed.__cause__)
        return NO_ROOM if full else FAILED, _failed(job, str(failed))
    except OSError:  # it may be the disk
        raise
    except Exception as error:
        return _broken(job, error)
    return DONE, ""


def _composer(job: Job) -> Any:
    """A loop composes its stages; a plain run needs nothing more."""
    from assay.loops.plan import loop_of

    if loop_of(job.config) is None:
        return None
    from assay.composition.compose import composer_of
    from assay.sweeps.ledger.snapshot import config_dir_of

    own = config_dir_of(job.folder.parent)
    name = next((word for flag, word in pairwise(job.command) if flag == "--config-name"), None)
    return composer_of(None if own is None else str(own), None, name)


def _broken(job: Job, error: Exception) -> tuple[int, str]:
    """A bug, or what nobody thought of: its trace stands in log.txt."""
    traceback.print_exception(error)
    text = " ".join(str(error).split())[:300]
    return FAILED, _failed(job, f"{type(error).__name__}: {text}")


def trouble(error: OSError, job: Job) -> tuple[int, str]:
    """The disk, before or after the run had its own word for it."""
    if error.errno not in NO_SPACE:
        return _broken(job, error)
    return NO_ROOM, f"the disk is full: {error.filename or job.folder} could not be written"


def _failed(job: Job, reason: str) -> str:
    """Notes a failure in summary.json, where the run did not come to do it; returns the reason."""
    if read_summary(job.folder).get("status") not in ("failed", "pruned"):
        with suppress(OSError):
            told = {"format": folder.FORMAT, "status": "failed", "reason": reason, "steps": 0}
            folder.write_json(job.folder / "summary.json", told)
    return reason


def into_log(where: Path) -> None:
    """From now on this process reads nothing, prints nothing, and says what goes wrong in log.txt of the run."""
    where.mkdir(parents=True, exist_ok=True)
    null = os.open(os.devnull, os.O_RDWR)
    log = os.open(where / "log.txt", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
    for file, place in ((null, 0), (null, 1), (log, 2)):
        os.dup2(file, place)
    os.close(null)
    os.close(log)


def main() -> int:
    """The process of one job."""
    told = os.fdopen(os.dup(0), "rb", buffering=0)
    answer = os.fdopen(os.dup(1), "w", encoding="utf-8")
    job = Job.from_json(told.readline().decode())
    try:
        into_log(job.folder)
        threading.Thread(target=_stop_with, args=(told.read,), daemon=True).start()
        code, reason = work(job)
    except OSError as error:
        code, reason = trouble(error, job)
    with suppress(OSError):  # who wanted to know has gone
        answer.write(json.dumps({"reason": reason}) + "\n")
        answer.close()
    return code


def _stop_with(read: Callable[[int], Any]) -> None:
    """Saves and stops this process when its starter has gone."""
    with suppress(OSError, ValueError):
        while read(1):
            pass
    os.kill(os.getpid(), signal.SIGTERM)


def reason_of(facts: Mapping[str, Any], code: int) -> str:
    """Why a job is not done, from what it said or left, else from its exit code."""
    if facts.get("reason"):
        return str(facts["reason"])
    if code < 0:
        name = signal.Signals(-code).name
        memory = "; the kernel does so where memory runs out" if code == -signal.SIGKILL else ""
        return f"its process was killed ({name}{memory})"
    return f"its process ended with exit code {code}; log.txt may say more"


if __name__ == "__main__":
    sys.exit(main())

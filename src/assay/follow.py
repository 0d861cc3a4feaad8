"""``python -m assay.follow``: every process of a distributed run but the first. It is told what to train, computes its
share, and leaves every decision, every file and every word to rank 0.
"""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from assay.composition.places import Place, place


def main(words: Sequence[str]) -> int:
    """One process that :mod:`assay.engines.processes` started, for one run: rank, local rank, processes in all and
    here, address, port, number of the run."""
    rank, local_rank, world, here = map(int, words[:4])
    return follow(Place(rank, local_rank, world, here, words[4], int(words[5])), int(words[6]))


def following(trainer: Mapping[str, Any]) -> int | None:
    """Trains along, where this process is one that torchrun, srun or a second machine has started for a run that rank 0
    decides on; returns its exit code. None where this process is rank 0, or alone."""
    at = place(trainer)
    return None if at is None or at.rank == 0 else follow(at)


def follow(at: Place, only: int | None = None) -> int:
    """Trains along with rank 0, one run after the other, until its command ends.

    Args:
        at: this process.
        only: the one run for which this process was started; its stdin then ends with its starter.
    """
    from assay.startup import fast_imports

    fast_imports()  # what a training step does not need stays unloaded, as in rank 0
    from assay.engines import processes

    for number in (signal.SIGINT, signal.SIGTERM):  # to stop is rank 0's decision, after a step that all have taken
        signal.signal(number, signal.SIG_IGN)
    processes.end_with(at, pipe=only is not None)
    if only is not None:
        store, _, _ = processes.meet(at, only)
        point = processes.next_point(at, store)
        assert point is not None
        _one(point, at, store)
        return 0
    code = 0
    while True:
        store, _, run = processes.meet(at)
        point = processes.next_point(at, store)
        if point is None:
            return code
        with tempfile.TemporaryDirectory() as folder:
            siblings = processes.start(at, at.port, run, Path(folder)) if at.starts else {}
            for child in siblings.values():
                threading.Thread(target=_leave_with, args=(child,), daemon=True).start()
            code = _one(point, at, store)
            for child in siblings.values():
                child.wait()


def _leave_with(child: Any) -> None:
    if child.wait() != 0:
        os._exit(1)


def _one(point: Mapping[str, Any], at: Place, store: Any) -> int:
    from assay.engines.processes import GRACE
    from assay.run import Failed, Stopped, follow_run

    try:
        follow_run(point, at, store)
    except Stopped as stopped:
        return 128 + int(stopped.args[0])
    except Failed:  # as rank 0 has, which says why
        return 1
    except Exception as error:
        if "gloo" in str(error) or "NCCL" in str(error):  # somebody else has died, who should be named first
            time.sleep(2 * GRACE)
        with suppress(RuntimeError):
            store.set(f"dead/{at.rank}", " ".join(str(error).split()) or type(error).__name__)
        raise
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

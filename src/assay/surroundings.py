"""What surrounds a run while it goes on: signals, the log of warnings, the profiler."""

from __future__ import annotations

import logging
import os
import re
import signal
import warnings
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from assay import screens
from assay.recorder import Recorder


class AtOnce(BaseException):
    """The second Ctrl-C. Not a KeyboardInterrupt: Lightning turns one into exit code 1."""


@contextmanager
def signals(recorder: Recorder) -> Generator[None]:
    """SIGTERM and the first Ctrl-C end the training after the current step, saved; a test that has begun comes to its
    end. The second Ctrl-C ends the run at once."""

    def ask(number: int, frame: Any) -> None:
        if recorder.stop_signal:
            raise AtOnce
        recorder.stop_signal = number

    old: dict[int, Any] = {}
    try:
        for number in (signal.SIGINT, signal.SIGTERM):
            old[number] = signal.signal(number, ask)
    except ValueError:  # not in the main thread (a notebook's worker): signals stay whose they are
        old = {}
    try:
        yield
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)


_memory: Any = torch.utils.deterministic  # a module whose attributes are properties, which the type checker cannot see


class Kernels(logging.Filter):
    """Deterministic kernels wherever torch has them; what has none runs all the same and is remembered.

    ``without`` holds the names of those operations. torch names each once, in a warning.

    Args:
        wanted: auto, or never for torch's own choice of kernels.
    """

    def __init__(self, wanted: str) -> None:
        super().__init__()
        self.wanted = wanted == "auto"
        self.without: list[str] = []

    def __enter__(self) -> Kernels:
        self._mode = torch.get_deterministic_debug_mode()
        self._fills = _memory.fill_uninitialized_memory
        if self.wanted:
            os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # read when CUDA starts
            torch.set_deterministic_debug_mode("warn")  # not use_deterministic_algorithms: that imports Inductor
            _memory.fill_uninitialized_memory = False  # nothing here reads what it has not written
        logging.getLogger("py.warnings").addFilter(self)
        return self

    def __exit__(self, *exception: object) -> None:
        logging.getLogger("py.warnings").removeFilter(self)
        torch.set_deterministic_debug_mode(self._mode)
        _memory.fill_uninitialized_memory = self._fills

    def filter(self, record: logging.LogRecord) -> bool:
        found = _NOT_DETERMINISTIC.search(record.getMessage())
        if found and found[1] not in self.without:
            self.without.append(found[1])
        return True


_NOT_DETERMINISTIC = re.compile(r"(\S+) does not have a deterministic implementation")


@contextmanager
def profiled(on: bool, where: Path) -> Generator[None]:
    if not on:
        yield
        return
    from torch.profiler import profile

    with profile() as profiler:
        yield
    table = profiler.key_averages().table(sort_by="self_cpu_time_total", row_limit=40)
    (where / "profile.txt").write_text(table, encoding="utf-8")
    print(f"{screens.shown(where)}/profile.txt holds the table of operations")


@contextmanager
def logged(where: Path) -> Generator[None]:
    """Warnings of libraries go to log.txt; Lightning's greetings, and what it asks torch in the old way, nowhere."""
    quiet = [logging.getLogger(name) for name in ("pytorch_lightning", "lightning_fabric", "lightning.pytorch")]
    levels = [logger.level for logger in quiet]
    handler = logging.FileHandler(where / "log.txt", encoding="utf-8", delay=True)
    handler.setLevel(logging.WARNING)
    logging.getLogger().addHandler(handler)
    try:
        for logger in quiet:
            logger.setLevel(logging.ERROR)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".*LeafSpec.*", FutureWarning)
            warnings.filterwarnings("ignore", ".*your dataloader is not resumable.*")  # ours start at any step
            warnings.filterwarnings("ignore", ".*`srun` command is available.*")  # nor do we leave it to Lightning
            logging.captureWarnings(True)
            yield
    finally:
        logging.captureWarnings(False)
        for logger, level in zip(quiet, levels, strict=True):
            logger.setLevel(level)
        logging.getLogger().removeHandler(handler)
        handler.close()

"""Progress of a run: one line that renews itself on a terminal, plain lines elsewhere."""

from __future__ import annotations

import shutil
import sys
import time
from contextlib import suppress
from typing import TextIO


def duration(seconds: float) -> str:
    """Seconds as a person says them: 8 s, 3 min 20 s, 2 h 05 min."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


class Progress:
    """Loss, monitored metric, rate and remaining time.

    Args:
        total: optimiser steps of the whole run.
        monitor: the metric shown.
        stream: where to write; a terminal gets one renewed line, anything else a line per validation.
    """

    every = 0.2  # seconds between two renewals

    def __init__(self, total: int, monitor: str, stream: TextIO | None = None) -> None:
        self.total = total
        self.monitor = monitor
        self.stream = stream or sys.stderr
        self.live = self.stream.isatty()
        self.loss: float | None = None
        self.score: float | None = None
        self._start = self._shown = time.monotonic()
        self._first = 0
        self._announced = False
        self._drawn = False

    def started(self, step: int = 0) -> None:
        self._start = self._shown = time.monotonic()
        self._first = step

    def stepped(self, step: int) -> None:
        done = step - self._first
        if done < 10:
            return
        now = time.monotonic()
        if not self._announced:
            self._announced = True
            if not self.live and step < self.total:
                self._print(f"about {duration(self._left(step, now))} to go")
        if self.live and now - self._shown >= self.every:
            self._shown = now
            self._draw(self._line(step, now))

    def validated(self, step: int, epoch: int, scores: dict[str, float]) -> None:
        self.score = scores.get(self.monitor)
        if not self.live:
            self._print(f"epoch {epoch + 1}: {self._line(step, time.monotonic())}")

    def finished(self) -> None:
        if self._drawn:
            self._write("\r\x1b[K")
            self._drawn = False

    def _left(self, step: int, now: float) -> float:
        return (now - self._start) / max(step - self._first, 1) * (self.total - step)

    def _line(self, step: int, now: float) -> str:
        parts = [f"step {step}/{self.total}"]
        if self.loss is not None:
            parts.append(f"loss {self.loss:.4f}")
        if self.score is not None:
            parts.append(f"{self.monitor} {self.score:.4f}")
        parts.append(f"{(step - self._first) / max(now - self._start, 1e-9):.0f} steps/s")
        if step < self.total:
            parts.append(f"{duration(self._left(step, now))} left")
        return " · ".join(parts)

    def _draw(self, line: str) -> None:
        width = shutil.get_terminal_size().columns - 1
        self._write("\r\x1b[K" + (line if len(line) <= width else line[: width - 1] + "…"))
        self._drawn = True

    def _print(self, line: str) -> None:
        self._write(line + "\n")

    def _write(self, text: str) -> None:
        """Whoever reads may go away (a pipe, a closed terminal); the run does not end for it."""
        with suppress(OSError):
            self.stream.write(text)
            self.stream.flush()

"""Ctrl-C and SIGTERM during a sweep: counted, and answered by its course where nothing is half done."""

from __future__ import annotations

import signal
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any


@dataclass
class Stops:
    """How often one came, and which came last."""

    count: int = 0
    last: int = 0

    def __call__(self, number: int, frame: Any) -> None:
        self.count += 1
        self.last = number


@contextmanager
def heard() -> Generator[Stops]:
    """Counts them instead of dying of them; in a thread of a notebook they stay whose they are."""
    stops = Stops()
    before: dict[int, Any] = {}
    with suppress(ValueError):
        for number in (signal.SIGINT, signal.SIGTERM):
            before[number] = signal.signal(number, stops)
    try:
        yield stops
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

"""How far the tokenising of a long text is, on stderr. No torch here."""

from __future__ import annotations

import sys
import time

_QUIET_S = 3.0  # before anything is said
_EVERY_S = 0.5  # on a terminal; elsewhere a line each tenth


class Progress:
    """Told what has been read, says how much of it all that is, once it has taken a few seconds.

    Args:
        what: is being done.
        total: characters or bytes that will be read, about.
    """

    def __init__(self, what: str, total: int) -> None:
        self.what, self.total = what, max(total, 1)
        self.done, self.began, self.said, self.tenth = 0, time.monotonic(), 0.0, 0
        self.terminal = sys.stderr.isatty()

    def __call__(self, read: str | bytes) -> None:
        self.done += len(read)
        now = time.monotonic()
        if now - self.began < _QUIET_S:
            return
        share = min(self.done / self.total, 1.0)
        left = (now - self.began) * (1 - share) / max(share, 1e-9)
        line = f"{self.what}: {100 * share:.0f} %, {left:.0f} s left"
        if self.terminal and now - self.said > _EVERY_S:
            print(f"\r{line}   ", end="", file=sys.stderr, flush=True)
            self.said = now
        elif not self.terminal and int(10 * share) > self.tenth:
            print(line, file=sys.stderr, flush=True)
            self.tenth = int(10 * share)

    def ended(self) -> None:
        if self.said:
            print("\r" + " " * 72 + "\r", end="", file=sys.stderr, flush=True)

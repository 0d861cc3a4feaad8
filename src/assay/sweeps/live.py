"""What a sweep shows: a table that renews itself on a terminal, plain lines elsewhere, and the last screen."""

from __future__ import annotations

import shlex
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TextIO

from assay import experiments
from assay.callbacks.progress import duration
from assay.screens import pasted, shown
from assay.sweeps.standing import Standing, progress

if TYPE_CHECKING:
    from assay.sweeps.ledger.ledger import Entry

EVERY = 0.5  # seconds between two renewals of the table
CELLS, FAILURES = 12, 20  # lines of each on the last screen


class Live:
    """The screen of one parent.

    Args:
        stream: where to write; a terminal gets a table, anything else a line for each job that ended.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self.stream = stream or sys.stdout
        self.table: Any = None
        self.shown = 0.0

    def begin(self, standing: Standing) -> None:
        counts, at_once = standing.counts(), standing.slots
        have = [f"{counts[state]} {state}" for state in ("done", "failed", "pruned") if counts[state]]
        so_far = f", {' and '.join(have)} before" if have else ""
        self.line(f"{shown(standing.ledger.folder)}: {counts['total']} runs{so_far}, {at_once} at once")
        if self.stream.isatty():
            from rich.console import Console
            from rich.live import Live as Table

            self.table = Table(console=Console(file=self.stream), auto_refresh=False, transient=True)
            self.table.start()

    def show(self, standing: Standing) -> None:
        """Renews the table, now and then."""
        if self.table is not None and time.monotonic() - self.shown >= EVERY:
            self.shown = time.monotonic()
            self.table.update(drawn(standing), refresh=True)

    def ended(self, standing: Standing, entry: Entry) -> None:
        """A job is done, failed or pruned."""
        if self.table is not None and entry.state != "failed":
            return
        counts = standing.counts()
        ended = counts["done"] + counts["failed"] + counts["pruned"]
        said = entry.state if entry.state != "failed" else f"failed: {entry.reason}"
        if standing.monitor in entry.metrics:
            said += f", {standing.monitor} {entry.metrics[standing.monitor]:.4f}"
        left = standing.left()
        rest = f", {duration(left)} left" if left is not None and ended < counts["total"] else ""
        self.line(f"[{ended}/{counts['total']}{rest}] {standing.label(entry)}: {said}, {duration(entry.seconds)}")

    def line(self, text: str) -> None:
        if self.table is not None:
            self.table.console.print(text, markup=False, highlight=False)
            return
        with suppress(OSError):  # whoever read it has gone: the sweep goes on
            print(text, file=self.stream, flush=True)

    def end(self, standing: Standing, ending: str, command: Sequence[str]) -> None:
        self.close()
        for text in last(standing, ending, command):
            self.line(text)

    def close(self) -> None:
        if self.table is not None:
            self.table.stop()
            self.table = None


def summed(standing: Standing) -> str:
    """``12 done, 1 failed of 60``."""
    counts = standing.counts()
    told = [f"{counts[state]} {state}" for state in ("done", "failed", "pruned") if counts[state]]
    return f"{', '.join(told) or 'none done'} of {counts['total']}"


def drawn(standing: Standing) -> Any:
    """The live table: what runs and how far, a line each; then how many of what, the remaining time, the best."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2, 0, 0))
    for _ in range(3):
        table.add_column(no_wrap=True, overflow="ellipsis")
    now = time.monotonic()
    for entry, since in standing.running.values():
        table.add_row(Text(standing.label(entry)), duration(now - since), Text(_short(progress(entry.folder)), "dim"))
    left, best = standing.left(), standing.best()
    said = [summed(standing), duration(standing.elapsed)] + ([f"{duration(left)} left"] if left is not None else [])
    lines = [Text(" · ".join(said), "bold")]
    if best is not None:
        score = f"{standing.monitor} {best.metrics[standing.monitor]:.4f}"
        lines.append(Text(f"best: {standing.label(best)}, {score}", no_wrap=True, overflow="ellipsis"))
    return Group(table, *lines)


def _short(line: str) -> str:
    """A line of progress without its speed."""
    return " · ".join(part for part in line.split(" · ") if not part.endswith("steps/s"))


def last(standing: Standing, ending: str, command: Sequence[str]) -> list[str]:
    """The last screen: how it ended, the cells, the best, what failed and why, what to type next."""
    where = pasted(shown(standing.ledger.folder))
    lines = [f"{summed(standing)} in {duration(standing.elapsed)}" + (f"; {ending}" if ending else "")]
    lines += _cells(standing)
    if (best := standing.best()) is not None:
        lines.append(f"best: {standing.label(best)}, {standing.monitor} {best.metrics[standing.monitor]:.4f}")
    lines += standing.strategy.lines(standing.ledger)
    lines += experiments.of_sweep(standing.ledger.folder) if "experiment" in standing.config else []
    failed = standing.failed()
    lines += [f"{standing.label(entry)} failed: {entry.reason}" for entry in failed[:FAILURES]]
    if len(failed) > FAILURES:
        lines.append(f"{len(failed) - FAILURES} more failed")
    if failed:
        lines.append(f"traces: {where}/NUMBER/log.txt")
    again = f"the same command {'tries the failed ones again' if failed and not ending else 'continues'}"
    if failed or ending:
        lines.append(again + (f": {shlex.join(command)}" if command else ""))
    if best is not None:
        lines += ["Next:", f"  assay table {where}", f"  assay review {where}", f"  assay predict {where}:best INPUT"]
    return lines


def _cells(standing: Standing) -> list[str]:
    """Mean and deviation of the best cells, where there is more than one."""
    means = standing.means()
    if len(means) < 2:
        return []
    width = max(len(one.label) for one in means[:CELLS])
    lines = [f"{standing.monitor}, mean ± deviation over seeds and folds:"]
    for label, mean, deviation, runs in means[:CELLS]:
        spread = f" ± {deviation:.4f} ({runs} runs)" if deviation is not None else ""
        lines.append(f"  {label:<{width}}  {mean:.4f}{spread}")
    if len(means) > CELLS:
        lines.append(f"  and {len(means) - CELLS} more")
    return lines

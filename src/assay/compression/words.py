"""Costs in words: the table of the last screen, and what changed. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

SIZES = (1, 64)
"""Of the batches that are timed."""

UNITS = {"bytes": "bytes", "macs": "multiply-adds", "latency_ms": "ms"}
"""Of what a budget limits."""


def table(rows: Sequence[Mapping[str, Any]], metric: str, first: str = "") -> list[str]:
    """Rows of costs as text of at most 80 columns; parameters that are not zero only where some are."""
    sparse = any(0.95 * (row.get("parameters") or 0) > (row.get("nonzero") or 0) > 0 for row in rows)
    head = [first, "val", "test", "params", *(["nonzero"] if sparse else []), "MACs", "bytes", "ms/1", "ms/64", "peak"]
    cells = [head]
    for row in rows:
        scores = [(row.get(split) or {}).get(metric) for split in ("val", "test")]
        spread = row.get("latency_ms") or {}
        times = [spread.get(str(size), {}).get("median") for size in SIZES]
        counts = ["parameters", *(["nonzero"] if sparse else []), "macs", "bytes"]
        cells.append(
            [
                str(row["stage"])[:13],
                *("" if score is None else f"{score:.4f}" for score in scores),
                *(short(row.get(name)) for name in counts),
                *("" if time is None else f"{time:.3g}" if time < 1000 else f"{time:.0f}" for time in times),
                short(row.get("peak_activation_bytes")),
            ]
        )
    widths = [max(len(line[place]) for line in cells) for place in range(len(head))]
    lines = [
        "  ".join(
            cell.ljust(width) if place == 0 else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in cells
    ]
    return [line.rstrip() for line in (lines[0], "-" * len(lines[0]), *lines[1:])]


def short(number: float | None) -> str:
    """Three digits and a letter: 1.23M."""
    if number is None:
        return ""
    for letter, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if number >= 0.9995 * size:
            return f"{number / size:.3g}{letter}"
    return f"{number:g}"


def scores_line(before: Mapping[str, Any], after: Mapping[str, Any], metric: str) -> str:
    """What changed, in words."""
    told = []
    for name, fewer, more in (("bytes", "fewer bytes", "more bytes"), ("macs", "less work", "more work")):
        a, b = before.get(name), after.get(name)
        if a and b and max(a, b) > 1.05 * min(a, b):
            told.append(f"{max(a, b) / min(a, b):.1f} times {fewer if b < a else more}")
    for split in ("val", "test"):
        a, b = (before.get(split) or {}).get(metric), (after.get(split) or {}).get(metric)
        if a is not None and b is not None:
            told.append(f"{split}/{metric} {b - a:+.4f}")
    return ", ".join(told)


def limits(found: Mapping[str, float]) -> str:
    """``at most 100,000 bytes and 0.5 ms``: a budget."""
    told = (f"{f'{limit:,g}' if limit < 1e6 else f'{limit:,.0f}'} {UNITS[name]}" for name, limit in found.items())
    return f"at most {' and '.join(told)}"

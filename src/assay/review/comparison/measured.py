"""The curves of many runs, as one mean with its interval for each cell. Imports no torch.

Only the metrics that are drawn are picked out of metrics.csv, and a curve has at most :data:`POINTS` points however
long the runs were. Letters: R runs of a cell, P points.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from assay.sweeps.tables.statistics import t_quantile

POINTS = 60

Array = NDArray[np.float64]


class Curve(NamedTuple):
    """One metric of one run: (P,) each."""

    step: Array
    epoch: Array
    value: Array


@dataclass(frozen=True)
class Band:
    """The mean over a cell's runs, point by point.

    Attributes:
        step, epoch, mean: (P,).
        half: of the 95 % interval (t), NaN where one run alone has a value.
        runs: how many have a value there; a band ends where fewer than half of them go on.
        stretch: steps that one point is the mean of; 0 where each is a point that was measured.
    """

    step: Array
    epoch: Array
    mean: Array
    half: Array
    runs: NDArray[np.int64]
    stretch: int


def curves(folder: Path, names: Sequence[str]) -> dict[str, Curve]:
    """The named metrics of a run's metrics.csv, finite values alone; none where there is no such file."""
    try:
        raw = (folder / "metrics.csv").read_bytes()
    except OSError:
        return {}
    rows: dict[bytes, list[tuple[bytes, bytes, bytes]]] = {}
    for step, epoch, name, value in _pattern(tuple(names)).findall(raw):
        rows.setdefault(name, []).append((step, epoch, value))
    found = {}
    for name in names:
        if (kept := rows.get(_written(name))) is not None:
            try:
                table = np.array(kept, dtype=np.float64)
            except ValueError:  # changed by hand
                continue
            table = table[np.isfinite(table[:, 2])]
            if len(table):
                found[name] = Curve(table[:, 0], table[:, 1], table[:, 2])
    return found


@lru_cache(maxsize=64)
def _pattern(names: tuple[str, ...]) -> re.Pattern[bytes]:
    written = b"|".join(re.escape(_written(name)) for name in names)
    return re.compile(rb"^(\d+),(\d+),(" + written + rb"),([^\n,]+)\n", re.MULTILINE)  # a torn last row has no end


def _written(name: str) -> bytes:
    """As csv writes it."""
    return (f'"{name.replace(chr(34), 2 * chr(34))}"' if set(name) & set(',"\r\n') else name).encode()


def band(found: Iterable[Curve]) -> Band | None:
    """The mean of a metric over runs; None of no run.

    Runs of a cell measure at the same steps. Where those are more than :data:`POINTS`, each stretch of steps is
    averaged within its run first, so that the interval is over runs alone.
    """
    members = list(found)
    if not members:
        return None
    steps = np.unique(np.concatenate([one.step for one in members]))
    stretch = 0
    if len(steps) > POINTS:
        edges = np.linspace(steps[0], steps[-1], POINTS + 1)
        stretch = round(float(edges[1] - edges[0]))
        places = [np.clip(np.searchsorted(edges, one.step, side="right") - 1, 0, POINTS - 1) for one in members]
        size = POINTS
    else:
        places = [np.searchsorted(steps, one.step) for one in members]
        size = len(steps)
    table = np.full((len(members), size), np.nan)  # (R, P)
    for row, (one, place) in enumerate(zip(members, places, strict=True)):
        counts = np.bincount(place, minlength=size)
        with np.errstate(invalid="ignore"):
            table[row] = np.bincount(place, one.value, size) / np.where(counts, counts, np.nan)
    where = np.concatenate(places)
    counts = np.maximum(np.bincount(where, minlength=size), 1)
    step = np.bincount(where, np.concatenate([one.step for one in members]), size) / counts
    epoch = np.bincount(where, np.concatenate([one.epoch for one in members]), size) / counts
    there = ~np.isnan(table)
    runs = there.sum(0)
    keep = 2 * runs >= len(members)
    table, runs = table[:, keep], runs[keep]
    mean = np.nansum(table, 0) / np.maximum(runs, 1)
    spread = np.sqrt(np.nansum((table - mean) ** 2, 0) / np.maximum(runs - 1, 1))
    factor = np.array([t_quantile(0.975, count - 1) if count > 1 else np.nan for count in range(len(members) + 1)])
    half = factor[runs] * spread / np.sqrt(np.maximum(runs, 1))
    return Band(step[keep], epoch[keep], mean, half, runs.astype(np.int64), stretch)

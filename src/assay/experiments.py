"""The verdict on an experiment: our score beside the published one. Imports no torch.

An experiment (``experiment=textcnn_mr``) carries its published figures in its header; a run keeps them in its config,
so that the verdict can be given wherever the run lies. It is given for the runs that differ in seed and fold alone.
"""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assay.composition.published import Figure
from assay.lifecycle import records as reading
from assay.lifecycle.records import Record
from assay.screens import lower_is_better
from assay.sweeps.tables.statistics import Estimate, Score, estimate

REACHED, WITHIN, BELOW = "reached", "within the interval", "below"

_HOW = ("experiment", "seed", "seeds", "fold", "folds", "name", "outputs", "data_dir", "logger", "threads", "plan")
_HOW += ("checkpoint", "log_every", "deterministic", "channels_last", "sweep", "search", "launcher")
_HOW += ("trainer.devices", "trainer.accelerator", "trainer.num_nodes")
_HOW_CHOICES = ("trainer=auto", "trainer=cpu", "trainer=gpu", "trainer=ddp", "trainer=fsdp", "debug=none")


@dataclass(frozen=True)
class Verdict:
    """One published figure, and what became of it.

    Attributes:
        experiment: its name.
        ours: mean and interval over the runs.
        runs: how they are told apart, in words: ``seeds 0 to 4``.
        record: what the experiment's header says that we had before, where it does.
        changed: what was typed besides the experiment, and could change its score.
    """

    experiment: str
    figure: Figure
    ours: Estimate
    runs: str
    record: Figure | None
    changed: tuple[str, ...]

    @property
    def ahead(self) -> float:
        """How much better than published; negative: worse."""
        difference = self.ours.mean - self.figure.value
        return -difference if lower_is_better(self.figure.metric) else difference

    @property
    def word(self) -> str:
        """Reached: our mean is as good; within: the interval of our mean holds the figure; else below."""
        if self.ahead >= -1e-12:
            return REACHED
        return WITHIN if self.ours.half is not None and -self.ahead <= self.ours.half else BELOW

    def line(self) -> str:
        """Ours, the interval, published, verdict."""
        ours, figure = self.ours, self.figure
        parts = [f"experiment={self.experiment}: {figure.metric} {_shown(ours.mean)}"]
        if ours.half is None:
            parts[0] += f" ({self.runs} alone: no interval)"
        else:
            parts[0] += f", 95 % interval {_shown(ours.low)} to {_shown(ours.high)} ({self.runs})"
        spread = f" ± {figure.deviation:g}" if figure.deviation is not None else ""
        parts.append(f"published {figure.value:g}{spread} ({figure.source})")
        parts.append(f"{self.word}, {_by(self.ahead)}")
        if self.record is not None and ours.half is None and not self.changed:
            spread = f" ± {self.record.deviation:g}" if self.record.deviation is not None else ""
            parts.append(f"ours before: {self.record.value:g}{spread} ({self.record.source})")
        if self.changed:
            parts.append(f"changed: {' '.join(self.changed)}")
        return " · ".join(parts)

    def as_plain(self) -> dict[str, Any]:
        """For summary.json."""
        ours, figure = self.ours, self.figure
        return {
            "experiment": self.experiment,
            "metric": figure.metric,
            "ours": ours.mean,
            "low": ours.low,
            "high": ours.high,
            "runs": self.runs,
            "published": figure.value,
            "source": figure.source,
            "verdict": self.word,
            "ahead": self.ahead,
            "changed": list(self.changed),
        }


def of_run(config: Mapping[str, Any], overrides: Sequence[str], summary: Mapping[str, Any]) -> list[Verdict]:
    """The verdicts on one run; none where it is no experiment, or has not the metric."""
    kept = config.get("experiment")
    if not isinstance(kept, Mapping):
        return []
    place = (int(config.get("seed") or 0), config.get("fold"))
    changed = _changed(overrides, kept)
    return list(_verdicts(kept, {place: summary}, config, changed))


def verdict(records: Sequence[Record]) -> list[str]:
    """A line for each published figure of each experiment among the runs that are done, seeds and folds together."""
    return [one.line() for one in of_runs(records)]


def of_sweep(folder: Path) -> list[str]:
    """The same of a sweep's points; trials that looked for values are no runs of an experiment."""
    found, _ = reading.read_all(reading.folders(folder))
    return verdict([one for one in found if read_role(one.folder) == "point"])


def read_role(folder: Path) -> str:
    """What a run was to its sweep, by what the sweep left in its folder; point where it left nothing."""
    try:
        return str(json.loads((folder / "point.json").read_text(encoding="utf-8"))["role"])
    except (OSError, ValueError, KeyError, TypeError):
        return "point"


def of_runs(records: Sequence[Record]) -> list[Verdict]:
    """The verdicts on many runs: those with the same experiment and the same changes count together."""
    cells: dict[tuple[str, tuple[str, ...]], list[tuple[Record, Mapping[str, Any]]]] = defaultdict(list)
    for record in records:
        there, kept = record.config("experiment")
        if there and isinstance(kept, Mapping) and record.status == "done":
            cells[str(kept["name"]), _changed(record.overrides, kept)].append((record, kept))
    found = []
    for (_, changed), runs in cells.items():
        config = {"data": runs[0][0].config("data")[1]}
        scores = {(int(one.seed or 0), one.config("fold")[1]): one.summary for one, _ in runs}
        found += _verdicts(runs[0][1], scores, config, changed)
    return found


def _verdicts(
    kept: Mapping[str, Any],
    summaries: Mapping[tuple[int, int | None], Mapping[str, Any]],
    config: Mapping[str, Any],
    changed: tuple[str, ...],
) -> Iterator[Verdict]:
    data = config.get("data")
    folds = data.get("folds") if isinstance(data, Mapping) else None
    before = {one["metric"]: Figure.of_plain(one) for one in kept.get("ours") or []}
    for one in kept.get("published") or []:
        figure = Figure.of_plain(one)
        scores: list[Score] = [
            (seed, _fold(fold, folds), float(value))
            for (seed, fold), summary in summaries.items()
            if isinstance(value := summary.get(figure.metric), int | float) and math.isfinite(value)
        ]
        ours = estimate(scores, folds)
        if ours is not None:
            runs = _told([(seed, fold) for seed, fold, _ in scores])
            yield Verdict(str(kept["name"]), figure, ours, runs, before.get(figure.metric), changed)


def _fold(fold: int | None, folds: int | None) -> int | None:
    """A set that is cut into folds has a first one where none was named."""
    return 0 if fold is None and folds is not None else fold


def _told(places: Iterable[tuple[int, int | None]]) -> str:
    """``seeds 0 to 4``, ``folds 0 to 9, seed 0``."""
    places = list(places)
    seeds = sorted({seed for seed, _ in places})
    folds = sorted({fold for _, fold in places if fold is not None})
    words = [_range("fold", folds)] if folds else []
    return ", ".join([*words, _range("seed", seeds)])


def _range(what: str, numbers: Sequence[int]) -> str:
    if len(numbers) == 1:
        return f"{what} {numbers[0]}"
    if list(numbers) == list(range(numbers[0], numbers[-1] + 1)):
        return f"{what}s {numbers[0]} to {numbers[-1]}"
    return f"{what}s {', '.join(map(str, numbers))}"


def _changed(overrides: Iterable[str], kept: Mapping[str, Any]) -> tuple[str, ...]:
    """The overrides that are not how or where to run, nor what the experiment says itself."""
    own = {**(kept.get("options") or {}), **(kept.get("values") or {})}
    found = []
    for one in overrides:
        key, _, value = one.partition("=")
        key = key.lstrip("+~")
        if one in _HOW_CHOICES or any(key == word or key.startswith(f"{word}.") for word in _HOW):
            continue
        same = key in own and _means(value, own[key])
        if not same:
            found.append(one)
    return tuple(sorted(found))


def _means(text: str, value: Any) -> bool:
    """Whether a typed value is this one."""
    import yaml

    try:
        found = yaml.safe_load(text)
        return found == value or (isinstance(found, str) and isinstance(value, int | float) and float(found) == value)
    except (yaml.YAMLError, ValueError):
        return False


def _by(ahead: float) -> str:
    if abs(ahead) < 5e-5:
        return "equal to it"
    return f"{abs(ahead):.4f} {'better' if ahead > 0 else 'worse'}"


def _shown(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"

"""The process that talks to wandb for a sweep: ``python -m assay.review.wandb_sweep_send SWEEP MODE SECONDS``.

As :mod:`assay.review.wandb_send` does for one run, which see: it reads ``wandb/run.json``, and the runs of the sweep.
"""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from assay.lifecycle import records
from assay.review import wandb_host
from assay.review.wandb_log import Outcome
from assay.review.wandb_send import Ending, in_short, keep_record, main, settings
from assay.review.wandb_sweep_figures import curves, scores
from assay.sweeps.ledger.ledger import Ledger
from assay.sweeps.tables.cells import Cell, Group, groups
from assay.sweeps.tables.statistics import estimate

CELL_COLUMNS = ("runs", "mean", "deviation", "low", "high")


def cells_table(found: Sequence[Group]) -> tuple[list[str], list[list[Any]]]:
    """(columns, rows): a row for each cell and metric, validation first, cells in the order of their validation."""
    varied = list(dict.fromkeys(key for group in found for key in group.varied))
    rows = []
    for group in found:
        for metric in told(group):
            for cell in ranked(group):
                one = estimate(cell.scores(metric), group.folds)
                if one is not None:
                    values = [cell.settings.get(key) for key in varied]
                    rows.append([group.data, *values, metric, one.count, one.mean, one.deviation, one.low, one.high])
    return ["data", *varied, "metric", *CELL_COLUMNS], rows


def runs_table(sweep: Path, found: Sequence[Group]) -> tuple[list[str], list[list[Any]]]:
    """(columns, rows): a row for each point of the ledger, finished or not."""
    entries = Ledger(sweep).entries()
    axes = list(dict.fromkeys(key for one in entries for key in one.cell))
    metrics = list(dict.fromkeys(metric for group in found for metric in told(group)))
    rows = [
        [
            one.number,
            one.state,
            one.role,
            *(one.cell.get(key) for key in axes),
            one.seed,
            one.fold,
            *(one.metrics.get(metric) for metric in metrics),
            one.seconds,
            one.reason,
        ]
        for one in entries
    ]
    return ["point", "state", "role", *axes, "seed", "fold", *metrics, "seconds", "reason"], rows


def told(group: Group) -> list[str]:
    """The monitored metric and those of the test split."""
    return [metric for metric in group.metrics() if metric == group.metric or metric.startswith("test/")]


def ranked(group: Group) -> list[Cell]:
    """The cells, the best by the monitored metric first; no test score orders them."""

    def key(cell: Cell) -> float:
        one = estimate(cell.scores(group.metric), group.folds)
        return float("inf") if one is None else one.mean if group.mode == "min" else -one.mean

    return sorted(group.cells, key=key)


def summed(found: Sequence[Group]) -> dict[str, Any]:
    """For the run's summary: how many cells and runs, and the best cell of the largest group by validation."""
    made: dict[str, Any] = {
        "count/runs": sum(len(group.runs) for group in found),
        "count/cells": sum(len(group.cells) for group in found),
    }
    for group in found[:1]:
        best = ranked(group)[0]
        made["best"] = best.name
        for metric in told(group):
            one = estimate(best.scores(metric), group.folds)
            if one is not None:
                made |= {metric: one.mean}
                made |= {f"{metric}/deviation": one.deviation} if one.deviation is not None else {}
    return made


def figures(found: Sequence[Group], folder: Path) -> dict[str, Path]:
    """{name: picture} of each group: curves of the monitored metric with bands, and the cells' scores."""
    folder.mkdir(parents=True, exist_ok=True)
    made = {}
    for number, group in enumerate(found):
        end = f"-{number + 1}" if len(found) > 1 else ""
        for name, draw in (("curves", curves), ("scores", scores)):
            path = folder / f"{name}{end}.png"
            if draw(group, ranked(group), path):
                made[f"figures/{name}{end}"] = path
    return made


def send(sweep: Path, mode: str, ending: Ending, seconds: float) -> Outcome:
    """All of it, from wandb's start to its end. What is logged again stands at the next step, the latest first."""
    wandb: Any = importlib.import_module("wandb")
    described = json.loads((sweep / "wandb" / "run.json").read_text(encoding="utf-8"))
    ending.came.wait(seconds)
    found, _ = groups(records.read_all(records.folders(sweep))[0])
    work = sweep / "wandb" / "work"
    run = wandb.init(
        **{key: described[key] for key in ("id", "project", "entity", "name", "group", "job_type", "tags", "config")},
        dir=str(work),
        mode=mode,
        resume="allow" if mode == "online" else None,
        settings=settings(wandb, seconds),
    )
    lost = ""
    try:
        tables = {"cells": cells_table(found), "runs": runs_table(sweep, found)}
        line = {name: wandb.Table(columns=columns, data=rows) for name, (columns, rows) in tables.items()}
        line |= {name: wandb.Image(str(path)) for name, path in figures(found, work / "figures").items()}
        run.log(line)
        run.summary.update(summed(found))
        if described["verdicts"]:
            run.summary.update({"verdict": "\n".join(described["verdicts"])})
    except Exception as error:  # whatever a picture or a table meets, the run comes to its end
        lost = in_short(error)
    try:
        run.finish(exit_code=0 if not lost else 1)
    except TimeoutError:
        return Outcome(False, reason=f"{wandb_host.host()} did not answer within {seconds:g} s")
    finally:
        wandb.teardown()
    if mode == "offline":
        keep_record(sweep)
    return Outcome(not lost, url=run.url or "", reason=lost)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], float(sys.argv[3]), send)

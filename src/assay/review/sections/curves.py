"""Training loss, validation metrics, rate and gradients over steps, and the same values as a table."""

from __future__ import annotations

import math
from collections.abc import Sequence

from assay.review import charts, numerals
from assay.review.facts import Run
from assay.review.html import Html, tag
from assay.review.page import folded, number, right_head, row_head, table
from assay.review.sections.diagnostics import PREFIXES
from assay.screens import lower_is_better

_MOST_ROWS = 40
_MOST_GRADIENTS = 6
_MOST_CHARTS = 12


def curves(run: Run) -> list[Html]:
    """Training loss, validation metrics, rate and gradients over steps, and the values as a table."""
    held = run.curves
    if not any(name.startswith(("train/", "val/")) for name in held):
        return [tag("p", "Nothing was measured before the run ended.", class_="note")]
    best = _best(run)
    losses = [charts.Series(name, held[name]) for name in ("train/loss", "val/log_loss") if name in held]
    drawn = [charts.lines("Loss" if len(losses) > 1 else losses[0].name, losses, best=best)] if losses else []
    metrics = [name for name in held if name.startswith("val/") and name != "val/log_loss"]
    metrics.sort(key=lambda name: name != run.monitor)
    metrics = metrics[:_MOST_CHARTS]
    for name in metrics:
        title = f"{name} (monitored)" if name == run.monitor else name
        drawn.append(charts.lines(title, [charts.Series(name, held[name])], best=best))
    if "train/lr" in held:
        drawn.append(charts.lines("Learning rate", [charts.Series("train/lr", held["train/lr"])], best=best))
    if gradients := [name for name in held if name.startswith("grad_norm/")]:
        drawn.append(_gradients(run, gradients))
    others = [name for name in held if not name.startswith(("train/", "val/", "test/", *PREFIXES))]
    others += [name for name in held if name.startswith("train/") and name not in ("train/loss", "train/lr")]
    drawn += [charts.lines(name, [charts.Series(name, held[name])], best=best) for name in others[:_MOST_CHARTS]]
    how = "Point at a curve, or focus it and use the arrow keys, to read its values."
    body = [tag("div", drawn, class_="charts"), tag("p", how, class_="small")]
    if (values := _values(run, metrics)) is not None:
        body.append(folded("The values of each epoch as a table", values))
    return body


def _best(run: Run) -> tuple[int, str] | None:
    """The step of the best epoch. A run without summary.json says it by its curve."""
    monitor = run.monitor or next(
        (name for name in ("val/accuracy", "val/micro_f1", "val/rmse") if name in run.curves), ""
    )
    points = [point for point in run.curves.get(monitor, []) if math.isfinite(point.value)]
    if not points:
        return None
    epoch = run.summary.get("best_epoch")
    if epoch is None or epoch < 0:
        mode = run.config.get("monitor_mode") or ("min" if lower_is_better(monitor) else "max")
        sign = -1 if mode == "min" else 1
        epoch = max(points, key=lambda point: (sign * point.value, point.step)).epoch
    step = next((point.step for point in reversed(points) if point.epoch == epoch), None)
    return None if step is None else (step, f"best epoch: {epoch + 1}")


def _gradients(run: Run, names: Sequence[str]) -> Html:
    """Six layers at most, from the greatest norm to the least."""
    middle = {name: sorted(point.value for point in run.curves[name])[len(run.curves[name]) // 2] for name in names}
    ranked = sorted(names, key=lambda name: -middle[name])
    spread = [round(i * (len(ranked) - 1) / (_MOST_GRADIENTS - 1)) for i in range(_MOST_GRADIENTS)]
    chosen = [ranked[i] for i in spread] if len(ranked) > _MOST_GRADIENTS else ranked
    title = "Norm of the gradient, logarithmic"
    if len(chosen) < len(ranked):
        title += f", {len(chosen)} of {len(ranked)} layers"
    series = [charts.Series(name.removeprefix("grad_norm/"), run.curves[name]) for name in chosen]
    return charts.lines(title, series, log=True)


def _values(run: Run, metrics: Sequence[str]) -> Html | None:
    names = [name for name in ("train/loss", "val/log_loss", *metrics) if name in run.curves]
    if not names:
        return None
    last: dict[str, dict[int, float]] = {name: {p.epoch: p.value for p in run.curves[name]} for name in names}
    epochs = sorted({epoch for values in last.values() for epoch in values})
    best = _best(run)
    top = next((p.epoch for name in metrics for p in run.curves[name] if best and p.step == best[0]), None)
    kept = epochs
    if len(epochs) > _MOST_ROWS:
        kept = sorted({epochs[round(i * (len(epochs) - 1) / (_MOST_ROWS - 1))] for i in range(_MOST_ROWS)})
        kept = sorted({*kept, *([top] if top is not None else [])})
    rows: list[list[Html]] = []
    for epoch in kept:
        cells = [number(numerals.score(last[name].get(epoch))) for name in names]
        rows.append([row_head(f"{epoch + 1}{' (best)' if epoch == top else ''}"), *cells])
    caption = "The last value of each epoch" + (
        f"; {len(kept)} of {len(epochs)} epochs" if len(kept) < len(epochs) else ""
    )
    return table(["epoch", *map(right_head, names)], rows, caption=caption)

"""Figures of the README's comparisons: the same metric of several commands over steps, mean and range over seeds.

    python benchmarks/comparisons/curves.py depth              # runs what outputs/curves/depth lacks, then draws
    python benchmarks/comparisons/curves.py depth --draw       # draws again from the kept depth.json

Each comparison is a metric and one command per line; what differs between lines is all that differs. Runs go to
outputs/curves/NAME/LINE/SEED, so that an interrupted comparison goes on; NAME.json beside this keeps what was measured.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
from dataclasses import dataclass
from datetime import date
from pathlib import Path

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Comparison:
    """What is compared.

    Args:
        title: of the figure.
        metric: as metrics.csv names it.
        words: of every run.
        lines: label -> the words of that line.
        seeds: how many.
        log: whether the metric's axis is logarithmic.
        reached: scores whose first step is reported.
    """

    title: str
    metric: str
    words: tuple[str, ...]
    lines: dict[str, tuple[str, ...]]
    seeds: int = 3
    log: bool = False
    reached: tuple[float, ...] = ()


def _resnet(depth: int, residual: bool) -> tuple[str, ...]:
    return ("model=resnet", f"model.depth={depth}", "model.width=8", f"model.residual={str(residual).lower()}")


def _deep(model: str, layers: int) -> tuple[str, ...]:
    if model == "mlp":
        return ("model=mlp", f"model.hidden_sizes={[64] * layers}".replace(" ", ""))
    return ("model=highway", "model.hidden_size=64", f"model.num_layers={layers}")


_ADDING = (
    "data=adding", "data.length=150", "data.batch_size=20", "scheduler=none", "clip=norm", "clip.max_norm=1",
    "trainer.max_steps=6000", "+trainer.val_check_interval=250",
)  # fmt: skip


COMPARISONS = {
    "depth": Comparison(
        "Depth with and without a path around: training loss on digits",
        "train/loss",
        ("data=digits", "trainer.max_epochs=20", "optim=adam", "optim.lr=0.002", "log_every=45"),
        {
            **{f"plain {depth}": _resnet(depth, False) for depth in (20, 56)},
            **{f"residual {depth}": _resnet(depth, True) for depth in (20, 56)},
            **{f"mlp {layers}": _deep("mlp", layers) for layers in (20, 50)},
            **{f"highway {layers}": _deep("highway", layers) for layers in (20, 50)},
        },
        log=True,
    ),
    "batch_norm": Comparison(
        "Batch normalisation: three sigmoid layers, Fashion-MNIST",
        "val/accuracy",
        (
            "data=fashion_mnist", "model=mlp", "model.hidden_sizes=[100,100,100]", "activation=sigmoid", "optim=sgd",
            "scheduler=none", "trainer.max_epochs=4", "+trainer.val_check_interval=100",
        ),
        {
            **{f"none, lr {lr:g}": (f"optim.lr={lr}",) for lr in (0.5, 2.0)},
            **{f"batch, lr {lr:g}": (f"optim.lr={lr}", "normalization=batch") for lr in (0.5, 2.0)},
        },
        reached=(0.8, 0.85, 0.87),
    ),
    "adding": Comparison(
        "The adding problem over 150 steps (answering 1: 0.408)",
        "val/rmse",
        _ADDING,
        {
            "rnn": ("model=rnn", "model.hidden_size=100", "optim.lr=0.001"),
            "irnn": ("model=rnn", "model.nonlinearity=relu", "model.hidden_size=100", "optim.lr=0.001"),
            "lstm": ("model=lstm", "model.hidden_size=100", "optim.lr=0.003"),
            "lstm, forget bias 1": ("model=lstm", "model.hidden_size=100", "optim.lr=0.003", "model.forget_bias=1"),
            "gru": ("model=gru", "model.hidden_size=100", "optim.lr=0.003"),
        },
        seeds=2,
        log=True,
        reached=(0.2, 0.1),
    ),
}  # fmt: skip


def measure(name: str, where: Path) -> dict:
    """Runs what is missing, and gathers every line's points."""
    import assay

    comparison = COMPARISONS[name]
    lines = {}
    for label, words in comparison.lines.items():
        runs = []
        for seed in range(comparison.seeds):
            base = where / name / label.replace(" ", "_").replace(",", "") / str(seed)
            done = sorted(base.glob("*/*/summary.json"))
            if not any(json.loads(path.read_text())["status"] == "done" for path in done):
                common = (*comparison.words, f"seed={seed}", "logger=none", "threads=1", f"outputs={base}")
                assay.train(*common, *words)
                done = sorted(base.glob("*/*/summary.json"))
            folder = next(path.parent for path in done if json.loads(path.read_text())["status"] == "done")
            runs.append({"points": points(folder, comparison.metric), "test": tests(folder)})
        lines[label] = {"words": list(words), "runs": runs}
    return {
        "title": comparison.title,
        "metric": comparison.metric,
        "log": comparison.log,
        "words": list(comparison.words),
        "date": date.today().isoformat(),
        "machine": f"{platform.machine()}, one thread",
        "lines": lines,
    }


def points(folder: Path, metric: str) -> list[tuple[int, float]]:
    from assay.review.metrics_csv import read

    return [(row.step, round(row.value, 6)) for row in read(folder / "metrics.csv") if row.name == metric]


def tests(folder: Path) -> dict[str, float]:
    summary = json.loads((folder / "summary.json").read_text())
    return {key: round(value, 4) for key, value in summary.items() if key.startswith("test/")}


def draw(record: dict, path: Path) -> None:
    """Mean over seeds as a line, from the lowest to the highest as a band."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure((8, 4.5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for label, line in record["lines"].items():
        series = [dict(map(tuple, run["points"])) for run in line["runs"]]
        steps = sorted(set.intersection(*map(set, series)))
        columns = [[one[step] for one in series] for step in steps]
        (drawn,) = axes.plot(steps, [statistics.fmean(column) for column in columns], label=label, linewidth=1.5)
        low, high = [min(column) for column in columns], [max(column) for column in columns]
        axes.fill_between(steps, low, high, color=drawn.get_color(), alpha=0.15, linewidth=0)
    axes.set(xlabel="optimiser steps", ylabel=record["metric"], title=record["title"])
    if record["log"]:
        axes.set_yscale("log")
    axes.grid(alpha=0.3)
    figure.legend(loc="outside right upper", frameon=False)
    figure.savefig(path, dpi=100)


def table(record: dict, reached: tuple[float, ...]) -> str:
    """One row per line: the last value, the first step that reached each score, and the test scores."""
    lower = any(word in record["metric"] for word in ("loss", "mse", "mae", "rmse"))
    rows = []
    for label, line in record["lines"].items():
        last = [run["points"][-1][1] for run in line["runs"]]
        cells = [label, _spread(last)]
        for score in reached:
            firsts = [
                next((step for step, value in run["points"] if (value <= score if lower else value >= score)), None)
                for run in line["runs"]
            ]
            cells.append(", ".join("never" if step is None else f"{step:,}" for step in firsts))
        for name in line["runs"][0]["test"]:
            if name in ("test/accuracy", "test/rmse"):
                cells.append(f"{name} {_spread([run['test'][name] for run in line['runs']])}")
        rows.append(" | ".join(cells))
    return "\n".join(rows)


def _spread(values: list[float]) -> str:
    deviation = statistics.stdev(values) if len(values) > 1 else 0.0
    return f"{statistics.fmean(values):.4f} ± {deviation:.4f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", choices=COMPARISONS)
    parser.add_argument("--draw", action="store_true", help="from the record, without training")
    parser.add_argument("--outputs", type=Path, default=Path("outputs/curves"))
    given = parser.parse_args()
    kept = HERE / f"{given.name}.json"
    if given.draw:
        record = json.loads(kept.read_text())
    else:
        record = measure(given.name, given.outputs)
        kept.write_text(json.dumps(record, separators=(",", ":")) + "\n")
    draw(record, HERE / f"{given.name}.png")
    print(table(record, COMPARISONS[given.name].reached))


if __name__ == "__main__":
    main()

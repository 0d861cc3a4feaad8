"""Every optimiser on one task, its rate tuned: ``python benchmarks/comparisons/optimizers.py [--outputs FOLDER]``.

digits, model=mlp, 10 epochs, scheduler=none. For each optimiser the rate of a grid whose best epoch has the lowest
validation log-loss (seed 0), the grid widened while that lies at its edge; then seeds 1, 2 and 3 at that rate, on the
test split. L-BFGS and full-batch gradient descent take one step an epoch. Writes optimizers.json and optimizers.png
beside this file; what the first holds already is not trained again.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
from pathlib import Path
from statistics import mean, stdev

import assay
from assay.figures import blank
from assay.preflight import compose

HERE = Path(__file__).resolve().parent
COMMON = ["model=mlp", "data=digits", "scheduler=none", "monitor=val/log_loss", "trainer.max_epochs=10", "log_every=9"]
FULL = ["data.batch_size=full", "log_every=1"]
ROWS = {  # name: (its words, the first grid of optim.lr)
    **{name: ([], (0.03, 0.1, 0.3)) for name in ("sgd", "momentum", "nag", "adagrad")},
    "adadelta": ([], (0.3, 1.0, 3.0)),
    **{name: ([], (0.001, 0.003, 0.01)) for name in ("rmsprop", "adam", "adamw")},
    "sgd, full batch": (FULL, (0.3, 1.0, 3.0)),
    "lbfgs, full batch": ([*FULL, "optim.max_iter=1"], (0.3, 1.0, 3.0)),
}
SEEDS = (1, 2, 3)
WIDEST = 12  # rates tried of one optimiser


def trained(name: str, lr: float, seed: int, outputs: Path) -> dict:
    """One run: the best validation log-loss, test scores and the curve of the training loss by epoch."""
    words = [f"optim={name.partition(',')[0]}", f"optim.lr={lr:g}", f"seed={seed}", *COMMON, *ROWS[name][0]]
    words = list({word.partition("=")[0]: word for word in words}.values())  # a row's own win
    done = assay.train(*words, "logger=none", "trainer=cpu", f"outputs={outputs}")
    with open(done.folder / "metrics.csv", newline="", encoding="utf-8") as file:
        points = [row for row in csv.DictReader(file) if row["name"] == "train/loss"]
    by_epoch: dict[int, list[float]] = {}
    for row in points:
        by_epoch.setdefault(int(row["epoch"]), []).append(float(row["value"]))
    return {
        "words": words,
        "val/log_loss": done.summary["val/log_loss"],
        "test/accuracy": done.summary["test/accuracy"],
        "test/log_loss": done.summary["test/log_loss"],
        "curve": [round(mean(values), 6) for _, values in sorted(by_epoch.items())],
    }


def tuned(name: str, outputs: Path) -> dict:
    grid: dict[float, float] = {}
    wanted = list(ROWS[name][1])
    while wanted and len(grid) < WIDEST:
        for lr in wanted:
            try:
                grid[lr] = trained(name, lr, 0, outputs)["val/log_loss"]
            except RuntimeError as failed:  # the loss is not finite: too high a rate, which is an answer
                print(f"{name} lr={lr:g}: {failed}")
                grid[lr] = math.inf
        rates = sorted(grid)
        best = min(rates, key=grid.__getitem__)
        ratio = rates[1] / rates[0]
        wanted = [best * ratio] if best == rates[-1] else [best / ratio] if best == rates[0] else []
        wanted = [float(f"{lr:.3g}") for lr in wanted]
    runs = [trained(name, best, seed, outputs) for seed in SEEDS]
    found = {"optim.lr": best, "edge": best in (rates[0], rates[-1]), "words": runs[0]["words"]}
    found["grid"] = {f"{lr:g}": None if math.isinf(grid[lr]) else round(grid[lr], 5) for lr in rates}
    for key in ("test/accuracy", "test/log_loss"):
        values = [run[key] for run in runs]
        found[key] = {"mean": round(mean(values), 5), "deviation": round(stdev(values), 5)}
    found["curves"] = [run["curve"] for run in runs]
    return found


def draw(results: dict, path: Path) -> None:
    """The mean training loss of each epoch over seeds, on a logarithmic axis."""
    figure = blank(8, 5)
    axes = figure.add_subplot()
    for position, (name, found) in enumerate(results.items()):
        curve = [mean(values) for values in zip(*found["curves"], strict=True)]
        shown = [max(value, 1e-6) for value in curve]
        style = "--" if "full batch" in name else "-"
        label = f"{name}, lr={found['optim.lr']:g}"
        axes.plot(range(1, len(shown) + 1), shown, style, color=f"C{position}", linewidth=1.5, label=label)
    axes.set(yscale="log", xlabel="epoch", ylabel="training loss", title="digits, mlp: rates tuned, mean of 3 seeds")
    axes.set_xticks(range(0, 11, 2))
    axes.legend(frameon=False, fontsize=8)
    axes.grid(alpha=0.3)
    figure.savefig(path, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--outputs", type=Path, default=Path("outputs"))
    outputs = parser.parse_args().outputs
    for name in ROWS:
        compose([f"optim={name.partition(',')[0]}", *ROWS[name][0]])  # an option that is gone is said at once
    path = HERE / "optimizers.json"
    results = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    for name in ROWS:
        found = results[name] = results.get(name) or tuned(name, outputs)
        accuracy = found["test/accuracy"]
        print(f"{name:18} lr={found['optim.lr']:<8g} {accuracy['mean']:.4f} ± {accuracy['deviation']:.4f}", flush=True)
        path.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    draw(results, HERE / "optimizers.png")


if __name__ == "__main__":
    main()

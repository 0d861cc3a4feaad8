"""Search with pruning against a grid: ``python benchmarks/comparisons/search.py [--outputs FOLDER]``.

The 64 points of GRID are each trained once, and the validation accuracy of every epoch is kept in search.json; what it
holds already is not trained again. Runs give the same bits each time, so a search that asks for one of these points
would see these very curves: the searches replay them instead of training, through the strategy, sampler, pruner, study
and ledger that ``assay train -m search=tpe search.pruner=halving`` uses, one trial at a time. Each has a quarter of the
grid's epochs, and five seeds. The best trial that came to its end counts.
"""

from __future__ import annotations

import argparse
import csv
import itertools
import json
import math
import tempfile
from functools import cache
from pathlib import Path
from statistics import median

import assay
from assay import preflight
from assay.callbacks.pruning import Reports
from assay.composition.compose import composer_of
from assay.folder import write_json
from assay.sweeps.ledger.ledger import Entry, Ledger, Planned
from assay.sweeps.search.made import strategy
from assay.sweeps.search.pruners import TRIAL
from assay.sweeps.start import planned

HERE = Path(__file__).resolve().parent
EPOCHS = 8
SHARE = 4  # of the grid's epochs a search has one in so many
SEEDS = range(5)
SEARCHES = {
    "tpe, halving": ["search=tpe", "search.pruner=halving"],
    "asha": ["search=asha"],
    "random": ["search=random"],
}
COMMON = [
    "data=fashion_mnist",
    "model=cnn",
    "model.channels=[8,16]",
    "model.hidden_size=32",
    "optim=adam",
    "scheduler=cosine",
    "data.batch_size=128",
    "trainer.precision=bf16-mixed",
    f"trainer.max_epochs={EPOCHS}",
    "+trainer.limit_train_batches=0.25",  # an epoch here is a quarter of the training set, drawn anew each time
]
GRID = {
    "optim.lr": ["0.0001", "0.0003", "0.001", "0.003", "0.01", "0.03", "0.1", "0.3"],
    "model.dropout": ["0.0", "0.2", "0.4", "0.6"],
    "normalization": ["none", "batch"],
}
Curves = dict[str, list[float]]


def curve(words: list[str], outputs: Path) -> list[float]:
    """val/accuracy after each epoch; fewer where the loss stopped being finite."""
    try:
        assay.train(*COMMON, *words, "logger=none", "trainer=cpu", "threads=1", f"outputs={outputs}")
    except RuntimeError as failed:  # the loss is not finite
        print(f"{' '.join(words)}: {failed}")
    with open(outputs / "latest" / "metrics.csv", newline="", encoding="utf-8") as file:
        return [float(row["value"]) for row in csv.DictReader(file) if row["name"] == "val/accuracy"]


def grid(path: Path, outputs: Path) -> Curves:
    """The curve of each point, trained where the file lacks it."""
    found = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {"grid": {}}
    for values in itertools.product(*GRID.values()):
        words = [f"{key}={value}" for key, value in zip(GRID, values, strict=True)]
        if " ".join(words) in found["grid"]:
            continue
        found["grid"][" ".join(words)] = curve(words, outputs)
        path.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return found["grid"]


def replayed(entry: Entry, values: list[float], left: int) -> tuple[str, int]:
    """How a trial ends and after how many epochs, its reports being the recorded ones; written as a run would."""
    reports = Reports(entry.folder / TRIAL) if (entry.folder / TRIAL).exists() else None
    best, state = -math.inf, "done" if len(values) == EPOCHS else "failed"
    used = 0
    for epoch, value in enumerate(values[:left], 1):
        best, used = max(best, value), epoch
        if reports is not None and epoch < EPOCHS and reports(epoch, best):
            state = "pruned"
            break
    reason = "the loss is not finite" if state == "failed" else ""
    write_json(entry.folder / "summary.json", {"status": state, "monitor": "val/accuracy", "val/accuracy": best})
    return (state if used == len(values) or state == "pruned" else f"cut {reason}"), used


@cache
def composed(words: tuple[str, ...]) -> tuple[Planned, ...]:
    return tuple(planned(preflight.points(words, composer_of(), multirun=True)))


def search(words: list[str], curves: Curves, budget: int) -> dict:
    """One search until its epochs are spent: what it found, after how many trials."""
    composer = composer_of()
    asked = [*COMMON, *words, f"search.trials={len(curves)}", *(f"{key}={','.join(GRID[key])}" for key in GRID)]
    settings = preflight.points(asked, composer, multirun=True)[0].settings
    with tempfile.TemporaryDirectory() as place:
        ledger = Ledger(place)
        plans = strategy(settings, asked, composer, lambda one: list(composed(tuple(one))), Path(place))
        plans.begin(ledger)
        spent, best, states = 0, -math.inf, []
        while spent < budget and (offered := plans.more(ledger, 1)):
            (entry,) = offered
            ledger.claim(entry.number, "replay")
            values = curves[" ".join(f"{key}={entry.cell[key]}" for key in GRID)]
            state, used = replayed(entry, values, budget - spent)
            spent += used
            if state.startswith("cut"):
                break
            states.append(state)
            score = max(values[:used])
            reason = "the loss is not finite" if state == "failed" else ""
            plans.told(ledger.finish(entry.number, state, metrics={"val/accuracy": score}, reason=reason))
            best = max(best, score) if state == "done" else best
    return {"best": best, "epochs": spent, "trials": len(states), "stopped early": states.count("pruned")}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--outputs", type=Path, default=Path("outputs"))
    path = HERE / "search.json"
    curves = grid(path, parser.parse_args().outputs)
    top = max(max(values) for values in curves.values())
    budget = len(curves) * EPOCHS // SHARE
    found: dict = {"grid": curves, "best of the grid": top, "epochs of the grid": len(curves) * EPOCHS, "searches": {}}
    print(f"grid: {len(curves)} points, {len(curves) * EPOCHS} epochs, best {top:.4f}; a search has {budget} epochs")
    for name, words in SEARCHES.items():
        runs = [search([*words, f"search.seed={seed}"], curves, budget) for seed in SEEDS]
        middle = median(run["best"] for run in runs)
        found["searches"][name] = {"words": words, "median": middle, "short by": 1 - middle / top, "seeds": runs}
        trials = median(run["trials"] for run in runs)
        worst = min(run["best"] for run in runs)
        print(f"{name:15} median {middle:.4f} ({1 - middle / top:.2%} below), worst {worst:.4f}, {trials:g} trials")
        path.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

"""Run folders made by hand, in the form that a run writes: what a page must be able to show."""

from __future__ import annotations

import csv
import json
import math
import random

import yaml

from assay.preflight import compose

EVIL = '<script>alert("1")</script>'


def make(place, *, overrides=("model=lstm", "logger=none"), epochs=6, status="done", rows=None, names=(), **summary):
    """A folder with everything that a run of these overrides would leave. ``rows``: of predictions/test.csv."""
    folder = place / "12-30-00-made"
    folder.mkdir(parents=True)
    config = compose(list(overrides)).config
    (folder / "config.yaml").write_text(yaml.safe_dump({"format": 1, **config}, sort_keys=False))
    (folder / "overrides.yaml").write_text(yaml.safe_dump(list(overrides)))
    versions = {"python": "3.11.7", "assay": "0.1.0"}
    facts = {"versions": versions, "device": "cpu", "threads": 1, "seed": 0, "commit": "c0ffee" * 6, "dirty": True}
    write(folder / "environment.json", facts)
    with open(folder / "metrics.csv", "w", encoding="utf-8") as file:
        file.write("step,epoch,name,value\n")
        for epoch in range(epochs):
            for name, value in (
                ("train/loss", 2 / (epoch + 1)),
                ("val/accuracy", 1 - 0.5 / (epoch + 1)),
                ("train/lr", 0.1),
            ):
                file.write(f"{10 * (epoch + 1)},{epoch},{name},{value!r}\n")
    (folder / "log.txt").write_text("digits: 1,437 train\nx.py:1: UserWarning: careful\n")
    if status is not None:
        told = {"format": 1, "status": status, "steps": 10 * epochs}
        if status == "done":
            told |= {"monitor": "val/accuracy", "best_epoch": epochs - 1, "epochs": epochs, "parameters": 10}
            told |= {"baseline": "majority", "seconds": 3.0, "training_seconds": 2.0, "steps_per_second": 500.0}
        write(folder / "summary.json", told | summary)
    if rows is not None:
        (folder / "predictions").mkdir()
        with open(folder / "predictions" / "test.csv", "w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(("id", "target", "prediction", "probability", "loss"))
            writer.writerows(rows)
        kind = (
            "number" if rows and rows[0][3] == "" else "labels" if any("|" in str(row[1]) for row in rows) else "class"
        )
        write(folder / "data.json", card(kind, names, len(rows)))
    return folder


def write(path, value):
    path.write_text(json.dumps(value))


def card(kind, names, count):
    if kind == "number":
        balance = {"train": {"mean": 1.0, "deviation": 2.0, "least": -3.0, "greatest": 5.0}}
    else:
        balance = {"train": [7] * len(names), "test": [count // max(len(names), 1)] * len(names)}
    return {
        "format": 1,
        "data": "digits",
        "source": "made by hand",
        "licence": "none",
        "digest": "0" * 64,
        "sizes": {"train": 100, "val": 10, "test": count},
        "input": {"kind": "vector", "shape": [3], "size": None},
        "label": {"kind": kind, "names": list(names), "splits": balance},
        "preprocessing": {"type": "image", "size": [8, 8], "channels": 1},
        "notes": [f"a note on {EVIL}"],
    }


def class_rows(names, count, share_right=0.8, seed=0):
    source = random.Random(seed)
    rows = []
    for number in range(count):
        target = source.choice(names)
        answer = target if source.random() < share_right else source.choice(names)
        p = source.uniform(0.4, 1)
        loss = -math.log(p if answer == target else (1 - p) / 2 + 1e-9)
        rows.append((number, target, answer, f"{p:.6f}", f"{loss:.6g}"))
    return rows


def number_rows(count, seed=0):
    source = random.Random(seed)
    rows = []
    for number in range(count):
        target = source.gauss(10, 5)
        answer = target + source.gauss(0, 1)
        rows.append((number, f"{target:.6g}", f"{answer:.6g}", "", f"{(answer - target) ** 2:.6g}"))
    return rows


def label_rows(names, count, seed=0):
    source = random.Random(seed)
    rows = []
    for number in range(count):
        there = [name for name in names if source.random() < 0.5]
        said = [name for name in names if (name in there) == (source.random() < 0.85)]
        rows.append((number, "|".join(there), "|".join(said), f"{source.random():.6f}", f"{source.random():.6g}"))
    return rows


HARDEST = {
    "format": 1,
    "split": "test",
    "count": 3,
    "examples": [
        {
            "id": 4,
            "target": EVIL,
            "prediction": "b",
            "probability": 0.9,
            "loss": 2.3,
            "answers": [["b", 0.9], [EVIL, 0.1]],
            "text": f"a text with {EVIL} & more",
        }
    ],
}

"""Sweeps made by hand: run folders with curves, answers and ends of known effects, without training."""

from __future__ import annotations

import base64
import csv
import json
import math
import random
import struct
import zlib
from collections.abc import Mapping, Sequence
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import yaml

from assay.preflight import compose

EFFECTS = {"model": {"lstm": 0.0, "gru": 0.012, "rnn": -0.05}, "optim": {"adam": 0.0, "sgd": -0.03, "momentum": -0.015}}
WRONG = (7, 27, 55)
"""Test examples that carry a wrong label: every run gets them wrong. Their ids are 22, 82 and 166."""

NAMES = [str(digit) for digit in range(10)]


@cache
def written(words: tuple[str, ...], values: tuple[tuple[str, str], ...]) -> str:
    """config.yaml without its seed."""
    config: dict[str, Any] = json.loads(composed(words))
    config.pop("seed")
    for key, value in values:
        node = config
        *outer, last = key.split(".")
        for part in outer:
            node = node[part]
        node[last] = yaml.safe_load(value)
    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    return yaml.dump({"format": 1, **config}, Dumper=dumper, sort_keys=False)


@cache
def hardness(number: int) -> tuple[float, bool]:
    """Of a test example, and whether it is taken for its neighbour."""
    own = random.Random(f"example {number}")
    return own.gauss(0, 1), own.random() < 0.7


@cache
def composed(words: tuple[str, ...]) -> str:
    return json.dumps(compose(["logger=none", *words]).config, default=str)


def sweep(
    place: Path,
    axes: Mapping[str, Sequence[str]],
    seeds: int = 5,
    *,
    epochs: int = 6,
    every: int = 15,
    tests: int = 60,
    wrong: Mapping[str, str] = {},
    pruned: float = 0.0,
    name: str = "grid",
    role: str | None = None,
) -> Path:
    """A sweep folder: every combination with every seed. ``wrong``: override -> the reason its runs failed with."""
    folder = place / "outputs" / "sweeps" / name
    cells = [dict(zip(axes, values, strict=True)) for values in product(*axes.values())]
    number = 0
    for settings in cells:
        for seed in range(seeds):
            words = [f"{key}={value}" for key, value in settings.items()]
            reason = next((why for word, why in wrong.items() if word in words), None)
            cut = random.Random(number).random() < pruned
            status = "failed" if reason else "pruned" if cut else "done"
            run(
                folder / str(number),
                settings,
                seed,
                epochs=epochs,
                every=every,
                tests=tests,
                status=status,
                reason=reason,
            )
            number += 1
    command = ["-m", *(f"{key}={','.join(values)}" for key, values in axes.items())]
    if seeds > 1:
        command.append(f"seeds={seeds}")
    facts = {
        "format": 1,
        "name": name,
        "command": command,
        "fixed": [],
        "axes": {key: list(v) for key, v in axes.items()},
    }
    (folder / "sweep.json").write_text(json.dumps(facts))
    return folder


def run(
    folder: Path,
    settings: Mapping[str, str],
    seed: int,
    *,
    epochs: int = 6,
    every: int = 15,
    tests: int = 60,
    status: str | None = "done",
    reason: str | None = None,
    digest: str = "d" * 64,
    role: str | None = None,
    cell: Mapping[str, str] | None = None,
    extra: Sequence[str] = (),
) -> Path:
    """One run, whose score is the sum of its settings' effects and a draw of its seed."""
    folder.mkdir(parents=True)
    switches = tuple(f"{key}={value}" for key, value in settings.items() if "." not in key)
    values = tuple((key, value) for key, value in settings.items() if "." in key)
    (folder / "config.yaml").write_text(f"{written((*switches, *extra), values)}seed: {seed}\n")
    typed = [f"{key}={value}" for key, value in settings.items()]
    (folder / "overrides.yaml").write_text(yaml.safe_dump(["logger=none", *extra, *typed, f"seed={seed}"]))
    if role is not None:
        point = {"digest": "", "overrides": typed, "cell": dict(settings if cell is None else cell), "seed": seed}
        write(folder / "point.json", {**point, "fold": None, "role": role})
    versions = {"python": "3.11.7", "assay": "0.1.0", "torch": "2.15.0"}
    facts = {"versions": versions, "device": "cpu", "threads": 1, "seed": seed, "commit": "c0ffee" * 6}
    write(folder / "environment.json", {**facts, "data_digest": digest})
    source = random.Random(f"{seed} {sorted(settings.items())}")
    top = skill(settings) + random.Random(f"seed {seed}").gauss(0, 0.006) + source.gauss(0, 0.006)
    last = {"done": epochs, "pruned": max(1, epochs // 4), "failed": 1}.get(status or "killed", epochs // 2)
    curve = metrics(folder, top, last, every, source, broken=status == "failed")
    if status in ("done", "pruned"):
        write(folder / "data.json", card(digest, tests))
    if status is None:
        return folder
    told: dict[str, Any] = {"format": 1, "status": status, "steps": 45 * last}
    if status == "failed":
        told["reason"] = reason
    if status in ("done", "pruned"):
        best = max(range(last), key=lambda epoch: curve[epoch])
        told |= {"monitor": "val/accuracy", "val/accuracy": curve[best], "best_epoch": best, "epochs": last}
        told |= {"seconds": 4.5 + source.random(), "training_seconds": 4.0, "steps_per_second": 300.0}
    if status == "done":
        hits = answers(folder, top, tests, source)
        told |= {"test/accuracy": hits, "test/macro_f1": hits - 0.002, "train/accuracy": min(1.0, top + 0.02)}
        told |= {
            "test/log_loss": 1.6 * (1 - hits),
            "baseline/accuracy": 0.1,
            "baseline": "majority",
            "parameters": 71946,
        }
        told["exact"] = True
    write(folder / "summary.json", told)
    return folder


def skill(settings: Mapping[str, str]) -> float:
    """The expected score of a cell."""
    found = 0.93 + sum(EFFECTS.get(key, {}).get(value, 0.0) for key, value in settings.items())
    if "optim.lr" in settings:
        found -= 0.02 * (math.log10(float(settings["optim.lr"])) + 2.2) ** 2
    return found


def metrics(folder: Path, top: float, epochs: int, every: int, source: random.Random, broken: bool) -> list[float]:
    """metrics.csv of 45 steps an epoch; returns the monitored metric of each."""
    lines, curve = ["step,epoch,name,value"], []
    for epoch in range(epochs):
        for step in range(45 * epoch + every, 45 * (epoch + 1) + 1, every):
            loss = 2.3 * math.exp(-step / 120) + (1 - top) * 2 + source.gauss(0, 0.03)
            lines.append(f"{step},{epoch},train/loss,{math.inf if broken and step > 30 else abs(loss)!r}")
            lines.append(f"{step},{epoch},train/lr,{0.01 * (1 - step / 1000)!r}")
        value = min(1.0, top - 0.6 * math.exp(-(epoch + 1) / 2.5) + source.gauss(0, 0.003))
        curve.append(value)
        if not broken:
            lines.append(f"{45 * (epoch + 1)},{epoch},val/accuracy,{value!r}")
            lines.append(f"{45 * (epoch + 1)},{epoch},val/log_loss,{2.5 * (1.02 - value)!r}")
    (folder / "metrics.csv").write_text("\n".join(lines) + "\n")
    return curve


def answers(folder: Path, top: float, tests: int, source: random.Random) -> float:
    """predictions/ of a test split in which some examples are hard, and three carry a wrong label; the accuracy."""
    rows, right = [], 0
    for number in range(tests):
        is_ = NAMES[number % 10]
        hard, near = hardness(number)
        sure = 1 / (1 + math.exp(-(math.log(top / (1 - min(top, 0.999))) * 1.6 - 1.5 * hard + source.gauss(0, 0.5))))
        confused = NAMES[(number + (1 if near else 4)) % 10]
        said = is_ if source.random() < sure else confused
        if number in WRONG:
            said, sure = NAMES[(number + 3) % 10], 0.97
        right += said == is_
        loss = -math.log(max(sure if said == is_ else 1 - max(sure, 0.55), 1e-6))
        rows.append((3 * number + 1, is_, said, f"{max(sure, 0.2):.6f}", f"{loss:.6g}"))
    (folder / "predictions").mkdir()
    with open(folder / "predictions" / "test.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("id", "target", "prediction", "probability", "loss"))
        writer.writerows(rows)
    worst = sorted(rows, key=lambda row: -float(row[4]))[:24]
    examples = [
        {"id": i, "target": t, "prediction": p, "probability": float(s), "loss": float(v), "image": picture(i)}
        for i, t, p, s, v in worst
    ]
    write(folder / "predictions" / "hardest.json", {"format": 1, "split": "test", "count": tests, "examples": examples})
    return right / tests


@cache
def picture(number: int) -> str:
    """An 8×8 grey PNG as a data URI."""
    own = random.Random(number)
    raw = b"".join(b"\0" + bytes(own.randrange(256) for _ in range(8)) for _ in range(8))

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", 8, 8, 8, 0, 0, 0, 0)
    png = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(raw)) + chunk(b"IEND", b"")
    return "data:image/png;base64," + base64.b64encode(png).decode()


def card(digest: str, tests: int) -> dict[str, Any]:
    return {
        "format": 1,
        "data": "digits",
        "source": "made by hand",
        "licence": "none",
        "digest": digest,
        "sizes": {"train": 1437, "val": 180, "test": tests},
        "input": {"kind": "image", "shape": [1, 8, 8], "size": None},
        "label": {"kind": "class", "names": NAMES, "splits": {"train": [143] * 10, "test": [18] * 10}},
        "preprocessing": {},
        "notes": [],
    }


def write(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value))

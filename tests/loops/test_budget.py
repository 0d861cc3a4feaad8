"""The search under a budget, with costs and scores that are written down: who is tried, who wins, what is refused."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from assay.cli import main
from assay.errors import ConfigError
from assay.failures import Failed
from assay.loops import budget
from assay.loops.budget import Candidate
from assay.loops.chain import Chain
from assay.loops.gauge import NARROWEST, Gauge, scaled
from assay.loops.plan import Stage

STAGES = ["train", "distil", "slim", "quantize", "export"]
CONFIG = {"seed": 0, "monitor_mode": None}


class Known(Gauge):
    """bytes = 500 + 1000 · factor² · (1 - ratio), times a half in int4."""

    def __init__(self, stages, overrides, limits):
        self.limits, self.model, self.asked = limits, {"width_mult": 1.0}, []

    def costs(self, factor, precision, ratio=0.0):
        self.asked.append((factor, ratio))
        half = 0.5 if precision == ["quantization=int4"] else 1.0
        return {"bytes": 500 + 1000 * factor**2 * (1 - ratio) * half, "macs": 1e6 * factor**2}


@dataclass
class Runs:
    """Stands for the stage folders: a stage is done at once, and scores as ``score`` says of its last overrides."""

    where: Path
    score: dict[str, float] = field(default_factory=dict)
    begun: list[Stage] = field(default_factory=list)

    def run(self, stage: Stage) -> Path:
        place = self.where / "stages" / stage.name
        if not place.exists():
            self.begun.append(stage)
            place.mkdir(parents=True)
            words = " ".join(stage.overrides)
            value = max((v for key, v in self.score.items() if all(w in words for w in key.split())), default=0.5)
            (place / "summary.json").write_text(json.dumps({"monitor": "val/accuracy", "val/accuracy": value}))
        return place


class Table:
    """Stands for the rows: the exported file has the bytes that are given, in turn."""

    def __init__(self, *sizes: int) -> None:
        self.rows, self.sizes, self.search, self.last_run = [], list(sizes), {}, ""

    def add_run(self, name):
        self.last_run = name
        self.rows.append({"stage": name})

    def add_file(self, name, source):
        row = {"stage": name, "bytes": self.sizes.pop(0), "macs": 1, "latency_ms": {"1": {"median": 1.0}}}
        self.rows.append(row)
        return row


@pytest.fixture
def search(tmp_path, monkeypatch):
    monkeypatch.setattr(budget, "Gauge", Known)
    monkeypatch.setattr(budget, "_load", lambda gauge, place: 0.9)

    def run(score, *sizes, **settings):
        chain = Chain(**{"stages": STAGES, "max_bytes": 4500, "student": "student", **settings})
        runs, table = Runs(tmp_path, score), Table(*sizes)
        budget.search(chain, ["model=cnn"], CONFIG, runs, table)
        return runs, table

    return run


def test_the_widest_that_fits_is_found():
    """500 + 1000 f² ≤ 4500 up to f = 2: found within 7 %, by a few exports."""
    gauge = Known(None, [], {"bytes": 4500})
    factor = gauge.widest(["quantization=int8"])
    assert 1.9 <= factor <= 2.0
    assert len(gauge.asked) <= 5
    assert 1.9 * math.sqrt(2) <= gauge.widest(["quantization=int8"], 0.5) <= 2 * math.sqrt(2)
    assert Known(None, [], {"bytes": 400}).widest(["quantization=int8"]) is None


def test_the_tightest_limit_counts():
    gauge = Known(None, [], {"bytes": 4500, "macs": 1e6})
    assert 0.93 <= gauge.widest(["quantization=int8"]) <= 1.0


def test_candidates_fit_and_are_kept(search, tmp_path):
    search({}, 4000, trials=4)
    found = [Candidate(**one) for one in json.loads((tmp_path / "search.json").read_text())]
    assert [(one.kind, one.ratio) for one in found] == [("int8", 0.0), ("int4", 0.0), ("int8", 0.5), ("int4", 0.5)]
    gauge = Known(None, [], {"bytes": 4500})
    assert all(gauge.load(gauge.costs(o.factor, [f"quantization={o.kind}"], o.ratio)) <= 1 for o in found)


def test_halving_trains_the_better_half_for_twice_as_long(search):
    """Four for 2 epochs, two for 4, and the last one in full."""
    runs, table = search({"quantization=int4": 0.9, "quantization=int4 compression.ratio": 0.8}, 4000, trials=4)
    trials = [stage.name for stage in runs.begun if stage.name.endswith("-distil")]
    assert [name.split("-")[:3] for name in trials[:4]] == [["trial", str(n), "2ep"] for n in (1, 2, 3, 4)]
    assert len([name for name in trials if "-4ep-" in name]) == 2
    assert trials[-1] == "2-distil"
    full = runs.begun[-1]
    assert {"quantization=int4", "model=student"} <= set(full.overrides)
    assert not any(one.startswith("trainer.max_epochs=2") for one in runs.begun[-2].overrides)
    assert table.search["chosen"].endswith("int4")
    assert [row["stage"] for row in table.rows] == ["1-train", "2-distil", "3-quantize", "4-export"]


def test_the_teacher_is_trained_once_and_after_the_candidates_are_known(search, tmp_path):
    runs, _ = search({}, 4000)
    assert [stage.name for stage in runs.begun].count("1-train") == 1
    assert runs.begun[0].name == "1-train"


def test_a_file_that_is_too_large_gives_way_to_the_next(search):
    runs, table = search({"quantization=int4": 0.9}, 4501, 4400, trials=2)
    assert [row["stage"] for row in table.rows] == [
        "1-train",
        "2-choice-2-distil",
        "2-choice-3-quantize",
        "2-choice-4-export",
    ]
    assert table.search["chosen"].endswith("int8")
    assert runs.begun[-1].after == ("2-choice-2-distil",)


def test_none_that_fits_fails_with_what_to_ask(search):
    with pytest.raises(Failed, match=r"none of 2 networks fits compression.max_bytes=4500 once trained"):
        search({}, 4501, 4502, trials=2)


def test_an_unreachable_budget_is_refused_before_anything_is_trained(search, tmp_path):
    with pytest.raises(
        ConfigError, match=r"compression.max_bytes=499 is out of reach: .* takes 500 bytes; ask for more"
    ):
        search({}, max_bytes=499)
    assert not (tmp_path / "stages").exists()


def test_multiply_adds_are_out_of_reach_in_any_precision(search, monkeypatch):
    monkeypatch.setattr(Known, "costs", lambda self, factor, precision, ratio=0.0: {"macs": 84.0})
    line = "with every layer one unit wide the exported network takes 84 multiply-adds; ask for more"
    with pytest.raises(ConfigError, match=line):
        search({}, max_bytes=None, max_macs=83)


def test_widths_that_are_named_are_those_that_are_tried(search, tmp_path):
    search({}, 4000, widths=[1.0, 1.5, 9.0], precisions=["int8"], stages=["train", "distil", "quantize", "export"])
    found = [Candidate(**one) for one in json.loads((tmp_path / "search.json").read_text())]
    assert [one.factor for one in found] == [1.5, 1.0]
    (tmp_path / "search.json").unlink()
    with pytest.raises(ConfigError, match=r"none of compression.widths=\[9.0\] fits"):
        search({}, 4000, widths=[9.0])


@pytest.mark.parametrize(
    ("model", "factor", "words"),
    [
        ({"width_mult": 2.0, "channels": [8]}, 0.5, ["model.width_mult=1"]),
        ({"channels": [8, 3], "hidden_size": 10}, 0.5, ["model.channels=[4,2]", "model.hidden_size=5"]),
        ({"hidden_sizes": [8]}, NARROWEST, ["model.hidden_sizes=[1]"]),
        ({"size": 64, "num_heads": 4, "feedforward_size": 8}, 0.3, ["model.size=20", "model.feedforward_size=4"]),
    ],
)
def test_any_model_has_a_width(model, factor, words):
    assert scaled(model, factor) == words


def test_a_model_without_one_is_refused():
    with pytest.raises(ConfigError, match=r"this model has none: choose another with compression.student"):
        scaled({"dropout": 0.5}, 2)


@pytest.mark.slow
@pytest.mark.parametrize(("key", "limit"), [("macs", 600), ("latency_ms", 5.0)])
def test_work_and_time_are_kept_to_from_end_to_end(tmp_path, capfd, key, limit):
    """A command: the file that was exported, as onnxruntime runs it, takes no more than was asked."""
    short = ["trainer=cpu", "trainer.max_epochs=2", "logger=none", "compression.trials=2", "compression.trial_epochs=1"]
    words = ["model=mlp", "model.hidden_sizes=[16]", "compression=chain", f"outputs={tmp_path}", *short]
    stages = "compression.stages=[train,distil,quantize,export]"
    widths = ["compression.widths=[1.0,0.5]", "compression.precisions=[int8]"] if key == "latency_ms" else []
    assert main(["train", *words, stages, *widths, f"compression.max_{key}={limit}"]) == 0
    (place,) = (tmp_path / "latest").resolve().parent.iterdir()
    told = json.loads((place / "chain.json").read_text())
    row, search = told["rows"][-1], told["search"]
    found = {"macs": row["macs"], "latency_ms": row["latency_ms"]["1"]["median"]}
    assert 0 < found[key] <= limit
    assert row["runs_in"] == "onnxruntime"
    assert search["limits"] == {key: limit}
    assert len(search["tried"]) == len(search["candidates"]) == 2
    assert search["chosen"] in capfd.readouterr().out
    if key == "macs":  # as wide as fits: 64 inputs, 10 classes
        width = row["macs"] // (64 + 10)
        assert row["macs"] == 74 * width
        assert 74 * (width + 1) > limit

"""The W&B run of a whole sweep: made once it is through, from its runs; not again, but anew when it has grown."""

from __future__ import annotations

import json

import pytest

from assay.lifecycle import records
from assay.review import wandb_record, wandb_sweep
from assay.review.metrics_csv import MetricsCSV
from assay.review.sync import sync_command
from assay.review.wandb_log import WandbLog
from assay.review.wandb_sweep_figures import bands
from assay.review.wandb_sweep_send import cells_table, figures, runs_table
from assay.sweeps.ledger.ledger import Ledger, Planned
from assay.sweeps.tables.cells import groups
from tests.sweeps.made_cells import make

LOGGER = {"_target_": "assay.review.wandb_log.WandbLog", "_partial_": True, "mode": "offline", "project": "demo"}
LOGGER |= {"entity": None, "upload": "curves"}
CONFIG = {"logger": LOGGER}


def grow(sweep, models, seeds, leave=()):
    """A ledger with these points, done but for those to ``leave``; scores are told by model and seed."""
    sweep.mkdir(parents=True, exist_ok=True)
    facts = {
        "format": 1,
        "name": sweep.name,
        "axes": {"model": list(models), "seed": []},
        "command": ["-m"],
        "fixed": [],
    }
    (sweep / "sweep.json").write_text(json.dumps(facts))
    ledger = Ledger(sweep)
    points = [
        Planned({"model": model, "seed": seed}, (f"model={model}", f"seed={seed}"), {"model": model}, seed)
        for model in models
        for seed in seeds
    ]
    for point, entry in zip(points, ledger.plan(points), strict=True):
        if entry.state == "done" or entry.number in leave:
            continue
        with ledger.at_work() as worker:
            score = {"mlp": 0.9, "cnn": 0.8, "rnn": 0.7}[point.cell["model"]] + point.seed / 100
            scores = {"val/accuracy": score, "test/accuracy": score - 0.1}
            make(entry.folder, point.cell, seed=point.seed, scores=scores, config=CONFIG)
            file = MetricsCSV(entry.folder / "metrics.csv")
            for step in (10, 20):
                file.write(step, step // 10, {"val/accuracy": score - 1 / step})
            file.close()
            assert ledger.claim(entry.number, worker)  # the folder says done, so it is entered as that
    ledger.reconcile()
    return ledger


@pytest.fixture
def sweep(tmp_path):
    return tmp_path / "sweeps" / "a sweep"


def table(sweep, name):
    (path,) = (sweep / "wandb").glob(f"offline-run-*/files/media/table/{name}_*.table.json")
    return json.loads(path.read_text())


def test_when_it_is_through_a_record_holds_its_tables_and_figures_once(sweep):
    grow(sweep, ["mlp", "cnn"], [0, 1])
    assert wandb_sweep.finish(sweep, CONFIG) == (
        "W&B: an offline record sums the sweep up (logger.mode=offline); assay sync uploads"
    )
    found = wandb_record.read(sweep)
    assert (found.name, found.group, found.job_type) == ("a sweep", "a sweep", "sweep")
    assert found.exit_code == 0
    assert found.config["axes"] == {"model": ["mlp", "cnn"], "seed": []}
    assert (found.summary["best"], found.summary["count/runs"]) == ("model=mlp", 4)
    assert found.summary["test/accuracy"] == pytest.approx(0.805)
    assert {"figures/curves", "figures/scores"} <= set(found.history[0])
    cells = table(sweep, "cells")
    rows = [dict(zip(cells["columns"], row, strict=True)) for row in cells["data"]]
    assert [(row["model"], row["metric"], row["runs"]) for row in rows][:2] == [
        ("mlp", "val/accuracy", 2),
        ("cnn", "val/accuracy", 2),
    ]
    assert rows[0]["mean"] == pytest.approx(0.905)
    assert rows[0]["high"] - rows[0]["mean"] == pytest.approx(
        12.7062 * 0.01 / 2, rel=1e-4
    )  # t of one degree, sd/sqrt(2)
    assert [row[0] for row in table(sweep, "runs")["data"]] == [0, 1, 2, 3]

    (record,) = (sweep / "wandb").glob("offline-run-*")
    assert wandb_sweep.finish(sweep, CONFIG) is None  # the same command again: nothing was added
    assert list((sweep / "wandb").glob("offline-run-*")) == [record]


def test_nothing_is_made_before_the_end_or_where_nobody_asked(sweep, monkeypatch):
    monkeypatch.setattr(wandb_sweep, "make", lambda *words: pytest.fail("it was made"))
    grow(sweep, ["mlp", "cnn"], [0], leave=[1])
    assert wandb_sweep.finish(sweep, CONFIG) is None
    grow(sweep, ["mlp", "cnn"], [0])
    assert wandb_sweep.finish(sweep, {"logger": None}) is None
    monkeypatch.setenv("WANDB_MODE", "disabled")
    assert wandb_sweep.finish(sweep, CONFIG) is None


def test_points_of_another_number_or_end_are_other_contents(sweep):
    entries = grow(sweep, ["mlp", "cnn"], [0]).entries()
    wandb_sweep.write_whole(
        sweep / "wandb" / wandb_sweep.MADE, json.dumps({"contents": wandb_sweep.contents(entries), "mode": "offline"})
    )
    assert wandb_sweep.is_made(sweep, entries, "offline")
    assert not wandb_sweep.is_made(sweep, entries, "online")
    assert not wandb_sweep.is_made(sweep, grow(sweep, ["mlp", "cnn"], [0, 1]).entries(), "offline")


def test_its_tables_and_pictures_are_of_the_cells_as_the_table_has_them(sweep, tmp_path):
    grow(sweep, ["mlp", "cnn"], [0, 1, 2])
    found, _ = groups(records.read_all(records.folders(sweep))[0])
    columns, rows = cells_table(found)
    assert columns[:3] == ["data", "model", "metric"]
    assert [row[1] for row in rows if row[2] == "test/accuracy"] == ["mlp", "cnn"]  # by validation, whatever test says
    columns, rows = runs_table(sweep, found)
    assert len(rows) == 6
    assert columns[:4] == ["point", "state", "role", "model"]
    best = next(cell for cell in found[0].cells if cell.name == "model=mlp")
    assert bands(best, "val/accuracy") == [
        (10, pytest.approx(0.81), pytest.approx(0.80), pytest.approx(0.82)),
        (20, pytest.approx(0.86), pytest.approx(0.85), pytest.approx(0.87)),
    ]
    made = figures(found, tmp_path / "figures")
    assert sorted(made) == ["figures/curves", "figures/scores"]
    assert all(path.stat().st_size > 5000 for path in made.values())


def test_a_job_says_its_sweep_its_role_and_its_cell(sweep):
    grow(sweep, ["mlp"], [0])
    WandbLog(sweep / "0", {"name": "a sweep", "switches": {"model": "mlp", "data": "digits"}}).describe()
    told = json.loads((sweep / "0" / "wandb" / "run.json").read_text())
    assert (told["group"], told["name"], told["job_type"]) == ("a sweep", "a sweep/0", "point")
    assert told["tags"] == ["model=mlp", "data=digits"]
    (sweep / "0" / "point.json").write_text(json.dumps({"role": "tune", "cell": {"optim.lr": "0.1"}}))
    WandbLog(sweep / "0", {"switches": {"model": "mlp"}}).describe()
    told = json.loads((sweep / "0" / "wandb" / "run.json").read_text())
    assert (told["job_type"], told["tags"]) == ("tune", ["optim.lr=0.1", "model=mlp"])


@pytest.mark.slow
def test_online_it_is_one_run_that_grows_with_the_sweep(sweep, host):
    online = {"logger": {**LOGGER, "mode": "online"}}
    grow(sweep, ["mlp", "cnn"], [0])
    line = wandb_sweep.finish(sweep, online)
    name = (sweep / "wandb" / "run_id").read_text().strip()
    assert line.startswith(f"W&B: {host.url}/")
    assert line.endswith(f"/runs/{name} sums the sweep up")
    assert wandb_sweep.finish(sweep, online) is None
    grow(sweep, ["mlp", "cnn", "rnn"], [0])
    assert wandb_sweep.finish(sweep, online).endswith("sums the sweep up")
    run = host.runs[name]
    assert list(host.runs) == [name]
    assert [line["_step"] for line in run.received] == [0, 1]
    assert run.summary["count/cells"] == 3
    assert (run.upsert["groupName"], run.upsert["jobType"]) == ("a sweep", "sweep")


@pytest.mark.slow
def test_sync_uploads_what_was_made_offline(sweep, host, capsys):
    grow(sweep, ["mlp", "cnn"], [0])
    assert wandb_sweep.finish(sweep, CONFIG) is not None
    assert sync_command(str(sweep)) == 0
    name = (sweep / "wandb" / "run_id").read_text().strip()
    assert host.runs[name].summary["best"] == "model=mlp"
    assert capsys.readouterr().out.splitlines()[-1] == "3 synced"
    assert sync_command(str(sweep)) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "2 already there"

"""The light record of many runs: what is a run, what is read of it, and that nothing broken hides the rest."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
import yaml

import assay
from assay import folder as run_folder
from assay.errors import ConfigError
from assay.lifecycle import records
from tests import import_rules
from tests.made_runs import make_run

MODULES = ("records", "where", "table", "listing", "diff", "rerun", "clean")


@pytest.mark.parametrize("module", MODULES)
def test_importing_them_needs_nothing_heavy(module):
    sources = {
        name: (path.read_text(encoding="utf-8"), path.name == "__init__.py")
        for name, path in import_rules.modules().items()
    }
    ways = import_rules.closure(f"assay.{module}", sources)
    assert {name for name in ways if name.partition(".")[0] not in import_rules.LIGHT} == set()


def test_a_real_run(digits_run):
    one = records.read(digits_run.folder)
    stored = run_folder.read_config(digits_run.folder)
    assert (one.status, one.seed, one.switches) == ("done", 0, stored["switches"])
    for key, value in records.leaves({k: v for k, v in stored.items() if k not in ("switches", "seed")}):
        if not isinstance(value, dict):
            assert one.config(key) == (True, value), key
    assert one.value("test/accuracy") == (True, digits_run.summary["test/accuracy"])
    assert one.value("model") == (True, "mlp"), "the switch, not the node"
    assert one.value("optim.lrr") == one.value("nothing") == one.value("model.x.y") == (False, None)
    day, name = digits_run.folder.parts[-2:]
    assert one.started == f"{day} {name[:8].replace('-', ':')}"
    assert one.typed() == {"trainer.max_epochs": "3"}


def test_parts_of_a_config_are_what_the_whole_says(tmp_path):
    shared = [1, {"a: b": "#x\n- y"}]
    config = {"format": 1, "a": "x: y\n\nz", "b": [{"c": [1]}], "d": {"e": None}, "f g": 3, "h": shared, "i": shared}
    text = yaml.safe_dump(config, sort_keys=False)
    assert "&id001" in text, "an anchor that another part refers to"
    for name, value in config.items():
        assert records.parse(text, (name,))[name] == value
    text = '{"format": 1, "a": [2]}'
    assert records.parse(text, ("a",))["a"] == [2], "not written by us"
    assert "z" not in records.parse(text, ("z",))


def test_each_run_once_whatever_leads_to_it(tmp_path):
    outputs = tmp_path / "outputs"
    first = make_run(outputs / "2026-01-02" / "03-04-05-a")
    second = make_run(outputs / "sweeps" / "grid" / "0")
    make_run(first / "checkpoints" / "inner")  # what lies in a run is the run's
    elsewhere = make_run(tmp_path / "disk" / "far")
    (outputs / "latest").symlink_to("sweeps/grid/0")
    (outputs / "moved").symlink_to(tmp_path / "disk")
    (outputs / "round").symlink_to(outputs)
    (outputs / "broken").symlink_to("nowhere")
    (outputs / ".hidden").mkdir()
    make_run(outputs / ".hidden" / "x")
    for name in ("conf", "table"):  # one of our names does not make a folder a run
        (outputs / name).mkdir()
    (outputs / "conf" / "config.yaml").write_text("a: 1\n")
    (outputs / "table" / "metrics.csv").write_text("a,b\n")
    (outputs / "exported").mkdir()
    (outputs / "exported" / "artifact.json").write_text("{}")
    assert set(records.folders(outputs)) == {first, second, outputs / "moved" / "far"}
    assert set(records.folders(outputs, links=False)) == {first, second}
    assert records.folders(outputs / "latest") == [outputs / "latest"], "a link that is asked for is followed"
    assert records.folders(elsewhere) == [elsewhere]
    with pytest.raises(ConfigError, match="is not a folder of runs"):
        records.folders(tmp_path / "nowhere")


def test_latest_may_be_a_text_file(tmp_path):
    run = make_run(tmp_path / "2026-01-02" / "03-04-05-a")
    (tmp_path / "latest").write_text("2026-01-02/03-04-05-a\n")
    assert [path.resolve() for path in records.folders(tmp_path / "latest")] == [run.resolve()]
    assert len(records.folders(tmp_path)) == 1


def test_a_bad_folder_is_named_and_hides_nothing(tmp_path):
    good = make_run(tmp_path / "good")
    changes = {
        "no_config": lambda f: (f / "config.yaml").unlink(),
        "newer": lambda f: (f / "config.yaml").write_text("format: 2\n"),
        "newer_end": lambda f: (f / "summary.json").write_text('{"format": 7}'),
        "half": lambda f: (f / "summary.json").write_text('{"format": 1, "sta'),
        "list": lambda f: (f / "summary.json").write_text("[]"),
        "text": lambda f: (f / "config.yaml").write_text("words"),
        "cut": lambda f: (f / "config.yaml").write_text("format: 1\nseed: 0\nmodel: {\n"),
        "bytes": lambda f: (f / "config.yaml").write_bytes(b"\xff\xfe"),
        "folder": lambda f: ((f / "config.yaml").unlink(), (f / "config.yaml").mkdir()),
    }
    for name, change in changes.items():
        change(make_run(tmp_path / name))
    found, bad = records.read_all(records.folders(tmp_path))
    assert [one.folder for one in found] == [good]
    reasons = {folder.name: reason for folder, reason in bad}
    assert set(reasons) == set(changes)
    assert reasons["no_config"] == "no config.yaml"
    assert reasons["newer"] == "config.yaml has format 2; this version reads 1"
    assert reasons["newer_end"] == "summary.json has format 7; this version reads 1"
    assert reasons["half"] == "summary.json cannot be read: JSONDecodeError"
    line = records.bad_line(bad, lambda folder: folder.name)
    assert line.startswith("9 folders are left out: ")
    assert line.endswith("4 more")
    assert "\n" not in line


def test_a_config_broken_where_nobody_looks_is_listed_all_the_same(tmp_path):
    run = make_run(tmp_path / "a")
    text = (run / "config.yaml").read_text()
    (run / "config.yaml").write_text(text.replace("lr: 0.006", "lr: [0.006"))
    one = records.read(run)
    assert one.value("optim.lr") == (False, None)
    assert one.value("seed") == (True, 0)
    assert list(one.keys())


def test_running_and_killed(tmp_path):
    run = make_run(tmp_path / "a", summary=None)
    assert records.read(run).status == "killed"
    hold = "import sys, pathlib; from assay.folder import held\n"
    hold += "with held(pathlib.Path(sys.argv[1])): print('held', flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", hold, str(run)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"held\n"
        assert records.read(run).status == "running"
        child.communicate(b"\n")
    assert records.read(run).status == "killed"


def test_the_start_survives_copying_and_orders(tmp_path):
    late = make_run(tmp_path / "2026-01-03" / "00-00-01-b")
    early = make_run(tmp_path / "2026-01-02" / "23-59-59-a")
    os.utime(early / "config.yaml", (4e9, 4e9))
    others = [make_run(tmp_path / "sweeps" / "s" / str(number)) for number in (10, 9)]
    for other in others:
        os.utime(other / "config.yaml", (1e9, 1e9))
    strange = make_run(tmp_path / "2026-13-99" / "99-99-99-x")
    os.utime(strange / "config.yaml", (2e9, 2e9))
    found, _ = records.read_all(records.folders(tmp_path))
    assert [one.folder for one in found] == [others[1], others[0], early, late, strange]
    assert found[2].started == "2026-01-02 23:59:59"


def test_the_python_door_gives_the_same_rows(tmp_path):
    make_run(tmp_path / "a", overrides=["optim.lr=0.1", "~x", "name='n'"], config={"optim": {"lr": 0.1}})
    make_run(tmp_path / "b", summary=None, seed=3)
    make_run(tmp_path / "c", summary={"status": "failed", "reason": "no room"})
    (tmp_path / "c" / "config.yaml").unlink()
    with pytest.warns(UserWarning, match=r"1 folder is left out: .*c \(no config.yaml\)"):
        rows = {Path(row["folder"]).name: row for row in assay.runs(tmp_path)}
    assert set(rows) == {"a", "b"}
    assert (rows["a"]["optim.lr"], rows["b"]["optim.lr"]) == (0.1, 0.006), "typed in one, so told of both"
    assert (rows["a"]["status"], rows["b"]["status"], rows["b"]["seed"]) == ("done", "killed", 3)
    assert "name" not in rows["a"]
    json.dumps(list(rows.values()))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(assay.runs(tmp_path / "a")) == 1

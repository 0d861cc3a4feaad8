"""assay runs: the table, what it drops and says, and the full records as CSV and JSON."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from pathlib import Path

import pytest

import assay
from assay import cli
from tests.made_runs import make_run


@pytest.fixture(autouse=True)
def no_terminal(monkeypatch):
    """pytest-xdist tells its workers the width of its own."""
    monkeypatch.delenv("COLUMNS", raising=False)


@pytest.fixture(scope="module")
def outputs(tmp_path_factory):
    place = tmp_path_factory.mktemp("made") / "outputs"
    rates = {"a": 0.1, "b": 0.01, "c": 10.0}
    for number, (name, rate) in enumerate(rates.items()):
        make_run(
            place / "2026-01-02" / f"03-04-0{number}-{name}",
            config={"optim": {"lr": rate}},
            overrides=[f"optim.lr={rate}", "logger=none", f"seed={number}"],
            seed=number,
            summary={"status": "failed", "reason": "the loss is not\nfinite"} if name == "c" else {"test/f1": 0.25},
        )
    make_run(place / "sweeps" / "grid" / "0", switches={"model": "lstm"}, summary=None)
    return place


def said(capsys, *argv) -> list[str]:
    assert cli.main(["runs", *map(str, argv)]) == 0
    return capsys.readouterr().out.splitlines()


def test_the_table_shows_what_varies(outputs, capsys):
    lines = said(capsys, outputs)
    head = lines[0].split()
    assert head == [
        *("folder", "status", "started", "model", "optim.lr", "seed"),
        *("val/accuracy", "test/accuracy", "test/f1", "seconds"),
    ]
    rows = [dict(zip(("folder", "status"), line.split(), strict=False)) for line in lines[1:5]]
    assert [row["folder"] for row in rows][:3] == [f"2026-01-02/03-04-0{n}-{'abc'[n]}" for n in range(3)]
    assert lines[1].split()[4:] == ["mlp", "0.1", "0", "0.6000", "0.5000", "0.2500", "1.2"]
    assert lines[3].split()[4:] == ["mlp", "10", "2"]
    assert lines[5] == "2026-01-02/03-04-02-c failed: the loss is not finite"
    assert lines[6] == "4 runs: 2 done, 1 failed, 1 killed"
    assert len(lines) == 7


def test_order(outputs, capsys):
    def order(*argv):
        return [line.split()[0][-1] for line in said(capsys, outputs, "--columns", "folder", *argv)[1:-1]]

    assert order() == ["a", "b", "c", "0"], "by the start; a sweep's job by its config's time"
    assert order("--reverse") == ["0", "c", "b", "a"]
    assert order("--sort", "optim.lr") == ["0", "b", "a", "c"]
    assert order("--sort", "test/f1") == ["a", "b", "c", "0"], "runs without it last"
    assert order("--sort", "val/accuracy", "--reverse")[2:] == ["c", "0"], "either way"


def test_a_test_score_must_not_choose(outputs, capsys):
    cli.main(["runs", str(outputs), "--sort", "test/accuracy"])
    assert "must not choose" in capsys.readouterr().err
    cli.main(["runs", str(outputs), "--sort", "val/accuracy"])
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("width", [100, 60, 40, 30])
def test_a_narrow_terminal(outputs, capsys, monkeypatch, width):
    monkeypatch.setenv("COLUMNS", str(width))
    lines = said(capsys, outputs)
    table = lines[: next(number for number, line in enumerate(lines) if "failed: " in line)]
    assert max(map(len, table)) <= width
    assert "left out for the width: " in lines[-1]
    assert "status" in "".join(table)
    if width == 30:
        assert "left out for the width: model, optim.lr, seed, val/accuracy, 3 more" in lines[-1]
    if width >= 40:
        assert "accuracy" in "".join(table), "the score before the switches"


def test_columns_filters_and_csv(outputs, capsys):
    assert said(capsys, outputs, "--where", "status=done", "optim.lr<0.1", "--columns", "seed,model") == [
        "seed  model",
        "   1  mlp",
        "1 run: 1 done",
    ]
    rows = list(csv.DictReader(io.StringIO("\n".join(said(capsys, outputs, "--format", "csv")))))
    assert len(rows) == 4
    assert rows[0]["optim.lr"] == "0.1"
    assert rows[0]["distillation/teacher"] == "checkpoint"
    assert rows[0]["seconds"] == "1.25"
    assert (rows[2]["reason"], rows[2]["test/accuracy"]) == ("the loss is not finite", "")
    found = json.loads("\n".join(said(capsys, outputs, "--format", "json", "--where", "status!=done")))
    assert [row["status"] for row in found] == ["failed", "killed"]
    lines = said(capsys, outputs, "--format", "csv", "--columns", "folder,optim.lr")
    assert lines[0] == "folder,optim.lr"
    assert lines[1] == f"{outputs}/2026-01-02/03-04-00-a,0.1"


def test_json_is_json_whatever_the_scores(tmp_path, capsys):
    make_run(tmp_path / "a", summary={"test/loss": float("nan"), "val/loss": float("inf")})
    (row,) = json.loads("\n".join(said(capsys, tmp_path, "--format", "json")), parse_constant=pytest.fail)
    assert row["test/loss"] is None


@pytest.mark.parametrize(
    ("argv", "line"),
    [
        (["--columns", "folder,modle"], "did you mean model?"),
        (["--sort", "acuracy"], "no run here has acuracy"),
        (["--where", "model"], "PATH stands before --where"),
        (["--where"], "expected at least one argument"),
        (["--format", "xml"], "csv"),
    ],
)
def test_refusals(outputs, capsys, argv, line):
    assert cli.main(["runs", str(outputs), *argv]) == 2
    (error,) = capsys.readouterr().err.splitlines()
    assert line in error


def test_nothing_there(tmp_path, capsys):
    assert cli.main(["runs", str(tmp_path / "outputs")]) == 2
    assert "train a run with `assay train`" in capsys.readouterr().err
    assert said(capsys, tmp_path) == [f"{tmp_path} holds no run"]
    assert said(capsys, tmp_path, "--format", "json") == ["[]"]
    assert said(capsys, tmp_path, "--format", "csv") == []
    run = make_run(tmp_path / "a")
    assert said(capsys, tmp_path, "--where", "status=running") == [f"none of the 1 runs in {tmp_path} is so"]
    assert said(capsys, run)[1].split()[0] == "a", "a run by itself"


def test_what_cannot_be_read_is_named_last(tmp_path, capsys):
    make_run(tmp_path / "a")
    (make_run(tmp_path / "b") / "summary.json").write_text("{")
    assert cli.main(["runs", str(tmp_path)]) == 0
    out, err = capsys.readouterr()
    assert out.endswith("1 run: 1 done\n")
    assert err == "1 folder is left out: b (summary.json cannot be read: JSONDecodeError)\n"


def test_many_failures_are_not_all_told(tmp_path, capsys):
    for number in range(13):
        make_run(tmp_path / str(number), summary={"status": "failed", "reason": None})
    lines = said(capsys, tmp_path)
    assert len([line for line in lines if "failed: " in line]) == 10
    assert lines[-2] == "… and 3 more: --where status=failed --columns folder,reason"


def test_a_reader_that_leaves(tmp_path):
    for number in range(400):
        make_run(tmp_path / str(number))
    command = f"{sys.executable} -m assay.cli runs {tmp_path} | head -n 1"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
    assert (done.stdout.split()[0], done.stderr) == ("folder", "")


def test_no_module_hides_a_public_name():
    """``import assay.runs`` would put the module in the place of the function ``assay.runs``."""
    package = Path(assay.__file__).parent
    assert not [name for name in assay.__all__ if (package / f"{name}.py").exists() or (package / name).exists()]


def test_real_runs_stand_beside_made_ones(digits_run, capsys):
    outputs = digits_run.folder.parents[1]
    lines = said(capsys, outputs, "--where", "model=mlp", "trainer.max_epochs=3", "val/accuracy>0.5")
    assert lines[-1] == "1 run: 1 done"
    assert "10" not in said(capsys, outputs, "--columns", "status")[1]

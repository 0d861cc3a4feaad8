"""assay rerun: the overrides of a run and the new ones, no key twice, checked as new, and what has changed said."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import pytest
import yaml

import assay
from assay import cli
from assay import folder as run_folder
from assay.composition.compose import composer_of
from assay.lifecycle import records
from assay.lifecycle.rerun import key_of, merged

WORDS = ("trainer=cpu", "trainer.max_epochs=1", "logger=none")


def altered(run: Path, to: Path, change) -> Path:
    """A copy of a run whose stored config ``change`` has been at."""
    shutil.copytree(run, to)
    config = yaml.safe_load((to / "config.yaml").read_text())
    change(config)
    (to / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
    return to


def dry(capsys, run, *argv) -> list[str]:
    """What it says, but for the versions: somebody may be editing the source while the tests run."""
    assert cli.main(["rerun", str(run), *argv, "--dry"]) == 0
    return [line for line in capsys.readouterr().out.splitlines() if not line.startswith("made with others")]


def with_overrides(run: Path, to: Path, overrides: list[str]) -> records.Record:
    shutil.copytree(run, to)
    (to / "overrides.yaml").write_text(yaml.safe_dump(overrides))
    return records.read(to)


@pytest.mark.parametrize(
    ("stored", "new", "made", "left"),
    [
        (["model=mlp", "seed=1"], [], ["model=mlp", "seed=1"], 0),
        (["model=mlp", "seed=1"], ["seed=2"], ["model=mlp", "seed=2"], 0),
        (["model=mlp", "optim.lr=1"], ["optim.lr=2", "model=linear"], ["optim.lr=2", "model=linear"], 0),
        (["+model.x=1"], ["++model.x=2"], ["++model.x=2"], 0),
        (["callbacks=[grad_norm]"], ["callbacks=[]"], ["callbacks=[]"], 0),
        (["model=mlp", "model.hidden_sizes=[3]"], ["model=linear"], ["model=linear"], 1),
        (["model=mlp", "model.dropout=0.1"], ["model=cnn"], ["model.dropout=0.1", "model=cnn"], 0),
        (["optim=sgd", "optim.momentum=0.5", "optim.lr=1"], ["optim=adam"], ["optim.lr=1", "optim=adam"], 1),
        (["trainer.max_epochs=1", "trainer.max_epochs=2"], [], ["trainer.max_epochs=1", "trainer.max_epochs=2"], 0),
    ],
)
def test_new_overrides_win(digits_run, tmp_path, stored, new, made, left):
    record = with_overrides(digits_run.folder, tmp_path / "a", stored)
    plan = merged(record, new, composer_of(), multirun=False)
    assert plan.overrides == made
    assert len(plan.left_out) == left


def test_the_key_of_an_override():
    words = ("a.b=1", "+a.b=1", "++a.b=c=d", "~a.b", "a/b@c.d=e", "a=[b,c]")
    assert [key_of(word) for word in words] == ["a.b", "a.b", "a.b", "a.b", "a/b", "a"]


def test_it_trains_the_same_again(digits_run, capsys):
    outputs = digits_run.folder.parents[1]
    before = set(records.folders(outputs))
    assert cli.main(["rerun", str(digits_run.folder)]) == 0
    capsys.readouterr()
    (made,) = set(records.folders(outputs)) - before
    again, first = records.read(made), records.read(digits_run.folder)
    shutil.rmtree(made)  # other tests count this fixture's runs
    run_folder.point_latest(outputs, digits_run.folder)
    assert again.overrides == first.overrides
    assert again.text == first.text
    assert again.summary["test/log_loss"] == first.summary["test/log_loss"], "the same bits"


def test_what_a_dry_rerun_says(digits_run, tmp_path, capsys):
    lines = dry(capsys, digits_run.folder, "seed=4")
    assert lines[0].startswith("assay train model=mlp trainer=cpu logger=none trainer.max_epochs=3 ")
    assert lines[0].endswith(" seed=4")
    assert lines[1:] == ["1 run, all checks passed; leave out --dry to train"]


def test_defaults_that_have_changed_are_named(digits_run, tmp_path, capsys):
    def change(config):
        config["optim"]["lr"] = 0.5
        config["switches"]["clip"] = "norm"
        config["gone"] = 1
        del config["log_every"]

    run = altered(digits_run.folder, tmp_path / "a", change)
    lines = dry(capsys, run)
    (line,) = [line for line in lines if line.startswith("defaults have changed")]
    assert line.startswith("defaults have changed since: clip norm → none, gone 1 → (none), log_every (none) → 50, ")
    assert line.endswith("optim.lr 0.5 → 0.006")
    lines = dry(capsys, run, "optim.lr=0.1", "clip=value")
    (line,) = [line for line in lines if line.startswith("defaults have changed")]
    assert "optim.lr" not in line, "that one was asked for"
    assert "clip" not in line
    lines = dry(capsys, run, "optim=sgd", "seed=9")
    (line,) = [line for line in lines if line.startswith("defaults have changed")]
    assert "momentum" not in line
    assert "seed" not in line


def test_other_versions_are_named(digits_run, tmp_path, capsys):
    run = altered(digits_run.folder, tmp_path / "a", lambda config: None)
    facts = json.loads((run / "environment.json").read_text())
    facts["versions"]["torch"] = "1.0"
    facts |= {"source_digest": "0" * 64, "commit": "c" * 40}
    (run / "environment.json").write_text(json.dumps(facts))
    assert cli.main(["rerun", str(run), "--dry"]) == 0
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "made with" in line]
    assert line.startswith("made with others then: torch 1.0 → ")
    assert line.endswith("the source of Assay (then at commit ccccccccc)")


def test_what_was_redacted_is_asked_for(digits_run, tmp_path, capsys):
    hidden = ["model=mlp", "name=[redacted]", "logger=none", f"outputs={tmp_path}"]
    run = with_overrides(digits_run.folder, tmp_path / "a", hidden).folder
    assert cli.main(["rerun", str(run), "--dry"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith("has name redacted, as a secret: give it again, as name=…")
    assert dry(capsys, run, "name=me")[0] == f"assay train model=mlp logger=none outputs={tmp_path} name=me"


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["optim.lrr=1"], "did you mean optim.lr?"),
        (["model=lstn"], "did you mean model=lstm?"),
        (["seed=1,2"], "add -m"),
        (["--cfg", "job"], "rerun trains"),
        (["--nonsense"], "--nonsense"),
        (["data=text_csv"], "data=text_csv needs data.path=…"),
    ],
)
def test_it_is_checked_as_a_new_run_is(digits_run, capsys, argv, said):
    assert cli.main(["rerun", str(digits_run.folder), *argv]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert said in lines[0]


def test_wrong_runs(tmp_path, capsys):
    for run, said in (
        ("nowhere", "nowhere is not a run folder"),
        (str(tmp_path), "cannot be repeated"),
    ):
        if run == str(tmp_path):
            said = "is not a run that can be repeated: no config.yaml"
        assert cli.main(["rerun", run]) == 2
        assert said in capsys.readouterr().err
    assert cli.main(["rerun"]) == 2
    assert "required: RUN" in capsys.readouterr().err


def test_a_sweep_of_it(digits_run, capsys):
    lines = dry(capsys, digits_run.folder, "-m", "seed=1,2", "optim=adam,sgd")
    assert lines[0].startswith("assay train -m model=mlp ")
    assert lines[-1] == "4 runs, all checks passed; leave out --dry to train"
    assert not any(line.startswith("defaults have changed") for line in lines)


def test_any_file_name_comes_through(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    name, column = "my reviews, [2026] it's a=b.csv", 'the, "review" = [x]'
    with open(name, "w", newline="", encoding="utf-8") as file:
        rows = [[f"{'good' if n % 2 else 'bad'} film {n}", n % 2] for n in range(60)]
        csv.writer(file).writerows([[column, "stars"], *rows])
    data = ("data=text_csv", "model=bag", f"data.path={name}", f"data.text={column}", "data.label=stars")
    first = assay.train(*data, *WORDS)
    assert cli.main(["rerun", "latest", "seed=3", "name=again, [2]"]) == 0
    second = records.read((tmp_path / "outputs" / "latest").resolve())
    assert second.folder != first.folder
    assert second.config("data.path") == (True, name)
    assert second.config("data.text") == (True, column)
    assert second.config("name") == (True, "again, [2]")
    capsys.readouterr()
    assert cli.main(["rerun", "latest", "seed=4", "--dry"]) == 0, "and again"
    monkeypatch.chdir("/")
    capsys.readouterr()
    assert cli.main(["rerun", str(second.folder)]) == 2
    assert capsys.readouterr().err.rstrip().endswith(f"the run was started in {tmp_path}")


def test_a_point_of_a_sweep(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = ["model=linear", "optim=adam,sgd", "sgd.optim.weight_decay=0.5", *WORDS, "name=grid"]
    assert cli.main(["train", "-m", *words]) == 0
    capsys.readouterr()
    lines = dry(capsys, "outputs/sweeps/grid/1")
    assert "optim=sgd" in lines[0]
    assert "optim.weight_decay=0.5" in lines[0]
    assert lines[1:] == ["1 run, all checks passed; leave out --dry to train"]


def test_own_options_are_found_again(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("mine/optim").mkdir(parents=True)
    body = "# Mine.\n_target_: torch.optim.SGD\n_partial_: true\nlr: 0.1\n"
    Path("mine/optim/mine.yaml").write_text(body, encoding="utf-8")
    assert cli.main(["train", "--config-dir", "mine", "model=linear", "optim=mine", *WORDS]) == 0
    capsys.readouterr()
    assert dry(capsys, "latest")[0].startswith("assay train --config-dir mine model=linear optim=mine ")

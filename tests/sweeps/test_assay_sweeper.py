"""``hydra/sweeper=assay``: an application of somebody's own reaches the sweeps of ``assay train -m``."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import hydra
import pytest

from assay.cli import main
from assay.composition.locations import conf_folder
from assay.sweeps.ledger.ledger import Ledger

WORDS = ["-m", "hydra/sweeper=assay", "model=linear"]


@pytest.fixture
def app(monkeypatch):
    """``app(*words)``: the exit code of ``python app.py words``; its function must not be called."""

    def run(*words: str, config_path: str = str(conf_folder())) -> int:
        @hydra.main(version_base="1.3", config_path=config_path, config_name="config")
        def my_function(config):
            raise AssertionError("it was called")

        monkeypatch.setattr(sys, "argv", ["app.py", *words])
        try:
            my_function()
        except SystemExit as left:
            return int(left.code)
        return 0

    return run


def test_either_goes_on_with_what_the_other_began(app, courses, capfd):
    courses.fails = (1,)
    assert app(*WORDS, "optim=sgd,adam") == 1  # as `assay train` would answer, though Hydra looks at no return value
    assert "my_function is not called" in capfd.readouterr().err
    courses.fails = ()
    assert main(["train", "-m", "model=linear", "optim=sgd,adam"]) == 0
    assert app(*WORDS, "optim=sgd,adam,momentum", "seeds=2") == 0
    assert courses == [{0: 0, 1: 0}, {1: 0}, {2: 1, 3: 1, 4: 0, 5: 1}]
    (sweep,) = (place for place in Path("outputs/sweeps").iterdir() if place.is_dir())
    assert [entry.state for entry in Ledger(sweep).entries()] == ["done"] * 6
    assert json.loads((sweep / "sweep.json").read_text())["command"][:2] == ["-m", "model=linear"]
    assert courses.orders.command[:3] == ["assay", "train", "-m"]  # which the last screen says continues it


def test_options_of_ones_own(app, courses, tmp_path):
    own = tmp_path / "mine" / "optim"
    own.mkdir(parents=True)
    text = (conf_folder() / "optim" / "sgd.yaml").read_text(encoding="utf-8")
    (own / "mine.yaml").write_text(text, encoding="utf-8")
    assert app("--config-dir", str(own.parent), *WORDS, "optim=mine,adam") == 0
    assert courses == [{0: 0, 1: 0}]
    assert courses.orders.command[3:5] == ["--config-dir", str(own.parent)]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["optim=sgd,adamm"], "optim=adamm is not an option; did you mean optim=adam?"),
        (["optim=sgd,adam", "optim.lr=-1"], "optim.lr=-1 is outside its range: lr > 0 (2 of 2 points)"),
        (
            ["optim=sgd,adam", "hydra.sweep.dir=x"],
            "hydra.sweep.dir=x: a sweep of Assay's lies in outputs/sweeps/<name>",
        ),
    ],
)
def test_refused_in_a_line_before_anything_is_made(app, courses, capfd, words, said):
    assert app(*WORDS, *words) == 2
    assert said in capfd.readouterr().err
    assert not Path("outputs").exists()
    assert courses == []


def test_an_application_without_our_options(app, courses, tmp_path, capfd):
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "config.yaml").write_text("rate: 1\n")
    assert app("-m", "hydra/sweeper=assay", "rate=1,2", config_path=str(tmp_path / "own")) == 2
    assert f"this application has config_path={tmp_path / 'own'}: write config_path=" in capfd.readouterr().err


def test_another_launcher(courses, capfd):
    from omegaconf import OmegaConf

    from hydra_plugins.assay_sweeper import AssaySweeper

    sources = [{"provider": "main", "path": str(conf_folder()), "schema": "file"}]
    runtime = {"config_sources": sources, "choices": {"hydra/launcher": "joblib"}}
    told = {"runtime": runtime, "job": {"config_name": "config"}, "overrides": {"hydra": []}}
    sweeper = AssaySweeper()
    sweeper.setup(hydra_context=None, task_function=main, config=OmegaConf.create({"hydra": told}))
    with pytest.raises(SystemExit, match="2"):
        sweeper.sweep(["optim=sgd,adam"])
    assert "hydra/launcher=joblib has no part in hydra/sweeper=assay" in capfd.readouterr().err


def test_a_process_of_its_own_finds_the_plug_in_and_loads_no_torch(tmp_path):
    (tmp_path / "app.py").write_text(
        f"""
import sys, hydra

@hydra.main(version_base="1.3", config_path={str(conf_folder())!r}, config_name="config")
def main(config):
    raise AssertionError("it was called")

try:
    main()
finally:
    assert "torch" not in sys.modules
"""
    )
    words = [*WORDS, "optim=sgd,adam", "seeds=2", "plan=true"]
    done = subprocess.run(
        [sys.executable, "app.py", *words], cwd=tmp_path, env={**os.environ}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "4 runs, all checks passed; leave out plan=true to train"


@pytest.mark.slow
def test_a_real_sweep(tmp_path):
    """Two points trained to their end by processes of Assay's, and found done by the second command."""
    (tmp_path / "app.py").write_text(
        f"""
import hydra

@hydra.main(version_base="1.3", config_path={str(conf_folder())!r}, config_name="config")
def main(config):
    raise AssertionError("it was called")

main()
"""
    )
    words = [*WORDS, "optim=sgd,adam", "trainer.max_epochs=1", "logger=none"]
    first, second = (
        subprocess.run([sys.executable, "app.py", *words, *more], cwd=tmp_path, capture_output=True, text=True)
        for more in ((), ("sweep.source=snapshot",))  # which becomes another process, whatever is edited meanwhile
    )
    assert (first.returncode, second.returncode) == (0, 0), first.stderr + second.stderr
    assert "2 done of 2" in first.stdout
    (sweep,) = (place for place in (tmp_path / "outputs" / "sweeps").iterdir() if place.is_dir())
    assert [(entry.state, entry.attempts) for entry in Ledger(sweep).entries()] == [("done", 1)] * 2

"""The Python door: the same checks and folder as the command, from anywhere, at no cost before it is used."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading

import pytest

import assay
from assay.door import Run
from assay.errors import ConfigError


def test_importing_loads_nothing():
    heavy = ("torch", "numpy", "hydra", "omegaconf", "pytorch_lightning", "sklearn", "pandas", "matplotlib", "wandb")
    code = f"import sys, assay; print([m for m in {heavy!r} if m in sys.modules]); print(sorted(assay.__all__))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["[]", "['ConfigError', 'load', 'runs', 'train']"]


def test_a_run_says_where_it_lies_what_it_scored_and_answers(digits_run):
    assert isinstance(digits_run, Run)
    assert digits_run.summary == json.loads((digits_run.folder / "summary.json").read_text(encoding="utf-8"))
    import numpy as np

    blank = np.zeros((8, 8), np.uint8)
    assert digits_run.predict(blank) == assay.load(digits_run.folder).predict([blank])
    assert assay.load(digits_run.folder).card["data"] == "digits"
    assert digits_run.predict([]) == []


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["-m", "seed=0,1"], "assay.train gives back one run, and a sweep has many: use `assay train -m"),
        (["seeds=2"], "assay.train gives back one run, and a sweep has many: use `assay train -m"),
        (["model=lstn"], "lstm"),
        (["trainer.max_epochs=0"], "max_epochs"),
    ],
)
def test_what_is_refused_makes_nothing(tmp_path, words, line):
    with pytest.raises(ConfigError, match=line) as caught:
        assay.train(
            f"outputs={tmp_path / 'outputs'}", "model=mlp", *[w for w in words if "model=" not in w], *words[:1]
        )
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "outputs").exists()


def test_outputs_that_take_no_folder_are_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="file takes no run folder"):
        assay.train(f"outputs={tmp_path / 'file'}", "model=mlp", "logger=none")


def test_training_in_a_thread_leaves_signals_alone(tmp_path):
    """A notebook's worker: only the main thread may set handlers."""
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    made: list = []

    def work():
        try:
            made.append(assay.train(f"outputs={tmp_path}", "logger=none", "model=mlp", "debug=fast"))
        except BaseException as error:
            made.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(60)
    assert isinstance(made[0], Run), made
    assert made[0].summary["status"] == "done"
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_handlers_come_back_after_a_run(digits_run, tmp_path):
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    assay.train(f"outputs={tmp_path}", "logger=none", "model=linear", "debug=fast")
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_the_table_of_runs(tmp_path):
    outputs = tmp_path / "outputs"
    words = [f"outputs={outputs}", "logger=none", "debug=fast"]
    first = assay.train(*words, "model=mlp", "optim=sgd", "name=b")
    second = assay.train(*words, "model=linear", "seed=3", "name=a")
    (outputs / "2026-01-01" / "killed").mkdir(parents=True)  # no summary yet
    (outputs / "2026-01-01" / "killed" / "config.yaml").write_text("format: 1\n")
    rows = assay.runs(outputs)
    assert {row["folder"] for row in rows} == {str(first.folder), str(second.folder)}, "latest is no run of its own"
    by_folder = {row["folder"]: row for row in rows}
    one, two = by_folder[str(first.folder)], by_folder[str(second.folder)]
    assert (one["model"], one["optim"], one["seed"], one["data"]) == ("mlp", "sgd", 0, "digits")
    assert (two["model"], two["optim"], two["seed"]) == ("linear", "adam", 3)
    assert one["test/accuracy"] == first.summary["test/accuracy"]
    assert one["status"] == "done"
    assert "format" not in one
    assert assay.runs(str(outputs / "2026-01-01")) == []
    with pytest.raises(ConfigError, match="is not a folder of runs"):
        assay.runs(tmp_path / "nowhere")


def test_latest_follows_the_outputs_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match="there is no latest run in outputs"):
        assay.load("latest")
    run = assay.train("logger=none", "model=linear", "debug=fast")
    assert run.folder.is_relative_to("outputs") or run.folder.is_relative_to(tmp_path / "outputs")
    assert assay.load("latest").card == assay.load(run.folder).card
    assert [row["model"] for row in assay.runs()] == ["linear"]

"""A run that its search stops: one process or two, killed or not, and what it leaves."""

from __future__ import annotations

import json
import math
from pathlib import Path

import optuna
import pytest
import torch

from assay.callbacks.early_stopping import EarlyStopping
from assay.callbacks.pruning import Pruned, Pruning, Reports, attach, obey
from assay.cli import main
from assay.errors import ConfigError
from assay.folder import write_json
from assay.lifecycle.resume import prepare
from assay.preflight import compose
from assay.sweeps.search.pruners import TRIAL
from assay.sweeps.search.storage import opened

GOOD, BAD = [0.99, 0.98, 0.97], [0.01, 0.02, 0.03]
SMALL = ["data=iris", "model=linear", "trainer.max_epochs=3", "logger=none", "checkpoint.every=1epochs"]


@pytest.fixture(autouse=True)
def threads():
    """A run sets the number of threads of the process it is in, which here is that of the tests."""
    yield
    torch.set_num_threads(1)


def trial(sweep: Path, others: list[float], name: str = "0") -> tuple[Path, optuna.Study]:
    """The folder of a job that reports, in a study where others came to the first rung with these scores."""
    sweep.mkdir(parents=True, exist_ok=True)
    storage = opened(sweep, None)
    study = optuna.create_study(storage=storage, study_name="study", direction="maximize", load_if_exists=True)
    for score in others:
        other = study.ask()
        storage.set_trial_intermediate_value(other._trial_id, 1, score)
        storage.set_trial_system_attr(other._trial_id, "completed_rung_0", score)
        study.tell(other, score)
    where = sweep / name
    where.mkdir()
    pruner = {"name": "halving", "reduction": 3, "min_epochs": 1, "max_epochs": 3}
    facts = {"format": 1, "storage": None, "study": "study", "trial": study.ask()._trial_id, "pruner": pruner}
    write_json(where / TRIAL, facts)
    return where, study


def run(where: Path, *words: str, resume: bool = False) -> dict:
    from assay.run import run as one

    point = compose([*SMALL, f"outputs={where.parent}", *words])
    return one(point.config, list(point.overrides), where, resume=resume)


def summary(where: Path) -> dict:
    return json.loads((where / "summary.json").read_text(encoding="utf-8"))


def check_stopped(where: Path, study: optuna.Study) -> None:
    said = summary(where)
    assert (said["status"], said["epochs"]) == ("pruned", 1)
    assert said["reason"].startswith("stopped by its search after epoch 1 of 3, val/accuracy ")
    assert "test/accuracy" not in said
    assert study.trials[-1].intermediate_values == {1: said["val/accuracy"]}
    assert (where / "checkpoints" / "last.ckpt").is_file()
    assert not (where / "artifact").exists()
    with pytest.raises(ConfigError, match=r"stopped by its search after epoch 1 of 3.*`assay rerun RUN` trains"):
        prepare(where, [])


def test_the_worse_one_stops_after_the_epoch_and_keeps_its_folder(tmp_path):
    where, study = trial(tmp_path, GOOD)
    assert run(where, "trainer=cpu")["status"] == "pruned"
    check_stopped(where, study)


def test_the_better_one_is_the_run_that_it_would_have_been(tmp_path):
    where, study = trial(tmp_path, BAD)
    reported = run(where, "trainer=cpu")
    alone = tmp_path / "alone"
    alone.mkdir()
    assert run(alone, "trainer=cpu")["test/log_loss"] == reported["test/log_loss"]
    points = [path.read_text(encoding="utf-8") for path in (where / "metrics.csv", alone / "metrics.csv")]
    assert points[0] == points[1]
    assert sorted(study.trials[-1].intermediate_values) == [1, 2]  # after the last there is nothing to stop


def test_two_processes_obey_the_first(tmp_path):
    """Over gloo: rank 0 alone reports, both leave after the same step, and the command ends."""
    where, study = trial(tmp_path, GOOD)
    assert run(where, "trainer=ddp", "trainer.accelerator=cpu")["status"] == "pruned"
    check_stopped(where, study)


@pytest.mark.slow
def test_two_processes_go_on_together(tmp_path):
    where, study = trial(tmp_path, BAD)
    assert run(where, "trainer=ddp", "trainer.accelerator=cpu")["status"] == "done"
    assert sorted(study.trials[-1].intermediate_values) == [1, 2]


def test_a_run_killed_after_the_verdict_hears_it_again(tmp_path):
    where, study = trial(tmp_path, GOOD)
    reports = Reports(where / TRIAL)
    assert reports(1, 0.5) is True
    assert (
        optuna.pruners.SuccessiveHalvingPruner(1, 3).prune(study, study.trials[-1]) is False
    )  # it would not repeat it
    assert Reports(where / TRIAL)(1, 0.5) is True
    assert run(where, "trainer=cpu", resume=True)["status"] == "pruned"
    run(where, "trainer=cpu", resume=True)
    assert summary(where)["status"] == "pruned"


def test_resume_of_one_that_was_stopped_says_so(tmp_path, capsys):
    where, _ = trial(tmp_path, GOOD)
    run(where, "trainer=cpu")
    capsys.readouterr()
    assert main(["resume", str(where)]) == 2
    assert "was stopped by its search after epoch 1 of 3" in capsys.readouterr().err


class Recorder:
    """As much of a recorder as stopping needs."""

    def __init__(self, stopping=None, ranks=None):
        self.stopping, self.ranks, self.sign, self.monitor = stopping, ranks, 1.0, "val/accuracy"
        self.best_score, self.best_epoch, self.history = 0.5, 0, {0: 0.5}
        self.module = type("Module", (), {"in_epoch": 4, "epoch": 0, "trainer": None})()
        self.module.trainer = type("Trainer", (), {"num_training_batches": 4})()


def test_early_stopping_keeps_its_say_and_its_state():
    recorder = Recorder(EarlyStopping("max", patience=1))
    pruning = Pruning(recorder, lambda epoch, score: False, 5)
    assert recorder.stopping is pruning
    assert pruning.update(0.5) is False
    assert pruning.update(0.4) is True
    obey(recorder)  # not the search's doing
    other = Pruning(Recorder(EarlyStopping("max", patience=1)), None, 5)
    other.load_state(pruning.state())
    assert (other.stopping.best, other.stopping.waited, other.stopped) == (0.5, 1, 0)


def test_only_whole_epochs_are_compared_and_the_best_so_far_is_reported():
    told = []
    recorder = Recorder()
    pruning = Pruning(recorder, lambda epoch, score: told.append((epoch, score)) or False, 5)
    recorder.module.in_epoch = 2  # trainer.val_check_interval
    pruning.update(0.3)
    assert told == []
    recorder.module.in_epoch = 4
    pruning.update(0.4)
    recorder.module.epoch, recorder.best_score = 1, -math.inf
    pruning.update(0.3)
    assert told[0] == (1, 0.5)
    assert told[1][0] == 2
    assert math.isnan(told[1][1])


def test_every_rank_asks_whether_there_is_a_search_and_rank_0_knows(tmp_path):
    heard = []

    class Ranks:
        first = False

        def told(self, word):
            heard.append(word)
            return 1

    recorder = Recorder(ranks=Ranks())
    attach(recorder, tmp_path / "elsewhere", 5)
    assert isinstance(recorder.stopping, Pruning)
    assert recorder.stopping.update(0.5) is True
    assert heard == [0, 0]
    with pytest.raises(Pruned, match="after epoch 1 of 5"):
        obey(recorder)

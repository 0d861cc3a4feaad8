"""What a user meets when a run is stopped, killed, moved, damaged or watched: exact resume is tests/test_resume.py."""

from __future__ import annotations

import json
import os
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest
import torch

from assay import cli, environment, folder
from assay.engines import checkpoint
from assay.engines.checkpoints import Checkpoints
from assay.errors import ConfigError
from assay.lifecycle import resume
from assay.preflight import compose
from tests.interruptions import Interrupted, Moment, at, bits, interrupted, leave, rows, train

ROOT = Path(__file__).resolve().parents[2]
WORDS = ["model=mlp", "trainer.max_epochs=3", "checkpoint.every=10steps", "logger=none"]


@pytest.fixture
def point(tmp_path):
    return compose([*WORDS, f"outputs={tmp_path / 'outputs'}"])


@pytest.fixture
def stopped(tmp_path, point):
    """A run that was interrupted at step 60 of 135, and the same run unbroken."""
    train(point, tmp_path / "whole")
    with at(Moment("step", 60), leave), suppress(Interrupted):
        train(point, tmp_path / "run")
    return tmp_path / "run"


def assay(*arguments: str, cwd: Path = ROOT, **options) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "assay.cli", *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, **{"timeout": 120} | options)


def test_the_same_command_twice_gives_the_same_bits(tmp_path, point):
    train(point, tmp_path / "a")
    train(point, tmp_path / "b")
    assert bits(tmp_path / "a", tmp_path / "b") == {}
    assert json.loads((tmp_path / "a" / "summary.json").read_text())["exact"] is True


def test_a_run_killed_by_the_system_is_resumed_from_the_command_line(tmp_path):
    words = ["model=mlp", "trainer.max_epochs=40", "checkpoint.every=50steps", "logger=none"]
    train(compose([*words, f"outputs={tmp_path}"]), tmp_path / "whole")
    command = [sys.executable, "train.py", *words, f"outputs={tmp_path / 'outputs'}"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    found: list[Path] = []
    while time.monotonic() < deadline and not found:
        time.sleep(0.01)
        found = [p for p in (tmp_path / "outputs").glob("*/*/checkpoints/previous.ckpt") if "latest" not in p.parts]
    process.send_signal(signal.SIGKILL)
    process.communicate()
    run = found[0].parent.parent
    assert not (run / "summary.json").exists()
    done = assay("resume", str(run))
    assert done.returncode == 0, done.stderr
    assert re.search(r"resumed at step [\d,]+ of 1,800", done.stdout)
    assert bits(tmp_path / "whole", run) == {}
    again = assay("resume", str(run))
    assert again.returncode == 2
    assert "is done, after 40 epochs" in again.stderr
    assert again.stderr.count("\n") == 1


@pytest.mark.slow
def test_ten_random_kills_of_one_run_leave_one_curve(tmp_path, data_dir):
    """The whole command, from the shell: one folder, one curve in metrics.csv, on the page and in W&B's record."""
    words = [
        "model=cnn", "data=fashion_mnist", f"data_dir={data_dir}", "trainer.max_epochs=2", "checkpoint.every=40steps",
        "logger.mode=offline", f"outputs={tmp_path / 'outputs'}",
    ]  # fmt: skip
    environment = {name: value for name, value in os.environ.items() if name != "WANDB_MODE"}
    whole = assay("train", *words, env=environment, timeout=600)
    assert whole.returncode == 0, whole.stderr
    (first,) = (tmp_path / "outputs").glob("20*/*")
    generator = random.Random(0)
    kills, steps = 0, []
    command = [sys.executable, "-m", "assay.cli", "train", *words, f"outputs={tmp_path / 'killed'}"]
    command.remove(f"outputs={tmp_path / 'outputs'}")
    while kills < 10:
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        deadline = time.monotonic() + 60
        while not list((tmp_path / "killed").glob("20*/*/config.yaml")) and time.monotonic() < deadline:
            time.sleep(0.05)
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=generator.uniform(2, 12))
        assert process.poll() is None, f"the run was done after {kills} kills: they come too late"
        process.send_signal(signal.SIGKILL)
        process.wait()
        kills += 1
        (run,) = (tmp_path / "killed").glob("20*/*")
        command = [sys.executable, "-m", "assay.cli", "resume", str(run)]
        with suppress(ConfigError):
            steps.append(int(checkpoint.read(run / "checkpoints" / "last.ckpt")[0]["counter.step"]))
    done = assay("resume", str(run), env=environment, timeout=600)
    assert done.returncode == 0, done.stderr
    assert list((tmp_path / "killed").glob("20*/*")) == [run]
    assert bits(first, run) == {}  # the offline record of W&B among the rest
    points = [(int(row["step"]), row["name"]) for row in rows(run)]
    assert len(set(points)) == len(points)
    assert [step for step, _ in points] == sorted(step for step, _ in points)
    curves = []
    for one in (first, run):
        assert assay("review", str(one)).returncode == 0
        curves.append(re.findall(r'<path [^>]*d="([^"]+)"', (one / "review.html").read_text(encoding="utf-8")))
    assert curves[0] == curves[1] != []
    print(f"10 kills, at steps {steps}: {len(points)} points, 0 bits of difference")


def test_a_moved_run_resumes_predicts_and_reviews(tmp_path, stopped):
    moved = tmp_path / "elsewhere, a b" / "moved = [1]"
    moved.parent.mkdir()
    shutil.move(stopped, moved)
    config, words = resume.prepare(moved, [])
    from assay.run import run

    run(config, words, moved, resume=True)
    assert bits(tmp_path / "whole", moved) == {}
    further = tmp_path / "further"
    shutil.move(moved, further)
    import assay as door

    assert door.load(further).predict(torch.zeros(8, 8).numpy())
    assert str(moved) not in (further / "config.yaml").read_text()
    assert cli.main(["review", str(further)]) == 0
    page = (further / "review.html").read_text(encoding="utf-8")
    assert "mlp on digits" in page
    assert "assay rerun" in page
    assert str(further) in page  # its commands name where it is now


def test_a_run_is_resumed_from_another_directory(tmp_path, monkeypatch):
    """Its table was named relative to where it was started, and its options lay in a folder of the user's."""
    started, other = tmp_path / "started", tmp_path / "other"
    (started / "own" / "optim").mkdir(parents=True)
    other.mkdir()
    (started / "own" / "optim" / "slow.yaml").write_text("# Slow.\ndefaults: [sgd]\nlr: 0.001\n")
    (started / "texts.csv").write_text("review,stars\n" + "".join(f"good {n},one\nbad {n},two\n" for n in range(30)))
    monkeypatch.chdir(started)
    words = ["data=text_csv", "model=bag", "data.path=texts.csv", "data.text=review", "data.label=stars", "logger=none"]
    done = assay("train", "--config-dir", "own", *words, "optim=slow", "trainer.max_epochs=2", cwd=started)
    assert done.returncode == 0, done.stderr
    (run,) = (started / "outputs").glob("20*/*")
    monkeypatch.chdir(other)
    done = assay("resume", str(run), "trainer.max_epochs=3", cwd=other)
    assert done.returncode == 0, done.stderr
    assert json.loads((run / "summary.json").read_text())["epochs"] == 3
    assert list(other.iterdir()) == []


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda path: path.write_bytes(path.read_bytes()[:-20]), "truncated"),
        (lambda path: path.write_bytes(path.read_bytes()[:-3] + b"abc"), "altered"),
        (lambda path: path.write_bytes(path.read_bytes().replace(b'\\"epoch\\": 1', b'\\"epoch\\": 2')), "altered"),
        (lambda path: path.write_bytes(b""), "truncated"),
    ],
)
def test_a_damaged_checkpoint_is_passed_over_aloud(tmp_path, stopped, point, capsys, damage, says):
    damage(stopped / "checkpoints" / "last.ckpt")
    train(point, stopped, resume=True)
    out = capsys.readouterr().out
    assert re.search(rf"last\.ckpt (is|was) {says}.*: going on from previous\.ckpt", out)
    assert "resumed at step 40 of 135" in out
    assert bits(tmp_path / "whole", stopped) == {}


def test_no_whole_checkpoint_is_refused_and_leaves_the_run_as_it_is(stopped, point):
    for name in ("last", "previous"):
        (stopped / "checkpoints" / f"{name}.ckpt").write_bytes(b"{")
    before = {path: path.read_bytes() for path in stopped.rglob("*.c*") if path.is_file()}
    with pytest.raises(ConfigError, match=r"no state is left to resume: `assay rerun`"):
        train(point, stopped, resume=True)
    assert {path: path.read_bytes() for path in before} == before


def test_a_run_killed_before_its_first_checkpoint_starts_in_the_same_folder(tmp_path, point):
    train(point, tmp_path / "whole")
    assert interrupted(point, tmp_path / "run", [Moment("beginning"), Moment("writing")]) == 2
    assert bits(tmp_path / "whole", tmp_path / "run") == {}


def test_a_best_that_was_overtaken_is_kept_while_a_checkpoint_names_it(tmp_path):
    kept = Checkpoints(tmp_path)

    def save(step: int, best: int) -> None:
        kept.save({"counter.step": torch.tensor(step)}, {"best": {"step": best}}, {"w": torch.tensor([float(best)])})

    save(10, 10)
    save(20, 20)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "best-10.ckpt", "best.ckpt", "last.ckpt", "previous.ckpt"
    ]  # fmt: skip
    (tmp_path / "last.ckpt").unlink()
    saved = Checkpoints(tmp_path).load()
    assert saved is not None
    assert saved.best["w"].item() == 10.0
    save(30, 20)
    save(40, 20)
    assert not list(tmp_path.glob("best-*"))


def test_a_full_disk_leaves_the_checkpoints_before_whole(tmp_path):
    """The limit on a file's size stands in for the disk: writing past it fails in the same place."""
    words = ["model=mlp", "model.hidden_sizes=[300]", "trainer.max_epochs=2", "checkpoint.every=20steps", "logger=none"]
    whole, run = tmp_path / "whole", tmp_path / "run"
    point = compose([*words, f"outputs={tmp_path / 'outputs'}"])
    train(point, whole)
    size = (whole / "checkpoints" / "last.ckpt").stat().st_size
    code = (
        "import json, sys, pathlib; from assay import run as r, preflight, folder, environment;"
        "environment.write_source = lambda where: {};"  # a difference of source may be larger than the limit
        "w = pathlib.Path(sys.argv[1]); w.mkdir(); (p,) = preflight.check(sys.argv[2:]);"
        "folder.write_config(w, p.config, p.overrides);\n"
        "try: r.run(p.config, list(p.overrides), w)\nexcept r.Failed as f: print(f, file=sys.stderr); sys.exit(1)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(run), *words, f"outputs={tmp_path / 'outputs'}"],
        capture_output=True, text=True, timeout=120, cwd=ROOT,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size // 2, size // 2)),
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    assert "the disk is full" in done.stderr.splitlines()[-1]
    assert "assay resume" in done.stderr.splitlines()[-1]
    state, _ = checkpoint.read(run / "checkpoints" / "last.ckpt")  # of before step 1, without moments: it had room
    assert int(state["counter.step"]) == 0
    assert not list(run.rglob("*.tmp"))
    assert json.loads((run / "summary.json").read_text())["status"] == "failed"
    train(point, run, resume=True)
    assert bits(whole, run) == {}


def test_a_changed_environment_is_named_first_and_kept(stopped, point, capsys):
    about = json.loads((stopped / "environment.json").read_text())
    about["versions"]["torch"] = "2.9.9"
    about["chosen"]["threads"] = 2
    folder.write_json(stopped / "environment.json", about)
    point.config["threads"] = 1
    train(point, stopped, resume=True)
    out = capsys.readouterr().out
    line = next(line for line in out.splitlines() if line.startswith("not bit for bit the run that was begun"))
    assert f"torch 2.9.9 → {torch.__version__.partition('+')[0]}" in line
    assert "threads 2 → 1" in line
    assert out.index(line) < out.index("resumed at step 50")
    summary = json.loads((stopped / "summary.json").read_text())
    assert summary["exact"] is False
    assert len(summary["inexact"]) == 2
    assert json.loads((stopped / "environment.json").read_text())["resumes"][0]["step"] == 50


def test_a_choice_that_a_run_made_is_obeyed_when_it_is_resumed(stopped, point):
    about = json.loads((stopped / "environment.json").read_text())
    folder.write_json(stopped / "environment.json", about | {"chosen": {"threads": 2}})
    try:
        train(point, stopped, resume=True)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(1)
    assert json.loads((stopped / "summary.json").read_text())["exact"] is True


def test_other_data_are_refused(stopped, point):
    about = json.loads((stopped / "environment.json").read_text())
    folder.write_json(stopped / "environment.json", about | {"data_digest": "0"})
    with pytest.raises(ConfigError, match="the data have changed since this run began"):
        train(point, stopped, resume=True)
    assert (stopped / "checkpoints" / "last.ckpt").exists()


@pytest.mark.parametrize(
    "word", ["model=lstm", "optim.lr=0.1", "seed=3", "data.batch_size=7", "early_stopping=patience"]
)
def test_what_may_not_change_is_refused_and_names_rerun(stopped, word):
    with pytest.raises(ConfigError, match=re.escape(f"use `assay rerun RUN {word}`")):
        resume.prepare(stopped, [word])


def test_an_unknown_value_of_what_may_change_is_refused(stopped):
    with pytest.raises(ConfigError, match="max_epochs"):
        resume.prepare(stopped, ["trainer.max_epochs=many"])


def test_a_finished_run_trains_longer_when_told(tmp_path, point, capsys):
    train(point, tmp_path / "run")
    with pytest.raises(ConfigError, match="is done, after 3 epochs"):
        resume.prepare(tmp_path / "run", [])
    config, words = resume.prepare(tmp_path / "run", ["trainer.max_epochs=5"])
    from assay.run import run

    summary = run(config, words, tmp_path / "run", resume=True)
    out = capsys.readouterr().out
    assert "keeps the length it was made for, 135 steps" in out
    assert summary["epochs"] == 5
    assert summary["steps"] == 225
    points = rows(tmp_path / "run")
    assert [row["epoch"] for row in points if row["name"] == "val/accuracy"] == list("01234")
    assert [row["epoch"] for row in points if row["name"] == "test/accuracy"] == ["4"]
    assert folder.read_config(tmp_path / "run")["trainer"]["max_epochs"] == 5


def test_a_longer_run_without_a_schedule_is_the_longer_run(tmp_path):
    def point(epochs: int):
        return compose(
            [*WORDS[:1], f"trainer.max_epochs={epochs}", "scheduler=none", *WORDS[2:], f"outputs={tmp_path}"]
        )

    train(point(4), tmp_path / "whole")
    train(point(2), tmp_path / "run")
    train(point(4), tmp_path / "run", resume=True)
    assert bits(tmp_path / "whole", tmp_path / "run") == {}


def test_early_stopping_has_the_last_word(tmp_path):
    words = [*WORDS, "early_stopping=patience", "early_stopping.patience=1", "early_stopping.min_delta=0.5"]
    point = compose([*words, f"outputs={tmp_path / 'outputs'}"])
    train(point, tmp_path / "run")
    longer = compose([*words, "trainer.max_epochs=9", f"outputs={tmp_path / 'outputs'}"])
    with pytest.raises(ConfigError, match="early_stopping=patience ended this run at epoch"):
        train(longer, tmp_path / "run", resume=True)


def test_a_run_that_is_being_trained_is_left_alone(stopped):
    code = (
        "import sys, time, pathlib; from assay import folder\n"
        "with folder.held(pathlib.Path(sys.argv[1])): print('held', flush=True); time.sleep(60)"
    )
    holder = subprocess.Popen([sys.executable, "-c", code, str(stopped)], stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout.readline() == "held\n"
        assert folder.is_running(stopped)
        with pytest.raises(ConfigError, match="is being trained by"):
            resume.prepare(stopped, [])
        with pytest.raises(ConfigError, match=rf"is being trained by process {holder.pid} of "), folder.held(stopped):
            pass
    finally:
        holder.kill()
        holder.communicate()
    assert not folder.is_running(stopped)  # the lock went with the process
    with folder.held(stopped):
        assert folder.is_running(stopped)


def test_what_is_no_run_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="holds no config"):
        resume.prepare(tmp_path, [])


@pytest.mark.filterwarnings("default")
def test_kernels_without_a_deterministic_form_are_remembered(tmp_path, point, monkeypatch):
    from assay.tasks.classification import Classification

    terms = Classification.terms

    def with_put(self, *arguments):
        torch.zeros(4).put_(torch.tensor([1, 1]), torch.tensor([2.0, 3.0]))  # has no deterministic kernel, anywhere
        return terms(self, *arguments)

    assert not torch.are_deterministic_algorithms_enabled()
    monkeypatch.setattr(Classification, "terms", with_put)
    train(point, tmp_path / "run")
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert summary["exact"] is False
    assert summary["inexact"] == ["put_ has no deterministic kernel"]
    assert not torch.are_deterministic_algorithms_enabled()
    point.config["deterministic"] = "never"
    train(point, tmp_path / "fast")
    assert json.loads((tmp_path / "fast" / "summary.json").read_text())["inexact"] == [
        "deterministic=never was asked for"
    ]


def test_the_environment_names_what_differs():
    now = environment.describe(
        device="cpu", capability="AVX2", world_size=1, seed=0, data="d", chosen={"threads": 2}, source={}
    )
    assert environment.differences(now, now) == []
    then = json.loads(json.dumps(now))
    then["cpu_capability"], then["world_size"], then["source_digest"] = "AVX512", 4, "another"
    assert environment.differences(then, now) == [
        "CPU instructions AVX512 → AVX2", "processes 4 → 1", "Assay's own source was edited"
    ]  # fmt: skip
    assert os.getcwd() == now["directory"]

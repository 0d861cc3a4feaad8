"""trainer=ddp, with real processes over gloo: the same run as one process, in one folder, and no end without a word."""

from __future__ import annotations

import csv
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from assay.cli import main

ROOT = Path(__file__).resolve().parent.parent.parent
CPU = ["trainer.accelerator=cpu", "logger=none"]
DDP = ["trainer=ddp", *CPU]
EXACT = ["trainer.precision=64-true"]


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "assay.cli", *words]


@pytest.fixture(autouse=True)
def threads():
    """A run sets the number of threads of the process it is in, which here is that of the tests."""
    yield
    torch.set_num_threads(1)


def train(outputs: Path, *overrides: str) -> None:
    """Rank 0, or the only process, is this one: torch is loaded."""
    assert main(["train", f"outputs={outputs}", *overrides]) == 0


def folders(outputs: Path) -> list[Path]:
    """Every run folder below."""
    return sorted(
        path.parent
        for path in outputs.rglob("config.yaml")
        if not {"latest", "source"} & {*path.relative_to(outputs).parts}
    )


def rows(folder: Path) -> list[tuple[str, str, str, float]]:
    with open(folder / "metrics.csv", encoding="utf-8", newline="") as file:
        return [(step, epoch, name, float(value)) for step, epoch, name, value in list(csv.reader(file))[1:]]


def same(one: Path, other: Path, tolerance: float) -> None:
    """Weights, every point of the log, scores and predictions."""
    assert [row[:3] for row in rows(one)] == [row[:3] for row in rows(other)]
    for a, b in zip(rows(one), rows(other), strict=True):
        assert abs(a[3] - b[3]) <= tolerance, a
    states = [load_file(folder / "checkpoints" / "last.ckpt") for folder in (one, other)]
    assert states[0].keys() == states[1].keys()
    for name, value in states[0].items():
        if name.endswith(".fused"):  # which kernel, not what it computes: trainer=fsdp has another
            continue
        torch.testing.assert_close(value.double(), states[1][name].double(), rtol=0, atol=tolerance, msg=name)
    summaries = [json.loads((folder / "summary.json").read_text()) for folder in (one, other)]
    for name, value in summaries[0].items():
        if "/" in name:
            assert abs(value - summaries[1][name]) <= tolerance, name
    assert summaries[0]["best_epoch"] == summaries[1]["best_epoch"]
    tables = [(folder / "predictions" / "test.csv").read_text() for folder in (one, other)]
    assert tables[0] == tables[1]


CASES = {
    "mlp": [
        "model=mlp",
        "model.dropout=0.3",
        "data.batch_size=47",  # 1437 examples: the last batch has 27, and the last step one micro-batch
        "accumulate=2",
        "clip=norm",
        "ema=exponential",
        "scheduler=plateau",
        "scheduler.patience=0",
        "early_stopping=patience",
        "early_stopping.patience=1",
        "optim.lr=0.05",
        "trainer.max_epochs=12",
    ],
    "lstm": [
        "data=char_contains",
        "data.examples=300",
        "data.batch_size=32",
        "model=lstm",
        "model.hidden_size=8",
        "trainer.max_epochs=2",
    ],
    "transformer": [
        "data=char_contains",
        "data.examples=200",
        "model=transformer",
        "model.dropout=0.2",
        "callbacks=[grad_norm]",
        "trainer.max_epochs=1",
    ],
    "mixup": ["model=mlp", "augment=mixup", "data.batch_size=full", "trainer.max_epochs=3"],
    "cnn": ["model=cnn", "normalization=layer", "model.channels=[4]", "trainer.max_epochs=1"],
}


def slow(*values):
    return pytest.param(*values, marks=pytest.mark.slow)


@pytest.mark.parametrize(
    ("trainer", "case"),
    [
        ("ddp", "mlp"),
        ("ddp", "lstm"),
        slow("ddp", "mixup"),
        slow("ddp", "cnn"),
        slow("fsdp", "mlp"),
        slow("fsdp", "lstm"),
        ("fsdp", "transformer"),
    ],
)
def test_two_processes_are_one_at_the_same_batch(tmp_path, capfd, trainer, case):
    alone, together = tmp_path / "alone", tmp_path / "together"
    train(alone, *CPU, *EXACT, *CASES[case])
    capfd.readouterr()
    train(together, f"trainer={trainer}", *CPU, *EXACT, *CASES[case])
    said = capfd.readouterr()
    (one,), (two,) = folders(alone), folders(together)
    same(one, two, 1e-12)
    if case == "mlp":
        summary = json.loads((two / "summary.json").read_text())
        assert summary["epochs"] < 12, "early stopping spoke, and both processes heard"
        assert said.out.count("2 processes on cpu") == said.out.count("Next:") == 1, "one set of screens"
        assert said.err.count("epoch 1:") == 1
        assert json.loads((two / "environment.json").read_text())["world_size"] == 2
        assert not list(two.glob("process-*.txt"))


def test_a_point_of_a_sweep_is_the_same_point_in_every_process(tmp_path):
    """Hydra's multirun and Lightning's own launcher train other points in other processes, in other folders."""
    overrides = ["model=mlp", "trainer.max_epochs=1", *EXACT]
    train(tmp_path / "sweep", "-m", *DDP, *overrides, "seed=1,2")
    found = {json.loads((one / "environment.json").read_text())["seed"]: one for one in folders(tmp_path / "sweep")}
    assert sorted(found) == [1, 2]
    train(tmp_path / "alone", *CPU, *overrides, "seed=2")
    same(*folders(tmp_path / "alone"), found[2], 1e-12)


# ends


LONG = [*DDP, "model=mlp", "trainer.max_epochs=5000"]


def other_process(of: int) -> int:
    """The one process that a run has started."""
    found = subprocess.run(["ps", "-o", "pid=,args=", "--ppid", str(of)], capture_output=True, text=True).stdout
    (other,) = (int(one.split()[0]) for one in found.splitlines() if "assay.follow" in one)
    return other


def once_validated(outputs: Path, act) -> list[int]:
    """Calls ``act`` with the process id of the other process, from a thread, once a run in this process has validated;
    a list that then holds that process id."""
    seen: list[int] = []

    def wait() -> None:
        while not any("val/" in one.read_text() for one in outputs.rglob("metrics.csv")):
            time.sleep(0.05)
        seen.append(other_process(os.getpid()))
        act(seen[0])

    threading.Thread(target=wait, daemon=True).start()
    return seen


def ends(pid: int, within: float) -> bool:
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
            if "Z" in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]:
                return True
        except (ProcessLookupError, FileNotFoundError):
            return True
        time.sleep(0.05)
    return False


needs_linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc to see which processes live")


@needs_linux
def test_a_process_that_is_killed_is_named_and_nothing_hangs(tmp_path, capfd):
    once_validated(tmp_path, lambda other: os.kill(other, signal.SIGKILL))
    assert main(["train", f"outputs={tmp_path}", *LONG]) == 1
    said = capfd.readouterr().err
    assert said.splitlines()[-1] == "process 1 of 2 was killed (SIGKILL)"
    assert "Traceback" not in said
    (folder,) = folders(tmp_path)
    summary = json.loads((folder / "summary.json").read_text())
    assert (summary["status"], summary["reason"]) == ("failed", "process 1 of 2 was killed (SIGKILL)")


@needs_linux
def test_the_others_end_with_the_first(tmp_path):
    words = command("train", f"outputs={tmp_path}", *LONG)
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, cwd=ROOT) as run:
        while not (line := run.stderr.readline()).startswith("epoch"):
            assert line
        other = other_process(run.pid)
        run.kill()
    assert ends(other, within=5)


@needs_linux
@pytest.mark.parametrize("trainer", ["ddp", slow("fsdp")])
def test_a_stopped_run_is_saved_once_and_goes_on_to_the_same_bits(tmp_path, capfd, trainer):
    words = [
        f"trainer={trainer}",
        *CPU,
        "model=mlp",
        "trainer.max_epochs=8",
        "model.dropout=0.2",
        "ema=exponential",
        "scheduler=none",
    ]
    train(tmp_path / "whole", *words)
    other = once_validated(tmp_path / "stopped", lambda other: os.kill(os.getpid(), signal.SIGTERM))
    assert main(["train", f"outputs={tmp_path / 'stopped'}", *words]) == 143
    assert capfd.readouterr().out.count("Stopped at step") == 1
    assert ends(*other, within=5)
    (folder,) = folders(tmp_path / "stopped")
    assert main(["resume", str(folder)]) == 0
    same(*folders(tmp_path / "whole"), *folders(tmp_path / "stopped"), 0.0)


@pytest.mark.slow
@needs_linux
def test_a_divided_state_is_saved_by_the_clock_and_is_that_of_one_process(tmp_path):
    """checkpoint.every=… in seconds is rank 0's decision, in which all have a part."""
    words = ["model=mlp", "trainer.max_epochs=9", *EXACT]
    train(tmp_path / "divided", "trainer=fsdp", "checkpoint.every=1s", *CPU, *words)
    train(tmp_path / "alone", *CPU, *words)
    alone, divided = (folder / "checkpoints" for folder in folders(tmp_path))
    shapes = [{name: value.shape for name, value in load_file(one / "last.ckpt").items()} for one in (divided, alone)]
    assert shapes[0] == shapes[1]
    assert 0 < int(load_file(divided / "previous.ckpt")["counter.step"]) < 9 * 45, "saved by the clock, on the way"
    assert int(load_file(alone / "previous.ckpt")["counter.step"]) == 0


def test_a_loss_that_is_not_finite_names_examples_of_the_whole_batch(tmp_path, capfd):
    words = [*DDP, "model=mlp", "optim=sgd", "optim.lr=1e30", "trainer.max_epochs=1"]
    assert main(["train", f"outputs={tmp_path}", *words]) == 1
    (line,) = [one for one in capfd.readouterr().err.splitlines() if "not finite" in one]
    assert "step 2: the output of" in line
    (folder,) = folders(tmp_path)
    assert not list(folder.glob("process-*.txt")), "the other process ended in order"


@pytest.mark.slow
def test_a_process_that_never_comes_is_quoted(tmp_path, monkeypatch, capfd):
    hook = tmp_path / "sitecustomize.py"
    hook.write_text("import sys\nif 'assay.follow' in sys.orig_argv: raise SystemExit('no such thing as a GPU here')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert main(["train", f"outputs={tmp_path / 'outputs'}", *DDP, "model=mlp", "trainer.max_epochs=1"]) == 1
    assert "process 1 of 2 ended with exit code 1: SystemExit: no such thing as a GPU here" in capfd.readouterr().err


# started from outside


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def started(tmp_path: Path, environments: list[dict[str, str]], *overrides: str) -> list[tuple[int, str, str]]:
    """The same command in several environments: (exit code, stdout, stderr) of each."""
    words = command("train", *(["-m"] if "-m" in overrides else []), f"outputs={tmp_path}", *DDP, "model=mlp", *EXACT)
    runs = [
        subprocess.Popen(
            [*words, "trainer.max_epochs=1", *(one for one in overrides if one != "-m")],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env={**os.environ, **environment},
        )
        for environment in environments
    ]
    said = [run.communicate(timeout=120) for run in runs]
    return [(run.returncode, *texts) for run, texts in zip(runs, said, strict=True)]


def as_torchrun(count: int) -> list[dict[str, str]]:
    shared = {"WORLD_SIZE": str(count), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port())}
    return [{**shared, "RANK": str(rank), "LOCAL_RANK": str(rank)} for rank in range(count)]


@pytest.mark.slow
def test_processes_that_torchrun_starts_share_a_run(tmp_path):
    ends = started(tmp_path / "both", as_torchrun(2), "trainer.devices=2")
    assert [code for code, _, _ in ends] == [0, 0], ends
    assert ends[1][1:] == ("", ""), "the other process says nothing"
    train(tmp_path / "alone", *CPU, *EXACT, "model=mlp", "trainer.max_epochs=1")
    same(*folders(tmp_path / "alone"), *folders(tmp_path / "both"), 1e-12)


@pytest.mark.slow
def test_processes_that_srun_starts_share_a_run(tmp_path):
    """Its variables, without it."""
    shared = {"SLURM_STEP_NUM_TASKS": "2", "SLURM_NTASKS": "2", "SLURM_STEP_NODELIST": "127.0.0.1", "SLURM_JOB_ID": "7"}
    shared |= {"MASTER_PORT": str(free_port()), "MASTER_ADDR": "127.0.0.1", "SLURM_JOB_NAME": "train"}
    ends = started(
        tmp_path, [{**shared, "SLURM_PROCID": f"{n}", "SLURM_LOCALID": f"{n}"} for n in range(2)], "trainer.devices=2"
    )
    assert [code for code, _, _ in ends] == [0, 0], ends
    assert len(folders(tmp_path)) == 1


@pytest.mark.slow
def test_processes_that_torchrun_starts_share_a_sweep(tmp_path):
    ends = started(tmp_path, as_torchrun(2), "-m", "trainer.devices=2", "seed=0,1")
    assert [code for code, _, _ in ends] == [0, 0], ends
    assert len(folders(tmp_path)) == 2


@pytest.mark.slow
@pytest.mark.parametrize("devices", [1, 2])
def test_two_machines_share_a_run(tmp_path, devices):
    """Simulated on one: the same command twice, with NODE_RANK 0 and 1."""
    shared = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port())}
    nodes = [{**shared, "NODE_RANK": str(node)} for node in range(2)]
    ends = started(tmp_path / "both", nodes, f"trainer.devices={devices}", "trainer.num_nodes=2")
    assert [code for code, _, _ in ends] == [0, 0], ends
    train(tmp_path / "alone", *CPU, *EXACT, "model=mlp", "trainer.max_epochs=1")
    same(*folders(tmp_path / "alone"), *folders(tmp_path / "both"), 1e-12)

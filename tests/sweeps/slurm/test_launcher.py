"""``launcher=slurm``: what is submitted, once; what the script says; what is refused; and that no pickle is made."""

from __future__ import annotations

import re
import shlex
import shutil
import sys

import pytest

from assay.errors import ConfigError
from assay.preflight import check
from assay.sweeps.jobs.job import Job
from assay.sweeps.ledger.ledger import Ledger
from assay.sweeps.slurm import queue
from assay.sweeps.slurm.launcher import command, indices
from tests.sweeps.slurm_sweeps import launcher, orders, planned, submitted


@pytest.mark.parametrize(
    ("numbers", "text"), [([0], "0"), ([0, 1, 2], "0-2"), ([9, 3, 7, 8], "3,7-9"), ([1, 3, 5], "1,3,5")]
)
def test_indices_are_written_as_sbatch_reads_them(numbers, text):
    assert indices(numbers) == text


def test_points_become_one_array_and_what_each_is_told_is_json(slurm, tmp_path, capsys):
    ledger = submitted(
        tmp_path / "my sweep",
        [0, 1, 2],
        partition="short",
        gpus_per_node=1,
        mem_gb=1.5,
        setup=["module load cuda"],
        parameters={"constraint": "a100"},
        array_parallelism=2,
    )
    ((job, facts),) = slurm.read()["jobs"].items()
    asked = facts["asked"]
    wanted = {
        "array": "0-2%2", "time": "60", "signal": "USR2@120", "mem": "1536MB", "partition": "short",
        "constraint": "a100", "gpus-per-node": "1",
    }  # fmt: skip
    assert {key: asked[key] for key in wanted} == wanted
    assert "requeue" in asked
    assert asked["job-name"] == "'assay-my sweep'"
    lines = facts["script"].splitlines()
    assert "module load cuda" in lines
    (run,) = [line for line in lines if line.startswith("srun")]
    words = shlex.split(run)
    assert words[words.index("-m") :] == ["-m", "assay.sweeps.slurm.task", str(tmp_path / "my sweep"), "0"]
    assert "%A_%a" in run  # the output of each task in its own file
    place = tmp_path / "my sweep" / "slurm"
    assert not list(place.rglob("*.pkl"))
    told = Job.from_json((place / "2.json").read_text())
    assert (told.number, told.config["seed"], told.threads, told.folder) == (2, 2, 2, ledger.folder / "2")
    assert told.extra["requeue"] == 10
    (batch,) = queue.batches(ledger.folder)
    assert (batch.job, batch.numbers, batch.task(2)) == (job, (0, 1, 2), f"{job}_2")
    assert capsys.readouterr().out.splitlines()[0].endswith("my sweep: 3 submitted")


def test_the_same_command_submits_what_is_neither_queued_nor_done(slurm, tmp_path, capsys):
    ledger = submitted(tmp_path / "s", [0, 1, 2])
    submitted(tmp_path / "s", [0, 1, 2])
    assert len(slurm.calls("sbatch")) == 1
    assert "nothing to submit, 3 queued before" in capsys.readouterr().out
    with ledger.at_work() as worker:
        for number, state in ((0, "done"), (1, "failed")):
            assert ledger.claim(number, worker)
            ledger.finish(number, state, reason="no luck" if state == "failed" else "")
            slurm.set("100", number, state="COMPLETED")
    submitted(tmp_path / "s", [0, 1, 2, 3])
    assert slurm.read()["jobs"]["101"]["asked"]["array"] == "1,3%256"
    assert "2 submitted, 1 queued before, 1 done" in capsys.readouterr().out


def test_numbers_beyond_the_bound_of_an_array_are_counted_from_a_base(slurm, tmp_path, monkeypatch):
    monkeypatch.setattr("assay.sweeps.slurm.launcher.ARRAY", 2)
    submitted(tmp_path / "s", [0, 1, 2, 3, 4])
    jobs = slurm.read()["jobs"]
    assert [facts["asked"]["array"] for facts in jobs.values()] == ["0-1%256", "0-1%256", "0%256"]
    assert [re.search(r"task \S+ (\d+)", facts["script"])[1] for facts in jobs.values()] == ["0", "2", "4"]
    assert sorted(queue.queued(tmp_path / "s")) == [0, 1, 2, 3, 4]
    assert queue.queued(tmp_path / "s")[3].task == "101_1"


def test_what_sbatch_refuses_is_one_line_and_nothing_is_noted(slurm, tmp_path):
    with pytest.raises(ConfigError, match=r"sbatch refuses the sweep .*invalid partition specified: nowhere"):
        submitted(tmp_path / "s", [0], partition="nowhere")
    assert queue.batches(tmp_path / "s") == []
    assert [entry.state for entry in Ledger(tmp_path / "s").entries()] == ["planned"]
    with pytest.raises(ConfigError, match="unrecognized option '--no-such'"):
        submitted(tmp_path / "s", [0], parameters={"no_such": 1})


def test_a_machine_without_slurm_and_choices_that_need_results_are_refused_first(slurm, monkeypatch, tmp_path):
    sweep = ["-m", "model=mlp", "seed=0,1", "launcher=slurm", "logger=none", f"outputs={tmp_path / 'out'}"]
    assert len(check(sweep)) == 2
    assert check(sweep)[0].settings["launcher"]["timeout_min"] == 60
    assert "launcher" not in check(sweep)[0].config
    for wrong, line in [
        (["sweep.tune=[optim.lr]", "optim.lr=0.1,0.2"], "submits every point at once, and sweep.tune chooses"),
        (["launcher.timeout_min=1"], "timeout_min >= 3"),
        (["launcher.cluster=pbs"], "none of slurm, local"),
        (["launcher.timeoutmin=10"], "did you mean launcher.timeout_min?"),
    ]:
        with pytest.raises(ConfigError, match=line.replace("?", r"\?")):
            check([*sweep, *wrong])
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(ConfigError, match="finds no sbatch and no srun on this machine"):
        check(sweep)
    assert len(check([*sweep, "launcher.cluster=local"])) == 2
    assert not (tmp_path / "out").exists()


def test_a_queue_that_cannot_be_asked_stops_the_submission(slurm, tmp_path, monkeypatch):
    ledger = submitted(tmp_path / "s", [0])
    (tmp_path / "slurm commands" / "squeue").unlink()
    points = planned([0, 1])
    from assay.sweeps.strategy import Grid

    with pytest.raises(ConfigError, match="cannot ask what is queued already: there is no squeue"):
        launcher().run(ledger, Grid(points), orders(points))
    assert len(slurm.calls("sbatch")) == 1


def test_the_command_finds_this_python_and_the_snapshot_first(tmp_path):
    words = shlex.split(command(tmp_path / "a sweep", 3, [tmp_path / "source"]))
    assert words[0] == "env"
    assert words[1].startswith(f"PYTHONPATH={tmp_path / 'source'}:")
    assert words[2] == sys.executable
    assert words[-2:] == [str(tmp_path / "a sweep"), "3"]
    assert shutil.which(words[2])

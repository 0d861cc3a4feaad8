"""Slots, threads and GPUs that jobs are lent."""

from __future__ import annotations

import os

import pytest

from assay.composition import devices, places
from assay.errors import ConfigError
from assay.sweeps.jobs import leases
from assay.sweeps.jobs.leases import Leases, alone, needs_gpu, visible, worker_name

CPU = {"accelerator": "cpu", "devices": 1}
GPU = {"accelerator": "auto", "devices": 1}
DDP = {"accelerator": "cpu", "devices": 2, "strategy": "ddp", "num_nodes": 1}


@pytest.fixture
def machine(monkeypatch, tmp_path):
    """A machine of so many cores and GPUs."""

    def made(cores: int, gpus: int = 0, visible: str | None = None) -> None:
        monkeypatch.setattr(leases, "core_count", lambda: cores)
        monkeypatch.setattr(leases, "gpu_count", lambda: gpus)
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
        if visible is not None:
            monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)

    return made


def lent(jobs, trainer, place, count: int) -> list:
    """As many leases as can be had, at most so many."""
    pool = Leases(jobs, trainer, place)
    return [pool.take(trainer) for _ in range(count)]


@pytest.mark.parametrize(
    ("jobs", "slots", "threads"), [("auto", 8, 1), (8, 8, 1), (3, 3, 2), ("2", 2, 4), (1, 1, 8), (20, 20, 1)]
)
def test_threads_are_divided_among_the_jobs(machine, tmp_path, jobs, slots, threads):
    machine(8)
    pool = Leases(jobs, CPU, tmp_path)
    found = [pool.take(CPU) for _ in range(slots)]
    assert [one.threads for one in found] == [threads] * slots
    assert all(one.devices == () for one in found)
    assert pool.take(CPU) is None
    pool.give(found[0])
    assert pool.take(CPU) is not None


def test_a_gpu_is_lent_to_one_job_and_comes_back(machine, tmp_path):
    machine(16, 2)
    pool = Leases("auto", GPU, tmp_path)
    assert pool.slots == 2
    first, second = pool.take(GPU), pool.take(GPU)
    assert [first.devices, second.devices] == [("0",), ("1",)]
    assert first.threads == 8
    assert pool.take(GPU) is None
    pool.give(second)
    assert pool.take(GPU).devices == ("1",)


def test_names_of_gpus_are_those_that_this_process_may_see(machine, tmp_path):
    machine(4, 2, "GPU-7f,GPU-9a")
    assert visible() == ["GPU-7f", "GPU-9a"]
    assert [one.devices for one in lent("auto", GPU, tmp_path, 2)] == [("GPU-7f",), ("GPU-9a",)]


def test_a_run_on_two_gpus_takes_two(machine, tmp_path):
    machine(16, 4)
    two = {**GPU, "devices": 2, "strategy": "ddp", "num_nodes": 1}
    pool = Leases("auto", two, tmp_path)
    found = [pool.take(two) for _ in range(3)]
    assert [one and one.devices for one in found] == [("0", "1"), ("2", "3"), None]
    assert found[0].threads is None  # its processes divide the cores themselves
    many = {**two, "devices": 8}
    with pytest.raises(ConfigError, match=r"a job asks for 8 GPUs of 4: use trainer.devices=4"):
        Leases("auto", many, tmp_path / "other").take(many)


def test_more_jobs_than_gpus_share_them_evenly(machine, tmp_path):
    machine(16, 2)
    found = lent(4, GPU, tmp_path, 5)
    assert sorted(one.devices for one in found[:4]) == [("0",), ("0",), ("1",), ("1",)]
    assert found[4] is None


def test_two_sweeps_do_not_train_on_one_gpu(machine, tmp_path):
    """The locks are of the system: the other sweep is another process."""
    machine(16, 2)
    ours = Leases("auto", GPU, tmp_path)
    assert ours.take(GPU).devices == ("0",)
    reads, writes = os.pipe()
    if (pid := os.fork()) == 0:
        leases.folder._held.clear()  # as in a process that was started: it holds nothing
        theirs = Leases("auto", GPU, tmp_path)
        names = [lease.devices if lease else None for lease in (theirs.take(GPU), theirs.take(GPU))]
        os.write(writes, repr(names).encode())
        os._exit(0)
    os.waitpid(pid, 0)
    assert os.read(reads, 100) == b"[('1',), None]"
    assert ours.take(GPU).devices == ("1",)  # the lock went with its process
    os.close(reads), os.close(writes)


def test_ddp_on_the_cpu_takes_a_slot_for_each_process(machine, tmp_path):
    machine(4)
    pool = Leases("auto", DDP, tmp_path)
    found = [pool.take(DDP) for _ in range(3)]
    assert [one and one.slots for one in found] == [2, 2, None]


def test_what_runs_alone_on_the_cpu(machine):
    machine(4)
    assert alone(CPU)
    assert alone(GPU)  # there is none here
    assert not alone(DDP)
    assert alone({**DDP, "devices": 1})
    machine(4, 1)
    assert not alone(GPU)
    assert alone(CPU)
    assert needs_gpu(GPU) == 1


def test_a_number_of_jobs_that_is_none_is_refused(machine):
    machine(4)
    for wrong in ("0", "many", "-1", "1.5"):
        with pytest.raises(ConfigError, match=f"sweep.jobs={wrong} is no number of jobs: write auto, or 1 and more"):
            Leases(wrong, CPU)


def test_no_two_workers_have_one_name():
    names = {worker_name() for _ in range(50)}
    assert len(names) == 50
    assert all(set(name) <= set(leases.re.sub(r"[^A-Za-z0-9.-]", "", name)) for name in names)
    assert devices.core_count() >= 1
    assert not places.is_distributed(CPU)

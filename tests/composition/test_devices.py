"""Counting accelerators from what the operating system shows."""

from __future__ import annotations

from pathlib import Path

import pytest

from assay.composition import devices
from assay.errors import ConfigError


@pytest.fixture
def machine(monkeypatch):
    monkeypatch.setattr(devices.sys, "platform", "linux")
    for name in ("CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES"):
        monkeypatch.delenv(name, raising=False)

    def with_files(*names: str) -> None:
        monkeypatch.setattr(devices.Path, "glob", lambda self, pattern: [Path(name) for name in names])
        devices.gpu_count.cache_clear()

    yield with_files
    monkeypatch.undo()
    devices.gpu_count.cache_clear()


def test_nvidia_devices_are_counted(machine):
    machine("/dev/nvidia0", "/dev/nvidia1")
    assert devices.gpu_count() == 2


@pytest.mark.parametrize(("visible", "count"), [("", 0), ("-1", 0), ("0", 1), ("0,1", 2), ("0,1,2,3", 2)])
def test_hidden_devices_do_not_count(machine, monkeypatch, visible, count):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    machine("/dev/nvidia0", "/dev/nvidia1")
    assert devices.gpu_count() == count


@pytest.mark.parametrize(("processor", "count"), [("arm64", 1), ("x86_64", 0)])
def test_apple(machine, monkeypatch, processor, count):
    monkeypatch.setattr(devices.sys, "platform", "darwin")
    monkeypatch.setattr(devices.platform, "machine", lambda: processor)
    machine()
    assert devices.gpu_count() == count


DDP = {"strategy": "ddp", "num_nodes": 1}


@pytest.mark.parametrize(
    ("trainer", "gpus", "part"),
    [
        ({"devices": 2}, 2, "use trainer=ddp"),
        ({"devices": 3, **DDP}, 2, "more than the 2 of this machine: trainer.devices=2"),
        ({"devices": 2, **DDP}, 1, "trainer.devices=1 or trainer.accelerator=cpu"),
        ({"devices": 5, **DDP}, 0, "more processes than this machine has cores: trainer.devices=4"),
        ({"devices": 5, **DDP, "accelerator": "cpu"}, 8, "trainer.devices=4"),
        ({"devices": 2, **DDP, "accelerator": "gpu"}, 0, "use trainer.accelerator=cpu"),
        ({"devices": "auto", **DDP}, 2, "is not a number of devices"),
        ({"devices": 1, "num_nodes": 2}, 0, "use trainer=ddp"),
        ({"devices": 1, "strategy": "ddp_spawn"}, 0, "use trainer=ddp"),
        ({"devices": 2, **DDP, "sync_batchnorm": True}, 2, "use normalization=layer"),
    ],
)
def test_several_processes_need_something_to_run_on(monkeypatch, trainer, gpus, part):
    monkeypatch.setattr(devices, "gpu_count", lambda: gpus)
    monkeypatch.setattr(devices, "core_count", lambda: 4)
    with pytest.raises(ConfigError) as refused:
        devices.check(trainer)
    assert part in str(refused.value)
    assert "\n" not in str(refused.value)


def test_processes_that_fit(monkeypatch):
    monkeypatch.setattr(devices, "core_count", lambda: 4)
    for gpus, trainer in ((0, {"devices": 4}), (2, {"devices": 2}), (1, {"devices": 3, "accelerator": "cpu"})):
        monkeypatch.setattr(devices, "gpu_count", lambda gpus=gpus: gpus)
        devices.check({**trainer, **DDP})


def test_a_strategy_is_chosen_by_its_option():
    with pytest.raises(ConfigError, match=r"trainer\.strategy=ddp is an option of its own: use trainer=ddp or fsdp"):
        devices.check({"devices": 2, "strategy": "ddp"})

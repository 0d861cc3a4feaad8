"""Counting accelerators from what the operating system shows."""

from __future__ import annotations

from pathlib import Path

import pytest

from assay.composition import devices


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

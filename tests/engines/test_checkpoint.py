"""Checkpoints: whole or refused."""

from __future__ import annotations

import pickle
import shutil

import pytest
import torch

from assay.engines import checkpoint
from assay.errors import ConfigError

STATE = {
    "network.w": torch.randn(3, 4),
    "network.n": torch.tensor(3),
    "flags": torch.tensor([True, False]),
    "half": torch.randn(2, dtype=torch.bfloat16),
}


def test_round_trip_is_exact(tmp_path):
    path = tmp_path / "checkpoints" / "last.ckpt"
    checkpoint.write(path, STATE, {"monitor": "val/accuracy", "best": {"score": 0.5}})
    state, facts = checkpoint.read(path)
    assert facts == {"monitor": "val/accuracy", "best": {"score": 0.5}}
    assert {k: (v.dtype, v.tolist()) for k, v in state.items()} == {k: (v.dtype, v.tolist()) for k, v in STATE.items()}
    assert not list(path.parent.glob("*.tmp"))


@pytest.mark.parametrize("keep", [0, 5, 100, -1])
def test_a_truncated_file_is_refused(tmp_path, keep):
    path = tmp_path / "last.ckpt"
    checkpoint.write(path, STATE, {})
    data = path.read_bytes()
    path.write_bytes(data[:keep])
    with pytest.raises(ConfigError, match=r"last\.ckpt is truncated"):
        checkpoint.read(path)


def test_an_altered_file_is_refused(tmp_path):
    path = tmp_path / "last.ckpt"
    checkpoint.write(path, STATE, {})
    data = bytearray(path.read_bytes())
    data[-3] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(ConfigError, match="altered"):
        checkpoint.read(path)


class Bomb:
    """Creates a file when unpickled: a test that would see the code run."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


@pytest.mark.parametrize("form", ["pickle", "torch"])
def test_a_file_that_would_run_code_is_refused_unopened(tmp_path, form):
    fuse, path = tmp_path / "exploded", tmp_path / "last.ckpt"
    if form == "pickle":
        path.write_bytes(pickle.dumps({"network.w": Bomb(fuse)}))
    else:
        torch.save({"network.w": Bomb(fuse)}, path)
    with pytest.raises(ConfigError, match="could run code"):
        checkpoint.read(path)
    assert not fuse.exists()
    if form == "pickle":
        pickle.loads(path.read_bytes())["network.w"].close()
        assert fuse.exists()  # the bomb was live


def test_a_full_disk_leaves_the_last_good_one(tmp_path, monkeypatch):
    path = tmp_path / "last.ckpt"
    checkpoint.write(path, STATE, {"n": 1})

    def full(*arguments, **keywords):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoint, "save_file", full)
    with pytest.raises(OSError, match="No space"):
        checkpoint.write(path, STATE, {"n": 2})
    assert checkpoint.read(path)[1] == {"n": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["last.ckpt"]
    shutil.rmtree(tmp_path)


def test_only_finite_weights_are_worth_keeping():
    assert checkpoint.is_finite({"network.w": torch.ones(2), "stopping.best": torch.tensor(float("-inf"))})
    assert not checkpoint.is_finite({"network.w": torch.tensor([1.0, float("nan")])})
    assert not checkpoint.is_finite({"optimizer.moment.0.exp_avg": torch.tensor([float("inf")])})


def test_a_header_as_long_as_a_pickle_starts_is_no_pickle(tmp_path):
    """A safetensors file starts with its header's length: 640 bytes are spelt 0x80 0x02, like a pickle."""
    path, alike = tmp_path / "last.ckpt", 0
    for padding in range(200, 1000, 8):
        checkpoint.write(path, {"w": torch.ones(1)}, {"padding": "x" * padding})
        alike += path.read_bytes()[:2] in (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")
        assert checkpoint.read(path)[1]["padding"] == "x" * padding
    assert alike, "some header had such a length"

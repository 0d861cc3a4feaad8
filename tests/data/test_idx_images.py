"""Sets in idx files: a small one of every split, and Fashion-MNIST and MNIST where they are at hand."""

from __future__ import annotations

import gzip
import hashlib
import struct

import numpy as np
import pytest
import torch

from assay.data.download import Download, File
from assay.data.idx_images import IdxImages, read_idx
from assay.data.sources import fashion_mnist, mnist
from assay.errors import ConfigError
from tests import covers
from tests.data.published import counts, ready
from tests.references.published import idx


def packed(values: np.ndarray) -> bytes:
    return struct.pack(f">HBB{values.ndim}I", 0, 8, values.ndim, *values.shape) + values.tobytes()


def test_a_small_set_is_read_packed_and_unpacked(tmp_path):
    generator = np.random.default_rng(0)
    arrays = {}
    for split, count in (("train", 240), ("t10k", 40)):
        arrays[f"{split}-images-idx3-ubyte"] = generator.integers(0, 256, (count, 28, 28), dtype=np.uint8)
        arrays[f"{split}-labels-idx1-ubyte"] = (np.arange(count) % 10).astype(np.uint8)
    folder, files = tmp_path / "Set" / "raw", []
    folder.mkdir(parents=True)
    for number, (name, values) in enumerate(arrays.items()):
        plain = packed(values)
        held = gzip.compress(plain, mtime=0)
        (folder / (name if number % 2 else f"{name}.gz")).write_bytes(plain if number % 2 else held)
        sums = [(hashlib.md5(data).hexdigest(), len(data)) for data in (held, plain)]
        files.append(File(f"{name}.gz", *sums[0], *sums[1]))
    made = Download("Set", "Set/raw", tuple(files), ("http://127.0.0.1:9/",))
    dataset = IdxImages(made, tuple("0123456789"), "made here", "none", str(tmp_path), 8, 0, 1)
    dataset.setup()
    assert {split: len(examples) for split, examples in dataset.splits.items()} == {"train": 220, "val": 20, "test": 40}
    images = np.concatenate([arrays["train-images-idx3-ubyte"], arrays["t10k-images-idx3-ubyte"]])
    for examples in dataset.splits.values():
        batch = examples.gather(torch.arange(len(examples)))
        np.testing.assert_array_equal((batch["source"][:, 0] * 255).round().numpy(), images[batch["index"].numpy()])
        rows = batch["index"].where(batch["index"] < 240, batch["index"] - 240)
        assert torch.equal(batch["label"], rows % 10)
    assert dataset.splits["test"].index.tolist() == list(range(240, 280))


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist"])
def test_the_published_files(name):
    dataset = ready(name)
    held = counts(dataset)
    assert [sum(one) for one in held.values()] == [55000, 5000, 10000]
    published = {"mnist": mnist, "fashion_mnist": fashion_mnist}[name].DOWNLOAD
    data = published.read(str(covers.DATA), published.files[2])[: 16 + 784 * 5]
    test = dataset.splits["test"].gather(torch.arange(5))["source"]
    shown = idx(data[:4] + struct.pack(">I", 5) + data[8:])  # the first five images
    np.testing.assert_array_equal((test[:, 0] * 255).round().numpy(), shown)
    labels = idx(published.read(str(covers.DATA), published.files[3]))
    assert dataset.splits["test"].column("label").tolist() == labels.tolist()
    if name == "fashion_mnist":
        assert set(held["test"]) == {1000}
    else:
        assert held["test"] == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]


def test_what_is_no_idx_file_is_refused():
    values = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    np.testing.assert_array_equal(read_idx(packed(values), "a"), idx(packed(values)))
    for data in (b"", b"\0\0\x09\x01", b"\x80\x04\x95pickle", b"\0\0\x08\x03\0\0"):
        with pytest.raises(ConfigError, match="a is not an idx file of bytes"):
            read_idx(data, "a")
    with pytest.raises(ConfigError, match="a holds 23 values where its header says 2 × 3 × 4"):
        read_idx(packed(values)[:-1], "a")


def test_the_refusal_of_mnist_names_files_folder_and_source(tmp_path, monkeypatch):
    monkeypatch.setattr("assay.data.download._first_to_answer", lambda addresses: None)
    with pytest.raises(ConfigError) as refusal:
        mnist.check({"root": str(tmp_path)})
    for part in ("t10k-labels-idx1-ubyte.gz", str(tmp_path / "MNIST" / "raw"), "mnist/", "data_dir= or ASSAY_DATA"):
        assert part in str(refusal.value)

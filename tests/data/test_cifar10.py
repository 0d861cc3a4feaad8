"""CIFAR-10: small batches in the published layout, packed and unpacked; the real ones where they are at hand."""

from __future__ import annotations

import hashlib
import io
import tarfile

import numpy as np
import pytest
import torch

from assay.data.cifar10 import Cifar10, read_batch
from assay.data.download import Download, File
from assay.data.sources import cifar10 as source
from assay.errors import ConfigError
from tests.data.published import counts, ready

EACH = 100  # records of a small batch


def small(seed: int = 0) -> dict[str, bytes]:
    """Six batches, each record written out byte by byte: class, red, green, blue."""
    generator = np.random.default_rng(seed)
    made = {}
    for name in source.BATCHES:
        made[name] = b"".join(
            bytes([number % 10]) + generator.integers(0, 256, 3072, dtype=np.uint8).tobytes() for number in range(EACH)
        )
    return made


@pytest.fixture
def sizes(monkeypatch):
    monkeypatch.setattr(source, "BYTES", EACH * 3073)


def packed(batches: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as archive:
        for name, data in {**batches, "readme.html": b"x"}.items():
            member = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return file.getvalue()


def made(root) -> Cifar10:
    dataset = Cifar10(str(root))
    dataset.setup()
    return dataset


def test_pixels_classes_and_splits(tmp_path, sizes):
    batches = small()
    folder = tmp_path / "cifar-10-batches-bin"
    folder.mkdir()
    for name, data in batches.items():
        (folder / name).write_bytes(data)
    dataset = made(tmp_path)
    assert {name: len(part) for name, part in dataset.splits.items()} == {"train": 450, "val": 50, "test": 100}
    whole = b"".join(batches.values())
    for part in dataset.splits.values():
        batch = part.gather(torch.arange(len(part)))
        for number, image, label in zip(batch["index"].tolist(), batch["source"], batch["label"].tolist(), strict=True):
            record = whole[number * 3073 : (number + 1) * 3073]
            assert label == record[0]
            for channel, row, column in ((0, 0, 0), (0, 5, 31), (1, 7, 3), (2, 31, 30)):
                byte = record[1 + channel * 1024 + row * 32 + column]
                assert image[channel, row, column].item() == pytest.approx(byte / 255, abs=1e-7)
    assert counts(dataset)["val"] == [5] * 10
    assert dataset.splits["test"].index.tolist() == list(range(500, 600))


def test_the_archive_is_read_as_its_files_and_not_unpacked(tmp_path, sizes, monkeypatch):
    archive = packed(small())
    (tmp_path / "packed").mkdir()
    (tmp_path / "packed" / "cifar-10-binary.tar.gz").write_bytes(archive)
    (tmp_path / "plain" / "cifar-10-batches-bin").mkdir(parents=True)
    for name, data in small().items():
        (tmp_path / "plain" / "cifar-10-batches-bin" / name).write_bytes(data)
    file = File("cifar-10-binary.tar.gz", hashlib.md5(archive).hexdigest(), len(archive))
    monkeypatch.setattr(source, "DOWNLOAD", Download("CIFAR-10", "", (file,), ("http://127.0.0.1:9/",)))
    one, other = made(tmp_path / "packed"), made(tmp_path / "plain")
    assert one.digest == other.digest
    assert [path.name for path in (tmp_path / "packed").iterdir()] == ["cifar-10-binary.tar.gz"]
    (tmp_path / "packed" / "cifar-10-binary.tar.gz").write_bytes(archive[:-1] + b"x")
    with pytest.raises(ConfigError, match="is not the published file"):
        made(tmp_path / "packed")


def test_what_is_not_the_published_set_is_refused(tmp_path, sizes):
    with pytest.raises(ConfigError, match="a has 3,072 bytes, which are not records of 3,073"):
        read_batch(bytes(3072), "a")
    with pytest.raises(ConfigError, match="a holds the class 10; CIFAR-10 has 0 to 9"):
        read_batch(b"\x0a" + bytes(3072), "a")
    folder = tmp_path / "cifar-10-batches-bin"
    folder.mkdir()
    for name, data in small().items():
        (folder / name).write_bytes(data)
    (folder / "test_batch.bin").write_bytes(small()["test_batch.bin"][3073:] + bytes([5]) + bytes(3072))
    with pytest.raises(ConfigError, match="the test batches hold more of one class than of another"):
        made(tmp_path)


def test_the_refusal_names_file_folder_and_source(tmp_path, monkeypatch):
    monkeypatch.setattr("assay.data.download._first_to_answer", lambda addresses: None)
    with pytest.raises(ConfigError) as refusal:
        source.check({"root": str(tmp_path)})
    for part in ("put cifar-10-binary.tar.gz in", str(tmp_path), "cs.toronto.edu/~kriz/", "name another folder with"):
        assert part in str(refusal.value)


def test_the_published_files():
    held = counts(ready("cifar10"))
    assert held == {"train": [4500] * 10, "val": [500] * 10, "test": [1000] * 10}

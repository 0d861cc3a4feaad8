"""CIFAR-10, from its binary version: no pickle is opened."""

from __future__ import annotations

import io
import tarfile

import numpy as np
import torch

from assay.contracts import DataSpec, Field
from assay.data.dataset import cut, sha256
from assay.data.examples import Dense, Examples, Pixels
from assay.data.folds import cutting
from assay.data.preprocessing.image import ImagePreprocessing
from assay.data.sources import cifar10 as source
from assay.errors import ConfigError

_NAMES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
_RECORD = 1 + 3 * 32 * 32  # the class, then red, green and blue, each row by row


class Cifar10:
    """60,000 colour images, 32×32, of ten kinds of things. Krizhevsky 2009, "Learning Multiple Layers of Features from
    Tiny Images".

    The published test set of 10,000; 5,000 validation examples are cut from the 50,000 of training, stratified.

    Args:
        root: holds cifar-10-binary.tar.gz, or cifar-10-batches-bin with its six files.
        batch_size: examples per batch, or "full".
        split_seed: of the validation examples.
        epochs: passes over the training split that the trainer makes by default.
        fold, folds: see :class:`assay.data.folds.OneFold`.
    Raises:
        ConfigError: files are absent and no source answers, or they are not the published ones.
    """

    workers = 0
    source_name = "cs.toronto.edu/~kriz/cifar.html (Krizhevsky 2009), binary version"
    licence = "not stated; its author asks to be cited"

    def __init__(
        self,
        root: str,
        batch_size: int | str = 64,
        split_seed: int = 0,
        epochs: int = 10,
        fold: int | None = None,
        folds: int | None = None,
    ) -> None:
        self.root, self.batch_size, self.split_seed, self.epochs = root, batch_size, split_seed, epochs
        self.cutting = cutting(fold, folds, {"val": 0.1})
        self.notes: list[str] = []
        self.splits: dict[str, Examples] = {}

    def setup(self) -> None:
        if self.splits:
            return
        batches = _batches(self.root)
        read = [read_batch(batches[name], name) for name in source.BATCHES]
        label = torch.from_numpy(np.concatenate([labels for labels, _ in read]).astype(np.int64))
        images = np.concatenate([pixels for _, pixels in read])  # (N, 3, 32, 32) uint8
        trained = len(label) - len(read[-1][0])
        for part, shown in ((label[:trained], "training"), (label[trained:], "test")):
            if len(set(torch.bincount(part, minlength=len(_NAMES)).tolist())) > 1:
                raise ConfigError(
                    f"{source.FOLDER}: the {shown} batches hold more of one class than of another, which the "
                    f"published ones do not: delete them, and they are downloaded again"
                )
        field = Field("class", size=len(_NAMES), names=_NAMES)
        hashed = [image.tobytes() for image in images]
        held = {"train": hashed[:trained], "test": hashed[trained:]}
        positions, self.notes = self.cutting(held, label, field, self.split_seed)
        self.preprocessing = ImagePreprocessing((32, 32), 3)  # of colour images nothing is fitted
        self.spec = DataSpec({"source": self.preprocessing.field(), "label": field})
        self.digest = sha256(images.tobytes(), label.numpy().tobytes())
        self.splits = cut({"source": Pixels(torch.from_numpy(images)), "label": Dense(label)}, positions)


def _batches(root: str) -> dict[str, bytes]:
    """The six files, unpacked or out of the verified archive, which is not unpacked to disk."""
    if folder := source.unpacked(root):
        return {name: (folder / name).read_bytes() for name in source.BATCHES}
    source.DOWNLOAD.ensure(root)
    found = {}
    with tarfile.open(fileobj=io.BytesIO(source.DOWNLOAD.read(root, source.DOWNLOAD.files[0]))) as archive:
        for name in source.BATCHES:
            member = archive.extractfile(f"{source.FOLDER}/{name}")
            assert member is not None, name  # its checksum was right
            found[name] = member.read()
    return found


def read_batch(data: bytes, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Records of a class and 3,072 bytes -> classes (N,) and pixels (N, 3, 32, 32) uint8.

    Raises:
        ConfigError: it is no whole number of records, or a class is not 0 to 9.
    """
    if not data or len(data) % _RECORD:
        raise ConfigError(f"{name} has {len(data):,} bytes, which are not records of {_RECORD:,}")
    records = np.frombuffer(data, np.uint8).reshape(-1, _RECORD)
    if records[:, 0].max() >= len(_NAMES):
        raise ConfigError(f"{name} holds the class {records[:, 0].max()}; CIFAR-10 has 0 to 9")
    return records[:, 0], records[:, 1:].reshape(-1, 3, 32, 32)

"""Fashion-MNIST."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import torch

from assay.contracts import DataSpec, Field
from assay.data.dataset import cut, sha256
from assay.data.download import FASHION_MNIST, File
from assay.data.examples import Dense, Examples
from assay.data.preprocessing.image import ImagePreprocessing
from assay.data.split import groups_of, notes_of, strata_of, stratified
from assay.errors import ConfigError

_NAMES = ("T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot")
_VALIDATION = 5000


class FashionMNIST:
    """70,000 grey 28×28 images of ten kinds of clothing. Xiao, Rasul and Vollgraf 2017, arXiv:1708.07747.

    The published test set of 10,000; 5,000 validation examples are cut from the 60,000 of training, stratified.

    Args:
        root: holds FashionMNIST/raw with the four idx files, packed or not (torchvision's layout).
        batch_size: examples per batch, or "full".
        split_seed: of the validation examples.
        epochs: passes over the training split that the trainer makes by default.
    Raises:
        ConfigError: files are absent and no source answers, or they are not the published ones.
    """

    workers = 0
    source_name = "zalandoresearch/fashion-mnist (Xiao, Rasul and Vollgraf 2017, arXiv:1708.07747)"
    licence = "MIT"

    def __init__(self, root: str, batch_size: int | str = 64, split_seed: int = 0, epochs: int = 6) -> None:
        self.root, self.batch_size, self.split_seed, self.epochs = root, batch_size, split_seed, epochs
        self.notes: list[str] = []
        self.splits: dict[str, Examples] = {}

    def setup(self) -> None:
        if self.splits:
            return
        FASHION_MNIST.ensure(self.root)
        arrays = {file.name.split("-idx")[0]: self._read(file) for file in FASHION_MNIST.files}
        images = np.concatenate([arrays["train-images"], arrays["t10k-images"]])  # (N, 28, 28) uint8
        labels = np.concatenate([arrays["train-labels"], arrays["t10k-labels"]])
        label = torch.from_numpy(labels.astype(np.int64))
        trained = len(arrays["train-images"])
        field = Field("class", size=10, names=_NAMES)
        self.preprocessing = ImagePreprocessing((28, 28), 1)
        source = self.preprocessing(images)["source"]
        strata = strata_of(label[:trained], field)
        groups = groups_of(image.tobytes() for image in images)
        positions = stratified(strata, self.split_seed, groups[:trained], {"val": _VALIDATION / trained})
        positions["test"] = torch.arange(trained, len(images))
        self.preprocessing.fit(source.gather(positions["train"]))
        self.spec = DataSpec({"source": self.preprocessing.field(), "label": field})
        self.digest = sha256(images.tobytes(), labels.tobytes())
        self.notes = notes_of(strata, groups[:trained], field)
        if shared := len(set(groups[trained:]) & set(groups[:trained])):
            self.notes.append(f"{shared} different test images are in the training file too, as published")
        self.splits = cut({"source": source, "label": Dense(label)}, positions)

    def _read(self, file: File) -> np.ndarray:
        return read_idx(FASHION_MNIST.verified(self.root, file))


def read_idx(path: Path) -> np.ndarray:
    """An idx file of bytes, packed by gzip or not: two zeros, type 8, number of dimensions, sizes, values (LeCun)."""
    data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    if len(data) < 4 or data[:3] != b"\0\0\x08":
        raise ConfigError(f"{path} is not an idx file of bytes")
    rank = data[3]
    shape = np.frombuffer(data, ">u4", count=rank, offset=4)
    values = np.frombuffer(data, np.uint8, offset=4 + 4 * rank)
    if len(values) != int(np.prod(shape)):
        raise ConfigError(f"{path} holds {len(values)} values where its header says {' × '.join(map(str, shape))}")
    return values.reshape(shape)

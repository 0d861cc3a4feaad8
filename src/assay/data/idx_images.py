"""Sets of grey images in the idx files of MNIST: a reader, and the set that its likes share."""

from __future__ import annotations

import numpy as np
import torch

from assay.contracts import DataSpec, Field
from assay.data.dataset import cut, sha256
from assay.data.download import Download, File
from assay.data.examples import Dense, Examples
from assay.data.folds import cutting
from assay.data.preprocessing.image import ImagePreprocessing
from assay.errors import ConfigError

_VALIDATION = {"val": 1 / 12}  # 5,000 of 60,000


class IdxImages:
    """70,000 grey 28×28 images of ten classes in four idx files. LeCun, Bottou, Bengio and Haffner 1998.

    The published test set of 10,000; 5,000 validation examples are cut from the 60,000 of training, stratified.

    Args:
        files: the training and test files, images before labels.
        names: of the ten classes.
        source_name, licence: for the data card.
        root: above the files' folder.
        batch_size: examples per batch, or "full".
        split_seed: of the validation examples.
        epochs: passes over the training split that the trainer makes by default.
        fold, folds: see :class:`assay.data.folds.OneFold`.
    Raises:
        ConfigError: files are absent and no source answers, or they are not the published ones.
    """

    workers = 0

    def __init__(
        self,
        files: Download,
        names: tuple[str, ...],
        source_name: str,
        licence: str,
        root: str,
        batch_size: int | str,
        split_seed: int,
        epochs: int,
        fold: int | None = None,
        folds: int | None = None,
    ) -> None:
        self.files, self.names, self.source_name, self.licence = files, names, source_name, licence
        self.root, self.batch_size, self.split_seed, self.epochs = root, batch_size, split_seed, epochs
        self.cutting = cutting(fold, folds, _VALIDATION)
        self.notes: list[str] = []
        self.splits: dict[str, Examples] = {}

    def setup(self) -> None:
        if self.splits:
            return
        self.files.ensure(self.root)
        arrays = {file.name.split("-idx")[0]: self._read(file) for file in self.files.files}
        images = np.concatenate([arrays["train-images"], arrays["t10k-images"]])  # (N, 28, 28) uint8
        labels = np.concatenate([arrays["train-labels"], arrays["t10k-labels"]])
        label = torch.from_numpy(labels.astype(np.int64))
        trained = len(arrays["train-images"])
        field = Field("class", size=len(self.names), names=self.names)
        self.preprocessing = ImagePreprocessing((28, 28), 1)
        source = self.preprocessing(images)["source"]
        hashed = [image.tobytes() for image in images]
        sources = {"train": hashed[:trained], "test": hashed[trained:]}
        positions, self.notes = self.cutting(sources, label, field, self.split_seed)
        self.preprocessing.fit(source.gather(positions["train"]))
        self.spec = DataSpec({"source": self.preprocessing.field(), "label": field})
        self.digest = sha256(images.tobytes(), labels.tobytes())
        self.splits = cut({"source": source, "label": Dense(label)}, positions)

    def _read(self, file: File) -> np.ndarray:
        return read_idx(self.files.read(self.root, file), file.name)


def read_idx(data: bytes, name: str) -> np.ndarray:
    """An idx file of bytes, unpacked: two zeros, type 8, number of dimensions, sizes, values (LeCun)."""
    if len(data) < 4 or data[:3] != b"\0\0\x08" or len(data) < 4 + 4 * data[3]:
        raise ConfigError(f"{name} is not an idx file of bytes")
    rank = data[3]
    shape = np.frombuffer(data, ">u4", count=rank, offset=4)
    values = np.frombuffer(data, np.uint8, offset=4 + 4 * rank)
    if len(values) != int(np.prod(shape)):
        raise ConfigError(f"{name} holds {len(values)} values where its header says {' × '.join(map(str, shape))}")
    return values.reshape(shape)

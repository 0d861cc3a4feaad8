"""A user's folder of images."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import torch

from assay.contracts import DataSpec, Field
from assay.data.dataset import cut, sha256
from assay.data.examples import Column, Dense, Examples, Files
from assay.data.folds import cutting
from assay.data.image_files import read_folder
from assay.data.preprocessing.image import ImagePreprocessing

_FITTED_ON = 2000  # training images that are decoded to fit on, where not all fit in memory


class ImageFolder:
    """Images in one folder per class, all made one size: path/CLASS/* or path/{train,val,test}/CLASS/*.

    Splits without a folder of their own are cut from training, stratified 80/10/10; copies of a file stay in one split.
    Decoded once and held as bytes where they fit ``memory``; otherwise decoded anew every epoch by ``workers``.

    Args:
        path: the folder.
        val_path, test_path: folders with one folder per class.
        size: height and width after resizing.
        channels: 1 grey, 3 colour.
        memory: bytes that may be held decoded.
        workers: processes that decode larger sets.
        batch_size: examples per batch, or "full".
        split_seed: of the split.
        epochs: passes over the training split that the trainer makes by default.
        fold, folds: see :class:`assay.data.folds.OneFold`.
    Raises:
        ConfigError: a folder or file that cannot be read, by name.
    """

    licence = "the user's own"
    fitted: ImagePreprocessing | None = None

    def __init__(
        self,
        path: str,
        val_path: str | None = None,
        test_path: str | None = None,
        size: int = 32,
        channels: int = 3,
        memory: float = 2e9,
        workers: int = 2,
        batch_size: int | str = 32,
        split_seed: int = 0,
        epochs: int = 10,
        fold: int | None = None,
        folds: int | None = None,
    ) -> None:
        self.path, self.val_path, self.test_path = path, val_path, test_path
        self.size, self.channels, self.memory, self.workers = size, channels, memory, workers
        self.batch_size, self.split_seed, self.epochs = batch_size, split_seed, epochs
        self.cutting = cutting(fold, folds)
        self.source_name = os.path.basename(os.path.abspath(path))
        self.notes: list[str] = []
        self.splits: dict[str, Examples] = {}

    def setup(self) -> None:
        if self.splits:
            return
        folder = read_folder(self.path, self.val_path, self.test_path)
        paths = {split: [path for path, _ in files] for split, files in folder.files.items()}
        everything = [path for files in paths.values() for path in files]
        label = torch.tensor([number for files in folder.files.values() for _, number in files])
        field = Field("class", size=len(folder.classes), names=folder.classes)
        with ThreadPoolExecutor() as pool:  # reading, hashing and decoding all leave Python's lock
            hashes = dict(zip(everything, pool.map(_hash, everything), strict=True))
        sources = {split: [hashes[path] for path in files] for split, files in paths.items()}
        positions, notes = self.cutting(sources, label, field, self.split_seed)
        self.preprocessing = self.fitted or ImagePreprocessing((self.size, self.size), self.channels)
        source = self._column(everything)
        trained = positions["train"]
        if source.lazy:
            trained = trained[torch.linspace(0, len(trained) - 1, min(_FITTED_ON, len(trained))).long()]
            count = len(everything) * self.channels * self.size**2
            notes.append(f"{count / 1e9:.1f} GB decoded is over data.memory={self.memory:g}: read by data.workers")
        if self.channels == 1 and self.fitted is None:  # only the border of grey images is fitted
            self.preprocessing.fit(source.gather(trained))
        self.spec = DataSpec({"source": self.preprocessing.field(), "label": field})
        self.digest = sha256((hashes[path] for path in everything), label.numpy().tobytes(), folder.classes)
        self.notes = [*folder.notes, *notes]
        self.splits = cut({"source": source, "label": Dense(label)}, positions)

    def _column(self, paths: Sequence[str]) -> Column:
        if len(paths) * self.channels * self.size**2 > self.memory:
            return Files(paths, self.preprocessing.decode)
        with ThreadPoolExecutor() as pool:
            return self.preprocessing(list(pool.map(self.preprocessing.decode, paths)))["source"]


def _hash(path: str) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

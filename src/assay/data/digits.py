"""The handwritten digits that ship with scikit-learn."""

from __future__ import annotations

import gzip

import numpy as np
import torch

from assay.contracts import DataSpec, Field
from assay.data.dataset import cut, sha256
from assay.data.examples import Dense, Examples
from assay.data.folds import cutting
from assay.data.preprocessing.image import ImagePreprocessing
from assay.data.shipped import shipped_file


def _read() -> tuple[np.ndarray, np.ndarray]:
    """Pixels (N, 8, 8) and digits (N,) from scikit-learn's own file, as ``load_digits`` gives them, without the half
    second that importing scikit-learn takes."""
    with gzip.open(shipped_file("digits.csv.gz", "digits"), "rt") as file:
        rows = np.loadtxt(file, delimiter=",")  # (N, 65)
    return rows[:, :-1].reshape(-1, 8, 8), rows[:, -1].astype(np.int64)


class Digits:
    """1,797 grey 8×8 images of ten digits: the test part of UCI's "Optical Recognition of Handwritten Digits".

    Pixels are counts of 0 to 16, divided by 16. Stratified 80/10/10.

    Args:
        batch_size: examples per batch, or "full".
        split_seed: of the split.
        epochs: passes over the training split that the trainer makes by default.
        fold, folds: see :class:`assay.data.folds.OneFold`.
    """

    workers = 0
    source_name = "scikit-learn load_digits (UCI Optical Recognition of Handwritten Digits, Alpaydin and Kaynak 1998)"
    licence = "CC BY 4.0"

    def __init__(
        self,
        batch_size: int | str = 32,
        split_seed: int = 0,
        epochs: int = 40,
        fold: int | None = None,
        folds: int | None = None,
    ) -> None:
        self.batch_size, self.split_seed, self.epochs = batch_size, split_seed, epochs
        self.cutting = cutting(fold, folds)
        self.notes: list[str] = []
        self.splits: dict[str, Examples] = {}

    def setup(self) -> None:
        if self.splits:
            return
        pixels, digits = _read()
        images = (pixels / 16).astype(np.float32)  # (N, 8, 8)
        self.preprocessing = ImagePreprocessing((8, 8), 1)
        source = torch.from_numpy(images)[:, None]  # (N, 1, 8, 8)
        label = torch.from_numpy(digits)
        field = Field("class", size=10, names=tuple("0123456789"))
        sources = {"train": [image.tobytes() for image in images]}
        positions, self.notes = self.cutting(sources, label, field, self.split_seed)
        self.preprocessing.fit(source[positions["train"]])
        self.spec = DataSpec({"source": self.preprocessing.field(), "label": field})
        self.digest = sha256(images.tobytes(), label.numpy().tobytes())
        self.splits = cut({"source": Dense(source), "label": Dense(label)}, positions)

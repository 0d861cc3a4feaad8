"""MNIST."""

from __future__ import annotations

from assay.data.idx_images import IdxImages
from assay.data.sources.mnist import DOWNLOAD


def mnist(
    root: str,
    batch_size: int | str = 64,
    split_seed: int = 0,
    epochs: int = 6,
    fold: int | None = None,
    folds: int | None = None,
) -> IdxImages:
    """70,000 grey 28×28 images of handwritten digits. LeCun, Bottou, Bengio and Haffner 1998.

    Args:
        root: holds MNIST/raw with the four idx files, packed or not (torchvision's layout).
        batch_size, split_seed, epochs, fold, folds: see :class:`IdxImages`.
    """
    source = "yann.lecun.com/exdb/mnist (LeCun, Bottou, Bengio and Haffner 1998)"
    return IdxImages(
        DOWNLOAD, tuple("0123456789"), source, "CC BY-SA 3.0", root, batch_size, split_seed, epochs, fold, folds
    )

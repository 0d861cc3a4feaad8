"""Fashion-MNIST."""

from __future__ import annotations

from assay.data.idx_images import IdxImages
from assay.data.sources.fashion_mnist import DOWNLOAD

_NAMES = ("T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot")


def fashion_mnist(
    root: str,
    batch_size: int | str = 64,
    split_seed: int = 0,
    epochs: int = 6,
    fold: int | None = None,
    folds: int | None = None,
) -> IdxImages:
    """70,000 grey 28×28 images of ten kinds of clothing. Xiao, Rasul and Vollgraf 2017, arXiv:1708.07747.

    Args:
        root: holds FashionMNIST/raw with the four idx files, packed or not (torchvision's layout).
        batch_size, split_seed, epochs, fold, folds: see :class:`IdxImages`.
    """
    source = "zalandoresearch/fashion-mnist (Xiao, Rasul and Vollgraf 2017, arXiv:1708.07747)"
    return IdxImages(DOWNLOAD, _NAMES, source, "MIT", root, batch_size, split_seed, epochs, fold, folds)

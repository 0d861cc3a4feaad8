"""Where ``data=cifar10`` comes from: the archive as its authors publish it, in the layout of torchvision and others.

Its unpacked files will do; they have no published checksums, so their size and the number of each class are looked at
instead.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from assay.data.download import Download, File

DOWNLOAD = Download(
    title="CIFAR-10",
    folder="",
    files=(File("cifar-10-binary.tar.gz", "c32a1d4ab5d03f1284b67883e8d87530", 170052171),),
    mirrors=("https://www.cs.toronto.edu/~kriz/", "https://cave.cs.toronto.edu/kriz/"),
)
FOLDER = "cifar-10-batches-bin"
BATCHES = (*(f"data_batch_{number}.bin" for number in range(1, 6)), "test_batch.bin")
BYTES = 10000 * 3073  # of a batch


def unpacked(root: str) -> Path | None:
    """The folder of the unpacked archive, if it holds all batches whole."""
    folder = Path(root).expanduser() / FOLDER
    paths = [folder / name for name in BATCHES]
    return folder if all(path.is_file() and path.stat().st_size == BYTES for path in paths) else None


def check(config: Mapping[str, Any]) -> set[str]:
    """Its archive or batches are there, or are now."""
    return set() if unpacked(str(config["root"])) else DOWNLOAD.check(config)

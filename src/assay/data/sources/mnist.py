"""Where ``data=mnist`` comes from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from assay.data.download import Download, File

DOWNLOAD = Download(
    title="MNIST",
    folder="MNIST/raw",
    files=(
        File(
            "train-images-idx3-ubyte.gz",
            "f68b3c2dcbeaaa9fbdd348bbdeb94873",
            9912422,
            "6bbc9ace898e44ae57da46a324031adb",
            47040016,
        ),
        File(
            "train-labels-idx1-ubyte.gz",
            "d53e105ee54ea40749a09fcbcd1e9432",
            28881,
            "a25bea736e30d166cdddb491f175f624",
            60008,
        ),
        File(
            "t10k-images-idx3-ubyte.gz",
            "9fb629c4189551a2d022fa330f9573f3",
            1648877,
            "2646ac647ad5339dbf082846283269ea",
            7840016,
        ),
        File(
            "t10k-labels-idx1-ubyte.gz",
            "ec29112dd5afa0611ce80d1b7f02629c",
            4542,
            "27ae3e4e09519cfbb04c329615203637",
            10008,
        ),
    ),
    mirrors=("https://ossci-datasets.s3.amazonaws.com/mnist/", "http://yann.lecun.com/exdb/mnist/"),
)


def check(config: Mapping[str, Any]) -> set[str]:
    """Its files are there, or are now."""
    return DOWNLOAD.check(config)

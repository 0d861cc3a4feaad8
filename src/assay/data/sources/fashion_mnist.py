"""Where ``data=fashion_mnist`` comes from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from assay.data.download import Download, File

DOWNLOAD = Download(
    title="Fashion-MNIST",
    folder="FashionMNIST/raw",
    files=(
        File(
            "train-images-idx3-ubyte.gz",
            "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
            26421880,
            "f4a8712d7a061bf5bd6d2ca38dc4d50a",
            47040016,
        ),
        File(
            "train-labels-idx1-ubyte.gz",
            "25c81989df183df01b3e8a0aad5dffbe",
            29515,
            "9018921c3c673c538a1fc5bad174d6f9",
            60008,
        ),
        File(
            "t10k-images-idx3-ubyte.gz",
            "bef4ecab320f06d8554ea6380940ec79",
            4422102,
            "8181f5470baa50b63fa0f6fddb340f0a",
            7840016,
        ),
        File(
            "t10k-labels-idx1-ubyte.gz",
            "bb300cfdad3c16e7a12a480ee83cd310",
            5148,
            "15d484375f8d13e6eb1aabb0c3f46965",
            10008,
        ),
    ),
    mirrors=(
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
    ),
)


def check(config: Mapping[str, Any]) -> set[str]:
    """Its files are there, or are now."""
    return DOWNLOAD.check(config)

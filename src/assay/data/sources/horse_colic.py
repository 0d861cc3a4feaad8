"""Where ``data=horse_colic`` comes from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from assay.data import empty_cells
from assay.data.download import Download, File

DOWNLOAD = Download(
    title="Horse colic",
    folder="horse-colic",
    files=(File("horse-colic.csv", "065773af0131cb2ccc7bb4d15925b198", 25151),),
    mirrors=("https://raw.githubusercontent.com/jbrownlee/Datasets/master/",),
)


def check(config: Mapping[str, Any]) -> set[str]:
    """Its file is there, or is now, and its empty cells have somewhere to go."""
    empty_cells.check("horse_colic", config)
    return DOWNLOAD.check(config)

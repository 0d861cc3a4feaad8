"""Where ``data=adult`` comes from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from assay.data import empty_cells
from assay.data.download import Download, File

DOWNLOAD = Download(
    title="Adult",
    folder="adult",
    files=(
        File(
            "adult.data",
            "5d7c39d7b8804f071cdd1f2a7c460872",
            3974305,
            also=(
                ("adult-train.csv", "5d7c39d7b8804f071cdd1f2a7c460872", 3974305),
                ("adult-train.csv.gz", "945afe60d0a702168e91cc89b068cca1", 408969),
            ),
        ),
        File(
            "adult.test",
            "35238206dfdf7f1fe215bbb874adecdc",
            2003153,
            also=(("adult-test.csv", "366c746021dc50ad9d933d2817612fc9", 2003132),),
        ),
    ),
    mirrors=("https://archive.ics.uci.edu/ml/machine-learning-databases/adult/",),
)


def check(config: Mapping[str, Any]) -> set[str]:
    """Its files are there, or are now, and its empty cells have somewhere to go."""
    empty_cells.check("adult", config)
    return DOWNLOAD.check(config)

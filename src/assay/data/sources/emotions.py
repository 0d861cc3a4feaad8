"""Where ``data=emotions`` comes from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from assay.data.sources.mulan import mulan

DOWNLOAD = mulan(
    "emotions",
    ("0e8780630642048782b830723e4db1cb", 252080),
    ("c10d7066e5dbedc764deef3a57017560", 132007),
    ("e501efd1964d9d7fef76c1baa47e3e60", 323),
)


def check(config: Mapping[str, Any]) -> set[str]:
    """Its files are there, or are now."""
    return DOWNLOAD.check(config)

"""Where ``data=yeast`` comes from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from assay.data.sources.mulan import mulan

DOWNLOAD = mulan(
    "yeast",
    ("a1c8eeb7cbaf8ae140c5106ff84db332", 1501117),
    ("c85f3dfd6508efa5402762849e1f9dc4", 918515),
    ("a1dd9abe2644d65c1b68a6894c8dd19c", 526),
)


def check(config: Mapping[str, Any]) -> set[str]:
    """Its files are there, or are now."""
    return DOWNLOAD.check(config)

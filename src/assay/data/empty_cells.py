"""Empty cells of a published table have somewhere to go; no torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from assay.errors import ConfigError


def check(name: str, config: Mapping[str, Any]) -> None:
    """A published set with empty cells needs ``impute=``. Raises ConfigError."""
    if str((config.get("impute") or {}).get("_target_", "")).endswith(".NoImputation"):
        raise ConfigError(f"data={name} has empty cells, which impute=none refuses: leave impute= out, or use mean")

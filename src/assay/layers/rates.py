"""One rate of dropout for all layers, or one for each. No torch here."""

from __future__ import annotations

from collections.abc import Sequence

from assay.errors import ConfigError


def rates(dropout: float | list[float], reached: Sequence[bool]) -> list[float]:
    """The rate of each layer.

    Args:
        dropout: a number, for every layer that it reaches, or a list with one for each layer.
        reached: of each layer, whether a number alone is its rate too; else that is 0.
    Raises:
        ConfigError: a list has not one for each.
    """
    if not isinstance(dropout, list):
        return [dropout if is_reached else 0.0 for is_reached in reached]
    if len(dropout) != len(reached):
        raise ConfigError(
            f"model.dropout={dropout} has {len(dropout)} rates for {len(reached)} layers: write one for all, or "
            f"{len(reached)}"
        )
    return dropout

"""What preflight asks of magnitude pruning's schedule, before torch is loaded."""

from __future__ import annotations

from typing import Any

from assay.errors import ConfigError


def check(node: dict[str, Any]) -> set[str]:
    """No facts. Raises ConfigError: the schedule would end before it begins, or sparsity would fall."""
    if node["begin"] > node["end"]:
        raise ConfigError(
            f"compression.begin={node['begin']:g} is after compression.end={node['end']:g}: shares of the run, in order"
        )
    if node["initial"] > node["sparsity"]:
        raise ConfigError(
            f"compression.initial={node['initial']:g} is more than compression.sparsity={node['sparsity']:g}, which "
            "weights rise to: lower it"
        )
    return set()

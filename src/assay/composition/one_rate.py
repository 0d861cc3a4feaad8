"""``lr_finder=true``: what is trained must have one rate that a range test can find."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from assay.errors import ConfigError

_WITHOUT = (("optim", "lbfgs"), ("optim", "none"), ("trainer", "fsdp"))


def check(config: Mapping[str, Any]) -> set[str]:
    """The facts of a range test: none.

    Raises:
        ConfigError: the optimiser searches along a line, or there is none; the network lies in parts on several
            devices; losses are scaled.
    """
    if not config.get("lr_finder"):
        return set()
    switches = config.get("switches") or {}
    for group, name in _WITHOUT:
        if switches.get(group) == name:
            raise ConfigError(f"lr_finder=true cannot test rates with {group}={name}: leave it out")
    if (config.get("trainer") or {}).get("precision") == "16-mixed":
        raise ConfigError("lr_finder=true does not scale losses: use trainer.precision=bf16-mixed or 32-true")
    return set()

"""``fold=`` and ``data.folds=`` held against each other before anything runs. No torch here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from assay.errors import ConfigError


def check(config: Mapping[str, Any]) -> set[str]:
    """The whole config: there are folds, and ``fold`` is one of them."""
    data = config["data"]
    name = config.get("switches", {}).get("data", "this")
    if "folds" not in data or "fold" not in data:
        if config["fold"] is not None:
            raise ConfigError(f"fold={config['fold']}: data={name} cannot be cut into folds; leave fold= out")
        return set()
    check_fold(data["fold"], data["folds"])
    return set()


def check_fold(fold: int | None, folds: int | None) -> None:
    """A fold without folds, or one that is not among them, is refused."""
    if folds is None:
        if fold is not None:
            raise ConfigError(
                f"fold={fold} says which of the folds is tested on, not how many there are: data.folds=10"
            )
        return
    if folds < 2:
        raise ConfigError(f"data.folds={folds}: two are the least, one to test on and one to train on")
    if fold is not None and not 0 <= fold < folds:
        raise ConfigError(f"fold={fold} is none of 0 to {folds - 1} (data.folds={folds})")

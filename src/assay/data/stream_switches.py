"""How a running text is read, checked before anything runs. No torch here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from assay.errors import ConfigError


def check(config: Mapping[str, Any]) -> set[str]:
    """``data`` of running text: its keys go together. The fact ``stream``: each batch goes on from the one before."""
    length, stride, tracks = config["length"], config["stride"], config["evaluation_tracks"]
    if config["order"] == "stream":
        if stride is not None:
            raise ConfigError(
                f"data.stride={stride} slides windows over a text that order=stream reads once, with its state carried "
                "on: leave it out, or write data.order=shuffled"
            )
        if isinstance(config["batch_size"], str):
            raise ConfigError(
                "data.batch_size=full has no tracks for order=stream to carry states along: write a number, or "
                "data.order=shuffled"
            )
        return {"stream"}
    if tracks != 1:
        raise ConfigError(
            f"data.evaluation_tracks={tracks} carries states along, and order=shuffled carries none: leave it out, or "
            "write data.order=stream"
        )
    if stride is not None and stride > length:
        raise ConfigError(f"data.stride={stride} would leave tokens out: at most data.length={length}")
    return set()

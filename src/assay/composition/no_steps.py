"""``trainer.max_epochs=0``: a trained network is tested and saved as it is, or quantised, without a step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from assay.errors import ConfigError


def check(config: Mapping[str, Any]) -> set[str]:
    """The facts of a run without steps: none.

    Raises:
        ConfigError: there is no trained network, or something was chosen that only steps could do.
    """
    if (config.get("trainer") or {}).get("max_epochs") != 0:
        return set()
    if not config.get("init_from"):
        raise ConfigError(
            "trainer.max_epochs=0 would test weights that nothing has trained: name a run with init_from=RUN, or "
            "trainer.max_epochs=1 and more"
        )
    switches = config.get("switches") or {}
    if switches.get("debug") in ("overfit", "profile"):
        raise ConfigError(
            f"debug={switches['debug']} looks at steps, and trainer.max_epochs=0 takes none: leave it out"
        )
    if switches.get("trainer") in ("ddp", "fsdp"):
        raise ConfigError(
            f"trainer={switches['trainer']} shares steps, and trainer.max_epochs=0 takes none: leave it out"
        )
    if config.get("lr_finder"):
        raise ConfigError("lr_finder=true looks for the rate of steps, and trainer.max_epochs=0 takes none")
    if switches.get("quantization") == "qat":
        raise ConfigError(
            "quantization=qat trains with rounded numbers, and trainer.max_epochs=0 takes no step: use "
            "trainer.max_epochs=1 and more, or quantization=int8 quantization.mode=static"
        )
    return set()

"""What preflight asks of ``curriculum=loss`` before torch is loaded: is there a trained run?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from assay.folder import find_artifact


def check(config: Mapping[str, Any]) -> set[str]:
    """No facts. Raises ConfigError where there is no such run, or it did not finish."""
    find_artifact(str(config["run"]))
    return set()

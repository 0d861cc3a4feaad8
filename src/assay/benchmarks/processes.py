"""Running contenders as processes of their own, from a checkout."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from assay.composition.locations import checkout
from assay.errors import ConfigError


def root(group: str) -> Path:
    """The checkout, which holds train.py and the plain scripts.

    Raises:
        ConfigError: assay runs from a wheel.
    """
    found = checkout()
    if found is None:
        raise ConfigError(f"bench {group} compares scripts of the source tree: run it from a checkout")
    return found


def run(arguments: Sequence[str], expected: int = 0) -> tuple[float, str]:
    """Runs Python with these arguments in an empty folder; seconds since 1970 when it began, and what it printed."""
    environment = {**os.environ, "WANDB_MODE": "offline"}  # nothing of a benchmark goes to anybody's account
    with tempfile.TemporaryDirectory() as folder:
        began = time.time()
        done = subprocess.run([sys.executable, *arguments], cwd=folder, env=environment, capture_output=True, text=True)
    if done.returncode != expected:
        raise RuntimeError(f"{' '.join(arguments)} ended with {done.returncode}: {done.stderr[-2000:]}")
    return began, done.stdout


def seconds(arguments: Sequence[str], expected: int = 0) -> float:
    """The time from the command to its end."""
    began = time.perf_counter()
    run(arguments, expected)
    return time.perf_counter() - began

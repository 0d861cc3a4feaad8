"""The libraries of the extra ``export``, and the line that says so where they are missing."""

from __future__ import annotations

import importlib
from typing import Any

from assay.errors import ConfigError


def library(name: str) -> Any:
    """``onnx``, ``onnxscript`` or ``onnxruntime``, imported now.

    Raises:
        ConfigError: it is not installed.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ConfigError(
            f"ONNX files need {name.partition('.')[0]}, which is not installed: pip install 'assay[export]'"
        ) from error

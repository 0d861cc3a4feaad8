"""An ONNX file at work, by onnxruntime."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from assay.errors import ConfigError
from assay.export.libraries import library

EXACT = ("session.qdq_matmulnbits_accuracy_level", "1")
"""Weights of four bits times numbers in float32; onnxruntime would round those numbers to eight bits."""

_TYPES = {"tensor(float)": np.float32, "tensor(int64)": np.int64, "tensor(double)": np.float64}


class Session:
    """Runs a file that :func:`assay.export.onnx_file.write` wrote, on the CPU.

    Args:
        path: of the file.
        threads: that one operator may use.
    Raises:
        ConfigError: onnxruntime is not installed, or cannot run the file.
    """

    def __init__(self, path: Path, threads: int = 1) -> None:
        runtime = library("onnxruntime")
        options = runtime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = threads
        options.log_severity_level = 3
        options.add_session_config_entry(*EXACT)
        self.threads = threads
        try:
            self.session = runtime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # its exceptions have no common class of their own
            reason = " ".join(str(error).split())[:200]
            raise ConfigError(f"{path} is no ONNX file that onnxruntime can run ({reason})") from error
        self.inputs: dict[str, Any] = {}
        for one in self.session.get_inputs():
            if one.type not in _TYPES:
                raise ConfigError(f"{path} reads {one.type}; it is not a file that `assay export` wrote")
            self.inputs[one.name] = _TYPES[one.type]

    def answers(self, *inputs: Tensor | np.ndarray) -> np.ndarray:
        """What the file gives for its inputs, in their order: probabilities (B, C) or (B, L), numbers (B,), or
        logarithms of tags' probabilities (B, T, C)."""
        given = {
            name: np.ascontiguousarray(x.numpy() if isinstance(x, Tensor) else x, dtype=dtype)
            for (name, dtype), x in zip(self.inputs.items(), inputs, strict=True)
        }
        found: Sequence[Any] = self.session.run(None, given)
        return found[0]

    def outputs(self, source: Tensor, labels: bool = False) -> dict[str, Tensor]:
        """As :func:`assay.artifacts.outputs`: ``log_probs`` (B, C), or (B, L, 2) for labels, or ``prediction`` (B,).

        A probability too small for float32 has the logarithm of the smallest there is.

        Args:
            labels: the columns are labels of their own, not classes of one.
        """
        answers = torch.from_numpy(self.answers(source))
        if answers.dim() == 1:
            return {"prediction": answers}
        least = torch.finfo(answers.dtype).smallest_normal
        if labels:
            answers = torch.stack([1 - answers, answers], -1)
        return {"log_probs": answers.clamp(min=least).log()}

"""The norm of each layer's gradient at each point of the log: does it vanish or explode?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from assay.callbacks import drawing


class GradientNorm:
    """‖∂L/∂W‖₂ of every parameter tensor, logged as ``grad_norm/<name>`` when the training loss is.

    Bengio, Simard and Frasconi, "Learning long-term dependencies with gradient descent is difficult", 1994. Measured
    before clipping would be measured after it here: the gradients are those that moved the weights.
    """

    def values(self, module: Any) -> dict[str, float]:
        """The norms now: one transfer to the host for all layers."""
        named = [(name, p.grad) for name, p in module.network.named_parameters() if p.grad is not None]
        if not named:
            return {}
        norms = torch.stack([torch.linalg.vector_norm(grad) for _, grad in named])
        whole: Any = getattr(norms, "full_tensor", None)
        if whole is not None:  # a DTensor, whose class takes a second to import: each process adds its share
            norms = whole()
        return dict(zip((f"grad_norm/{name}" for name, _ in named), norms.tolist(), strict=True))

    def draw(self, where: Path) -> None:
        norms = drawing.read(where, "grad_norm/")
        path = where / "figures" / "grad_norm.png"
        drawing.layers(path, "Norm of the gradient by layer", {"‖∂L/∂W‖": norms}, log=True)

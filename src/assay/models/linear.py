"""Linear, logistic and softmax regression."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from assay.contracts import Encoded


class Linear(nn.Module):
    """y = W x + b. The task's head is that layer, so the encoder passes the vector on: logistic regression where the
    head is a logistic unit, softmax regression over classes, linear regression for a number.

    Args:
        input_size: (D,).
    Shape:
        x (B, D) -> last (B, D)
    """

    def __init__(self, input_size: tuple[int, ...]) -> None:
        super().__init__()
        (self.output_size,) = input_size

    def forward(self, x: Tensor, mask: Tensor | None = None, state: Any = None) -> Encoded:
        return Encoded(None, x)

"""Linear, logistic and softmax regression."""

from __future__ import annotations

from torch import Tensor, nn

from assay.contracts import Encoded
from assay.layers.channels import Group


class Linear(nn.Module):
    """y = W x + b. The task's head is that linear layer, so the encoder hands x on and has no parameters.

    Args:
        input_size: (D,) of an example.
    Shape:
        x (B, D) -> last (B, D)
    """

    def __init__(self, input_size: tuple[int, ...]) -> None:
        super().__init__()
        (self.output_size,) = input_size

    def forward(self, x: Tensor, mask: Tensor | None = None, state: None = None) -> Encoded:
        assert mask is None, "a vector has no positions"
        return Encoded(None, x)

    def channel_groups(self) -> list[Group]:
        """None: between the data and the classes there are no units."""
        return []

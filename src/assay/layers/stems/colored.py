"""An image in a colour space, then in the layout that the model reads."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from torch import Tensor, nn

from assay.contracts import Field


class Colored(nn.Module):
    """x -> layout(color_space(x)).

    The conversion is the network's first layer: training (after augmentation), evaluation, an artifact and `assay
    predict` all go through it, and data stay red, green and blue.

    Args:
        field: an ``image`` (C, H, W) in [0, 1].
        color_space: field -> a module with ``channels``, how many it gives.
        layout: field -> a stem.
    Shape:
        x (B, C, H, W) -> as the layout gives, no mask
    """

    def __init__(self, field: Field, color_space: Callable[..., Any], layout: Callable[..., Any]) -> None:
        super().__init__()
        self.color_space = color_space(field)
        self.layout = layout(replace(field, shape=(self.color_space.channels, *field.shape[1:])))
        self.output_shape: tuple[int | None, ...] = self.layout.output_shape

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        return self.layout(self.color_space(x))

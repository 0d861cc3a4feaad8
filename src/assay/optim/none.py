"""No optimiser: of networks that are fitted without gradients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch.optim import Optimizer


class Nothing(Optimizer):
    """Takes steps that do nothing, so that the loop can count them.

    Args:
        params: none, or any; they stay as they are.
    """

    def __init__(self, params: Any = ()) -> None:
        super().__init__([{"params": list(params), "lr": 0.0}], {"lr": 0.0})

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Nothing."""

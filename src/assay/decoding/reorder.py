"""One index for every decoder: its state is tensors, batch first, in tuples, lists or mappings of any depth."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor


def reorder(state: Any, index: Tensor) -> Any:
    """The state whose row i is row ``index[i]`` of this one: a beam that goes on from another, a row repeated, or left
    out. None stays None.

    Args:
        state: tensors (B, …), in tuples (named or not), lists and mappings.
        index: (B',) int64.
    Raises:
        TypeError: it holds something else, which would silently belong to the wrong row.
    """
    if state is None:
        return None
    if isinstance(state, Tensor):
        return state.index_select(0, index)
    if isinstance(state, tuple):
        parts = [reorder(part, index) for part in state]
        return type(state)(*parts) if hasattr(state, "_fields") else tuple(parts)
    if isinstance(state, list):
        return [reorder(part, index) for part in state]
    if isinstance(state, Mapping):
        return {name: reorder(part, index) for name, part in state.items()}
    raise TypeError(f"a decoder's state holds a {type(state).__name__}, which has no rows")

"""Whether a model reads forwards only, for the rules of task=lm: what predicts the next token must not have read it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def check(node: Mapping[str, Any]) -> set[str]:
    """``causal`` of a recurrent net of one direction, and of a Transformer with ``causal: true``."""
    return {"causal"} if node.get("causal", True) and not node.get("bidirectional", False) else set()


def check_rnnlu(node: Mapping[str, Any]) -> set[str]:
    """``causal`` of model=rnnlu where neither x_t nor f_t has a word after t; a window of two has none either way."""
    sizes = [int(node.get(key) or 0) for key in ("bag", "window", "feature_window")]
    ahead = node.get("lookahead") or (node.get("centered", True) and max(sizes) > 2)
    return set() if ahead else {"causal"}

"""Rectangles of images, one per example."""

from __future__ import annotations

import torch
from torch import Tensor


def inside(top: Tensor, left: Tensor, bottom: Tensor, right: Tensor, height: int, width: int) -> Tensor:
    """(B, 1, H, W) bool: the pixels of rows top … bottom - 1 and columns left … right - 1, (B,) each."""
    rows = torch.arange(height, device=top.device)
    columns = torch.arange(width, device=top.device)
    down = (rows >= top[:, None]) & (rows < bottom[:, None])  # (B, H)
    across = (columns >= left[:, None]) & (columns < right[:, None])  # (B, W)
    return (down[:, :, None] & across[:, None, :]).unsqueeze(1)

"""Edits of texts: tokens deleted, exchanged and inserted, a batch at once. Letters: B texts, T positions, N edits.

Padding stays at the end. No shape depends on what the tokens are, only on T: nothing waits for the device, and
processes that hold rows of one batch agree.
"""

from __future__ import annotations

import torch
from torch import Tensor

from assay.data.augment.draws import whole


def lengths(x: Tensor, padding_id: int | None) -> Tensor:
    """(B,) int64: tokens of each text (B, T)."""
    if padding_id is None:
        return torch.full((len(x),), x.shape[1], device=x.device)
    return (x != padding_id).sum(1)


def within(x: Tensor, length: Tensor) -> Tensor:
    """(B, T) bool: positions that hold a token."""
    return torch.arange(x.shape[1], device=x.device) < length[:, None]


def number(share: float, length: Tensor) -> Tensor:
    """(B,) int64: max(1, ⌊share · length⌋) edits, as EDA counts them; none in an empty text."""
    return (share * length.double()).floor().long().clamp(min=1).minimum(length)


def most(share: float, positions: int) -> int:
    """The largest :func:`number` of texts of up to T positions."""
    return min(max(1, int(share * positions)), positions)


def deleted(x: Tensor, length: Tensor, drop: Tensor, u: Tensor, padding_id: int) -> Tensor:
    """x without the tokens where ``drop``; of a text that would lose all, the one of the largest ``u`` stays.

    Shape:
        x, drop, u (B, T), length (B,) -> (B, T), padded at the end
    """
    valid = within(x, length)
    keep = valid & ~drop
    best = u.masked_fill(~valid, -1).argmax(1, keepdim=True)  # (B, 1)
    last = torch.zeros_like(keep).scatter_(1, best, True) & valid
    keep = torch.where(keep.any(1, keepdim=True), keep, last)
    end = x.shape[1]  # one place more, where what is dropped falls
    place = torch.where(keep, keep.cumsum(1) - 1, end)
    out = x.new_full((len(x), end + 1), padding_id)
    return out.scatter_(1, place, x)[:, :end]


def exchanged(x: Tensor, length: Tensor, count: Tensor, u: Tensor, adjacent: bool) -> Tensor:
    """x after ``count`` exchanges of two tokens, one after the other: of any two places, or of neighbours.

    Shape:
        x (B, T), length, count (B,), u (B, N, 2) -> (B, T)
    """
    first, second = u.unbind(2)  # (B, N)
    length = length[:, None]
    if adjacent:
        a = whole(first, (length - 1).clamp(min=1))
        b = a + 1
    else:
        a = whole(first, length)
        b = (a + 1 + whole(second, length - 1)) % length.clamp(min=1)  # any of the others
    now = torch.arange(u.shape[1], device=x.device) < count[:, None]
    pairs = torch.stack([a, b], 2) * (now & (length > 1)).unsqueeze(2)  # (B, N, 2); places 0 and 0 are no exchange
    for pair, turned in zip(pairs.unbind(1), pairs.flip(2).unbind(1), strict=True):
        x = x.scatter(1, pair, x.gather(1, turned))
    return x


def inserted(x: Tensor, length: Tensor, count: Tensor, u: Tensor, padding_id: int) -> Tensor:
    """x with ``count`` tokens of its own, each at any of its length + 1 gaps; those of one gap in their order.

    Shape:
        x (B, T), length, count (B,), u (B, N, 2) -> (B, T + N), padded at the end
    """
    source, gap = u.unbind(2)  # (B, N)
    token = x.gather(1, whole(source, length[:, None]))
    never = 2 * (x.shape[1] + 1)
    new = torch.arange(u.shape[1], device=x.device) < count[:, None]
    places = torch.where(new, 2 * whole(gap, length[:, None] + 1), never)  # gap g is before token g, at 2 g + 1
    own = torch.where(within(x, length), 2 * torch.arange(x.shape[1], device=x.device) + 1, never)
    place, order = torch.cat([places, own], 1).sort(dim=1, stable=True)
    return torch.cat([token, x], 1).gather(1, order).masked_fill(place == never, padding_id)

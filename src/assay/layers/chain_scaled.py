"""Sums over all sequences of tags in probability space, scaled at each step: a matrix product of (B, C) a step.

Rabiner, "A Tutorial on Hidden Markov Models", 1989, section V.A. What is smaller than a floor is lifted to it: nothing
underflows, and every sum is a little too large. How much is known afterwards. An error of ``floor`` in a forward
probability changes Z by floor · β, with β the backward probability, relative to Z, at that place; β is computed from
lifted numbers too, so that it is never too small. Where the largest β, over the scale of its step, stays under a bound,
all such errors together are below the resolution of the floats; where it does not, or is nan, the row is unsure and
somebody else has to add it up. It takes a conflict of some forty nats in float32: a tag that all before it make e⁻⁴⁰
improbable and all after it make certain. Large emissions alone are no such conflict.

On the CPU alone: lengths are read. Valid positions are packed as torch packs sequences, N rows, time first and the
longest sequence first, so that a step is one slice, and nothing is computed for padding. Memory that is touched for the
first time costs as much as the sums in it, hence what is done in place.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from assay.contracts import Chain

_FLOORS = {torch.float32: 1e-30, torch.float64: 1e-290}
_STRIDE = 16
"""Floats of one register: many tags are padded to whole ones, with tags that no sequence has."""


@dataclass(frozen=True)
class Packing:
    """Where valid positions stand.

    shape: B, T.
    active: sequences that reach each position, while there are any.
    sequence, place: (N,), of each row: its sequence, and its place among B·T positions.
    before: (N - B',), of each row but the first of B' non-empty sequences: the row of the position before.
    last: (B',), the last row of each non-empty sequence, the longest first.
    """

    shape: tuple[int, int]
    active: list[int]
    sequence: Tensor
    place: Tensor
    before: Tensor
    last: Tensor

    @classmethod
    def of(cls, mask: Tensor | None, shape: tuple[int, int]) -> Packing:
        size, length = shape
        lengths = torch.full((size,), length) if mask is None else mask.sum(1)
        lengths, order = lengths.sort(descending=True)
        running = lengths > torch.arange(length).unsqueeze(1)  # (T, B)
        counts = running.sum(1)  # (T,)
        active = [count for count in counts.tolist() if count]
        time, rank = running.nonzero().unbind(1)  # (N,) each
        starts = counts.cumsum(0) - counts  # (T,), the first row of each position
        sequence = order[rank]
        first = active[0] if active else 0
        before = (starts[time - 1] + rank)[first:]
        last = starts[lengths[:first] - 1] + torch.arange(first)
        return cls(shape, active, sequence, sequence * length + time, before, last)


@dataclass(frozen=True)
class Sums:
    """What one pass forward and backward gives.

    log_z, unsure: (B,).
    joint: (N, C'), p(y_t = c).
    alpha: (N, C'), forward probabilities; ahead: e^x · β over the scale of each step, for pairs of tags.
    steps: (C', C'), e^A.
    size: C; the rest of C' is padding.
    """

    packing: Packing
    log_z: Tensor
    unsure: Tensor
    joint: Tensor
    alpha: Tensor
    ahead: Tensor
    steps: Tensor
    size: int

    def tags(self) -> Tensor:
        """(B, T, C): p(y_t = c), zero where padded; a tensor of its own."""
        size, length = self.packing.shape
        flat = self.joint.new_zeros(size * length, self.size)
        return flat.index_copy_(0, self.packing.place, self.joint[:, : self.size]).view(size, length, -1)

    def pairs(self, weight: Tensor) -> Tensor:
        """(C, C): Σ_b w_b Σ_t p(y_{t-1} = i, y_t = j), without the rows that are unsure."""
        later = self.packing.sequence[len(self.packing.last) :]
        ahead = self.ahead[len(self.packing.last) :] * weight[later].unsqueeze(1)
        before = self.alpha.index_select(0, self.packing.before)
        if self.unsure.any():
            gone = self.unsure[later].unsqueeze(1)
            before, ahead = before.masked_fill_(gone, 0), ahead.masked_fill_(gone, 0)
        return (before.t() @ ahead).mul_(self.steps)[: self.size, : self.size].contiguous()


def forward_backward(logits: Tensor, top: Tensor, mask: Tensor | None, chain: Chain) -> Sums:
    """Sums of logits less ``top``.

    Args:
        logits: (B, T, C), anything where padded.
        top: (B, T) float32 or float64, the largest of each position; the sums have its type.
        mask: (B, T) bool, the valid positions first; None where all are.
        chain: of the same type, its largest transition, start and end 0.
    """
    size, length, tags = logits.shape
    floor = _FLOORS[top.dtype]
    packing = Packing.of(mask, (size, length))
    more = -tags % _STRIDE if tags > 4 * _STRIDE else 0
    emitted = F.pad(logits.reshape(-1, tags).index_select(0, packing.place).to(top.dtype), (0, more))  # (N, C')
    emitted.sub_(top.reshape(-1, 1)[packing.place]).exp_().clamp_min_(floor)
    steps = torch.where(chain.transitions == -torch.inf, 0, chain.transitions.exp().clamp_min_(floor))
    steps = F.pad(steps, (0, more, 0, more))  # (C', C')
    start, end = F.pad(chain.start.exp(), (0, more)), F.pad(chain.end.exp().clamp_min_(floor), (0, more))

    alpha, scales = _forward(emitted, start, steps, packing.active, floor)
    ending = (alpha[packing.last] * end).sum(1, keepdim=True)  # (B', 1)
    ends = packing.sequence[packing.last]
    log_z = top.new_zeros(size, dtype=torch.float64)
    log_z.index_add_(0, packing.sequence, scales.squeeze(1).log().double())
    log_z.index_add_(0, ends, ending.squeeze(1).log().double())

    beta = torch.empty_like(emitted)
    beta[packing.last] = (end / ending).clamp_min_(floor)
    ahead = _backward(emitted.div_(scales), beta, steps.t(), packing.active, floor)
    peak = beta.amax(1) / scales.squeeze(1).clamp(max=1)  # (N,)
    bound = torch.finfo(top.dtype).eps / (floor * tags * length)
    unsure = torch.zeros(size, dtype=torch.bool)
    unsure[packing.sequence[~(peak < bound)]] = True
    unsure[ends[~(1 / ending.squeeze(1) < bound)]] = True
    return Sums(packing, log_z.to(top.dtype), unsure, beta.mul_(alpha), alpha, ahead, steps, tags)


def _forward(emitted: Tensor, start: Tensor, steps: Tensor, active: list[int], floor: float) -> tuple[Tensor, Tensor]:
    """α (N, C), each row summing to one, and the scales that make it so (N, 1)."""
    alpha, scales = torch.empty_like(emitted), emitted.new_empty(len(emitted), 1)
    before = None
    for row, scale, factor in zip(alpha.split(active), scales.split(active), emitted.split(active), strict=True):
        if before is None:
            torch.mul(factor, start, out=row)
        else:
            torch.mm(before[: len(row)], steps, out=row).mul_(factor)
        torch.sum(row, 1, keepdim=True, out=scale)
        before = row.div_(scale).clamp_min_(floor)
    return alpha, scales


def _backward(emitted: Tensor, beta: Tensor, steps: Tensor, active: list[int], floor: float) -> Tensor:
    """Fills β (N, C), which holds the ends; makes ahead = e^x β / scale in place of ``emitted``, e^x / scale."""
    rows, ends = emitted.split(active), beta.split(active)
    for t in range(len(active) - 1, 0, -1):
        torch.mm(rows[t].mul_(ends[t]), steps, out=ends[t - 1][: active[t]]).clamp_min_(floor)
    return emitted

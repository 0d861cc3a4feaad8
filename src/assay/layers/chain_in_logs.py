"""Sums over all sequences of tags, in log space: right whatever the scores are, and slow: O(B C²) numbers a step.

What :mod:`assay.layers.crf` uses where probabilities would leave the range of floats, on accelerators (where asking
whether they do would stop the device), and for marginals that are differentiated. Each step of the forward
probabilities is shifted to sum to one, so that digits last for a thousand of them.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from assay.contracts import Chain


@dataclass(frozen=True)
class Sums:
    """What one pass forward and backward gives, see :func:`forward_backward`; the methods are those of
    :class:`assay.layers.chain_scaled.Sums`."""

    x: Tensor
    mask: Tensor
    chain: Chain
    log_z: Tensor
    alpha: Tensor
    beta: Tensor
    shifts: Tensor

    def tags(self) -> Tensor:
        """(B, T, C): p(y_t = c), zero where padded."""
        return (self.alpha + self.beta).exp().masked_fill(~self.mask.unsqueeze(-1), 0)

    def pairs(self, weight: Tensor) -> Tensor:
        """(C, C): Σ_b w_b Σ_t p(y_{t-1} = i, y_t = j)."""
        total = torch.zeros_like(self.chain.transitions)
        for t in range(1, self.x.shape[1]):
            ahead = _ahead(self.x, self.beta[:, t], self.shifts, t)
            joint = (
                self.alpha[:, t - 1].unsqueeze(2) + self.chain.transitions + ahead.unsqueeze(1)
            ).exp_()  # (B, C, C)
            total += (joint * torch.where(self.mask[:, t], weight, 0)[:, None, None]).sum(0)
        return total


def forward_backward(x: Tensor, mask: Tensor, chain: Chain) -> Sums:
    """Sums of x (B, T, C), finite or -inf everywhere; mask (B, T) bool, the valid positions first."""
    alpha, shifts = forward(x, mask, chain)
    ending = (alpha[:, -1] + chain.end).logsumexp(1)  # (B,)
    empty = ~mask[:, 0]
    log_z = (shifts.sum(1, dtype=torch.float64).to(x.dtype) + ending).masked_fill(empty, 0)
    beta = backward(x, mask, chain, shifts, chain.end - _finite(ending).unsqueeze(1))
    return Sums(x, mask, chain, log_z, alpha, beta, shifts)


def forward(x: Tensor, mask: Tensor, chain: Chain) -> tuple[Tensor, Tensor]:
    """log α, shifted to sum to one, and the shifts: α_t(j) = Σ_i α_{t-1}(i) e^{A_ij + x_tj}.

    Shape:
        x (B, T, C), mask (B, T) -> (B, T, C), (B, T); beyond the last valid position α stands still and shifts are 0
    """
    states: list[Tensor] = []
    shifts: list[Tensor] = []
    for t in range(x.shape[1]):
        come = (states[-1].unsqueeze(2) + chain.transitions).logsumexp(1) if t else chain.start  # (B, C)
        step = come + x[:, t]
        shift = step.logsumexp(1)  # (B,); -inf where no sequence is possible
        step = step - _finite(shift).unsqueeze(1)
        states.append(torch.where(mask[:, t, None], step, states[-1]) if t else step)
        shifts.append(shift.masked_fill(~mask[:, t], 0))
    return torch.stack(states, 1), torch.stack(shifts, 1)


def backward(x: Tensor, mask: Tensor, chain: Chain, shifts: Tensor, end: Tensor) -> Tensor:
    """log β with the shifts of :func:`forward`: β_t(i) = Σ_j e^{A_ij + x_{t+1,j}} β_{t+1}(j).

    Shape:
        x (B, T, C), mask and shifts (B, T), end (B, C), of the last valid position -> (B, T, C)
    """
    states = [end]
    for t in range(x.shape[1] - 1, 0, -1):
        step = (_ahead(x, states[-1], shifts, t).unsqueeze(1) + chain.transitions).logsumexp(2)
        states.append(torch.where(mask[:, t, None], step, states[-1]))
    return torch.stack(states[::-1], 1)


def _ahead(x: Tensor, beta: Tensor, shifts: Tensor, t: int) -> Tensor:
    """(B, C): log of what a step to t brings, over its scale."""
    return x[:, t] + beta - _finite(shifts[:, t]).unsqueeze(1)


def _finite(shift: Tensor) -> Tensor:
    """Where no sequence is possible, log 0 stays log 0 instead of becoming nan."""
    return shift.masked_fill(shift == -torch.inf, 0)

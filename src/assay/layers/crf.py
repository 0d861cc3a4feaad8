"""Linear-chain conditional random field: sums over all sequences of tags, exact, batched and masked.

Lafferty, McCallum and Pereira, "Conditional Random Fields", 2001; the recursions are those of hidden Markov models,
Rabiner 1989, of which one is the chain whose exponentials are probabilities. A sequence of tags y scores

    s(y) = start[y_1] + Σ_t x_t[y_t] + Σ_t A[y_{t-1}, y_t] + end[y_T],    log p(y) = s(y) - log Z,  Z = Σ_y' e^{s(y')}

What cannot follow is -inf in the chain: probability exactly 0, which no emission outweighs, and a sum stays a sum of
what is possible. Any finite stand-in is outweighed by emissions of a wider spread, and costs digits before.

Sums are taken in scaled probability space (:mod:`assay.layers.chain_scaled`) and checked; rows for which that could be
wrong, and everything that is not on the CPU, are added up in log space (:mod:`assay.layers.chain_in_logs`): so nothing
waits for a device. Positions count from their largest emission: at T = 1,000 and with emissions of any spread the
likelihood is a sum of small differences instead of a small difference of large sums. Computed in float32 at least.

Everywhere: logits (B, T, C); mask (B, T) bool, the valid positions first, or None; tags (B, T) int64, anything where
padded. A sequence without valid positions has likelihood 1. A second derivative (callbacks=hessian) is taken in log
space, in O(T B C²) memory.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from assay.contracts import Chain
from assay.layers import chain_in_logs, chain_scaled

_LOWEST = -1e4
"""What log 0 becomes where torch differentiates: its exponential is 0 at any temperature of distillation up to some
hundred, and differences of two of them are 0 instead of nan."""


def log_partition(logits: Tensor, mask: Tensor | None, chain: Chain) -> Tensor:
    """(B,): log Z; -inf where no sequence is possible."""
    top, tops, centred = _centred(logits, chain)
    return _offset(top, mask, tops) - _LogOdds.apply(logits, top, mask, None, tops, *centred)


def log_odds(logits: Tensor, mask: Tensor | None, chain: Chain, tags: Tensor) -> Tensor:
    """(B,): s(tags) - log Z; forbidden steps of the tags count 0. Of a possible sequence its log-likelihood."""
    top, tops, centred = _centred(logits, chain)
    return _LogOdds.apply(logits, top, mask, tags, tops, *centred)


def score(logits: Tensor, mask: Tensor | None, chain: Chain, tags: Tensor) -> Tensor:
    """(B,): s(tags); forbidden steps count 0."""
    tags = _inside(tags, mask)
    emitted = logits.gather(2, tags.unsqueeze(2)).squeeze(2)
    emitted = emitted if mask is None else torch.where(mask, emitted, 0)
    allowed = Chain(*(part.masked_fill(part == -torch.inf, 0) for part in chain))
    return emitted.sum(1) + _along(mask, allowed, tags)


def log_likelihood(logits: Tensor, mask: Tensor | None, chain: Chain, tags: Tensor) -> Tensor:
    """(B,): log p(tags); -inf where the chain forbids them."""
    return log_odds(logits, mask, chain, tags).masked_fill(~possible(mask, chain, tags), -torch.inf)


def possible(mask: Tensor | None, chain: Chain, tags: Tensor) -> Tensor:
    """(B,) bool: no step of the tags is forbidden."""
    barred = Chain(*(torch.where(part == -torch.inf, part, 0) for part in chain))
    return _along(mask, barred, tags) == 0


@torch.no_grad()
def expectations(logits: Tensor, mask: Tensor | None, chain: Chain) -> tuple[Tensor, Tensor, Tensor]:
    """log Z (B,), p(y_t = c) (B, T, C), zero where padded, and Σ_b Σ_t p(y_{t-1} = i, y_t = j) (C, C)."""
    top, tops, centred = _centred(logits, chain)
    sums = _sums(logits, top, mask, centred)
    return sums.log_z + _offset(top, mask, tops), sums.tags(), sums.pairs(torch.ones_like(sums.log_z))


def marginals(logits: Tensor, mask: Tensor | None, chain: Chain) -> Tensor:
    """(B, T, C): log p(y_t = c), normalised; of what is impossible -10,000 or less, where padded uniform.

    Differentiable, by torch and in log space: what a student is taught with. Its memory is O(T B C²) when it is.
    """
    top, _, centred = _centred(logits, chain)
    sums = _differentiable(logits, top, mask, centred)
    return (sums.alpha + sums.beta).masked_fill(~sums.mask.unsqueeze(2), 0).log_softmax(2)


class _LogOdds(torch.autograd.Function):
    """s(tags) - log Z of logits less ``top``, or -log Z without tags; its gradient is what the tags have less what is
    expected: ∂/∂x_tc = [tags_t = c] - p(y_t = c), ∂/∂A_ij = Σ_t [tags_{t-1} = i, tags_t = j] - p(i, j)."""

    @staticmethod
    def forward(
        ctx: Any, logits: Tensor, top: Tensor, mask: Tensor | None, tags: Tensor | None, tops: Tensor, *parts: Tensor
    ) -> Tensor:
        chain = Chain(*parts)
        ctx.sums = _sums(logits, top, mask, chain)
        tags = None if tags is None else _inside(tags, mask)
        ctx.save_for_backward(mask, tags, logits, top, *parts)
        if tags is None:
            return -ctx.sums.log_z
        emitted = logits.gather(2, tags.unsqueeze(2)).squeeze(2).to(top.dtype) - top  # (B, T)
        emitted = emitted if mask is None else torch.where(mask, emitted, 0)
        allowed = Chain(*(torch.where(part == -torch.inf, -most, part) for part, most in zip(chain, tops, strict=True)))
        return emitted.sum(1) + _along(mask, allowed, tags) - ctx.sums.log_z

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (gradient,) = gradients
        mask, tags, logits, top, *parts = ctx.saved_tensors
        sums: _Sums = ctx.sums
        if torch.is_grad_enabled():  # somebody will differentiate this
            sums = _differentiable(logits, top, mask, Chain(*parts))
        of_x = sums.tags().mul_(-gradient[:, None, None])
        with torch.autocast(of_x.device.type, enabled=False):
            of_steps = sums.pairs(-gradient)
        if tags is not None:
            weight = gradient.unsqueeze(1) * _valid(tags, mask)  # (B, T)
            of_x.scatter_add_(2, tags.unsqueeze(2), weight.unsqueeze(2))
            pairs = _pairs(tags, len(of_steps))
            of_steps.view(-1).scatter_add_(0, pairs.flatten(), weight[:, 1:].flatten())
        of_end = of_x.gather(1, _last(of_x, mask)[:, None, None].expand(-1, 1, of_x.shape[2])).sum((0, 1))
        return of_x, None, None, None, None, of_steps, of_x[:, 0].sum(0), of_end


class _Sums(Protocol):
    """What either way of adding up gives: log Z (B,), p(y_t = c) (B, T, C), and weighted sums of p(i, j) (C, C)."""

    @property
    def log_z(self) -> Tensor: ...
    def tags(self) -> Tensor: ...
    def pairs(self, weight: Tensor) -> Tensor: ...


@dataclass(frozen=True)
class _Mended:
    """Sums in probability space, some rows of which were added up in log space."""

    scaled: chain_scaled.Sums
    rows: Tensor
    others: chain_in_logs.Sums

    @property
    def log_z(self) -> Tensor:
        return self.scaled.log_z.index_put((self.rows,), self.others.log_z)

    def tags(self) -> Tensor:
        return self.scaled.tags().index_put_((self.rows,), self.others.tags())

    def pairs(self, weight: Tensor) -> Tensor:
        return self.scaled.pairs(weight) + self.others.pairs(weight[self.rows])


@torch.no_grad()
def _sums(logits: Tensor, top: Tensor, mask: Tensor | None, chain: Chain) -> _Sums:
    with torch.autocast(top.device.type, enabled=False):
        if top.device.type != "cpu":
            return _in_logs(logits, top, mask, chain)
        sums = chain_scaled.forward_backward(logits, top, mask, chain)
        if not sums.unsure.any():
            return sums
        rows = sums.unsure.nonzero().squeeze(1)
        return _Mended(sums, rows, _in_logs(logits[rows], top[rows], None if mask is None else mask[rows], chain))


def _differentiable(logits: Tensor, top: Tensor, mask: Tensor | None, chain: Chain) -> chain_in_logs.Sums:
    """By torch: nothing is infinite."""
    low = Chain(*(part.clamp(min=_LOWEST) for part in chain))
    return _in_logs(logits.to(top.dtype).clamp(min=_LOWEST), top, mask, low)


def _in_logs(logits: Tensor, top: Tensor, mask: Tensor | None, chain: Chain) -> chain_in_logs.Sums:
    valid = _valid(top, mask)
    x = (logits - top.unsqueeze(2)).masked_fill(~valid.unsqueeze(2), 0)
    return chain_in_logs.forward_backward(x, valid, chain)


def _centred(logits: Tensor, chain: Chain) -> tuple[Tensor, Tensor, Chain]:
    """The largest of each position (B, T) and of each part of the chain (3,), and the chain less those."""
    kind = torch.promote_types(torch.promote_types(logits.dtype, chain.transitions.dtype), torch.float32)
    top = _tops(logits.detach().amax(2).to(kind))
    tops = _tops(torch.stack([part.detach().amax().to(kind) for part in chain]))
    return top, tops, Chain(*(part.to(kind) - most for part, most in zip(chain, tops, strict=True)))


def _offset(top: Tensor, mask: Tensor | None, tops: Tensor) -> Tensor:
    """(B,): what log Z of scores less their largest lacks."""
    valid = _valid(top, mask)
    lengths = valid.sum(1)
    offset = torch.where(valid, top, 0).sum(1) + tops[0] * (lengths - 1) + tops[1] + tops[2]
    return torch.where(lengths > 0, offset, 0)


def _tops(largest: Tensor) -> Tensor:
    """Nothing is taken off where all is impossible."""
    return largest.masked_fill(largest == -torch.inf, 0)


def _along(mask: Tensor | None, chain: Chain, tags: Tensor) -> Tensor:
    """(B,): what the chain says of the tags."""
    tags = _inside(tags, mask)
    pairs = _pairs(tags, len(chain.transitions))
    steps = chain.transitions.reshape(-1)[pairs]  # (B, T - 1)
    ends = chain.start[tags[:, 0]] + chain.end[tags.gather(1, _last(tags, mask).unsqueeze(1)).squeeze(1)]
    if mask is None:
        return steps.sum(1) + ends
    return torch.where(mask[:, 1:], steps, 0).sum(1) + torch.where(mask[:, 0], ends, 0)


def _inside(tags: Tensor, mask: Tensor | None) -> Tensor:
    """Tags where there are any, 0 elsewhere."""
    return tags if mask is None else tags.masked_fill(~mask, 0)


def _pairs(tags: Tensor, size: int) -> Tensor:
    """(B, T - 1): where each step stands in the flat transitions."""
    return tags[:, :-1] * size + tags[:, 1:]


def _last(rows: Tensor, mask: Tensor | None) -> Tensor:
    """(B,): the last valid position; 0 where there is none."""
    if mask is None:
        return torch.full((rows.shape[0],), rows.shape[1] - 1, device=rows.device)
    return (mask.sum(1) - 1).clamp(min=0)


def _valid(rows: Tensor, mask: Tensor | None) -> Tensor:
    return torch.ones(rows.shape[:2], dtype=torch.bool, device=rows.device) if mask is None else mask

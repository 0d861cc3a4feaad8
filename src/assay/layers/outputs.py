"""What turns the states of positions into tags: each by itself, or all together as a chain."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Literal

import torch
from torch import Tensor, nn

from assay.contracts import Chain, Output
from assay.layers.constraints import constraints as forbidden
from assay.layers.crf import marginals

Constraints = Literal["auto", "iob2", "iobes", "none"]


class _Barred(nn.Module):
    """What the names of the tags forbid. It is not saved: it follows from them."""

    def __init__(self, names: Sequence[str], constraints: str) -> None:
        super().__init__()
        found = forbidden(names, constraints)
        self.any = found is not None
        for name, part in ({} if found is None else found._asdict()).items():
            self.register_buffer(name, part, persistent=False)

    def forward(self, chain: Chain) -> Chain:
        """The chain with -inf where it is forbidden to go."""
        if not self.any:
            return chain
        return Chain(*(part.masked_fill(getattr(self, name), -torch.inf) for name, part in chain._asdict().items()))


class Softmax(nn.Module):
    """log p(y_t = c) = log_softmax(W h_t + b)_c: each position by itself.

    Constraints hold where tags are answered: ``Output.chain`` then has 0 and -inf, and the answer is the likeliest
    sequence of those it allows. The loss knows nothing of them.

    Args:
        input_size: H.
        names: of the tags.
        constraints: which tag may follow which, see :func:`assay.layers.constraints.constraints`.
    Shape:
        states (B, T, H), mask (B, T) bool or None -> Output with logits (B, T, C)
    """

    def __init__(self, input_size: int, names: Sequence[str], constraints: Constraints = "auto") -> None:
        super().__init__()
        self.linear = nn.Linear(input_size, len(names))
        self.barred = _Barred(names, constraints)

    def forward(self, states: Tensor, mask: Tensor | None = None) -> Output:
        return alone(self.linear(states), mask, self.chain())  # (B, T, C)

    def chain(self) -> Chain | None:
        """0 and -inf; None where nothing is forbidden."""
        if not self.barred.any:
            return None
        scores = self.linear.weight
        size = len(scores)
        return self.barred(Chain(scores.new_zeros(size, size), scores.new_zeros(size), scores.new_zeros(size)))


class CRF(nn.Module):
    """A linear-chain conditional random field over x_t = W h_t + b, see :mod:`assay.layers.crf`.

    Lafferty, McCallum and Pereira, "Conditional Random Fields", 2001; on recurrent states Huang, Xu and Yu,
    "Bidirectional LSTM-CRF Models for Sequence Tagging", 2015, arXiv:1508.01991. ``log_probs`` are the logarithms of
    each position's marginals, made when they are asked for. Constraints hold in training and where tags are answered:
    what may not follow has no probability. Differs from the papers: that, and scores of first and last tags.

    Args:
        input_size: H.
        names: of the tags.
        constraints: which tag may follow which, see :func:`assay.layers.constraints.constraints`.
    Shape:
        states (B, T, H), mask (B, T) bool or None -> Output with logits (B, T, C) and a chain
    """

    def __init__(self, input_size: int, names: Sequence[str], constraints: Constraints = "auto") -> None:
        super().__init__()
        size = len(names)
        self.linear = nn.Linear(input_size, size)
        self.transitions = nn.Parameter(torch.empty(size, size))
        self.start = nn.Parameter(torch.empty(size))
        self.end = nn.Parameter(torch.empty(size))
        self.barred = _Barred(names, constraints)
        self.settle()

    @torch.no_grad()
    def settle(self) -> None:
        """At first no tag follows another more readily, whatever init is chosen."""
        for part in (self.transitions, self.start, self.end):
            part.zero_()

    def forward(self, states: Tensor, mask: Tensor | None = None) -> Output:
        return together(self.linear(states), mask, self.chain())  # (B, T, C)

    def chain(self) -> Chain:
        """What was learnt, -inf where it is forbidden."""
        return self.barred(Chain(self.transitions, self.start, self.end))


def alone(logits: Tensor, mask: Tensor | None, chain: Chain | None) -> Output:
    """Tags (B, T, C) with a distribution for each position, whatever ``chain`` lets an answer be."""
    return Output(logits, partial(logits.log_softmax, -1), mask, chain=chain)


def together(logits: Tensor, mask: Tensor | None, chain: Chain) -> Output:
    """Tags (B, T, C) with one distribution over sequences."""
    return Output(logits, partial(marginals, logits, mask, chain), mask, chain=chain)

"""Beam search: the likeliest texts, of those that begin likely. B batch, W width, N best, V vocabulary."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from assay.contracts import Decoder
from assay.decoding.reorder import reorder
from assay.decoding.steps import without
from assay.errors import ConfigError

NOTHING = -1
"""Stands after the end of a text."""


class Found(NamedTuple):
    """The N best texts of each row, best first.

    tokens: (B, N, T) int64, the end token included; NOTHING after it.
    lengths: (B, N) int64; 0 where there are fewer texts than N.
    log_probs: (B, N) float64, log p(text) by the decoder; -inf where there is none.
    scores: (B, N) float64, by which they are ordered.
    """

    tokens: Tensor
    lengths: Tensor
    log_probs: Tensor
    scores: Tensor


@dataclass(frozen=True)
class Beam:
    """Keeps the ``width`` likeliest beginnings, and the ``num_best`` texts of the highest score among all that ended.

    score(Y) = log p(Y) / lp(Y), lp(Y) = ((5 + |Y|) / 6)^α: Wu et al., "Google's Neural Machine Translation System",
    2016, arXiv:1609.08144, eq. 14, without its coverage penalty, which reads attention. |Y| counts the end token. A
    text ends where the end token is among the ``width`` likeliest ways to go on, and leaves its place to a beginning.
    Differs from their section 7: they prune what is less likely than the best by a margin; here the search stops when
    nothing that goes on can become one of the num_best, its score being at most log p / lp(longest), so that stopping
    changes no answer.

    Width 1 without a penalty is greedy; a width of all beginnings makes the search exact.

    Args:
        width: W, beginnings kept.
        length_penalty: α, 0 or more; 0 orders by probability, which favours short texts.
        num_best: N, at most width.
    Raises:
        ConfigError: a value is outside its range.
    """

    width: int
    length_penalty: float = 0.0
    num_best: int = 1

    def __post_init__(self) -> None:
        if self.width < 1:
            raise ConfigError(f"a beam of {self.width} keeps no beginning: use 1 and more")
        if not 0 <= self.length_penalty < math.inf:
            raise ConfigError(f"length_penalty={self.length_penalty:g} is not 0 or more")
        if not 1 <= self.num_best <= self.width:
            raise ConfigError(
                f"a beam of {self.width} has no {self.num_best} best: ask for 1 to {self.width}, or widen it"
            )

    def search(
        self,
        decoder: Decoder,
        logits: Tensor,
        state: Any,
        length: int,
        end: int | None = None,
        forbidden: Sequence[int] = (),
    ) -> Found:
        """The best texts that end, or have ``length`` tokens.

        All rows and beams are one batch on the decoder's device; the only thing read from it is whether to stop, and
        only where an end token lets texts end early.

        Args:
            logits: (B, V) of the first position.
            state: of the decoder that gave them, every tensor batch first.
            length: the most tokens, 1 or more.
            end: ends a text; None: all texts have ``length`` tokens.
            forbidden: tokens that no text has. Probabilities are not divided anew: they stay the decoder's.
        """
        rows, vocabulary = logits.shape
        width, place = self.width, torch.arange(rows, device=logits.device)
        state = reorder(state, place.repeat_interleave(width))
        step = _log_probs(logits, forbidden).unsqueeze(1).expand(-1, width, -1)  # (B, W, V)
        alive = step.new_full((rows, width), -math.inf)  # log p of the beginnings
        alive[:, 0] = 0  # there is one: the empty text
        tokens = place.new_empty(rows, width, 0)
        best = self._none(rows, length, logits.device)
        for done in range(1, length + 1):
            values = (alive.unsqueeze(2) + step).flatten(1)  # (B, W·V)
            values, flat = values.topk(min(width if end is None else 2 * width, width * vocabulary))  # (B, K)
            origin, token = flat // vocabulary, flat % vocabulary
            tokens = torch.cat([_of(tokens, origin), token.unsqueeze(2)], 2)  # (B, K, done)
            ended = torch.zeros_like(token, dtype=torch.bool) if end is None else token == end
            if end is not None or done == length:  # of the W likeliest: those that end, at last all
                texts = values[:, :width].masked_fill(~(ended[:, :width] | (done == length)), -math.inf)
                best = self._better(best, tokens[:, :width], texts)
            alive, pick = values.masked_fill(ended, -math.inf).topk(width)  # (B, W)
            if done == length or (end is not None and self._settled(best, alive, length)):
                break
            tokens, origin, token = _of(tokens, pick), origin.gather(1, pick), token.gather(1, pick)
            state = reorder(state, (place.unsqueeze(1) * width + origin).flatten())  # (B·W,)
            logits, state = decoder.step(token.flatten(), state)
            step = _log_probs(logits, forbidden).view(rows, width, vocabulary)
        return best

    def _penalty(self, length: int) -> float:
        """lp of a text so long."""
        return ((5 + length) / 6) ** self.length_penalty

    def _none(self, rows: int, length: int, device: torch.device) -> Found:
        count = (rows, self.num_best)
        tokens = torch.full((*count, length), NOTHING, dtype=torch.int64, device=device)
        worst = torch.full(count, -math.inf, dtype=torch.float64, device=device)
        return Found(tokens, tokens.new_zeros(count), worst, worst)

    def _better(self, best: Found, tokens: Tensor, log_probs: Tensor) -> Found:
        """The N best of those found and of texts that end here: (B, W, done), log_probs (B, W), -inf for none."""
        done = tokens.shape[2]
        tokens = F.pad(tokens, (0, best.tokens.shape[2] - done), value=NOTHING)
        lengths = torch.full_like(log_probs, done, dtype=torch.int64)
        new = (tokens, lengths, log_probs, log_probs / self._penalty(done))
        tokens, lengths, log_probs, scores = (torch.cat(both, 1) for both in zip(best, new, strict=True))
        scores, pick = scores.topk(self.num_best)
        there = scores > -math.inf
        tokens = _of(tokens, pick).masked_fill(~there.unsqueeze(2), NOTHING)
        return Found(tokens, lengths.gather(1, pick) * there, log_probs.gather(1, pick), scores)

    def _settled(self, best: Found, alive: Tensor, length: int) -> bool:
        """Whether no beginning can still become one of the N best: a text it begins is no likelier than it is, and
        none is divided by more than the longest."""
        return bool((best.scores[:, -1] >= alive[:, 0] / self._penalty(length)).all())


def _log_probs(logits: Tensor, forbidden: Sequence[int]) -> Tensor:
    """float64: a long text's is a sum of many."""
    return without(logits.double().log_softmax(-1), forbidden)


def _of(tokens: Tensor, pick: Tensor) -> Tensor:
    """(B, K, T): rows ``pick`` (B, K) of each row's own (B, W, T)."""
    return tokens.gather(1, pick.unsqueeze(2).expand(-1, -1, tokens.shape[2]))

"""Text one token at a time. Letters: B batch, V vocabulary.

A search knows a decoder by ``step(tokens (B,), state) -> (logits (B, V), state)`` alone (:class:`assay.contracts.
Decoder`). It begins with the logits of the first position and the state that gave them: those of a prompt that was
read, or ``decoder.step(begin, state)`` of a translation.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from assay.contracts import Decoder

Choose = Callable[[Tensor, int], Tensor]
"""logits (B, V), how many tokens came before -> tokens (B,): :func:`assay.decoding.greedy.greedy`, a
:class:`assay.decoding.sample.Sample`."""


def without(logits: Tensor, tokens: Sequence[int]) -> Tensor:
    """(…, V) with -inf for tokens that are never to be written, as padding is."""
    if not tokens:
        return logits
    return logits.index_fill(-1, torch.tensor(tokens, device=logits.device), -math.inf)


def decode(
    decoder: Decoder,
    logits: Tensor,
    state: Any,
    choose: Choose,
    length: int,
    end: int | None = None,
    forbidden: Sequence[int] = (),
) -> Iterator[Tensor]:
    """Yields tokens (B,), position after position, each as soon as it is chosen.

    Args:
        logits: (B, V) of the first position.
        state: of the decoder that gave them.
        choose: a token for each row.
        length: the most positions.
        end: a row that has chosen it gives nothing else; when all have, the text ends.
        forbidden: tokens that are never chosen.
    """
    ended = torch.zeros(len(logits), dtype=torch.bool, device=logits.device)
    for position in range(length):
        tokens = choose(without(logits, forbidden), position)
        if end is not None:
            tokens = tokens.masked_fill(ended, end)
            ended = ended | (tokens == end)
        yield tokens
        if position + 1 == length or (end is not None and bool(ended.all())):
            return
        logits, state = decoder.step(tokens, state)

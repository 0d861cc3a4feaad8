"""The random field over sentences: likelihood with gradients, and the best tags, against pytorch-crf.

Where pytorch-crf is not installed (it is no dependency; ``pip install pytorch-crf``), against the loop that one writes
by hand, a log-sum-exp of (B, C, C) at each position, which is what pytorch-crf does.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor, nn

from assay.bench import Comparison
from assay.contracts import Chain
from assay.decoding.viterbi import viterbi
from assay.layers.crf import log_likelihood

SENTENCES, LENGTH, TAGS = 32, 50, 127
REPEATS = 5


class ByHand(nn.Module):
    """Of pytorch-crf's interface what is measured here."""

    def __init__(self, size: int, batch_first: bool) -> None:
        assert batch_first
        super().__init__()
        self.transitions = nn.Parameter(torch.empty(size, size).uniform_(-0.1, 0.1))
        self.start_transitions = nn.Parameter(torch.empty(size).uniform_(-0.1, 0.1))
        self.end_transitions = nn.Parameter(torch.empty(size).uniform_(-0.1, 0.1))

    def forward(self, x: Tensor, tags: Tensor, mask: Tensor, reduction: str) -> Tensor:
        rows = torch.arange(len(x))
        score = self.start_transitions[tags[:, 0]] + x[:, 0].gather(1, tags[:, :1]).squeeze(1)
        state = self.start_transitions + x[:, 0]  # (B, C)
        for t in range(1, x.shape[1]):
            step = self.transitions[tags[:, t - 1], tags[:, t]] + x[rows, t, tags[:, t]]
            score = score + step * mask[:, t]
            through = state.unsqueeze(2) + self.transitions + x[:, t].unsqueeze(1)  # (B, C, C)
            state = torch.where(mask[:, t, None], through.logsumexp(1), state)
        score = score + self.end_transitions[tags[rows, mask.sum(1) - 1]]
        return score - (state + self.end_transitions).logsumexp(1)

    def decode(self, x: Tensor, mask: Tensor) -> list[list[int]]:
        state, pointers = self.start_transitions + x[:, 0], []
        for t in range(1, x.shape[1]):
            most = (state.unsqueeze(2) + self.transitions + x[:, t].unsqueeze(1)).max(1)
            pointers.append(most.indices)
            state = torch.where(mask[:, t, None], most.values, state)
        last = (state + self.end_transitions).argmax(1).tolist()
        found = []
        for row, (tag, length) in enumerate(zip(last, mask.sum(1).tolist(), strict=True)):
            tags = [tag]
            for pointer in reversed(pointers[: length - 1]):
                tags.append(int(pointer[row, tags[-1]]))
            found.append(tags[::-1])
        return found


@cache
def sentences() -> tuple[Any, Tensor, Tensor, Tensor]:
    """The reference with its scores, emissions, a mask of 25 to 50 positions, and tags."""
    torch.manual_seed(0)
    make = import_module("torchcrf").CRF if find_spec("torchcrf") else ByHand
    reference = make(TAGS, batch_first=True)
    emissions = torch.randn(SENTENCES, LENGTH, TAGS, requires_grad=True)
    lengths = torch.randint(LENGTH // 2, LENGTH + 1, (SENTENCES,))
    lengths[0] = LENGTH
    return (
        reference,
        emissions,
        torch.arange(LENGTH) < lengths.unsqueeze(1),
        torch.randint(TAGS, (SENTENCES, LENGTH)),
    )


def chain() -> Chain:
    reference = sentences()[0]
    return Chain(reference.transitions, reference.start_transitions, reference.end_transitions)


def likelihood() -> Tensor:
    _, emissions, mask, tags = sentences()
    return log_likelihood(emissions, mask, chain(), tags)


def their_likelihood() -> Tensor:
    reference, emissions, mask, tags = sentences()
    return reference(emissions, tags, mask=mask, reduction="none")


def decoded() -> list[list[int]]:
    _, emissions, mask, _ = sentences()
    return [[tag for tag in row if tag >= 0] for row in viterbi(emissions, mask, chain()).tolist()]


def their_decoded() -> list[list[int]]:
    reference, emissions, mask, _ = sentences()
    with torch.no_grad():
        return reference.decode(emissions, mask=mask)


def with_gradients(of: Callable[[], Tensor]) -> None:
    """Of the emissions and of all scores of the chain."""
    for leaf in (sentences()[1], *chain()):
        leaf.grad = None
    (-of().sum()).backward()


def timed(work: Callable[[], Any]) -> Callable[[], float]:
    """Seconds for a batch, on one thread."""

    def measure() -> float:
        torch.set_num_threads(1)
        began = time.perf_counter()
        for _ in range(REPEATS):
            work()
        return (time.perf_counter() - began) / REPEATS

    return measure


def comparisons() -> list[Comparison]:
    who = "pytorch-crf" if find_spec("torchcrf") else "a log-sum-exp by hand"
    batch = f"{SENTENCES} sentences of {LENGTH // 2} to {LENGTH} words, {TAGS} tags, one thread, against {who}"
    return [
        Comparison(
            "crf, likelihood", f"log-likelihood with its gradients, {batch}",
            timed(lambda: with_gradients(likelihood)), timed(lambda: with_gradients(their_likelihood)),
            "batch", 20, speed=True,
        ),
        Comparison(
            "crf, Viterbi", f"the best tags, {batch}", timed(decoded), timed(their_decoded), "batch", 2, speed=True,
        ),
    ]  # fmt: skip

"""Tokens drawn from the model's distribution, or from its likelier part. Letters: B batch, V vocabulary."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from assay.errors import ConfigError
from assay.layers.random import example_uniform


@dataclass(frozen=True)
class Sample:
    """A token t with probability p(t)^(1/temperature) / Z over the tokens that are kept.

    Kept are the ``top_k`` likeliest (Fan, Lewis and Dauphin, "Hierarchical Neural Story Generation", 2018,
    arXiv:1805.04833, section 5), and of their distribution the nucleus: the fewest likeliest whose probabilities sum to
    ``top_p`` or more (Holtzman et al., "The Curious Case of Neural Text Degeneration", 2020, arXiv:1904.09751, eq. 2
    and 3). In this order: temperature, top_k, top_p, as libraries have it; the papers use one alone. Among equals the
    smaller id counts as likelier.

    A draw is a function of (seed, position, row): what a row of a batch writes does not depend on the other rows, and
    no generator's state is touched.

    Args:
        temperature: below 1 sharpens, above 1 flattens; towards 0 it is the likeliest token.
        top_k: how many are kept; None: all.
        top_p: in (0, 1]; 1 keeps all.
        seed: any integer.
    Shape:
        logits (B, V) -> tokens (B,) int64
    Raises:
        ConfigError: a value is outside its range.
    """

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.temperature < float("inf"):
            raise ConfigError(f"temperature={self.temperature:g} is not above 0; the likeliest token alone is greedy")
        if self.top_k is not None and self.top_k < 1:
            raise ConfigError(f"top_k={self.top_k} keeps no token: use 1 and more, or leave it out")
        if not 0 < self.top_p <= 1:
            raise ConfigError(f"top_p={self.top_p:g} is not a probability in (0, 1]; 1 keeps all")

    def __call__(self, logits: Tensor, position: int) -> Tensor:
        probabilities, tokens = self.kept(logits)
        row = torch.arange(len(logits), device=logits.device)
        below = probabilities.cumsum(-1)  # (B, V)
        drawn = example_uniform(self.seed, position, row, "sample").unsqueeze(1) * below[:, -1:]  # (B, 1)
        place = torch.searchsorted(below, drawn, right=True)  # the first whose sum exceeds the draw: never of p = 0
        last = (probabilities > 0).sum(-1, keepdim=True) if tokens is not None else below.shape[1]
        place = place.clamp(max=last - 1)
        return (place if tokens is None else tokens.gather(1, place)).squeeze(1)

    def kept(self, logits: Tensor) -> tuple[Tensor, Tensor | None]:
        """(B, V) float64, what is drawn from: probabilities in falling order with the tokens that have them, 0 for what
        is not kept; where all is kept, in the vocabulary's order and None."""
        scores = logits.double()
        scores = (scores - scores.amax(-1, keepdim=True)) / self.temperature
        if self.top_k is None and self.top_p == 1:
            return scores.softmax(-1), None
        scores, tokens = scores.sort(stable=True, dim=-1, descending=True)
        if self.top_k is not None:
            scores[:, self.top_k :] = -torch.inf
        probabilities = scores.softmax(-1)
        if self.top_p < 1:
            before = probabilities.cumsum(-1) - probabilities
            probabilities = probabilities * (before < self.top_p)
            probabilities = probabilities / probabilities.sum(-1, keepdim=True)
        return probabilities, tokens

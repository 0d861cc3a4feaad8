"""Text from a Transformer that keeps keys and values, against reading the whole of it again for each token.

Both: greedy, one text, one CPU thread, the same weights, as long as the context, of which nothing slides out; so both
write the same text, which is asserted.
"""

from __future__ import annotations

import time
from functools import cache, partial

import torch
from torch import Tensor, nn

from assay.bench import Comparison
from assay.decoding.greedy import greedy
from assay.decoding.steps import decode
from assay.layers import normalization
from assay.layers.relu2 import ReLU2
from assay.models.transformer import Transformer

VOCABULARY = 67
SIZE = 128


class Network(nn.Module):
    """As the language model of ``experiment=shakespeare_gpt`` is made, without its task."""

    def __init__(self, context: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(VOCABULARY, SIZE)
        self.encoder = Transformer(
            (None, SIZE), SIZE, num_heads=4, num_layers=4, shared=False, feedforward_size=4 * SIZE, positions="rotary",
            max_length=context, norm_first=True, causal=True, activation=ReLU2, normalization=normalization.rms,
            dropout=0.0, query_key_norm=True,
        )  # fmt: skip
        self.head = nn.Linear(SIZE, VOCABULARY)

    def forward(self, tokens: Tensor) -> Tensor:
        """(B, T) -> logits (B, V) of the next one, all read anew."""
        return self.head(self.encoder(self.embedding(tokens)).states[:, -1])

    def step(self, tokens: Tensor, state: object) -> tuple[Tensor, object]:
        """(B,) and what was kept of those before."""
        encoded = self.encoder(self.embedding(tokens.unsqueeze(1)), None, state)
        return self.head(encoded.states[:, -1]), encoded.state


@cache
def network(context: int) -> Network:
    torch.set_num_threads(1)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return Network(context).eval()


@torch.inference_mode()
def keeping(net: Network, length: int) -> list[int]:
    logits, state = net.step(torch.zeros(1, dtype=torch.int64), net.encoder.start(1))
    return [int(tokens) for tokens in decode(net, logits, state, greedy, length)]


@torch.inference_mode()
def anew(net: Network, length: int) -> list[int]:
    tokens = [0]
    for _ in range(length):
        tokens.append(int(greedy(net(torch.tensor([tokens])), 0)))
    return tokens[1:]


@cache
def text(context: int) -> list[int]:
    """What both must write."""
    return anew(network(context), context)


def seconds(context: int, keep: bool) -> float:
    """Per token."""
    net, expected = network(context), text(context)
    began = time.perf_counter()
    written = (keeping if keep else anew)(net, context)
    took = time.perf_counter() - began
    assert written == expected, "keeping keys and values changed the text"
    return took / context


def comparisons() -> list[Comparison]:
    def row(context: int, goal: float) -> Comparison:
        return Comparison(
            f"generate, {context}",
            f"{context} characters from a Transformer of 4 layers, 128 wide, keys and values kept, against reading all "
            "that was written again for each, one thread",
            partial(seconds, context, True), partial(seconds, context, False), "token", goal, speed=True,
        )  # fmt: skip

    return [row(64, 1.2), row(256, 3)]

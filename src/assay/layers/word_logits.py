"""From a state to a score for each word of the vocabulary, by the words' own vectors."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class WordLogits(nn.Module):
    """z_v = ⟨E_v, h⟩ + b_v: the table that reads words also scores them, and its gradient is the sum over both uses.

    Inan, Khosravi and Socher, "Tying Word Vectors and Word Classifiers", 2017, arXiv:1611.01462; Press and Wolf, "Using
    the Output Embedding to Improve Language Models", 2017, arXiv:1608.05859. Differs from them: nothing.

    Args:
        embedding: of the words; it stays where it is, and only the bias belongs to this module.
        bias: whether there is one.
    Shape:
        h (…, H) -> (…, V)
    """

    def __init__(self, embedding: nn.Embedding, bias: bool) -> None:
        super().__init__()
        self._embedding = [embedding]  # in a list it is no submodule: its weight has one name, and is saved once
        self.bias = nn.Parameter(torch.zeros(embedding.num_embeddings)) if bias else None

    def forward(self, h: Tensor) -> Tensor:
        return F.linear(h, self._embedding[0].weight, self.bias)

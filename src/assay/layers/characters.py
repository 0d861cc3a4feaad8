"""What the characters of a word say of it: a vector for each word of a batch. Letters: B sentences, T words, L
characters of a word, N different words, C size of a character's vector, M maps, K width.

Every encoder reads each spelling of a batch once (:func:`distinct`): in a batch of 16 sentences of news a third of the
words is new.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from assay.contracts import Field
from assay.errors import ConfigError
from assay.layers.lstm_cell import KernelLSTM
from assay.layers.random import Dropout, mix
from assay.layers.recurrent import directions, encode

PADDING, UNKNOWN = 0, 1  # ids of characters


class Distinct(NamedTuple):
    """The different rows of a tensor.

    rows: (N, L). place: (…,), which of them each row is.
    """

    rows: Tensor
    place: Tensor


def distinct(x: Tensor) -> Distinct:
    """x (…, L) int64 -> its different rows, in the order of a key made of each.

    The key is Σ_l r_l x_l in 64-bit integers, r odd and fixed: two rows of one batch share one with a probability near
    N²/2⁶⁴, and would be read as one word. Sorting whole rows would cost more than encoding them.
    """
    flat = x.flatten(0, -2)  # (n, L)
    weights = torch.tensor([mix(length) | 1 for length in range(x.shape[-1])], device=x.device)
    key, order = (flat * weights).sum(1).sort(stable=True)
    new = torch.ones_like(key, dtype=torch.bool)
    new[1:] = key[1:] != key[:-1]
    place = torch.empty_like(order).scatter_(0, order, new.cumsum(0) - 1)
    return Distinct(flat[order[new]], place.view(x.shape[:-1]))


class NoCharacters(nn.Module):
    """Words are read without their characters.

    Args:
        field: of the characters; None where the data have none.
    """

    output_size = 0

    def __init__(self, field: Field | None) -> None:
        super().__init__()


def _vectors(field: Field | None, size: int, option: str) -> nn.Embedding:
    """Of each character, U(±√(3/size)) as Ma and Hovy 2016, section 3.1, draw them; padding is zero and stays so."""
    if field is None or field.size is None:
        raise ConfigError(f"characters={option} reads the characters of words; this data has none: characters=none")
    if size < 1:
        raise ConfigError(f"characters.size={size} is not a positive number")
    vectors = nn.Embedding(field.size, size, padding_idx=PADDING)
    nn.init.uniform_(vectors.weight, -math.sqrt(3 / size), math.sqrt(3 / size))
    with torch.no_grad():
        vectors.weight[PADDING] = 0
    return vectors


class CharacterCNN(nn.Module):
    """f_m = max over l of (b_m + Σ_k W_mk · e(l + k)): the largest answer of each map at any character of the word.

    Ma and Hovy, "End-to-end Sequence Labeling via Bi-directional LSTM-CNNs-CRF", 2016, arXiv:1603.01354, section 2.1,
    after Chiu and Nichols 2016; K windows of zeros stand on both sides of a word. Differs from the paper: there dropout
    comes before the convolution, here it falls on the word's whole vector (the stem's), which the paper has as well. A
    character that training never showed is zero.

    W e is the same for every place of a character: it is computed once for the alphabet and looked up. That is the same
    sum in another order, at a third of the time of a convolution on one core.

    Args:
        field: ``characters``.
        size: C, of a character's vector.
        maps: M.
        width: K, characters that a map sees.
    Shape:
        x (B, T, L) int64 -> (B, T, M), zero for words without characters
    Raises:
        ConfigError: the data have no characters, or a size is not positive.
    """

    def __init__(self, field: Field | None, size: int = 30, maps: int = 30, width: int = 3) -> None:
        super().__init__()
        for key, value in (("maps", maps), ("width", width)):
            if value < 1:
                raise ConfigError(f"characters.{key}={value} is not a positive number")
        self.vectors = _vectors(field, size, "cnn")
        bound = 1 / math.sqrt(size * width)
        self.weight = nn.Parameter(torch.empty(maps, size, width).uniform_(-bound, bound))  # (M, C, K)
        self.bias = nn.Parameter(torch.zeros(maps))
        self.output_size = maps
        self.settle()

    @torch.no_grad()
    def settle(self) -> None:
        """The unknown character starts as nothing, after any initialisation."""
        self.vectors.weight[UNKNOWN] = 0

    def forward(self, x: Tensor) -> Tensor:
        rows, place = distinct(x)
        return F.embedding(place, self.spelling(rows))  # (B, T, M)

    def spelling(self, rows: Tensor) -> Tensor:
        """(N, L) -> (N, M)."""
        maps, _, width = self.weight.shape
        answers = torch.einsum("vc,mck->kvm", self.vectors.weight[PADDING + 1 :], self.weight)
        answers = F.pad(answers, (0, 0, 1, 0))  # (K, V, M); padding answers nothing and learns nothing
        before = (width - 1) // 2
        padded = F.pad(rows, (before, width - 1 - before), value=PADDING)  # (N, L + K - 1)
        length = rows.shape[1]
        found = sum(F.embedding(padded[:, k : k + length], answers[k]) for k in range(width))
        found = (found + self.bias).masked_fill((rows == PADDING).unsqueeze(2), -torch.inf)  # (N, L, M)
        return found.amax(1).masked_fill((rows[:, :1] == PADDING).expand(-1, maps), 0)


class CharacterLSTM(nn.Module):
    """The forward state after a word's last character, and the backward state after its first, beside each other.

    Lample, Ballesteros, Subramanian, Kawakami and Dyer, "Neural Architectures for Named Entity Recognition", 2016,
    arXiv:1603.01360, section 4.1. Differs from the paper: the cell has no peepholes and both its gates (see
    :class:`KernelLSTM`), vectors start as :class:`CharacterCNN`'s, and a character that training never showed is zero.

    Args:
        field: ``characters``.
        size: C, of a character's vector.
        hidden_size: per direction.
    Shape:
        x (B, T, L) int64 -> (B, T, 2·hidden_size), zero for words without characters
    Raises:
        ConfigError: the data have no characters, or a size is not positive.
    """

    def __init__(self, field: Field | None, size: int = 25, hidden_size: int = 25) -> None:
        super().__init__()
        if hidden_size < 1:
            raise ConfigError(f"characters.hidden_size={hidden_size} is not a positive number")
        self.vectors = _vectors(field, size, "lstm")
        self.ahead, self.back = directions(lambda width: KernelLSTM(width, hidden_size), size, hidden_size, 1, True)
        self.dropout = nn.ModuleList([Dropout(0.0)])
        self.output_size = 2 * hidden_size
        self.settle()

    @torch.no_grad()
    def settle(self) -> None:
        """The unknown character starts as nothing, after any initialisation."""
        self.vectors.weight[UNKNOWN] = 0

    def forward(self, x: Tensor) -> Tensor:
        rows, place = distinct(x)
        return F.embedding(place, self.spelling(rows))  # (B, T, 2H)

    def spelling(self, rows: Tensor) -> Tensor:
        """(N, L) -> (N, 2H)."""
        return encode(self.ahead, self.back, self.dropout, self.vectors(rows), rows != PADDING, None).last

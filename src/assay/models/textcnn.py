"""Convolutions over the words of a sentence. Letters: K width of a window, M maps, P windows of a sentence."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from assay.contracts import Encoded
from assay.errors import ConfigError
from assay.layers.channels import INPUT, OUTPUT, Group, Slice, columns, rows
from assay.layers.pooling import k_max_valid, max_valid, mean_valid
from assay.layers.random import Dropout


class TextCNN(nn.Module):
    """c_i = f(w·x_{i:i+K-1} + b) over whole rows, M filters of each width K; then one number, or k, per filter.

    Kim, "Convolutional Neural Networks for Sentence Classification", 2014, arXiv:1408.5882, section 2. Pooling over
    time by the maximum as there, by the k largest in their order (Kalchbrenner, Grefenstette and Blunsom 2014,
    arXiv:1404.2188, section 3.2), or by the mean. Differs from the paper: one channel of vectors, which the stem makes;
    a sentence shorter than a window is filled up with zeros at its end, and no other; the norm of the head's rows is
    not bounded. An example without positions is the zero vector.

    Args:
        input_size: (T or None, D) of an example.
        widths: K of each set of filters.
        maps: M, filters of each width.
        pool: ``1max``, ``kmax`` or ``average``.
        k: of ``kmax``; a sentence with fewer windows gives zeros after those it has.
        activation: makes f.
        dropout: probability that an entry of the pooled vector is dropped.
    Shape:
        x (B, T, D), mask (B, T) with the valid positions first -> last (B, len(widths)·M), k times as many with kmax
    Raises:
        ConfigError: widths are not 1 and more, pool is something else, or a state is given.
    """

    def __init__(
        self,
        input_size: tuple[int | None, ...],
        widths: list[int],
        maps: int,
        pool: str,
        k: int,
        activation: Callable[[], nn.Module],
        dropout: float,
    ) -> None:
        super().__init__()
        width = input_size[-1]
        assert width is not None
        if not widths or min(widths) < 1:
            raise ConfigError(f"model.widths={widths} are no widths of windows: write some of 1 and more, as [3,4,5]")
        pools: dict[str, Callable[[Tensor, Tensor | None], Tensor]] = {
            "1max": max_valid,
            "kmax": partial(k_max_valid, k=k),
            "average": mean_valid,
        }
        if pool not in pools:
            raise ConfigError(f"model.pool={pool} is not one of {', '.join(pools)}")
        self.widths = widths
        self.pool = pools[pool]
        self.convolutions = nn.ModuleList([nn.Conv1d(width, maps, size) for size in widths])
        self.activations = nn.ModuleList([activation() for _ in widths])
        self.dropout = Dropout(dropout)
        self.kept = k if pool == "kmax" else 1  # numbers of a map
        self.output_size = len(widths) * maps * self.kept

    def forward(self, x: Tensor, mask: Tensor | None = None, state: None = None) -> Encoded:
        if state is not None:
            raise ConfigError("model=textcnn carries no state from one input to the next: use model=lstm")
        if mask is not None:
            x = x * mask.unsqueeze(-1)
        x = x.transpose(1, 2)  # (B, D, T)
        pooled = []
        for size, convolution, activation in zip(self.widths, self.convolutions, self.activations, strict=True):
            maps = activation(convolution(F.pad(x, (0, max(0, size - x.shape[2]))))).transpose(1, 2)  # (B, P, M)
            pooled.append(self.pool(maps, None if mask is None else _windows(mask, size, maps.shape[1])))
        return Encoded(None, self.dropout(torch.cat(pooled, 1)))

    def channel_groups(self) -> list[Group]:
        """The maps of each width, and the entries of a word's vector."""
        convolutions: dict[str, Any] = {f"convolutions.{i}": one for i, one in enumerate(self.convolutions)}
        width = next(iter(convolutions.values())).weight.shape[1]
        found = [Group(INPUT, width, (), tuple(columns(name) for name in convolutions))]
        start = 0
        for name, one in convolutions.items():
            maps = len(one.weight)
            found.append(Group(name, maps, tuple(rows(name, one)), (Slice(OUTPUT, start=start, blocks=self.kept),)))
            start += self.kept * maps
        return found


def _windows(mask: Tensor, size: int, count: int) -> Tensor:
    """(B, P) bool: windows within the sentence, the first at least where there is any position."""
    length = mask.sum(1, keepdim=True)  # (B, 1)
    within = (length - size + 1).clamp(min=1) * (length > 0)
    return torch.arange(count, device=mask.device) < within

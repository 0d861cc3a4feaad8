"""Words read as vectors: of the word, of its characters, and of what else is known of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from assay.contracts import DataSpec, Field
from assay.errors import ConfigError
from assay.layers.random import Dropout

UNKNOWN = 1  # the id of a word or value that training did not hold


class Words(nn.Module):
    """x_t = [E[w_t]; characters(w_t); the vector of each feature of w_t].

    Lample et al. 2016, arXiv:1603.01360, section 4; Ma and Hovy 2016, arXiv:1603.01354, section 2.2; features as
    Collobert et al., "Natural Language Processing (Almost) from Scratch", 2011, section 3.2.3. Dropout falls on the
    whole of x_t. Differs from the papers: what is unknown starts as zero, and stays so unless training shows it
    (``augment=[rare_words]``).

    Args:
        field: ``ids``, the words.
        spec: of the data: which characters and features there are.
        size: of a word's vector.
        bound: of the uniform distribution that the vectors of words and features start from.
        dropout: probability that an entry of x_t is dropped.
        characters: field of the characters, or None -> a module (B, T, L) -> (B, T, ``output_size``).
        feature_size: of the vector of a feature's value; 0: as many entries as there are values, one of them 1.
    Shape:
        x (B, T) int64, characters (B, T, L), features (B, T) each -> (B, T, D), mask (B, T) bool
    Raises:
        ConfigError: a size is not positive, or the data have no characters to read.
    """

    def __init__(
        self,
        field: Field,
        spec: DataSpec,
        size: int,
        characters: Callable[..., Any],
        bound: float = 0.25,
        dropout: float = 0.0,
        feature_size: int = 0,
    ) -> None:
        super().__init__()
        assert field.size is not None
        if size < 1:
            raise ConfigError(f"stem.sequence.size={size} is not a positive number")
        if feature_size < 0:
            raise ConfigError(f"stem.sequence.feature_size={feature_size} is below 0: 0 is one-hot")
        self.padding_id = field.padding_id
        self.embedding = _vectors(field.size, size, bound)
        self.characters = characters(spec.fields.get("characters"))
        self.counts = {name: one.size or 0 for name, one in spec.inputs.items() if one.kind == "feature"}
        tables = [_vectors(count, feature_size, bound) for count in self.counts.values()] if feature_size else []
        self.features = nn.ModuleList(tables)
        self.fields = (*(["characters"] if self.characters.output_size else []), *self.counts)
        widths = [feature_size or count - 1 for count in self.counts.values()]
        self.dropout = Dropout(dropout)
        self.output_shape: tuple[int | None, ...] = (*field.shape, size + self.characters.output_size + sum(widths))
        self.settle()

    @torch.no_grad()
    def settle(self) -> None:
        """What is unknown is zero, after any initialisation."""
        for vectors in (self.embedding, *self.features):
            vectors.weight[UNKNOWN] = 0  # ty: ignore[invalid-assignment]

    def forward(self, x: Tensor, /, **fields: Tensor) -> tuple[Tensor, Tensor | None]:
        assert fields.keys() == set(self.fields), f"{sorted(fields)} given, {sorted(self.fields)} read"
        parts = [self.embedding(x)]
        if "characters" in fields:
            parts.append(self.characters(fields["characters"]))
        if len(self.features):
            parts += [vectors(fields[name]) for name, vectors in zip(self.counts, self.features, strict=True)]
        else:  # padding, the first of the values, is all zeros
            parts += [F.one_hot(fields[name], n)[..., 1:].to(parts[0].dtype) for name, n in self.counts.items()]
        mask = None if self.padding_id is None else x != self.padding_id
        return self.dropout(torch.cat(parts, -1)), mask  # (B, T, D)


def _vectors(count: int, size: int, bound: float) -> nn.Embedding:
    vectors = nn.Embedding(count, size, padding_idx=0)
    nn.init.uniform_(vectors.weight, -bound, bound)
    with torch.no_grad():
        vectors.weight[0] = 0
    return vectors

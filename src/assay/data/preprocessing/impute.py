"""Filling empty numeric cells (NaN), fitted on the training split."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import torch
from torch import Tensor


class Imputation(Protocol):
    """``fit`` and ``transform`` (N, D) float64. ``fills`` says whether empty cells may come at all."""

    fills: bool

    def fit(self, x: Tensor) -> Imputation: ...
    def transform(self, x: Tensor) -> Tensor: ...
    def to_json(self) -> dict[str, Any]: ...


class NoImputation:
    """Nothing is filled: whoever reads the cells refuses empty ones by row."""

    fills = False

    def fit(self, x: Tensor) -> NoImputation:
        return self

    def transform(self, x: Tensor) -> Tensor:
        return x

    def to_json(self) -> dict[str, Any]:
        return {"type": "none"}

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> NoImputation:
        return cls()


class Mean:
    """Empty cells become the column's mean over the filled ones of the training split; 0 where it has none.

    Shape:
        x (N, D) float64 with NaN -> (N, D) without
    """

    fills = True

    def __init__(self) -> None:
        self.mean_ = torch.zeros(0, dtype=torch.float64)

    def fit(self, x: Tensor) -> Mean:
        self.mean_ = x.nanmean(0).nan_to_num(nan=0.0)  # (D,)
        return self

    def transform(self, x: Tensor) -> Tensor:
        return torch.where(x.isnan(), self.mean_, x)

    def to_json(self) -> dict[str, Any]:
        return {"type": "mean", "mean_": self.mean_.tolist()}

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> Mean:
        made = cls()
        made.mean_ = torch.tensor(plain["mean_"], dtype=torch.float64)
        return made


def impute_from_json(plain: Mapping[str, Any]) -> Imputation:
    """The fitted imputation that ``to_json`` described."""
    kinds = {"none": NoImputation, "mean": Mean}
    return kinds[plain["type"]].from_json(plain)

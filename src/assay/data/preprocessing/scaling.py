"""Scaling of numeric columns, fitted on the training split."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import torch
from torch import Tensor


class Scaling(Protocol):
    """``fit`` and ``transform`` (N, D) float64."""

    def fit(self, x: Tensor) -> Scaling: ...
    def transform(self, x: Tensor) -> Tensor: ...
    def to_json(self) -> dict[str, Any]: ...


class NoScaling:
    """Numbers as they are."""

    def fit(self, x: Tensor) -> NoScaling:
        return self

    def transform(self, x: Tensor) -> Tensor:
        return x

    def to_json(self) -> dict[str, Any]:
        return {"type": "none"}

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> NoScaling:
        return cls()


class Standard:
    """(x - mean) / deviation, the population's (divided by N); a constant column is only shifted.

    As ``sklearn.preprocessing.StandardScaler``, its rule for what is constant included: a variance that rounding alone
    could leave counts as none.

    Shape:
        x (N, D) float64 -> (N, D)
    """

    def __init__(self) -> None:
        self.mean_ = torch.zeros(0, dtype=torch.float64)
        self.scale_ = torch.ones(0, dtype=torch.float64)

    def fit(self, x: Tensor) -> Standard:
        self.mean_ = x.mean(0)  # (D,)
        variance = (x - self.mean_).square().mean(0)
        eps = torch.finfo(torch.float64).eps
        constant = variance <= len(x) * eps * variance + (len(x) * self.mean_ * eps).square()
        self.scale_ = torch.where(constant, 1.0, variance.sqrt())
        return self

    def transform(self, x: Tensor) -> Tensor:
        return (x - self.mean_) / self.scale_

    def to_json(self) -> dict[str, Any]:
        return {"type": "standard", "mean_": self.mean_.tolist(), "scale_": self.scale_.tolist()}

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> Standard:
        made = cls()
        made.mean_ = torch.tensor(plain["mean_"], dtype=torch.float64)
        made.scale_ = torch.tensor(plain["scale_"], dtype=torch.float64)
        return made


class MinMax:
    """(x - min) / (max - min), into [0, 1] on the training split; a constant column becomes 0.

    As ``sklearn.preprocessing.MinMaxScaler``. Unseen values may fall outside [0, 1]; they are not clipped.

    Shape:
        x (N, D) float64 -> (N, D)
    """

    def __init__(self) -> None:
        self.min_ = torch.zeros(0, dtype=torch.float64)
        self.range_ = torch.ones(0, dtype=torch.float64)

    def fit(self, x: Tensor) -> MinMax:
        self.min_ = x.amin(0)  # (D,)
        spread = x.amax(0) - self.min_
        self.range_ = torch.where(spread < 10 * torch.finfo(torch.float64).eps, 1.0, spread)
        return self

    def transform(self, x: Tensor) -> Tensor:
        return (x - self.min_) / self.range_

    def to_json(self) -> dict[str, Any]:
        return {"type": "minmax", "min_": self.min_.tolist(), "range_": self.range_.tolist()}

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> MinMax:
        made = cls()
        made.min_ = torch.tensor(plain["min_"], dtype=torch.float64)
        made.range_ = torch.tensor(plain["range_"], dtype=torch.float64)
        return made


def scaling_from_json(plain: Mapping[str, Any]) -> Scaling:
    """The fitted scaling that ``to_json`` described."""
    kinds = {"none": NoScaling, "standard": Standard, "minmax": MinMax}
    return kinds[plain["type"]].from_json(plain)

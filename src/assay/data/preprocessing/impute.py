"""Filling empty numeric cells (NaN), fitted on the training split. An empty category is a category of its own, and only
``drop`` and ``none`` mind it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import torch
from torch import Tensor


class Imputation(Protocol):
    """``fit`` and ``transform`` (N, D) float64.

    fills: whether a data set may hold empty cells at all.
    drops: whether rows that hold one, of a number or a category, leave every split and are refused by ``predict``.
    flagged_: numeric columns of which a further column says, by 1, where they were empty.
    """

    fills: bool
    drops: bool
    flagged_: list[int]

    def fit(self, x: Tensor) -> Imputation: ...
    def transform(self, x: Tensor) -> Tensor: ...
    def to_json(self) -> dict[str, Any]: ...


class NoImputation:
    """Nothing is filled: whoever reads the cells refuses empty ones by row."""

    fills, drops = False, False

    def __init__(self) -> None:
        self.flagged_: list[int] = []

    def fit(self, x: Tensor) -> NoImputation:
        return self

    def transform(self, x: Tensor) -> Tensor:
        return x

    def to_json(self) -> dict[str, Any]:
        return {"type": "none"}

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> NoImputation:
        return cls()


class Drop:
    """Rows with an empty cell are left out before splits are cut (complete-case analysis, Little and Rubin 2002,
    section 3.2), so that no split holds one; what is left is handed on as it is."""

    fills, drops = True, True

    def __init__(self) -> None:
        self.flagged_: list[int] = []

    def fit(self, x: Tensor) -> Drop:
        return self

    def transform(self, x: Tensor) -> Tensor:
        return x

    def to_json(self) -> dict[str, Any]:
        return {"type": "drop"}

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> Drop:
        return cls()


class Mean:
    """Empty cells become the column's mean over the filled ones of the training split; 0 where it has none.

    Shape:
        x (N, D) float64 with NaN -> (N, D) without
    """

    fills, drops = True, False

    def __init__(self) -> None:
        self.mean_ = torch.zeros(0, dtype=torch.float64)
        self.flagged_: list[int] = []

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


class Median:
    """Empty cells become the column's median over the filled ones of the training split, the mean of the middle two
    where their number is even; 0 where it has none. As ``sklearn.impute.SimpleImputer(strategy="median")``.

    Shape:
        x (N, D) float64 with NaN -> (N, D) without
    """

    fills, drops = True, False

    def __init__(self) -> None:
        self.median_ = torch.zeros(0, dtype=torch.float64)
        self.flagged_: list[int] = []

    def fit(self, x: Tensor) -> Median:
        ranked = x.sort(0).values  # NaN last
        count = (~x.isnan()).sum(0)  # (D,)
        low, high = ((count - 1).clamp(min=0) // 2)[None], (count // 2).clamp(max=max(len(x) - 1, 0))[None]
        middle = (ranked.gather(0, low) + ranked.gather(0, high))[0] / 2 if len(x) else torch.zeros(x.shape[1])
        self.median_ = torch.where(count > 0, middle, 0.0)
        return self

    def transform(self, x: Tensor) -> Tensor:
        return torch.where(x.isnan(), self.median_, x)

    def to_json(self) -> dict[str, Any]:
        return {"type": "median", "median_": self.median_.tolist()}

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> Median:
        made = cls()
        made.median_ = torch.tensor(plain["median_"], dtype=torch.float64)
        return made


class Indicator:
    """The mean, and beside it a column of 0 and 1 for each number that had empty cells in training: 1 where empty.

    As ``sklearn.impute.SimpleImputer(add_indicator=True)``; whether a cell was filled may say as much as what it held
    (Little and Rubin 2002, chapter 1). The further columns stand after all others, and ``scaling`` leaves them as they
    are. A column without gaps in training has none: its gaps are filled alone.

    Shape:
        x (N, D) float64 with NaN -> (N, D) without; the further columns are those of ``flagged_``
    """

    fills, drops = True, False

    def __init__(self) -> None:
        self.mean = Mean()
        self.flagged_: list[int] = []

    def fit(self, x: Tensor) -> Indicator:
        self.mean.fit(x)
        self.flagged_ = torch.nonzero(x.isnan().any(0))[:, 0].tolist()
        return self

    def transform(self, x: Tensor) -> Tensor:
        return self.mean.transform(x)

    def to_json(self) -> dict[str, Any]:
        return {"type": "indicator", "mean": self.mean.to_json(), "flagged_": self.flagged_}

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> Indicator:
        made = cls()
        made.mean, made.flagged_ = Mean.from_json(plain["mean"]), [int(place) for place in plain["flagged_"]]
        return made


def impute_from_json(plain: Mapping[str, Any]) -> Imputation:
    """The fitted imputation that ``to_json`` described."""
    from assay.data.preprocessing.nearest_rows import NearestRows

    kinds: dict[str, Any] = {
        "none": NoImputation,
        "drop": Drop,
        "mean": Mean,
        "median": Median,
        "indicator": Indicator,
        "knn": NearestRows,
    }
    return kinds[plain["type"]].from_json(plain)

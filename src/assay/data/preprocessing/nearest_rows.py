"""Filling empty cells from the nearest rows. Letters: N rows, D columns, R reference rows, G rows with a gap."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from assay.errors import ConfigError

_CHUNK = 1 << 22  # distances in memory at once: 32 MiB


class NearestRows:
    """An empty cell becomes the mean of its column over the k nearest reference rows that have it.

    Troyanskaya et al., "Missing value estimation methods for DNA microarrays", Bioinformatics 17(6), 2001, KNNimpute;
    as ``sklearn.impute.KNNImputer`` on standardised columns: d² = D / |P| Σ_{j∈P} (x_j - r_j)², P the columns that both
    rows have. Numbers alone count as columns. Equal distances: the earlier row. With fewer than k rows that have the
    column, all of them; with none, or none that shares a filled column, the column's mean on the training split (0
    where it has none). Differs from the paper: the mean is not weighted by distance. Differs from scikit-learn: at most
    ``rows`` reference rows are kept, evenly spaced over the training split, because they travel in the artifact and
    every row to be filled is compared with all of them; with a split no larger than that nothing differs.

    Args:
        k: rows to take the mean of.
        rows: reference rows kept.
    Shape:
        x (N, D) float64 with NaN -> (N, D) without
    Raises:
        ConfigError: k is not from 1 to rows.
    """

    fills, drops = True, False

    def __init__(self, k: int = 5, rows: int = 1000) -> None:
        if not 1 <= k <= rows:
            raise ConfigError(f"impute.k={k} is no number from 1 to impute.rows={rows}")
        self.k, self.rows = k, rows
        self.flagged_: list[int] = []
        self._use(*(torch.zeros(size, dtype=torch.float64) for size in ((0, 0), (0,), (0,))))

    def fit(self, x: Tensor) -> NearestRows:
        mean = x.nanmean(0).nan_to_num(nan=0.0)  # (D,)
        variance = (x - mean).square().nanmean(0).nan_to_num(nan=0.0)
        kept = x
        if len(x) > self.rows:
            kept = x[torch.arange(self.rows) * len(x) // self.rows]
        return self._use(kept, mean, torch.where(variance > 0, variance.sqrt(), 1.0))

    def _use(self, reference: Tensor, mean: Tensor, scale: Tensor) -> NearestRows:
        self.reference_, self.mean_, self.scale_ = reference, mean, scale
        self._there = ~reference.isnan()  # (R, D)
        self._near = ((reference - mean) / scale).nan_to_num(nan=0.0)
        return self

    def transform(self, x: Tensor) -> Tensor:
        filled = torch.where(x.isnan(), self.mean_, x)
        gaps = torch.nonzero(x.isnan().any(1))[:, 0]  # (G,)
        if len(self.reference_) == 0:
            return filled
        for rows in gaps.split(max(1, _CHUNK // len(self.reference_))):
            filled[rows] = self._fill(x[rows], filled[rows])
        return filled

    def _fill(self, x: Tensor, filled: Tensor) -> Tensor:
        """Rows (G, D) with gaps, and the same with means in them."""
        distance = self._distances(x)  # (G, R)
        for column in torch.nonzero(x.isnan().any(0))[:, 0].tolist():
            asked = torch.nonzero(x[:, column].isnan())[:, 0]
            found, order = distance[asked].masked_fill(~self._there[:, column], torch.inf).sort(dim=1, stable=True)
            near = found[:, : self.k].isfinite()  # (G', k)
            values = self.reference_[:, column].nan_to_num(nan=0.0)[order[:, : self.k]]
            count = near.sum(1)
            mean = (values * near).sum(1) / count.clamp(min=1)
            filled[asked, column] = torch.where(count > 0, mean, filled[asked, column])
        return filled

    def _distances(self, x: Tensor) -> Tensor:
        """d² / D (G, R), infinite where two rows share no filled column."""
        there = (~x.isnan()).to(x.dtype)
        near = ((x - self.mean_) / self.scale_).nan_to_num(nan=0.0)
        theirs = self._there.to(x.dtype)
        total = near.square() @ theirs.T + there @ self._near.square().T - 2 * near @ self._near.T
        shared = there @ theirs.T
        return torch.where(shared > 0, total.clamp(min=0) / shared, torch.inf)

    def to_json(self) -> dict[str, Any]:
        cells = [[None if cell != cell else cell for cell in row] for row in self.reference_.tolist()]  # NaN: null
        fitted = {"reference_": cells, "mean_": self.mean_.tolist(), "scale_": self.scale_.tolist()}
        return {"type": "knn", "k": self.k, "rows": self.rows, **fitted}

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> NearestRows:
        nan = float("nan")
        cells = [[nan if cell is None else cell for cell in row] for row in plain["reference_"]]
        mean, scale = (torch.tensor(plain[name], dtype=torch.float64) for name in ("mean_", "scale_"))
        reference = torch.tensor(cells, dtype=torch.float64).reshape(len(cells), len(mean))
        return cls(plain["k"], plain["rows"])._use(reference, mean, scale)

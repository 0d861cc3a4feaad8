"""A fitted importance of switches, which comes second: what a model of the scores needs to know of each setting.

A random forest (Breiman 2001) predicts the mean score of a cell from its settings. It is always asked about cells that
it was not fitted on (five parts, each held out once), and the importance of a setting is by how much R² falls there
when its values are shuffled among those cells (section 10 of the paper; Fisher, Rudin and Dominici 2019). Unlike
matched pairs it sees settings that never varied alone, and interactions; unlike them it can be wrong, which its R² on
the cells held out says. Where that is not above zero, the model knows nothing, and no importance is given.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from assay.review.effects import Effect
from assay.sweeps.tables.cells import Cell, Group

LEAST = 12  # cells: of fewer, a fifth held out tells nothing
_PARTS, _TREES, _SHUFFLES = 5, 60, 10


@dataclass(frozen=True)
class Importance:
    """Attributes:
    shares: {name of an effect: by how much R² falls without it}, the largest first; empty where refused.
    fit: R² on cells that were held out; None where nothing was fitted.
    cells: how many.
    refused: why there are no shares; empty where there are.
    """

    shares: dict[str, float]
    fit: float | None
    cells: int
    refused: str


def importance(group: Group, effects: Sequence[Effect], metric: str | None = None) -> Importance:
    """How much each of the effects' switches helps to predict scores; those that are one, as one."""
    metric = metric or group.metric
    cells = [cell for cell in group.cells if cell.scores(metric)]
    if len(cells) < LEAST:
        return Importance(
            {}, None, len(cells), f"{len(cells)} cells are too few to fit importances; {LEAST} are needed"
        )
    score = [fmean(value for _, _, value in cell.scores(metric)) for cell in cells]
    if not effects or max(score) == min(score):
        return Importance({}, None, len(cells), "all cells scored the same")
    fit, falls = _held_out([_columns(cells, one.keys[0]) for one in effects], score)
    if fit <= 0:
        why = f"fitted importances are not shown: on cells held out the fit explains nothing (R² = {fit:.2f})"
        return Importance({}, fit, len(cells), why)
    shares = {one.name: fall for one, fall in zip(effects, falls, strict=True)}
    return Importance(dict(sorted(shares.items(), key=lambda item: -item[1])), fit, len(cells), "")


def _columns(cells: Sequence[Cell], key: str) -> Any:
    """A setting as numbers (cells, columns): itself where all are numbers, by its logarithm where it spans decades;
    else one column for each value."""
    import numpy as np

    texts = [cell.settings.get(key, "") for cell in cells]
    try:
        numbers = np.array([float(text) for text in texts])
    except ValueError:
        values = sorted(set(texts))
        return np.array([[float(text == value) for value in values] for text in texts])
    if not np.isfinite(numbers).all():
        return np.array([[float(text == value) for value in sorted(set(texts))] for text in texts])
    if numbers.min() > 0 and numbers.max() / numbers.min() >= 10:
        numbers = np.log(numbers)
    return numbers[:, None]


def _held_out(columns: Sequence[Any], score: Sequence[float]) -> tuple[float, list[float]]:
    """(R² on what was held out, by how much it falls as each block of columns is shuffled)."""
    import numpy as np
    from sklearn.ensemble import RandomForestRegressor

    draws = np.random.default_rng(0)
    inputs, target = np.concatenate(columns, axis=1), np.asarray(score)
    ends = np.cumsum([block.shape[1] for block in columns])
    parts = np.array_split(draws.permutation(len(target)), _PARTS)
    whole, errors = 0.0, np.zeros(len(columns))
    for part in parts:
        rest = np.setdiff1d(np.arange(len(target)), part)
        forest = RandomForestRegressor(_TREES, max_features=max(1, math.ceil(inputs.shape[1] / 2)), random_state=0)
        forest.fit(inputs[rest], target[rest])
        asked = np.tile(inputs[part], (1 + len(columns) * _SHUFFLES, 1, 1))  # (1 + blocks * shuffles, cells, columns)
        for number in range(len(columns) * _SHUFFLES):
            block = slice(ends[number // _SHUFFLES] - columns[number // _SHUFFLES].shape[1], ends[number // _SHUFFLES])
            asked[1 + number, :, block] = inputs[draws.permutation(part)][:, block]
        told = forest.predict(asked.reshape(-1, inputs.shape[1])).reshape(len(asked), len(part))
        squares = ((told - target[part]) ** 2).sum(1)
        whole += squares[0]
        errors += squares[1:].reshape(len(columns), _SHUFFLES).mean(1) - squares[0]
    spread = ((target - target.mean()) ** 2).sum()
    return float(1 - whole / spread), [float(error / spread) for error in errors]

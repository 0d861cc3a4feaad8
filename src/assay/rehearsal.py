"""``debug=…``: what the data and the length of a rehearsal are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from assay.data.dataset import DataSet, some

OVERFIT_EXAMPLES = 10
FAST_STEPS = 2
PROFILE_STEPS = 50


def rehearse(debug: str, dataset: DataSet, trainer: Mapping[str, Any]) -> dict[str, Any]:
    """The trainer's keys that a rehearsal changes. Of ``overfit`` the splits of the data set become the same few
    examples.

    Args:
        debug: the option.
        dataset: set up.
        trainer: its keys, as configured.
    """
    if debug == "overfit":
        few = some(dataset, "train", OVERFIT_EXAMPLES)
        dataset.splits = {"train": few, "val": few, "test": few}
        return {"max_epochs": max(100, trainer["max_epochs"])}
    if debug == "fast":
        return {"max_epochs": min(1, trainer["max_epochs"]), "limit_train_batches": FAST_STEPS}
    if debug == "profile":
        return {"max_steps": PROFILE_STEPS}
    return {}

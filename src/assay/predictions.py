"""``predictions/test.csv``: id, target, prediction, probability, loss; one row per example."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

COLUMNS = ("id", "target", "prediction", "probability", "loss")


def write(path: Path, task: Any, readings: Mapping[str, Tensor]) -> None:
    """Rows in the order of the split. ``probability`` is the predicted answer's; empty for numbers."""
    path.parent.mkdir(parents=True, exist_ok=True)
    names, probabilities = task.table(readings["log_probs" if "log_probs" in readings else "prediction"])
    targets = task.target_names(readings["label"])
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for row, (index, loss) in enumerate(zip(readings["index"].tolist(), readings["loss"].tolist(), strict=True)):
            probability = f"{probabilities[row]:.6f}" if probabilities else ""
            writer.writerow([index, targets[row], names[row], probability, f"{loss:.6g}"])

"""Regression: one number per example, learnt in units of the training split's deviation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from assay.contracts import Batch, Columns, DataSpec, Output, Streams, Term
from assay.layers.features import observed
from assay.layers.stems import read


class Regressor(nn.Module):
    """Stem, encoder and one linear unit: batch["source"] -> Output with logits (B,), in deviations from the mean."""

    def __init__(self, stem: nn.Module, encoder: Any) -> None:
        super().__init__()
        self.stem = stem
        self.encoder = encoder
        self.head = nn.Linear(encoder.output_size, 1)

    def forward(self, batch: Batch) -> Output:
        x, mask = read(self.stem, batch)
        return Output(self.head(self.encoder(x, mask).last).squeeze(-1))


class Regression:
    """The task. A label y is learnt as (y - center) / scale, both of the training split, so that one learning rate
    serves prices and probabilities; scores are in the label's own units.

    Args:
        spec: of the data; ``label`` is a number with its ``center`` and ``scale``.
        objective: a loss on numbers.
    """

    monitor = "val/rmse"
    monitor_mode = "min"

    def __init__(self, spec: DataSpec, objective: nn.Module) -> None:
        self.center = spec.label.center
        self.scale = spec.label.scale
        self.objective = objective

    def network(self, stem: nn.Module, encoder: nn.Module) -> nn.Module:
        return Regressor(stem, encoder)

    def terms(self, model: Any, batch: Batch, streams: Streams) -> dict[str, Term]:
        with streams:
            output = observed(model, batch, getattr(self.objective, "features", ()))
        return self.objective(output, {**batch, "label": (batch["label"] - self.center) / self.scale})

    def readings(self, output: Output, batch: Batch) -> dict[str, Tensor]:
        """Per example: ``index``, ``label``, ``prediction`` in the label's units, ``loss`` the squared error."""
        prediction = self.answers(output, batch)["prediction"]
        label = batch["label"].double()
        return {
            "index": batch["index"],
            "label": label,
            "prediction": prediction,
            "loss": (prediction - label) ** 2,
        }

    def answers(self, output: Output, batch: Batch) -> dict[str, Tensor]:
        """``prediction`` (B,) float64, in the label's units."""
        return {"prediction": output.logits.double() * self.scale + self.center}

    def scores(self, readings: Mapping[str, Tensor]) -> dict[str, float]:
        from torchmetrics.functional import regression as metrics

        label, prediction = readings["label"], readings["prediction"]
        scores = {
            "mae": float(metrics.mean_absolute_error(prediction, label)),
            "rmse": float(metrics.mean_squared_error(prediction, label, squared=False)),
        }
        if len(label) > 1:  # R² has no meaning for one example
            scores["r2"] = float(metrics.r2_score(prediction, label))
        return scores

    def settle(self, validation: Callable[[], Mapping[str, Tensor]]) -> dict[str, Any]:
        """Nothing is chosen once training is over."""
        return {}

    def baseline(self, train: Columns, readings: Mapping[str, Tensor]) -> tuple[str, dict[str, float]]:
        """What always answering the training split's mean would score."""
        label = readings["label"].cpu()
        return "mean", self.scores(
            {"label": label, "prediction": torch.full_like(label, float(train.column("label").double().mean()))}
        )

    def table(self, answers: Tensor) -> tuple[list[str], list[float]]:
        return [f"{value:.6g}" for value in answers.tolist()], []

    def target_names(self, label: Tensor) -> list[str]:
        return [f"{value:.6g}" for value in label.tolist()]

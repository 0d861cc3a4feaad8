"""Classification: one class per example (softmax; one logistic unit for two classes), or several labels each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from assay.contracts import Batch, Columns, DataSpec, Output, Streams, Term
from assay.layers.features import observed
from assay.layers.stems import read
from assay.tasks.thresholds import Half


class Classifier(nn.Module):
    """Stem, encoder and a linear head. Two classes have one logit z, and their logits are (0, z): softmax of those is
    the logistic function, so that nothing downstream knows the difference.

    Shape:
        batch["source"] as the data publish it -> Output with logits (B, C), or (B, L) for labels
    """

    def __init__(self, stem: nn.Module, encoder: Any, kind: str, size: int) -> None:
        super().__init__()
        self.stem = stem
        self.encoder = encoder
        self.kind = kind
        self.binary = kind == "class" and size == 2
        self.head = nn.Linear(encoder.output_size, 1 if self.binary else size)

    def forward(self, batch: Batch) -> Output:
        x, mask = read(self.stem, batch)
        logits = self.head(self.encoder(x, mask).last)  # (B, C), (B, L) or (B, 1)
        if self.kind == "labels":
            return Output(logits, torch.stack([F.logsigmoid(-logits), F.logsigmoid(logits)], -1))  # (B, L, 2)
        if self.binary:
            logits = F.pad(logits, (1, 0))  # (B, 2)
        return Output(logits, logits.log_softmax(-1))


class Classification:
    """The task: terms from the objective, scores from torchmetrics on all readings of a split together.

    Args:
        spec: of the data; ``label`` is a class or labels.
        objective: a loss, perhaps wrapped.
        thresholds: size -> (L,), from which probability each label is answered; None: one half.
    """

    monitor_mode = "max"

    def __init__(self, spec: DataSpec, objective: nn.Module, thresholds: Any = None) -> None:
        self.thresholds = Half() if thresholds is None else thresholds
        self.kind = spec.label.kind
        self.size = int(spec.label.size or 0)
        self.names = spec.label.names
        self.objective = objective
        self.monitor = "val/micro_f1" if self.kind == "labels" else "val/accuracy"

    def network(self, stem: nn.Module, encoder: nn.Module) -> nn.Module:
        return Classifier(stem, encoder, self.kind, self.size)

    def terms(self, model: Any, batch: Batch, streams: Streams) -> dict[str, Term]:
        with streams:
            return self.objective(observed(model, batch, getattr(self.objective, "features", ())), batch)

    def readings(self, output: Output, batch: Batch) -> dict[str, Tensor]:
        """Per example: ``index`` (B,), ``label``, ``log_probs``, and ``loss`` (B,), its negative log-likelihood."""
        assert output.log_probs is not None
        label = batch["label"].long()
        nll = -output.log_probs.gather(-1, label.unsqueeze(-1)).squeeze(-1)
        return {
            "index": batch["index"],
            "label": label,
            "log_probs": output.log_probs.float(),
            "loss": nll.mean(-1) if self.kind == "labels" else nll,
        }

    def answers(self, output: Output, batch: Batch) -> dict[str, Tensor]:
        assert output.log_probs is not None
        return {"log_probs": output.log_probs}

    def scores(self, readings: Mapping[str, Tensor]) -> dict[str, float]:
        return self._scores(readings, self.answered)

    def _scores(self, readings: Mapping[str, Tensor], answered: Callable[[Tensor], Tensor]) -> dict[str, float]:
        from torchmetrics.functional import classification as metrics

        label, log_probs = readings["label"], readings["log_probs"]
        loss = float(readings["loss"].double().mean())
        options: dict[str, Any]
        if self.kind == "labels":
            present = answered(log_probs).long()
            options = {"num_labels": self.size, "validate_args": False}
            values = {
                "accuracy": metrics.multilabel_accuracy(present, label, average="micro", **options),
                "micro_f1": metrics.multilabel_f1_score(present, label, average="micro", **options),
                "macro_f1": metrics.multilabel_f1_score(present, label, average="macro", **options),
            }
        else:
            probs = log_probs.exp()
            options = {"num_classes": self.size, "validate_args": False}
            values = {
                "accuracy": metrics.multiclass_accuracy(probs, label, average="micro", **options),
                "macro_f1": metrics.multiclass_f1_score(probs, label, average="macro", **options),
                "calibration_error": metrics.multiclass_calibration_error(probs, label, n_bins=15, **options),
            }
        return {**{name: float(value) for name, value in values.items()}, "log_loss": loss}

    def answered(self, log_probs: Tensor) -> Tensor:
        """(…, L, 2) -> (…, L) bool: the labels whose probability is over their threshold."""
        return log_probs[..., 1].exp().double() > self.thresholds(self.size).to(log_probs.device)

    def settle(self, validation: Callable[[], Mapping[str, Tensor]]) -> dict[str, Any]:
        """Thresholds, from readings of the validation split by the weights that are tested."""

        def held() -> tuple[Tensor, Tensor]:
            readings = validation()
            return readings["log_probs"][..., 1].exp(), readings["label"]

        chosen = self.thresholds.settle(held)
        return {"thresholds": chosen} if chosen else {}

    def baseline(self, train: Columns, readings: Mapping[str, Tensor]) -> tuple[str, dict[str, float]]:
        """What always answering the training split's class shares would score; labels from one half."""
        label = readings["label"]
        if self.kind == "labels":
            share = train.column("label").double().mean(0).clamp(1e-6, 1 - 1e-6)  # (L,)
            log_probs = torch.stack([(1 - share).log(), share.log()], -1).expand(len(label), -1, -1)
        else:
            counts = torch.bincount(train.column("label").long(), minlength=self.size).double()
            log_probs = ((counts + 1e-6) / (counts + 1e-6).sum()).log().expand(len(label), -1)
        nll = -log_probs.gather(-1, label.cpu().unsqueeze(-1)).squeeze(-1)
        constant = {
            "label": label.cpu(),
            "log_probs": log_probs,
            "loss": nll.mean(-1) if self.kind == "labels" else nll,
        }
        return "majority", self._scores(constant, lambda log_probs: log_probs.argmax(-1))

    def table(self, answers: Tensor) -> tuple[list[str], list[float]]:
        """Per example: the predicted name, and its probability. Labels are joined by ``|``; their probability is that
        of the whole set, taken as independent."""
        if self.kind == "labels":
            present = self.answered(answers)
            names = ["|".join(n for n, on in zip(self.names, row, strict=True) if on) for row in present.tolist()]
            return names, torch.where(present, answers[..., 1], answers[..., 0]).sum(-1).exp().tolist()
        best = answers.max(-1)
        return [self.names[i] for i in best.indices.tolist()], best.values.exp().tolist()

    def target_names(self, label: Tensor) -> list[str]:
        if self.kind == "labels":
            return ["|".join(n for n, on in zip(self.names, row, strict=True) if on) for row in label.tolist()]
        return [self.names[i] for i in label.tolist()]

"""Slots and intent together: one encoder, a tag for each word and a class for the sentence."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from assay.contracts import Batch, Columns, DataSpec, Output, Streams, Term
from assay.errors import ConfigError
from assay.layers.features import observed
from assay.layers.stems import read
from assay.losses.cross_entropy import CrossEntropy
from assay.tasks.tagging import Tagging


class JointTagger(nn.Module):
    """Stem, encoder, an output layer over its states, and a linear head over its ``last``.

    Shape:
        batch as the data publish it -> Output with logits (B, T, C), and ``beside["intent"]`` with logits (B, I)
    """

    readers = ("head.linear.weight", "intent.weight")

    def __init__(
        self, stem: nn.Module, encoder: Any, output: Callable[..., nn.Module], names: tuple[str, ...], intents: int
    ) -> None:
        super().__init__()
        self.stem = stem
        self.encoder = encoder
        self.head = output(encoder.output_size, names)
        self.intent = nn.Linear(encoder.output_size, intents)

    def forward(self, batch: Batch) -> Output:
        x, mask = read(self.stem, batch)
        encoded = self.encoder(x, mask)
        logits = self.intent(encoded.last)  # (B, I)
        tags: Output = self.head(encoded.states, mask)
        beside = {"intent": Output(logits, logits.log_softmax(-1))}
        return Output(tags.logits, lambda: tags.log_probs, tags.mask, chain=tags.chain, beside=beside)


class Joint:
    """The task: :class:`~assay.tasks.tagging.Tagging` and, as a term of its own, the cross-entropy of the intent.

    Zhang and Wang, "A Joint Model of Intent Determination and Slot Filling for Spoken Language Understanding", IJCAI
    2016: one recurrent encoder, a tag from each state and the intent from a summary, the losses added with a weight.
    Differs: the summary is what the encoder gives as ``last``, theirs the maximum over states; a term is a mean over
    what it counts, tags or sentences, theirs sums over a sentence; their tags are chosen by a margin over sequences.
    An objective that wraps another (distillation) reaches the tags; the intent is learnt from its labels.

    Args:
        spec: of the data; ``label`` are tags, ``intent`` is a class.
        objective: of the tags.
        output: (input_size, names) -> the layer that answers with tags.
        intent_weight: of the intent's term.
    Raises:
        ConfigError: the data have no intents.
    """

    monitor_mode = "max"

    def __init__(
        self, spec: DataSpec, objective: nn.Module, output: Callable[..., nn.Module], intent_weight: float = 1.0
    ) -> None:
        if "intent" not in spec.fields:
            raise ConfigError("task=joint predicts the intent of each sentence too, and these have none: task=tagging")
        if not intent_weight > 0:
            raise ConfigError(f"task.intent_weight={intent_weight:g} is not positive: use task=tagging without intents")
        self.tagging = Tagging(spec, objective, output)
        self.names, self.monitor = self.tagging.names, self.tagging.monitor
        self.objective = objective
        self.output = output
        self.intents = spec.fields["intent"].names
        self.intent_weight = intent_weight
        self._of_intent = CrossEntropy()

    def network(self, stem: nn.Module, encoder: nn.Module) -> nn.Module:
        return JointTagger(stem, encoder, self.output, self.names, len(self.intents))

    def terms(self, model: Any, batch: Batch, streams: Streams) -> dict[str, Term]:
        with streams:
            output = observed(model, batch, getattr(self.objective, "features", ()))
            terms = self.objective(output, batch)
        intents = {"label": batch["intent"].long(), **({"weight": batch["weight"]} if "weight" in batch else {})}
        total, weight = self._of_intent(output.beside["intent"], intents)["cross_entropy"]
        return {**terms, "intent": Term(self.intent_weight * total, weight)}

    def readings(self, output: Output, batch: Batch) -> dict[str, Tensor]:
        """Those of tagging, whose loss is of the tags alone; ``intent`` and ``intent_prediction`` (B,)."""
        found = self.tagging.readings(output, batch)
        log_probs, intent = output.beside["intent"].log_probs, batch["intent"].long()
        return {**found, "intent": intent, "intent_prediction": log_probs.argmax(-1)}

    def answers(self, output: Output, batch: Batch, number: int = 1) -> dict[str, Tensor]:
        """Those of tagging, and ``intent`` (B,) with ``intent_probability``."""
        best = output.beside["intent"].log_probs.max(-1)
        tags = self.tagging.answers(output, batch, number)
        return {**tags, "intent": best.indices, "intent_probability": best.values.exp()}

    def settle(self, validation: Callable[[], Mapping[str, Tensor]]) -> dict[str, Any]:
        """Nothing is chosen once training is over."""
        return {}

    def scores(self, readings: Mapping[str, Tensor]) -> dict[str, float]:
        """Those of tagging; ``intent_accuracy``; ``joint_accuracy``, the share of sentences with every tag and the
        intent right."""
        found = self.tagging.scores(readings)
        return found | self._of_both(readings, readings["prediction"], readings["intent_prediction"])

    @staticmethod
    def _of_both(readings: Mapping[str, Tensor], tags: Tensor, intents: Tensor) -> dict[str, float]:
        right = readings["intent"].cpu() == intents.cpu()
        whole = (readings["label"].cpu() == tags.cpu()).all(1)
        return {
            "intent_accuracy": float(right.double().mean()),
            "joint_accuracy": float((right & whole).double().mean()),
        }

    def baseline(self, train: Columns, readings: Mapping[str, Tensor]) -> tuple[str, dict[str, float]]:
        """That of tagging, and always the commonest intent of training."""
        name, prediction = self.tagging.trivial(train, readings)
        intent = torch.bincount(train.column("intent").long(), minlength=len(self.intents)).argmax()
        found = self.tagging.answered(readings["label"], prediction)
        return name, found | self._of_both(readings, prediction, intent.expand(len(readings["intent"])))

    def table(self, answers: Tensor) -> tuple[list[str], list[float]]:
        return self.tagging.table(answers)

    def target_names(self, label: Tensor) -> list[str]:
        return self.tagging.target_names(label)

"""Tagging: one tag per position, scored as spans where tags mark spans."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor, nn

from assay.contracts import Batch, Columns, DataSpec, Output, Streams, Term
from assay.decoding.viterbi import best, several
from assay.layers.features import observed
from assay.layers.stems import read
from assay.losses.sequence_likelihood import negative_log_likelihood
from assay.metrics.spans import Spans, has_spans, tag_accuracy
from assay.tasks.commonest_tags import commonest_tags


class Tagger(nn.Module):
    """Stem, encoder and an output layer over the encoder's states.

    Shape:
        batch as the data publish it -> Output with logits (B, T, C)
    """

    readers = ("head.linear.weight",)  # what reads the encoder: units that leave it leave these too

    def __init__(self, stem: nn.Module, encoder: Any, output: Callable[..., nn.Module], names: tuple[str, ...]) -> None:
        super().__init__()
        self.stem = stem
        self.encoder = encoder
        self.head = output(encoder.output_size, names)

    def forward(self, batch: Batch) -> Output:
        x, mask = read(self.stem, batch)
        return self.head(self.encoder(x, mask).states, mask)


class Tagging:
    """The task: terms from the objective, spans as conlleval counts them, accuracy of tags.

    Where tags mark spans (B-NP, I-NP), the F1 of spans is watched; where they do not (parts of speech), the accuracy of
    tags is, and no F1 is shown. A term's weight is the number of tags, so that a step is the mean over the tags of all
    its sentences, however they are divided.

    Args:
        spec: of the data; ``label`` are tags.
        objective: a loss, perhaps wrapped.
        output: (input_size, names) -> the layer that answers: ``output=softmax`` or ``crf``.
    """

    monitor_mode = "max"

    def __init__(self, spec: DataSpec, objective: nn.Module, output: Callable[..., nn.Module]) -> None:
        self.spec = spec
        self.names = spec.label.names
        self.spans = Spans(self.names) if has_spans(self.names) else None
        self.objective = objective
        self.output = output
        self.monitor = "val/accuracy" if self.spans is None else "val/f1"

    def network(self, stem: nn.Module, encoder: nn.Module) -> nn.Module:
        return Tagger(stem, encoder, self.output, self.names)

    def terms(self, model: Any, batch: Batch, streams: Streams) -> dict[str, Term]:
        with streams:
            return self.objective(observed(model, batch, getattr(self.objective, "features", ())), batch)

    def readings(self, output: Output, batch: Batch) -> dict[str, Tensor]:
        """Per example: ``index``; ``label`` and ``prediction`` (B, T), the likeliest sequence, -1 where there is no
        tag; ``probability`` (B,) of that sequence; ``loss`` (B,), the negative log-likelihood of the target's; and
        ``source`` (B, T), the words, where they are ids. Both are of the distribution that answers: over the sequences
        that ``output.constraints`` allows."""
        label = batch["label"].long()
        tags, log_prob = best(output)
        found = {
            "index": batch["index"],
            "label": label,
            "prediction": tags.masked_fill(label < 0, -1),
            "probability": log_prob.exp(),
            "loss": negative_log_likelihood(output, label),
        }
        if self.spec.source.kind == "ids":
            found["source"] = batch["source"].long().masked_fill(label < 0, -1)
        return found

    def answers(self, output: Output, batch: Batch, number: int = 1) -> dict[str, Tensor]:
        """Per example: ``prediction`` (B, T), -1 where padded; ``probability`` (B,) of the whole sequence, and ``each``
        (B, T), that of each of its tags. Of more than one ``number`` also the likeliest so many, the best first:
        ``n_best`` (B, n, T), -1 throughout where there are fewer, and ``n_best_probability`` (B, n)."""
        tags, log_prob = best(output)
        each = output.log_probs.gather(-1, tags.clamp(min=0).unsqueeze(-1)).squeeze(-1).exp()
        found = {"prediction": tags, "probability": log_prob.exp(), "each": each}
        if number > 1:
            found["n_best"], log_probs = several(output, number)
            found["n_best_probability"] = log_probs.exp()
        return found

    def settle(self, validation: Callable[[], Mapping[str, Tensor]]) -> dict[str, Any]:
        """Nothing is chosen once training is over."""
        return {}

    def scores(self, readings: Mapping[str, Tensor]) -> dict[str, float]:
        """``f1``, ``precision`` and ``recall`` of spans; ``accuracy`` of tags; ``sentence_accuracy``, the share of
        sentences with every tag right; ``log_loss``, nats per tag."""
        found = self.answered(readings["label"], readings["prediction"])
        tags = (readings["label"] >= 0).sum()
        return {**found, "log_loss": float(readings["loss"].double().sum() / tags.clamp(min=1))}

    def answered(self, label: Tensor, prediction: Tensor) -> dict[str, float]:
        """What tags (n, T) score, however sure they were."""
        label, prediction = label.cpu(), prediction.cpu()
        found = {}
        if self.spans is not None:
            overall = self.spans.count(label, prediction).overall
            found = {"f1": overall.f1, "precision": overall.precision, "recall": overall.recall}
        tags, right = tag_accuracy(label, prediction)
        return {
            **found,
            "accuracy": int(right.sum()) / max(int(tags.sum()), 1),
            "sentence_accuracy": float((tags == right).mean()),
        }

    def trivial(self, train: Columns, readings: Mapping[str, Tensor]) -> tuple[str, Tensor]:
        """A name, and the commonest tag of each word in training (n, T); that of all where the word is not known, or
        where examples are no words."""
        label, words = readings["label"].cpu(), readings.get("source")
        return commonest_tags(train, label, None if words is None else words.cpu(), len(self.names))

    def baseline(self, train: Columns, readings: Mapping[str, Tensor]) -> tuple[str, dict[str, float]]:
        """What the commonest tag of each word would score."""
        name, prediction = self.trivial(train, readings)
        return name, self.answered(readings["label"], prediction)

    def table(self, answers: Tensor) -> tuple[list[str], list[float]]:
        """Tags (n, T) as text, a space between; their probabilities are a reading of their own."""
        return self.target_names(answers), []

    def target_names(self, label: Tensor) -> list[str]:
        return [" ".join(self.names[tag] for tag in row if tag >= 0) for row in label.tolist()]

"""Teachers that were trained before: one run, or several."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from assay import artifacts
from assay.contracts import Batch, DataSpec, Field, Output
from assay.distillation.wandb_files import fetched
from assay.errors import ConfigError
from assay.folder import find_artifact
from assay.layers.features import observed, shapes

_OF_NAMES_ALONE = ("background_", "border_", "column")
"""What a preprocessing knows of files from elsewhere, and of their columns: a batch is the same with any of it."""


class Checkpoint:
    """The trained model of a run, narrowed and quantised ones included: frozen, in eval mode, without gradients.

    Args:
        run: a run folder, an artifact, or ``latest``.
    Raises:
        ConfigError: there is no such run, or it was trained on other fields than the student's.
    """

    def __init__(self, run: str) -> None:
        self.run = run
        self.named = f"distillation.teacher.run={run}"
        self.places = [find_artifact(run)]
        self.digests = [artifacts.read_facts(self.places[0])["digest"]]
        self.artifact = artifacts.load(self.places[0])
        self.artifacts = [self.artifact]  # what a cache knows it by
        self.network = self.artifact.network.requires_grad_(False)
        weights = [weight.dtype for weight in self.network.parameters() if weight.is_floating_point()]
        self._precision = weights[0] if weights else torch.float32
        self._device = torch.device("cpu")
        self._units = (1.0, 0.0)

    def fit(self, spec: DataSpec, preprocessing: Any) -> None:
        """Refuses data whose input, its preparation or classes are not the teacher's."""
        for name in ("source", "label"):
            ours, theirs = spec.fields[name], self.artifact.spec.fields[name]
            if (ours.kind, ours.size) != (theirs.kind, theirs.size) or not _one_shape(ours, theirs):
                raise ConfigError(
                    f"{self.named} was trained on {name} {_words(theirs)}, this data has {_words(ours)}: name a run on "
                    "the same data"
                )
            if ours.names != theirs.names:
                mine, yours = _first_difference(ours.names, theirs.names)
                what = "tokens" if ours.kind == "ids" else "names"
                raise ConfigError(
                    f"{self.named} was trained on {name} with other {what} ({yours} where this data has {mine}): name "
                    "a run on the same data, with the same tokenizer"
                )
        ours, theirs = (_prepared(one) for one in (preprocessing, self.artifact.preprocessing))
        if ours != theirs:
            differ = [key for key in {**ours, **theirs} if ours.get(key) != theirs.get(key)]
            raise ConfigError(
                f"{self.named} was trained on inputs that were prepared otherwise ({', '.join(differ)}): use the "
                "teacher's settings of data, scaling, impute and tokenizer, and its split (fold, data.split_seed)"
            )
        label, own = spec.label, self.artifact.spec.label
        if label.kind == "number":  # a teacher's number is in deviations of its own training split
            self._units = own.scale / label.scale, (own.center - label.center) / label.scale

    def __call__(self, batch: Batch) -> Output:
        return self.hidden(batch, ())

    @torch.no_grad()
    def hidden(self, batch: Batch, names: Sequence[str]) -> Output:
        output = observed(self.network, self._own(batch), names)
        if output.log_probs is None and self._units != (1.0, 0.0):
            scale, shift = self._units
            return replace(output, logits=output.logits * scale + shift)
        return output

    def shapes(self, batch: Batch) -> dict[str, tuple[int, ...]]:
        return shapes(self.network, self._own(batch))

    def _own(self, batch: Batch) -> Batch:
        """The batch in the teacher's precision; the teacher goes where the batch is."""
        source = batch["source"]
        if source.device != self._device:
            self.network.to(source.device)
            self._device = source.device
        return {**batch, "source": source.to(self._precision) if source.is_floating_point() else source}


def wandb_artifact(artifact: str, root: str) -> Checkpoint:
    """A run's artifact that Weights & Biases holds; fetched once, and read from ``root`` from then on.

    Args:
        artifact: ``entity/project/name:version``.
        root: data_dir.
    Raises:
        ConfigError: it is not there and cannot be fetched, or is no artifact of ours.
    """
    made = Checkpoint(str(fetched(artifact, root)))
    made.named = f"distillation.teacher.artifact={artifact}"
    return made


class Ensemble:
    """The mean of several runs' logits; of numbers, of their predictions.

    softmax(mean of z) is the normalised geometric mean of the members' distributions: what is averaged here are
    log-probabilities, which are logits but for a constant that the softmax cancels, at every temperature. Hinton,
    Vinyals and Dean 2015, section 1, name both this mean and the arithmetic one.

    Args:
        runs: run folders or artifacts, on the student's data.
    Raises:
        ConfigError: there is none, or one of them does not fit; or its layers are asked for, of which it has several.
    """

    def __init__(self, runs: list[str]) -> None:
        if not runs:
            raise ConfigError("distillation.teacher.runs=[] is no teacher: name runs, as [outputs/a,outputs/b]")
        self.members = [Checkpoint(run) for run in runs]
        self.artifacts = [member.artifact for member in self.members]
        self.places = [place for member in self.members for place in member.places]
        self.digests = [digest for member in self.members for digest in member.digests]
        self.combination = "mean of log-probabilities"

    def fit(self, spec: DataSpec, preprocessing: Any) -> None:
        for member in self.members:
            member.fit(spec, preprocessing)

    def __call__(self, batch: Batch) -> Output:
        outputs = [member(batch) for member in self.members]
        if outputs[0].log_probs is None:
            return Output(_mean([one.logits for one in outputs]))
        log_probs = _mean([one.log_probs for one in outputs if one.log_probs is not None]).log_softmax(-1)
        return Output(log_probs if log_probs.dim() == 2 else log_probs[..., 1] - log_probs[..., 0], log_probs)

    def hidden(self, batch: Batch, names: Sequence[str]) -> Output:
        if names:
            raise ConfigError("distillation/teacher=ensemble has layers of several networks: use checkpoint")
        return self(batch)

    def shapes(self, batch: Batch) -> dict[str, tuple[int, ...]]:
        raise ConfigError("distillation/teacher=ensemble has layers of several networks: use checkpoint")


def _mean(values: Sequence[Tensor]) -> Tensor:
    """In float32 at least: members may be of several precisions."""
    return torch.stack([value.to(torch.promote_types(value.dtype, torch.float32)) for value in values]).mean(0)


def _one_shape(ours: Field, theirs: Field) -> bool:
    if len(ours.shape) != len(theirs.shape):
        return False
    return all(None in pair or pair[0] == pair[1] for pair in zip(ours.shape, theirs.shape, strict=True))


def _words(field: Field) -> str:
    shape = "x".join("?" if size is None else str(size) for size in field.shape)
    return f"{field.kind}{f' {shape}' if shape else ''}{'' if field.size is None else f' of {field.size}'}"


def _first_difference(ours: Sequence[str], theirs: Sequence[str]) -> tuple[str, str]:
    pairs = zip(ours, theirs, strict=False)
    return next(((a, b) for a, b in pairs if a != b), (f"{len(ours)}", f"{len(theirs)}"))


def _prepared(preprocessing: Any) -> dict[str, Any]:
    """What of a preprocessing decides the numbers in a batch."""
    return {key: value for key, value in preprocessing.to_json().items() if key not in _OF_NAMES_ALONE}

"""``init_from=RUN``: a network begins with the weights of another run, wherever they fit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from assay import artifacts
from assay.compression.refit import narrowed_as
from assay.contracts import DataSpec
from assay.errors import ConfigError
from assay.folder import find_artifact
from assay.layers.stems.bag_of_words import BagOfWords
from assay.transfer_files import TORCHVISION, published

HEAD = ("head.", "intent.")  # of what is predicted; of what a sentence asks for beside its tags
_SHOWN = 4


@dataclass
class Report:
    """What came from where.

    Attributes:
        source: the run, as given.
        loaded: parameters and buffers that were copied.
        tokens: {parameter: (tokens whose numbers were copied, tokens in all)}, where the vocabularies differ.
        fresh: of this network, begun anew.
        left: of the other run, used nowhere.
        reasons: why the classifier was replaced, where it was.
    """

    source: str
    loaded: list[str] = field(default_factory=list)
    tokens: dict[str, tuple[int, int]] = field(default_factory=dict)
    fresh: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        return {**vars(self), "tokens": {name: list(counts) for name, counts in self.tokens.items()}}

    def line(self) -> str:
        """For the first screen."""
        total = len(self.loaded) + len(self.fresh)
        text = f"begins with {len(self.loaded)} of {total} tensors of {self.source}"
        if self.tokens:
            shared, size = next(iter(self.tokens.values()))
            text += f" ({shared:,} of {size:,} tokens known there)"
        if self.fresh:
            shown = ", ".join(self.fresh[:_SHOWN]) + (", …" if len(self.fresh) > _SHOWN else "")
            text += f"; new: {shown}"
        return text + "".join(f"; {reason}" for reason in self.reasons)


@torch.no_grad()
def published_weights(network: nn.Module, source: str, root: str) -> Report:
    """Copies torchvision's published weights into a network of model=torchvision, in place; the classifier is new.

    Args:
        network: freshly initialised.
        source: ``torchvision:NAME``.
        root: data_dir, where preflight has put them.
    Raises:
        ConfigError: the file was altered, or does not hold this network.
    """
    files = published(source.removeprefix(TORCHVISION))
    path = files.verified(root, files.files[0])
    weights = {f"encoder.network.{name}": w for name, w in torch.load(path, "cpu", weights_only=True).items()}
    report = Report(source, reasons=["the classifier is new"])
    encoder: Any = network.get_submodule("encoder")
    if encoder.size != encoder.trained_size:
        report.reasons.append(
            f"trained at {encoder.trained_size} pixels, used at {encoder.size}: model.size=null uses them as they were"
        )
    own = network.state_dict()
    for name, tensor in own.items():
        if name in weights and weights[name].shape == tensor.shape:
            tensor.copy_(weights[name])
            report.loaded.append(name)
        else:
            report.fresh.append(name)
    report.left = [name for name in weights if name not in own]
    lacking = [name for name, _ in network.named_parameters() if name in report.fresh and not name.startswith(HEAD)]
    if lacking:
        raise ConfigError(f"{path} does not hold the weights of this network: {lacking[0]} is not there or differs")
    return report


@torch.no_grad()
def transfer(network: nn.Module, spec: DataSpec, run: str) -> Report:
    """Copies every weight of RUN's artifact whose name and shape this network has, in place.

    The head is not copied where its target is another (other classes, or the same in another order). Where both read
    tokens and the vocabularies differ, embeddings, and the first layer over a bag of words, are copied token by token:
    what is new here keeps its start. RUN's weights are those it was tested with: the best, averaged where ema was on.
    Where units left RUN's network they leave this one.

    Args:
        network: freshly initialised.
        spec: of the data it will be trained on.
        run: a run folder, an artifact, or ``latest``.
    Raises:
        ConfigError: there is no such run, its weights were altered, or none fits.
    """
    folder = find_artifact(run)
    try:
        facts, weights, _ = artifacts.read_state(folder)
    except ConfigError as error:
        raise ConfigError(f"init_from={run}: {error}") from error
    narrowed_as(network, facts.get("narrowed", {}), run)
    theirs = DataSpec.from_json(facts["spec"])
    report = Report(run)
    same_target = _identity(spec, "label") == _identity(theirs, "label")
    rows = _rows(spec, theirs)
    lookups = _lookups(network) if rows is not None else {}
    trained = {name for name, _ in network.named_parameters()}
    body = {name for name in trained if not name.startswith(HEAD)} or trained  # a linear model is its head
    for name, own in network.state_dict().items():
        other = weights.get(name)
        if name.startswith(HEAD) and not same_target:
            report.fresh.append(name)
        elif name in lookups and rows is not None and other is not None:
            if _copy_tokens(own, other, rows, lookups[name]):
                report.loaded.append(name)
                report.tokens[name] = len(rows), spec.source.size or 0
            else:
                report.fresh.append(name)
        elif other is not None and other.shape == own.shape:
            own.copy_(other)
            report.loaded.append(name)
        else:
            report.fresh.append(name)
    report.left = [name for name in weights if name not in report.loaded]
    if not body & set(report.loaded):
        model = facts["config"].get("switches", {}).get("model", "another model")
        raise ConfigError(
            f"init_from={run} (model={model}) has no weight of the name and shape of one of this network: "
            f"use model={model} with its settings, or name another run"
        )
    if not same_target and any(name.startswith(HEAD) for name in weights):
        report.reasons.append(f"the classifier is new: it had {_words(theirs)}, this data has {_words(spec)}")
    return report


def _identity(spec: DataSpec, name: str) -> tuple[Any, ...]:
    one = spec.fields[name]
    return one.kind, one.size, one.names


def _words(spec: DataSpec) -> str:
    label = spec.label
    if label.kind == "number":
        return "a number"
    names = ", ".join(label.names[:_SHOWN]) + (", …" if len(label.names) > _SHOWN else "")
    return f"{label.size} classes ({names})"


def _rows(spec: DataSpec, theirs: DataSpec) -> dict[int, int] | None:
    """{token's number here: its number there} for tokens of both; None where the vocabularies are one or there is
    none."""
    ours, others = spec.source, theirs.source
    if ours.kind != "ids" or others.kind != "ids" or ours.names == others.names:
        return None
    there = {token: number for number, token in enumerate(others.names)}
    return {number: there[token] for number, token in enumerate(ours.names) if token in there}


def _lookups(network: nn.Module) -> dict[str, int]:
    """{parameter: its dimension of tokens}."""
    found = {f"{name}.weight": 0 for name, module in network.named_modules() if isinstance(module, nn.Embedding)}
    stem = next((module for module in network.modules() if isinstance(module, BagOfWords)), None)
    if stem is not None:
        (width,) = stem.output_shape
        matrices = ((name, p) for name, p in network.named_parameters() if p.dim() == 2 and p.shape[1] == width)
        found |= {name: 1 for name, _ in list(matrices)[:1]}
    return found


def _copy_tokens(own: Tensor, other: Tensor, rows: Mapping[int, int], dim: int) -> bool:
    """Copies the numbers of shared tokens; whether they are as long."""
    if own.dim() != 2 or other.dim() != 2 or own.shape[1 - dim] != other.shape[1 - dim]:
        return False
    here, there = torch.tensor(list(rows)), torch.tensor(list(rows.values()))
    own.index_copy_(dim, here, other.index_select(dim, there).to(own.dtype))
    return True

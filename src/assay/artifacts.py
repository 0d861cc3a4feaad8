"""Artifacts: weights, config, vocabulary, label names and fitted preprocessing as one thing that runs no code.

``artifact/`` = weights.safetensors + artifact.json. Opening one reads tensors and plain JSON; a ``_target_`` in it must
lie among the parts that compute outputs (:data:`assay.targets.ARTIFACT_ALLOWED`); pickles are refused.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from assay.assemble import assemble
from assay.compression.quantized import Quantization
from assay.compression.refit import refit
from assay.compression.rounding import attach
from assay.compression.stored import decode, encode
from assay.contracts import DataSpec, Task
from assay.engines.checkpoint import digest, refuse_pickle
from assay.errors import ConfigError
from assay.folder import write_json
from assay.readings import join
from assay.targets import ARTIFACT_ALLOWED, build, locate

FORMAT = 1
PARTS = ("seed", "reads", "stem", "model", "task", "loss", "init", "switches")
"""The nodes of the config that an artifact keeps: what is needed to compute an output again."""


@dataclass
class Artifact:
    """A trained network with all it needs.

    Attributes:
        task: with the label names.
        network: in eval mode, on the CPU.
        spec: of the data it was trained on.
        preprocessing: raw input -> fields, as in training.
        card: data name, digest, licence, test metrics, versions.
        quantization: how it was quantised; the network has the dequantised weights and rounds what its layers read.
    """

    task: Task
    network: nn.Module
    spec: DataSpec
    preprocessing: Any
    config: dict[str, Any]
    card: dict[str, Any]
    quantization: Quantization | None = None


def save(
    folder: Path,
    network: nn.Module,
    config: Mapping[str, Any],
    spec: DataSpec,
    preprocessing: Any,
    card: Mapping[str, Any],
    quantization: Quantization | None = None,
) -> None:
    """Writes ``folder`` whole: first under another name, then renamed. Quantised weights go there as integers.

    Artifacts that the preprocessing needs (``within``: name -> folder) lie inside, where ``opened(folder)`` finds them.
    """
    weights, fact = {name: tensor.detach().cpu() for name, tensor in network.state_dict().items()}, None
    if quantization is not None:
        weights, fact = encode(weights, {name for name, _ in network.named_parameters()}, quantization)
    weights = {name: tensor.contiguous().clone() for name, tensor in weights.items()}
    kind = type(preprocessing)
    facts = {
        "format": FORMAT,
        "config": {key: config[key] for key in PARTS if key in config},
        "spec": spec.to_json(),
        "preprocessing": {"_target_": f"{kind.__module__}.{kind.__qualname__}", "state": preprocessing.to_json()},
        "card": dict(card),
        **({} if fact is None else {"quantization": fact}),
        **({"narrowed": narrowed} if (narrowed := getattr(network, "narrowed", None)) else {}),
        "digest": digest(weights, _told(fact)),
    }
    temporary = folder.with_name(folder.name + ".tmp")
    temporary.mkdir(parents=True, exist_ok=True)
    save_file(weights, temporary / "weights.safetensors")
    (temporary / "weights.safetensors").chmod(temporary.stat().st_mode & 0o666)  # as open as its folder
    write_json(temporary / "artifact.json", facts)
    for name, other in getattr(preprocessing, "within", {}).items():
        shutil.copytree(other, temporary / name)
    if folder.exists():
        shutil.rmtree(folder)
    temporary.rename(folder)


def read_facts(folder: Path) -> dict[str, Any]:
    """artifact.json, checked for form. Raises ConfigError."""
    path = folder / "artifact.json"
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
        missing = {"format", "config", "spec", "preprocessing", "card", "digest"} - set(facts)
    except (OSError, ValueError, TypeError) as error:
        raise ConfigError(f"{path} cannot be read ({error}); name a run folder or an artifact") from error
    if missing:
        raise ConfigError(f"{path} lacks {', '.join(sorted(missing))}; name a run folder or an artifact")
    if facts["format"] != FORMAT:
        raise ConfigError(f"{path} has format {facts['format']}; this version reads {FORMAT}")
    return facts


def load(folder: Path) -> Artifact:
    """Rebuilds the network and fills it.

    Raises:
        ConfigError: a target outside the allow-list, a pickle, altered weights, or anything that does not fit.
    """
    facts, weights, quantization = read_state(folder)
    try:
        spec = DataSpec.from_json(facts["spec"])
        config = facts["config"]
        objective = build(config["loss"], allowed=ARTIFACT_ALLOWED)
        task, network = assemble(config, spec, objective, ARTIFACT_ALLOWED)
        if "narrowed" in facts:
            refit(network, {name: weight.shape for name, weight in weights.items()})
        network.to(precision(weights)).load_state_dict(weights)
        if quantization is not None:
            attach(network, quantization)
        made: Any = locate(facts["preprocessing"]["_target_"], ARTIFACT_ALLOWED)
        preprocessing = made.from_json(facts["preprocessing"]["state"])
        if hasattr(preprocessing, "opened"):
            preprocessing.opened(folder)
    except ConfigError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ConfigError(f"{folder / 'artifact.json'} does not describe these weights ({reason})") from error
    network.eval()
    return Artifact(task, network, spec, preprocessing, config, facts["card"], quantization)


def read_state(folder: Path) -> tuple[dict[str, Any], dict[str, Tensor], Quantization | None]:
    """artifact.json, and the network's state as float numbers, whatever they are stored as.

    Raises:
        ConfigError: a pickle, altered weights, or a quantisation that they do not fit.
    """
    facts, path = read_facts(folder), folder / "weights.safetensors"
    weights, fact = read_weights(path), facts.get("quantization")
    if digest(weights, _told(fact)) != facts["digest"]:
        raise ConfigError(f"{path} was altered after training (its digest differs)")
    if fact is None:
        return facts, weights, None
    try:
        return facts, *decode(weights, fact)
    except (KeyError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ConfigError(f"{folder / 'artifact.json'} does not describe these quantised weights ({reason})") from error


def _told(fact: Any) -> str:
    """What of a quantisation the digest is over."""
    return "" if fact is None else json.dumps(fact, sort_keys=True)


def read_weights(path: Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file. Raises ConfigError for pickles and broken files."""
    if not path.is_file():
        raise ConfigError(f"{path} is not there; an artifact is weights.safetensors and artifact.json together")
    refuse_pickle(path)
    try:
        with safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
    except (SafetensorError, OSError, ValueError) as error:
        raise ConfigError(f"{path} is truncated or not safetensors ({error})") from error


def precision(weights: Mapping[str, Tensor]) -> torch.dtype:
    """What the network was trained in: its floating weights' type."""
    return next((weight.dtype for weight in weights.values() if weight.is_floating_point()), torch.float32)


@torch.inference_mode()
def outputs(artifact: Artifact, columns: Mapping[str, Any], batch_size: int = 256, **asked: Any) -> dict[str, Tensor]:
    """The task's answers to columns of inputs: ``log_probs`` for classes, ``prediction`` for numbers and tags.

    Args:
        columns: the source and what the network reads beside it, by field.
        asked: of the task's ``answers``, such as the number of them.
    """
    kept: list[dict[str, Tensor]] = []
    kind = precision(artifact.network.state_dict())
    count = len(columns["source"])
    for start in range(0, count, batch_size):
        positions = torch.arange(start, min(start + batch_size, count))
        batch = {name: column.gather(positions) for name, column in columns.items()}
        batch = {name: x.to(kind) if x.is_floating_point() else x for name, x in batch.items()}
        batch["index"] = positions
        kept.append(artifact.task.answers(artifact.network(batch), batch, **asked))
    return join(kept) if kept else {}

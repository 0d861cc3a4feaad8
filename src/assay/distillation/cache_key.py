"""What a teacher's answers depend on, field by field: the key of a cache, in words that a refusal can name."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from assay.data.dataset import DataSet, sha256
from assay.engines.checkpoint import digest

FIELDS = {
    "teacher": "another teacher's weights",
    "network": "a network that uses the same weights otherwise",
    "combination": "another combination of teachers",
    "data": "other data",
    "split": "another training split (data.split_seed, fold, debug)",
    "inputs": "inputs that are prepared otherwise (size, scaling, impute, tokenizer)",
    "dtype": "another type (distillation.cache_dtype)",
}
"""Field -> what differs where it does, in a refusal."""

_COMPUTES = ("reads", "stem", "model", "task")  # of an artifact's config: what its weights are used in
_LOOKED_AT = 32  # examples whose inputs are part of the key as they are


def fields(teacher: Any, dataset: DataSet, dtype: str) -> dict[str, str]:
    """Everything that decides what is kept.

    Device, threads and versions are left out: they change the last bits of an answer, not what it is the answer to.

    Args:
        teacher: its ``artifacts``, in order, and ``combination``, how several make one answer.
        dataset: set up.
        dtype: of what is kept.
    """
    train = dataset.splits["train"]
    artifacts: Sequence[Any] = teacher.artifacts
    uses = [_network(artifact) for artifact in artifacts]
    few = train.few(_LOOKED_AT).column("source").contiguous()
    looked = few.reshape(-1).view(torch.uint8).numpy().tobytes()
    preprocessing = json.dumps(dataset.preprocessing.to_json(), sort_keys=True)
    total = len(next(iter(train.columns.values())))
    return {
        "teacher": " ".join(digest(artifact.network.state_dict()) for artifact in artifacts),
        "network": sha256(uses),
        "combination": getattr(teacher, "combination", "one model"),
        "data": dataset.digest,
        "split": f"{len(train)} of {total} examples, {sha256(numbers_bytes(train.index))}",
        "inputs": sha256([preprocessing, str(tuple(few.shape))], looked),
        "dtype": dtype,
    }


def _network(artifact: Any) -> str:
    """All but the weights that decides an artifact's answers."""
    quantization = getattr(artifact, "quantization", None)
    facts = {
        "config": {key: artifact.config.get(key) for key in _COMPUTES},
        "spec": artifact.spec.to_json(),
        "quantization": None if quantization is None else [quantization.kind, quantization.mode, _grids(quantization)],
    }
    return json.dumps(facts, sort_keys=True, default=str)


def _grids(quantization: Any) -> str:
    """The grids of what layers read; those of the weights show in the weights."""
    grids = {
        f"{name}.{part}": value
        for name, grid in quantization.inputs.items()
        for part, value in vars(grid).items()
        if isinstance(value, Tensor)
    }
    return digest(grids)


def numbers_bytes(numbers: Tensor) -> bytes:
    return numbers.to(torch.int64).contiguous().numpy().tobytes()


def fingerprint(key: Mapping[str, str]) -> str:
    """The name of a file that holds this."""
    return sha256([json.dumps(dict(key), sort_keys=True)])[:16]


def difference(found: Mapping[str, str], wanted: Mapping[str, str]) -> str | None:
    """The first field in which two keys differ, in words; None where they are one."""
    for name, words in FIELDS.items():
        if found.get(name) != wanted[name]:
            return f"{words}: {name} {_short(found.get(name, 'unknown'))} there, {_short(wanted[name])} here"
    return None


def _short(value: str) -> str:
    """A value with its digests cut short."""
    return " ".join(word[:12] if len(word) == 64 else word for word in value.split())

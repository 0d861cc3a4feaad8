"""``data.json`` of a run folder: what the data were, written before the first step, so that a run that fails says it
too. Holds names of classes and columns, which are the user's: nothing sends it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from assay.contracts import Field
from assay.data.dataset import DataSet
from assay.data.examples import Examples

FORMAT = 1
_LIST = 12  # longer lists of the preprocessing are told by their length


def card(dataset: DataSet, name: str) -> dict[str, Any]:
    """Plain facts of a data set that is set up.

    Args:
        name: the option of ``data``.
    """
    source, label = dataset.spec.source, dataset.spec.label
    return {
        "format": FORMAT,
        "data": name,
        "source": dataset.source_name,
        "licence": dataset.licence,
        "digest": dataset.digest,
        "sizes": sizes(dataset),
        "input": {"kind": source.kind, "shape": list(source.shape), "size": source.size},
        "label": {
            "kind": label.kind,
            "names": [] if label.kind == "tokens" else list(label.names),
            "splits": counts(dataset),
        },
        "preprocessing": short(dataset.preprocessing.to_json()),
        "notes": list(dataset.notes),
    }


def sizes(dataset: DataSet) -> dict[str, int]:
    """Examples of each split; of running text the tokens to predict, however long a window is."""
    if dataset.spec.label.kind == "tokens":
        return {split: held["tokens"] for split, held in counts(dataset).items()}
    return {split: len(examples) for split, examples in dataset.splits.items()}


def counts(dataset: Any) -> dict[str, Any]:
    """What the labels of each split are. A running text, which may not fit memory, was counted as it was tokenised."""
    label = dataset.spec.label
    if label.kind == "tokens":
        return {split: dict(held) for split, held in dataset.counts.items()}
    return {split: balance(examples, label) for split, examples in dataset.splits.items()}


def balance(examples: Examples, label: Field) -> Any:
    """How many examples have each class or label, or how many words each tag; of numbers their mean, deviation, least
    and greatest."""
    target = examples.column("label")
    if label.kind == "class":
        return torch.bincount(target.long(), minlength=int(label.size or 0)).tolist()
    if label.kind == "tags":
        return torch.bincount(target[target >= 0].long(), minlength=int(label.size or 0)).tolist()
    if label.kind == "labels":
        return (target > 0).sum(0).tolist()
    values = target.double()
    if not len(values):
        return {}
    return {
        "mean": float(values.mean()),
        "deviation": float(values.std(correction=0)),
        "least": float(values.min()),
        "greatest": float(values.max()),
    }


def short(plain: Mapping[str, Any]) -> dict[str, Any]:
    """What preprocessing was fitted to, without vocabularies and long lists."""
    found: dict[str, Any] = {}
    for key, value in plain.items():
        if isinstance(value, Mapping):
            found[key] = short(value) if len(value) <= _LIST else f"{len(value):,} entries"
        elif isinstance(value, list) and len(value) > _LIST:
            found[key] = f"{len(value):,} values"
        else:
            found[key] = value
    return found

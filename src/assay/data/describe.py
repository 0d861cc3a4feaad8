"""``assay data NAME``: fetches and verifies a data set, and shows what a run would see of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Protocol

import torch
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from assay.contracts import Field
from assay.data.dataset import DataSet
from assay.data.examples import Examples
from assay.metrics.spans import by_name, has_spans
from assay.targets import build

_CLASSES_SHOWN = 20
_SAMPLES = 3


class Point(Protocol):
    """A composed and checked configuration, as :mod:`assay.preflight` gives it."""

    config: dict[str, Any]


def describe_command(point: Point) -> int:
    """Prints splits, balance, lengths, licence, samples and notes of ``point.config``'s data; the exit code."""
    dataset: DataSet = build(point.config["data"])
    dataset.setup()
    name = point.config.get("switches", {}).get("data", type(dataset).__name__)
    console = Console(highlight=False, soft_wrap=True)
    for part in describe(dataset, name):
        console.print(part, markup=False) if isinstance(part, str) else console.print(part)
    return 0


def describe(dataset: DataSet, name: str) -> Iterator[str | Table]:
    """What is shown, piece by piece; ``dataset`` is set up."""
    source, label = dataset.spec.source, dataset.spec.label
    yield f"{name}: {dataset.source_name}"
    yield f"licence: {dataset.licence}"
    yield f"digest: sha256 {dataset.digest[:16]}"
    yield f"source: {source.kind} {_shape(source)}; label: {label.kind}{f' of {label.size}' if label.size else ''}"
    if label.kind == "tokens":
        yield _text(dataset)
    else:
        yield _tags(dataset.splits, label) if label.kind == "tags" else _splits(dataset.splits, label)
    if not dataset.splits["train"].lazy and source.kind == "ids" and label.kind != "tokens":
        yield _lengths(dataset.splits["train"])
    for note in dataset.notes:
        yield f"note: {note}"
    train = dataset.splits["train"]
    batch = train.gather(torch.arange(min(_SAMPLES, len(train))))
    for number, value, answer in zip(batch["index"].tolist(), batch["source"], batch["label"], strict=True):
        if label.kind == "tags":
            yield from _aligned(number, dataset.preprocessing.show(value).split(" "), answer, label)
            continue
        yield f"example {number}:" if label.kind == "tokens" else f"example {number}, {_answer(answer, label)}:"
        yield dataset.preprocessing.show(value)


def _shape(field: Field) -> str:
    return "×".join("any length" if size is None else str(size) for size in field.shape)


def _answer(value: torch.Tensor, field: Field) -> str:
    if field.kind == "number":
        return f"{value.item():g}"
    if field.kind == "class":
        return field.names[int(value)]
    return ", ".join(name for name, held in zip(field.names, value.tolist(), strict=True) if held) or "none"


def _splits(splits: Mapping[str, Examples], label: Field) -> Table:
    """Examples and the balance of classes or labels per split; mean and deviation of numbers."""
    table = Table("", *splits, box=None)
    table.add_row("examples", *(f"{len(examples):,}" for examples in splits.values()))
    targets = {split: examples.column("label") for split, examples in splits.items()}
    if label.kind == "number":
        table.add_row("mean", *(f"{target.mean():.4g}" for target in targets.values()))
        table.add_row("deviation", *(f"{target.std(correction=0):.4g}" for target in targets.values()))
        return table
    for number, name in enumerate(label.names[:_CLASSES_SHOWN]):
        cells = []
        for target in targets.values():
            held = target == number if label.kind == "class" else target[:, number] > 0
            cells.append(f"{int(held.sum()):,} ({held.double().mean():.1%})")
        table.add_row(escape(name), *cells)
    if len(label.names) > _CLASSES_SHOWN:
        table.add_row(f"and {len(label.names) - _CLASSES_SHOWN} more", *["" for _ in splits])
    return table


def _text(dataset: Any) -> Table:
    """Tokens of a running text per split, as they were counted when it was tokenised: none is read here."""
    counts: Mapping[str, Mapping[str, int]] = dataset.counts
    table = Table("", *counts, box=None)
    for name in ("tokens", "types", "unknown", "characters", "documents"):
        cells = [f"{held[name]:,}" for held in counts.values()]
        if name == "unknown":
            shares = [held[name] / max(held["tokens"], 1) for held in counts.values()]
            cells = [f"{cell} ({share:.2%})" for cell, share in zip(cells, shares, strict=True)]
        table.add_row(name, *cells)
    table.add_row("windows", *(f"{len(examples):,}" for examples in dataset.splits.values()))
    return table


def _tags(splits: Mapping[str, Examples], label: Field) -> Table:
    """Sentences and tags per split, and the spans of each type; the tags themselves where they mark no spans."""
    table = Table("", *splits, box=None)
    table.add_row("sentences", *(f"{len(examples):,}" for examples in splits.values()))
    targets = [examples.column("label") for examples in splits.values()]
    table.add_row("tags", *(f"{int((target >= 0).sum()):,}" for target in targets))
    counts = [by_name(target, target, label.names) for target in targets]
    names, spans = counts[0].names, has_spans(label.names)
    if spans:
        table.add_row("spans", *(f"{count.overall.there:,}" for count in counts))
    order = sorted(range(len(names)), key=lambda place: -counts[0].there[place])
    for place in order[:_CLASSES_SHOWN]:
        whole = [max(int(count.there.sum()), 1) for count in counts]
        held = [int(count.there[place]) for count in counts]
        table.add_row(escape(names[place]), *(f"{n:,} ({n / all_:.1%})" for n, all_ in zip(held, whole, strict=True)))
    if len(names) > _CLASSES_SHOWN:
        table.add_row(f"and {len(names) - _CLASSES_SHOWN} more", *["" for _ in splits])
    return table


def _aligned(number: int, words: list[str], tags: torch.Tensor, label: Field) -> Iterator[str]:
    """A sentence and its tags in two rows, one under the other."""
    names = [label.names[tag] for tag in tags.tolist() if tag >= 0]
    widths = [max(len(word), len(name)) for word, name in zip(words, names, strict=True)]
    yield f"example {number}:"
    for row in (words, names):
        yield " ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def _lengths(examples: Examples) -> str:
    lengths = torch.cat([(examples.gather(part)["source"] != 0).sum(1) for part in _parts(len(examples))]).double()
    at = torch.quantile(lengths[:1_000_000], torch.tensor([0.5, 0.95], dtype=torch.float64))
    return f"lengths: median {at[0]:.0f}, 95 % up to {at[1]:.0f}, longest {lengths.max():.0f} tokens"


def _parts(count: int) -> tuple[torch.Tensor, ...]:
    return torch.arange(count).split(1024)

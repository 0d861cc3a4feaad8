"""On what: source, licence, sizes, balance, preprocessing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from assay.review import numerals
from assay.review.facts import Run
from assay.review.html import Child, Html, tag
from assay.review.page import facts, folded, number, right_head, row_head, table

SPLITS = {"train": "training: learnt from", "val": "validation: chooses the best epoch", "test": "test: only reports"}
_MOST_CLASSES = 60


def on_what(run: Run) -> list[Html]:
    """Source, licence, sizes, balance, preprocessing."""
    card = run.card
    if not card:
        return [tag("p", "The run ended before it recorded its data.", class_="note")]
    sizes: Mapping[str, int] = card.get("sizes") or {}
    label: Mapping[str, Any] = card.get("label") or {}
    body = [
        facts(
            [
                ("Source", card.get("source")),
                ("Licence", card.get("licence")),
                (_unit(label), [[_line(f"{size:,} {SPLITS.get(split, split)}")] for split, size in sizes.items()]),
                ("Input", _input(card.get("input") or {})),
                ("Target", _target(label, run)),
                ("Preprocessing", _prepared(card.get("preprocessing") or {})),
                ("Batch", _batch(run)),
                ("Digest", tag("code", str(card["digest"])[:16]) if card.get("digest") else None),
            ]
        )
    ]
    if card.get("notes"):
        body.append(tag("ul", [tag("li", note) for note in card["notes"][:40]], class_="small"))
    balance: Mapping[str, Any] = label.get("splits") or {}
    names = [str(name) for name in label.get("names") or []]
    if label.get("kind") == "number" and balance:
        keys = ("mean", "deviation", "least", "greatest")
        rows = [
            [row_head(split), *(number(numerals.score(held.get(key))) for key in keys)]
            for split, held in balance.items()
        ]
        body.append(table(["target", *map(right_head, keys)], rows, caption="The target in each split"))
    elif label.get("kind") == "tokens" and balance:
        body.append(_text_table(balance))
    elif names and balance:
        of_words = label.get("kind") == "tags"
        what = {"labels": "labels", "tags": "tags"}.get(str(label.get("kind")), "classes")
        body.append(_balance_table(names, balance, {} if of_words else sizes, what))
    return body


def _unit(label: Mapping[str, Any]) -> str:
    return "Tokens" if label.get("kind") == "tokens" else "Examples"


def _text_table(balance: Mapping[str, Any]) -> Html:
    """Running text, as it was counted when it was tokenised."""
    keys = ("tokens", "types", "unknown", "characters", "documents")
    rows = [[row_head(key), *(number(f"{held.get(key, 0):,}") for held in balance.values())] for key in keys]
    return table(["text", *map(right_head, balance)], rows, caption="The text of each split")


def _line(text: str) -> Html:
    return tag("div", text)


def _batch(run: Run) -> str | None:
    size = (run.config.get("data") or {}).get("batch_size")
    accumulate = run.config.get("accumulate", 1)
    if size is None:
        return None
    return f"{size} examples a step" + (f", in micro-batches: {accumulate} × {size}" if accumulate != 1 else "")


def _input(source: Mapping[str, Any]) -> str | None:
    if not source:
        return None
    shape = "×".join("any length" if size is None else str(size) for size in source.get("shape") or [])
    vocabulary = f", vocabulary of {source['size']:,}" if source.get("size") else ""
    kinds = {
        "ids": "text as token ids of",
        "table": "a row of a table, columns:",
        "image": "image, channels × height × width",
    }
    return f"{kinds.get(source.get('kind', ''), source.get('kind'))} {shape}{vocabulary}"


def _target(label: Mapping[str, Any], run: Run) -> str | None:
    kind = label.get("kind") or run.kind
    names = label.get("names") or run.names
    told = {"class": f"one of {len(names)} classes", "labels": f"any of {len(names)} labels", "number": "a number"}
    told |= {"tags": f"one of {len(names)} tags for each word", "tokens": "the token that comes next, of the same"}
    return told.get(str(kind))


def _prepared(plain: Mapping[str, Any]) -> Child:
    """What preprocessing does and was fitted to, as words; of a kind that is not known, its plain values."""
    match plain:
        case {"type": "image", "size": [height, width], "channels": channels}:
            return f"made {height}×{width}, {'grey' if channels == 1 else 'colour'}, pixels from 0 to 1"
        case {"type": "text", "tokenizer": {"type": kind, "vocabulary_": words, **more}, "max_length": longest}:
            lower = ", lower case" if more.get("lowercase") else ""
            return (
                f"{kind} tokens{lower}, vocabulary from training: {_count(words):,}; at most {longest} tokens of a text"
            )
        case {"type": "stream", "tokenizer": {"type": kind, "vocabulary_": words, **more}}:
            lower = ", lower case" if more.get("lowercase") else ""
            return f"{kind} tokens{lower} of running text, vocabulary from training: {_count(words):,}"
        case {"type": "table", "numeric": numeric, "categories_": categories, **more}:
            scaling, impute = ((more.get(part) or {}).get("type", "none") for part in ("scaling", "impute"))
            told = numerals.count(_count(numeric) - _count(categories), "number")
            told += f", {numerals.count(_count(categories), 'category', 'categories')}"
            return f"{told}; scaling={scaling}, impute={impute}, both fitted on training"
    return [_line(f"{key}: {_short(held)}") for key, held in plain.items()] or None


def _count(value: Any) -> int:
    """Of a list or mapping, or of what the card says of a long one: ``17,111 values``."""
    return int(value.split()[0].replace(",", "")) if isinstance(value, str) else len(value)


def _short(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list):
        return f"[{', '.join(map(_short, value))}]"
    text = str(value)
    return text if len(text) <= 200 else text[:199] + "…"


def _balance_table(names: Sequence[str], balance: Mapping[str, Any], sizes: Mapping[str, int], what: str) -> Html:
    first = next(iter(balance.values()))
    order = sorted(range(len(names)), key=lambda place: -first[place]) if len(names) > 20 else range(len(names))
    rows = []
    for place in list(order)[:_MOST_CLASSES]:
        cells = []
        for split, counts in balance.items():
            whole = sizes.get(split) or sum(counts)
            cells.append(number(f"{counts[place]:,} ({numerals.share(counts[place] / whole if whole else None)})"))
        rows.append([row_head(names[place]), *cells])
    left = len(names) - len(rows)
    counted = "Words" if what == "tags" else "Examples"
    caption = f"{counted} of each of the {len(names)} {what}, and their share" + (
        f"; the {len(rows)} commonest, {left} more are not shown" if left else ""
    )
    shown_ = table([what, *map(right_head, balance)], rows, caption=caption)
    return folded(f"Balance of the {len(names)} {what}", shown_) if len(names) > 12 else shown_

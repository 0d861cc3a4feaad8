"""``predictions/test.csv``, one row per example, and ``predictions/hardest.json``, the examples with the highest loss
as a person can look at them: what the review page shows, without the data set.

Both hold the user's data: nothing sends them unless ``logger.upload=data``.
"""

from __future__ import annotations

import base64
import csv
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from assay.contracts import Field
from assay.data.examples import Examples
from assay.data.preprocessing import Preprocessing
from assay.folder import write_json

COLUMNS = ("id", "target", "prediction", "probability", "loss")
WINDOW_COLUMNS = ("id", "tokens", "perplexity", "loss")  # of a language model
HARDEST = 24
FORMAT = 1
_SIDE = 64  # pixels of a thumbnail
_LETTERS = 300
_CELLS = 40  # columns of a table row
_ANSWERS = 3  # the likeliest ones


def write(path: Path, task: Any, readings: Mapping[str, Tensor]) -> None:
    """Rows in the order of the split. ``probability`` is the predicted answer's; empty for numbers. Tags of a sentence
    are joined by spaces, and answered as one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if "tokens" in readings:
        _write_windows(path, readings)
        return
    names, probabilities = task.table(readings["log_probs" if "log_probs" in readings else "prediction"])
    targets = task.target_names(readings["label"])
    if "probability" in readings:
        probabilities = readings["probability"].tolist()
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for row, (index, loss) in enumerate(zip(readings["index"].tolist(), readings["loss"].tolist(), strict=True)):
            probability = f"{probabilities[row]:.6f}" if probabilities else ""
            writer.writerow([index, targets[row], names[row], probability, f"{loss:.6g}"])


def _write_windows(path: Path, readings: Mapping[str, Tensor]) -> None:
    """Of a language model a row for each window of text: how many of its tokens were asked for, and their mean loss."""
    read = _by_token(readings)
    columns = [read[name].tolist() for name in ("index", "tokens", "prediction", "loss")]
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(WINDOW_COLUMNS)
        writer.writerows(
            [i, n, f"{perplexity:.6g}", f"{loss:.6g}"] for i, n, perplexity, loss in zip(*columns, strict=True)
        )


def _by_token(readings: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    """Of a language model the mean loss of each window's tokens, and as ``prediction`` its perplexity."""
    if "tokens" not in readings:
        return readings
    loss = readings["loss"].double() / readings["tokens"].clamp(min=1)
    return {**readings, "loss": loss, "prediction": loss.exp()}


def write_hardest(
    path: Path,
    task: Any,
    readings: Mapping[str, Tensor],
    examples: Examples,
    source: Field,
    preprocessing: Preprocessing,
) -> None:
    """The examples with the highest loss, the highest first.

    Args:
        path: of the JSON file. Each example has id, target, prediction, probability and loss as in test.csv, the
            likeliest ``answers`` where there are classes, and one of ``image`` (a PNG as a data URI), ``text`` and
            ``row`` (column and value, each); with tags also ``tokens``, the words that they belong to.
        readings: of the split, in any order.
        examples: the split.
        source: the field of its inputs.
        preprocessing: the data set's own.
    """
    readings = _by_token(readings)
    loss = torch.where(readings["loss"].isnan(), torch.inf, readings["loss"])
    worst = loss.argsort(descending=True, stable=True)[:HARDEST]
    chosen = {name: value[worst] for name, value in readings.items()}
    answers = chosen["log_probs" if "log_probs" in chosen else "prediction"]
    names, probabilities = task.table(answers)
    targets = task.target_names(chosen["label"])
    if "probability" in chosen:
        probabilities = chosen["probability"].tolist()
    numbers: list[int] = chosen["index"].tolist()
    places = {number: place for place, number in enumerate(examples.index.tolist())}
    inputs = examples.gather(torch.tensor([places[number] for number in numbers], dtype=torch.int64))["source"]
    plain = preprocessing.to_json()
    found = []
    for row, number in enumerate(numbers):
        one: dict[str, Any] = {"id": number, "target": targets[row], "prediction": names[row]}
        if probabilities:
            one["probability"] = round(probabilities[row], 6)
        one["loss"] = float(f"{chosen['loss'][row].item():.6g}")
        if "log_probs" in chosen and chosen["log_probs"].dim() == 2:
            likeliest = chosen["log_probs"][row].exp().topk(min(_ANSWERS, len(task.names)))
            shares, classes = likeliest.values.tolist(), likeliest.indices.tolist()
            one["answers"] = [[task.names[i], round(p, 6)] for i, p in zip(classes, shares, strict=True)]
        look = shown(inputs[row], source, preprocessing, plain)
        if "probability" in chosen and source.kind == "ids":  # of tags
            look |= {"tokens": preprocessing.show(inputs[row]).split(" ")}
        found.append({**one, **look})
    facts = {"format": FORMAT, "split": "test", "count": len(readings["index"]), "examples": found}
    write_json(path, facts)


def shown(value: Tensor, source: Field, preprocessing: Preprocessing, plain: Mapping[str, Any]) -> dict[str, Any]:
    """One example's input: ``image``, ``row`` or ``text``. ``plain`` is what ``preprocessing.to_json`` gave."""
    if source.kind == "image":
        return {"image": thumbnail(value)}
    if source.kind == "table":
        return {"row": cells(value, plain), "columns": len(source.names)}
    text = preprocessing.show(value)
    return {"text": text if len(text) <= _LETTERS else text[: _LETTERS - 1] + "…"}


def thumbnail(value: Tensor) -> str:
    """An image (C, H, W) in [0, 1] as the data URI of a PNG, no side longer than 64 pixels."""
    from PIL import Image

    planes = (value.float().clamp(0, 1) * 255).round().to(torch.uint8).cpu()
    layers = planes[0] if len(planes) != 3 else planes.permute(1, 2, 0)  # (H, W) or (H, W, 3)
    image = Image.fromarray(layers.contiguous().numpy())
    if max(image.size) > _SIDE:
        image.thumbnail((_SIDE, _SIDE), Image.Resampling.BOX)
    file = io.BytesIO()
    image.save(file, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


def cells(value: Tensor, plain: Mapping[str, Any]) -> list[list[str]]:
    """A table's row (D,) as column and value: numbers in the units of the file (the scaling taken back, empty cells as
    they were filled), categories by name, "unseen" where training had no such category."""
    scaling = plain["scaling"]
    numeric = [name for name, is_number in zip(plain["features"], plain["numeric"], strict=True) if is_number]
    factors = scaling.get("scale_") or scaling.get("range_") or [1.0] * len(numeric)
    shifts = scaling.get("mean_") or scaling.get("min_") or [0.0] * len(numeric)
    units = dict(zip(numeric, zip(factors, shifts, strict=True), strict=True))
    found = []
    for name, number in zip(plain["features"][:_CELLS], value.tolist(), strict=False):
        if name in units:
            factor, shift = units[name]
            found.append([name, f"{number * factor + shift:.5g}"])
        else:
            found.append([name, plain["categories_"][name][int(number) - 1] if number else "unseen"])
    return found

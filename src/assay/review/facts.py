"""What a run folder says, as one record: the only reader of its files for the review. Imports neither torch nor NumPy.

Any of the files but config.yaml may be absent (a run that failed, was killed, or is still going on) or broken: what
could not be read is a note, and the rest is shown.
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from assay.errors import ConfigError
from assay.folder import is_running, read_config, read_overrides
from assay.review import metrics_csv

FILES = ("config.yaml", "overrides.yaml", "environment.json", "source.patch", "data.json", "metrics.csv")
FILES += ("summary.json", "predictions/test.csv", "predictions/hardest.json", "log.txt", "profile.txt")
FILES += ("checkpoints/last.ckpt", "checkpoints/previous.ckpt", "checkpoints/best.ckpt")
FILES += ("artifact/artifact.json", "artifact/weights.safetensors", "figures/curves.png", "figures/confusion.png")
FILES += (
    "figures/tags.png",
    "figures/scatter.png",
    "figures/grad_norm.png",
    "figures/dead_units.png",
    "figures/saturated_units.png",
)
FILES += ("figures/hessian.png", "figures/hessian.json", "figures/jacobian.png", "figures/jacobian.json")
FILES += ("compression.json", "chain.json", "search.json", "figures/pareto.png", "export/model.onnx")
_LOG_BYTES = 60_000


class Prediction(NamedTuple):
    """One row of predictions/test.csv; probability is NaN for numbers."""

    id: str
    target: str
    prediction: str
    probability: float
    loss: float


class Point(NamedTuple):
    """One point of a curve."""

    step: int
    epoch: int
    value: float


@dataclass(frozen=True)
class Run:
    """One run.

    Attributes:
        status: running, done, failed, stopped, interrupted, or unfinished where no end was recorded (a kill).
        reason: of a failure, in a line.
        curves: metric -> its points, in order.
        hardest: the examples of predictions/hardest.json, as they stand there.
        kind: of the label: class, labels, number or tags; None where nothing says it.
        names: of classes or labels.
        card: of the data: source, licence, digest, sizes, and where it is known the balance of the label.
        log: the end of log.txt.
        files: paths within the folder that exist, with their bytes.
        notes: what could not be read.
        last_sign: when metrics.csv, or else the config, was last written.
    """

    folder: Path
    config: dict[str, Any]
    overrides: list[str]
    environment: dict[str, Any]
    summary: dict[str, Any]
    status: str
    reason: str | None
    curves: dict[str, list[Point]]
    predictions: list[Prediction]
    hardest: list[dict[str, Any]]
    kind: str | None
    names: list[str]
    card: dict[str, Any]
    log: str
    files: dict[str, int]
    last_sign: datetime | None
    notes: list[str] = field(default_factory=list)

    @property
    def switches(self) -> dict[str, str]:
        return {group: str(option) for group, option in (self.config.get("switches") or {}).items()}

    @property
    def name(self) -> str:
        return f"{self.switches.get('model', 'a model')} on {self.switches.get('data', 'its data')}"

    @property
    def monitor(self) -> str | None:
        return self.summary.get("monitor") or self.config.get("monitor")

    def scores(self, split: str) -> dict[str, float]:
        """The numbers of summary.json under ``split/``: test, train or baseline."""
        found = {}
        for key, value in self.summary.items():
            if key.startswith(f"{split}/") and isinstance(value, int | float) and math.isfinite(value):
                found[key.removeprefix(f"{split}/")] = float(value)
        return found


def read(folder: Path) -> Run:
    """Reads a run folder.

    Raises:
        ConfigError: it holds no config of this format: not a run, or one of another version.
    """
    if not (folder / "config.yaml").is_file():
        what = "is an artifact without its run" if (folder / "artifact.json").is_file() else "has no config.yaml"
        inner = sorted(path.parent.name for path in folder.glob("*/config.yaml"))
        more = f"; it holds runs, as {folder.name}/{inner[0]}" if inner else ""
        raise ConfigError(f"{folder} {what}{more}; name a run folder, or latest")
    config = read_config(folder)
    notes: list[str] = []

    def whole(name: str, reader: Callable[[Path], Any], absent: Any) -> Any:
        path = folder / name
        if not path.is_file():
            return absent
        try:
            return reader(path)
        except (ConfigError, OSError, ValueError, KeyError, TypeError, csv.Error) as error:
            notes.append(f"{name} could not be read: {' '.join(str(error).split())[:200]}")
            return absent

    summary = whole("summary.json", _mapping, {})
    artifact = whole("artifact/artifact.json", _mapping, {})
    early = whole("data.json", _mapping, {})
    card = {**(artifact.get("card") or {}), **early}
    label = early.get("label") or ((artifact.get("spec") or {}).get("label") or {})
    predictions = whole("predictions/test.csv", _predictions, [])
    kind = label.get("kind")
    if kind is None and predictions:
        kind = "number" if math.isnan(predictions[0].probability) else "class"
    names = [str(name) for name in label.get("names") or []]
    if kind == "class" and not names:
        names = sorted({row.target for row in predictions} | {row.prediction for row in predictions})
    files = {name: (folder / name).stat().st_size for name in FILES if (folder / name).is_file()}
    return Run(
        folder=folder,
        config=config,
        overrides=read_overrides(folder),
        environment=whole("environment.json", _mapping, {}),
        summary=summary,
        status="running" if is_running(folder) else str(summary.get("status", "unfinished")),
        reason=summary.get("reason"),
        curves=whole("metrics.csv", _curves, {}),
        predictions=predictions,
        hardest=whole("predictions/hardest.json", _hardest, []),
        kind=kind,
        names=names,
        card=card,
        log=whole("log.txt", _end, ""),
        files=files,
        last_sign=_last_sign(folder),
        notes=notes,
    )


def _mapping(path: Path) -> dict[str, Any]:
    found = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(found, dict):
        raise ValueError("it is not a JSON object")
    return found


def _curves(path: Path) -> dict[str, list[Point]]:
    curves: dict[str, list[Point]] = {}
    for row in metrics_csv.read(path):
        curves.setdefault(row.name, []).append(Point(row.step, row.epoch, row.value))
    return curves


def _predictions(path: Path) -> list[Prediction]:
    with open(path, encoding="utf-8", newline="") as file:
        reader = csv.reader(file)
        header = next(reader, [])
        if header == ["id", "tokens", "perplexity", "loss"]:
            return []  # of a language model: windows of text, which have no one answer
        if header != list(Prediction._fields):
            raise ValueError(f"its columns are {', '.join(header)}")
        return [
            Prediction(one, target, answer, float(p) if p else math.nan, float(loss))
            for one, target, answer, p, loss in reader
        ]


def _hardest(path: Path) -> list[dict[str, Any]]:
    found = _mapping(path)["examples"]
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise ValueError("its examples are not a list of objects")
    if not all(isinstance(pair, list) and len(pair) == 2 for one in found for pair in one.get("row") or []):
        raise ValueError("a row is not a list of pairs")
    return found


def _end(path: Path) -> str:
    raw = path.read_bytes()
    text = raw[-_LOG_BYTES:].decode("utf-8", errors="replace")
    return text if len(raw) <= _LOG_BYTES else "…" + text.partition("\n")[2]


def _last_sign(folder: Path) -> datetime | None:
    for name in ("summary.json", "metrics.csv", "config.yaml"):
        if (folder / name).is_file():
            return datetime.fromtimestamp((folder / name).stat().st_mtime)
    return None


def flat(config: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """``{"a": {"b": 1}}`` -> ``{"a.b": 1}``."""
    found: dict[str, Any] = {}
    for key, value in config.items():
        if isinstance(value, Mapping) and value:
            found |= flat(value, f"{prefix}{key}.")
        else:
            found[f"{prefix}{key}"] = value
    return found

"""What a run with ``compression=`` or ``quantization=`` reports: its network before and after, as compression.json and
two rows of the last screen."""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from torch import nn

from assay import artifacts, folder
from assay.compression import cost, words
from assay.compression import report as costs
from assay.errors import ConfigError
from assay.evaluation import evaluate
from assay.transfer_files import TORCHVISION

NAME = "compression.json"


def before(parts: Any, where: Path) -> dict[str, Any] | None:
    """The row of what the run began from: of compression the network of ``init_from``, of quantization alone the
    trained one, its best weights loaded. None where neither is asked for."""
    compressed, quantized = _chosen(parts, "compression"), _chosen(parts, "quantization")
    if not (compressed or quantized):
        return None
    timed = _timed(parts, where)
    source = parts.config.get("init_from")
    if compressed and source is not None and not source.startswith(TORCHVISION):
        try:
            place = folder.find_artifact(source)
            wide = artifacts.load(place)
        except ConfigError:  # it was there when the run began; a resumed one may come later
            return None
        if wide.spec.label != parts.spec.label:  # another head: its scores say nothing here
            return {"stage": "before", "bytes": cost.size_bytes(place), **_measured(parts, wide.network, timed)}
        return {"stage": "before", **_row(parts, wide, place, timed), "test": wide.card.get("test") or {}}
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch, "artifact")
        quantizer, network = copy.deepcopy((parts.quantizer, parts.network))
        if quantizer is not None:
            quantizer.release(network)  # of a copy: what it gives back is wanted once more
        artifacts.save(place, network, parts.config, parts.spec, parts.dataset.preprocessing, {})
        row = _row(parts, artifacts.load(place), place, timed)
    if compressed:  # masks: the same network with none of its weights at zero, which was never trained
        row |= {"val": {}, "nonzero": row["parameters"]}
    return {"stage": "before", **row}


def report(parts: Any, where: Path, first: Mapping[str, Any] | None, scores: Mapping[str, float]) -> list[str]:
    """Writes compression.json of a run whose artifact is saved, and which scored so on the test split; the lines for
    the last screen."""
    if first is None:
        return []
    if not _chosen(parts, "compression"):
        unrounded = {key.removeprefix("float/"): value for key, value in parts.before.items() if "val/" not in key}
        first = {**first, "test": unrounded}
    place = where / "artifact"
    after = {"stage": "after", **_row(parts, artifacts.load(place), place, _timed(parts, where)), "test": dict(scores)}
    metric = parts.monitor.removeprefix("val/")
    rows = [dict(first), after]
    facts = {name: parts.switches[name] for name in ("compression", "quantization") if name in parts.switches}
    folder.write_json(where / NAME, {"format": folder.FORMAT, **facts, "metric": metric, "rows": rows})
    if (where / "stage.json").is_file():
        return []  # the loop has a table of its own
    said = words.scores_line(first, after, metric)
    timed = [str(row["runs_in"]) for row in rows if row.get("latency_ms")]
    spoken = [f"ms: medians for 1 and for 64 examples by {timed[-1]}, {costs.THREADS} thread"] if timed else []
    spoken += [f"no ms: {why}" for why in dict.fromkeys(row["untimed"] for row in rows if row.get("untimed"))]
    return [*words.table(rows, metric, metric[:13]), *([said] if said else []), *spoken]


def _chosen(parts: Any, group: str) -> bool:
    return parts.switches.get(group, "none") != "none"


def _row(parts: Any, artifact: artifacts.Artifact, place: Path, timed: bool) -> dict[str, Any]:
    found = _measured(parts, artifact.network, timed)
    row = {"val": _scores(parts, artifact), "bytes": cost.size_bytes(place), **found}
    if _chosen(parts, "quantization") and timed:
        row |= _exported(parts, artifact)
    return row


def _scores(parts: Any, artifact: artifacts.Artifact) -> dict[str, float]:
    loader = parts.data.loader(parts.dataset.splits["val"])
    return evaluate(artifact.task, artifact.network, loader, parts.trainer.strategy.root_device)[0]


def _timed(parts: Any, where: Path) -> bool:
    """Not in a rehearsal, nor in a stage of a loop, which times what it exports."""
    return parts.config["debug"] == "none" and not (where / "stage.json").is_file()


def _measured(parts: Any, network: nn.Module, timed: bool) -> dict[str, Any]:
    return costs.measured(network, _batch(parts), timed=timed and not _chosen(parts, "quantization"))


def _batch(parts: Any) -> Any:
    few = parts.dataset.splits["val"].few(max(words.SIZES))
    return next(iter(parts.data.loader(few)))


EXPORTED = ("class", "labels", "number", "tags")
"""Kinds of answers that `assay export` writes: no tokens."""


def _exported(parts: Any, artifact: artifacts.Artifact) -> dict[str, Any]:
    """Times of the file that would be exported: rounding by torch is no faster, integers by onnxruntime are. Nothing
    where the extra is not installed; where torch cannot write the file, why."""
    if any(find_spec(name) is None for name in ("onnx", "onnxscript", "onnxruntime")):
        return {}
    if artifact.spec.label.kind not in EXPORTED:
        return {}
    from assay.export import onnx_file, tags
    from assay.export.session import Session
    from assay.export.whole import fields

    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch, "model.onnx")
        try:
            tags.refuse(artifact, "this run")
            onnx_file.write(artifact, path)
        except ConfigError as error:  # a trained network is not lost for want of its times
            return {"untimed": str(error)}
        session, read = Session(path, costs.THREADS), fields(artifact)
        found = costs.latencies(lambda batch: session.answers(*(batch[name] for name in read)), _batch(parts))
    return {"latency_ms": found, "runs_in": "onnxruntime"}

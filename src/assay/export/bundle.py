"""`assay export`: a folder with a trained network's files, each checked before the folder has its name."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import torch

from assay import artifacts
from assay.errors import ConfigError
from assay.export import onnx_file, program, tags
from assay.export.golden import inputs as golden_inputs
from assay.export.golden import made_up
from assay.export.libraries import library
from assay.export.runner import script
from assay.export.session import Session
from assay.export.whole import Port, Whole, ports
from assay.folder import find, find_artifact, write_json

FORMAT = 1
FORMATS = ("onnx", "torch_export", "safetensors")
NAME = "export"
FACTS = "export.json"
GOLDEN = "golden.npz"


def export_command(run: str, output: str | None = None, formats: str = ",".join(FORMATS)) -> int:
    """Writes the folder and says what is in it."""
    chosen = [name.strip() for name in formats.split(",") if name.strip()]
    for name in chosen or [""]:
        if name not in FORMATS:
            raise ConfigError(f"--format {formats}: {name!r} is not one of {', '.join(FORMATS)}")
    if "onnx" in chosen:
        for name in ("onnx", "onnxscript", "onnxruntime"):
            library(name)
    where = find(run)
    source = find_artifact(run)
    target = Path(output) if output is not None else (where.parent if source == where else where) / NAME
    _refuse_other(target)
    facts = export(source, target, chosen)
    print(f"{target}: {facts['label']['kind']} from {facts['input']['name']}, {_kind(facts)}")
    width = max(map(len, facts["files"]))
    for name, file in facts["files"].items():
        difference = facts["differences"].get(name)
        said = "" if difference is None else f"  differs from torch by {difference:.1g} at most"
        said = f"  {facts['golden']}, and their answers" if name == GOLDEN else said
        print(f"  {name:<{width}}  {file['bytes']:>12,} bytes{said}")
    if "onnx" in chosen:
        print(f"run it: assay predict {target} INPUT…, or without Assay: python {target / 'run.py'} INPUT…")
    return 0


def _kind(facts: dict[str, Any]) -> str:
    quantization = facts["quantization"]
    return "float32" if quantization is None else f"{quantization['kind']} ({quantization['mode']})"


def _refuse_other(target: Path) -> None:
    if target.exists() and not (target.is_dir() and ((target / FACTS).is_file() or not any(target.iterdir()))):
        raise ConfigError(f"{target} is there and is no export; name another folder with --output")
    if not target.absolute().parent.is_dir():
        raise ConfigError(f"--output {target} cannot be made: there is no folder {target.absolute().parent}")


def export(source: Path, target: Path, formats: list[str]) -> dict[str, Any]:
    """The artifact in ``source`` as files in ``target``, which takes the place of an earlier export when all are there.

    Raises:
        ConfigError: a file does not give torch's outputs; then nothing is left of it, and an earlier export stays.
    """
    artifact = artifacts.load(source)
    if artifact.spec.label.kind == "tokens":
        raise ConfigError(
            f"{source} is a language model, which answers token by token and keeps a state between them; an export "
            "answers an input as a whole: use `assay generate`, or `assay predict` to score texts"
        )
    tags.refuse(artifact, source)
    temporary = target.with_name(f".{target.name}-{os.getpid()}")
    temporary.mkdir(parents=True)
    try:
        facts = _write(artifact, source, temporary, formats)
        if target.exists():
            old = target.with_name(f".{target.name}-{os.getpid()}-old")
            target.rename(old)
            temporary.rename(target)
            shutil.rmtree(old)
        else:
            temporary.rename(target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return facts


def _write(artifact: artifacts.Artifact, source: Path, folder: Path, formats: list[str]) -> dict[str, Any]:
    label, preprocessing = artifact.spec.label, artifact.preprocessing.to_json()
    into, *beside = ports(artifact, prepared=False)
    (folder / "labels.txt").write_text("".join(f"{' '.join(name.split())}\n" for name in label.names), encoding="utf-8")
    write_json(folder / "preprocessing.json", preprocessing)
    golden, told = golden_inputs(artifact, source)
    samples = [golden, *(made_up(artifact, batch, time) for batch, time in ((8, 9), (1, 5)))]
    answers = [_torch(artifact, sample) for sample in samples]
    more = {one.name: column.numpy() for one, column in zip(beside, golden[1:], strict=True)}
    np.savez(folder / GOLDEN, input=golden[0].numpy(), **more, answers=answers[0])
    chained = label.kind == "tags" and tags.write(artifact, folder)
    differences = {}
    if "onnx" in formats:
        path = folder / "model.onnx"
        onnx_file.write(artifact, path, prepared=False)
        session = Session(path)
        found = [session.answers(*sample) for sample in samples]
        differences[path.name] = _compare(path.name, artifact, answers, found)
        grids = {} if artifact.quantization is None else artifact.quantization.weights
        four_bits = any(grid.bits == 4 for grid in grids.values())
        text = script(preprocessing, label.kind, (into, *beside), four_bits, chained)
        (folder / "run.py").write_text(text, encoding="utf-8")
    if "torch_export" in formats:
        path = folder / "model.pt2"
        program.write(artifact, path)
        run = program.load(path)
        found = [run(*sample).numpy() for sample in samples]
        differences[path.name] = _compare(path.name, artifact, answers, found)
    for name, other in getattr(artifact.preprocessing, "within", {}).items():
        shutil.copytree(other, folder / name)
    if "safetensors" in formats:
        shutil.copyfile(source / "weights.safetensors", folder / "weights.safetensors")
        shutil.copyfile(source / "artifact.json", folder / "config.json")
    quantization = artifact.quantization
    thresholds = getattr(artifact.task, "thresholds", None)
    facts = {
        "format": FORMAT,
        "input": {
            **_described(into),
            "batch": "any",
            "longest": onnx_file.longest(artifact.network),
        },
        "beside": [_described(one) for one in beside],
        "answers": {
            "name": "answers",
            "dtype": "float64" if label.kind == "number" else "float32",
            "means": {
                "class": "probabilities (batch, classes), in the order of labels.txt",
                "labels": "a probability of each label (batch, labels), in the order of labels.txt",
                "number": "numbers (batch,) in the label's own units",
                "tags": "logarithms of tags' probabilities, each word by itself (batch, time, tags), in the order of "
                f"labels.txt; {'the sequence is found with chain.npz' if chained else 'the largest of each word'}",
            }[label.kind],
        },
        "label": label.to_json(),
        "thresholds": thresholds(len(label.names)).tolist() if label.kind == "labels" and thresholds else None,
        "together": tags.is_together(artifact),
        "spec": artifact.spec.to_json(),
        "task": artifact.config["task"],
        "opset": onnx_file.OPSET if "onnx" in formats else None,
        "quantization": None if quantization is None else {"kind": quantization.kind, "mode": quantization.mode},
        "differences": differences,
        "tolerance": _tolerance(artifact),
        "card": artifact.card,
        "golden": told,
        "artifact": artifacts.read_facts(source)["digest"],
        "versions": _versions(),
        "files": {
            str(path.relative_to(folder)): {"bytes": path.stat().st_size, "sha256": sha256(path)}
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        },
    }
    write_json(folder / FACTS, facts)
    return facts


def _described(one: Port) -> dict[str, Any]:
    return {**vars(one), "shape": list(one.shape)}


@torch.inference_mode()
def _torch(artifact: artifacts.Artifact, sample: tuple[torch.Tensor, ...]) -> np.ndarray:
    kind = artifacts.precision(artifact.network.state_dict())
    whole = Whole(artifact, prepared=False).eval()
    if whole.cells is not None:
        sample = (whole.cells.prepared(sample[0]),)
        whole.cells = None
    answers = whole(*(x.to(kind) if x.is_floating_point() else x for x in sample))
    return answers.to(torch.float64 if artifact.spec.label.kind == "number" else torch.float32).numpy()


def _tolerance(artifact: artifacts.Artifact) -> float:
    """Of a probability, or of a number in deviations of the label. A network that rounds what its layers read may round
    a number between two grid points either way, in torch or in onnxruntime's integer kernels; a network trained in
    sixteen bits computes in float32 in a file."""
    quantization = artifact.quantization
    if quantization is not None and quantization.mode != "weight_only":
        return 0.05
    return 1e-4 if artifacts.precision(artifact.network.state_dict()) == torch.float32 else 0.02


def _compare(name: str, artifact: artifacts.Artifact, expected: list[np.ndarray], found: list[np.ndarray]) -> float:
    scale = artifact.spec.label.scale if artifact.spec.label.kind == "number" else 1.0
    worst = 0.0
    for one, other in zip(expected, found, strict=True):
        if artifact.spec.label.kind == "tags":
            one, other = np.exp(one), np.exp(other)
        difference = np.abs(one - other).max() if one.shape == other.shape else np.inf
        worst = max(worst, float(difference) if np.isfinite(difference) else np.inf)
    if not worst / scale <= _tolerance(artifact):
        raise ConfigError(
            f"{name} differs from torch by {worst:.3g}, where {_tolerance(artifact) * scale:.3g} is allowed: nothing "
            "is exported; leave this format out with --format"
        )
    return worst


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for name in ("assay", "torch", "onnx", "onnxscript", "onnxruntime", "numpy"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def read(folder: Path) -> dict[str, Any]:
    """export.json, checked for form. Raises ConfigError."""
    path = folder / FACTS
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
        missing = {"format", "input", "label", "spec", "task", "files"} - set(facts)
    except (OSError, ValueError, TypeError) as error:
        raise ConfigError(f"{path} cannot be read ({error}); `assay export RUN` writes one") from error
    if missing:
        raise ConfigError(f"{path} lacks {', '.join(sorted(missing))}; `assay export RUN` writes it anew")
    if facts["format"] != FORMAT:
        raise ConfigError(f"{path} has format {facts['format']}; this version reads {FORMAT}")
    return facts

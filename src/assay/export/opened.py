"""An export folder at work in Assay: the file's outputs, through the preprocessing and label names beside it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from assay import artifacts
from assay.contracts import DataSpec
from assay.data.examples import Column, Dense
from assay.data.preprocessing import from_json
from assay.data.preprocessing.table import TablePreprocessing
from assay.errors import ConfigError
from assay.export.bundle import FACTS, NAME, read, sha256
from assay.export.session import Session
from assay.export.whole import cells
from assay.folder import find_artifact
from assay.targets import ARTIFACT_ALLOWED, build


def open_model(run: str | Path, outputs: str = "outputs") -> artifacts.Artifact | Exported:
    """The trained model of a run folder, an artifact, an export or its model.onnx, or ``latest``. Opening it runs no
    code of its own."""
    folder = export_folder(str(run))
    return Exported(folder) if folder is not None else artifacts.load(find_artifact(str(run), outputs))


def export_folder(run: str) -> Path | None:
    """The export that RUN names: its folder, or its model.onnx; None where it names something else.

    Raises:
        ConfigError: an ONNX file that has no export around it.
    """
    path = Path(run)
    if path.suffix == ".onnx" and path.is_file():
        if not (path.parent / FACTS).is_file():
            raise ConfigError(
                f"{run} lies alone: what an input must look like stands in {FACTS} and preprocessing.json, which "
                "`assay export` writes beside it"
            )
        return path.parent
    return path if (path / FACTS).is_file() else None


class Exported:
    """What ``assay predict`` needs of a model, from an export folder. Nothing in it is run but the graph.

    Raises:
        ConfigError: a file is missing, altered, or not what an export holds.
    """

    def __init__(self, folder: Path) -> None:
        facts = read(folder)
        path = folder / "model.onnx"
        known = facts["files"].get(path.name)
        if known is None or not path.is_file():
            raise ConfigError(f"{folder} holds no model.onnx; `assay export RUN` writes one to RUN/{NAME}")
        if sha256(path) != known["sha256"]:
            raise ConfigError(f"{path} was altered after the export (its digest differs)")
        try:
            plain = json.loads((folder / "preprocessing.json").read_text(encoding="utf-8"))
            self.preprocessing: Any = from_json(plain)
            self.spec = DataSpec.from_json(facts["spec"])
            self.task: Any = build(facts["task"], self.spec, nn.Identity(), allowed=ARTIFACT_ALLOWED)
            self.card = facts.get("card", {})
        except ConfigError:
            raise
        except (OSError, KeyError, TypeError, ValueError, AttributeError) as error:
            reason = " ".join(str(error).split())[:200]
            raise ConfigError(f"{folder} does not describe its model ({reason}); export the run anew") from error
        self.session = Session(path)

    def column(self, raws: Sequence[Any]) -> Column:
        """Raw inputs -> what the file reads: a table's cells before they are scaled, else what the data publish."""
        table = self.preprocessing
        if not isinstance(table, TablePreprocessing):
            return table(raws)["source"]
        return Dense(cells(table, raws))

    def outputs(self, column: Column, batch_size: int = 256) -> dict[str, Tensor]:
        """As :func:`assay.artifacts.outputs`."""
        labels = self.spec.label.kind == "labels"
        found = [
            self.session.outputs(column.gather(positions), labels)
            for positions in torch.arange(len(column)).split(batch_size)
        ]
        return {name: torch.cat([one[name] for one in found]) for name in found[0]} if found else {}

"""An export folder at work in Assay: the file's outputs, through the preprocessing and label names beside it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from assay import artifacts
from assay.contracts import Batch, DataSpec
from assay.data.examples import Column, Dense
from assay.data.preprocessing import from_json
from assay.data.preprocessing.table import TablePreprocessing
from assay.errors import ConfigError
from assay.export.bundle import FACTS, NAME, read, sha256
from assay.export.session import Session
from assay.export.tags import NAME as CHAIN
from assay.export.tags import Chained
from assay.export.whole import cells
from assay.folder import find_artifact
from assay.readings import join
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
        if path.name not in facts["files"] or not path.is_file():
            raise ConfigError(f"{folder} holds no model.onnx; `assay export RUN` writes one to RUN/{NAME}")
        for name in (path.name, CHAIN):
            known = facts["files"].get(name)
            if known is not None and not (folder / name).is_file():
                raise ConfigError(f"{folder / name} is missing; `assay export RUN` writes it anew")
            if known is not None and sha256(folder / name) != known["sha256"]:
                raise ConfigError(f"{folder / name} was altered after the export (its digest differs)")
        try:
            plain = json.loads((folder / "preprocessing.json").read_text(encoding="utf-8"))
            self.preprocessing: Any = from_json(plain)
            if hasattr(self.preprocessing, "opened"):
                self.preprocessing.opened(folder)
            self.spec = DataSpec.from_json(facts["spec"])
            self.task: Any = build(facts["task"], self.spec, nn.Identity(), allowed=ARTIFACT_ALLOWED)
            self.card = facts.get("card", {})
        except ConfigError:
            raise
        except (OSError, KeyError, TypeError, ValueError, AttributeError) as error:
            reason = " ".join(str(error).split())[:200]
            raise ConfigError(f"{folder} does not describe its model ({reason}); export the run anew") from error
        self.fields = ("source", *(one["field"] for one in facts.get("beside", [])))
        self.chained = Chained(folder, facts.get("together", False)) if self.spec.label.kind == "tags" else None
        self.session = Session(path)

    def columns(self, raws: Sequence[Any]) -> dict[str, Column]:
        """Raw inputs -> what the file reads: a table's cells before they are scaled, else what the data publish."""
        table = self.preprocessing
        if isinstance(table, TablePreprocessing):
            return {"source": Dense(cells(table, raws))}
        found = table(raws)
        return {name: found[name] for name in self.fields}

    def outputs(self, columns: Mapping[str, Column], batch_size: int = 256, **asked: Any) -> dict[str, Tensor]:
        """As :func:`assay.artifacts.outputs`."""
        found = []
        for positions in torch.arange(len(columns["source"])).split(batch_size):
            batch = {name: column.gather(positions) for name, column in columns.items()}
            found.append(self._outputs(batch, asked))
        return join(found) if found else {}

    def _outputs(self, batch: Batch, asked: Mapping[str, Any]) -> dict[str, Tensor]:
        if self.chained is None:
            return self.session.outputs(batch["source"], self.spec.label.kind == "labels")
        scores = torch.from_numpy(self.session.answers(*batch.values()))
        mask = batch["source"] != (self.spec.source.padding_id or 0)
        return self.task.answers(self.chained.output(scores, mask), batch, **asked)

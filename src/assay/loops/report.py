"""The rows of a loop: what each stage cost and what it bought; as chain.json, a table, and a Pareto figure."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from assay import artifacts, folder, screens
from assay.artifacts import Artifact
from assay.compression import cost, words
from assay.compression import report as costs
from assay.contracts import Batch, Output
from assay.data.module import DataModule
from assay.evaluation import evaluate
from assay.loops.stages import Stages, status

ROW = "cost.json"
MODEL = "model.onnx"
FORMATS = ("onnx", "safetensors")
CPU = torch.device("cpu")


class Rows:
    """Rows in the order of the stages. A stage's own is kept in its folder: it is measured once, not at each resume.

    Attributes:
        rows: as chain.json has them.
        last_run: the latest stage that left an artifact.
        search: of a budget: limits, candidates, what they scored.
    """

    def __init__(self, where: Path, stages: Stages) -> None:
        self.where, self.stages = where, stages
        self.data = DataModule(stages.dataset)
        self.rows: list[dict[str, Any]] = []
        self.last_run = ""
        self.search: dict[str, Any] = {}

    def add_run(self, name: str) -> dict[str, Any]:
        """Of a stage that is done."""
        place = self.where / "stages" / name
        self.last_run = name
        return self._add(place, lambda: self._of_run(place))

    def add_teacher(self, run: str) -> None:
        """Of a run that was there before: what all that follows is made from."""
        kept = self.where / "teacher.json"
        if kept.is_file():
            self.rows.append(json.loads(kept.read_text(encoding="utf-8")))
            return
        place = folder.find_artifact(run)
        artifact = artifacts.load(place)
        row = {
            "stage": "teacher",
            "val": self.scores(artifact, artifact.network, "val"),
            "test": self.scores(artifact, artifact.network, "test"),
            "bytes": cost.size_bytes(place),
            **costs.measured(artifact.network, self.batch(), timed=artifact.quantization is None),
        }
        folder.write_json(kept, row)
        self.rows.append(row)

    def add_file(self, name: str, source: str) -> dict[str, Any]:
        """Of the exported file of a stage's artifact, written here unless it is there; as onnxruntime runs it."""
        place = self.where / "stages" / name
        return self._add(place, lambda: self._of_file(place, self.where / "stages" / source / "artifact"))

    def of(self, name: str) -> dict[str, Any]:
        return next(row for row in self.rows if row["stage"] == name)

    def _add(self, place: Path, make: Any) -> dict[str, Any]:
        kept = place / ROW
        if kept.is_file():
            row = json.loads(kept.read_text(encoding="utf-8"))
        else:
            row = {"stage": place.name, **make()}
            folder.write_json(kept, row)
        self.rows.append(row)
        return row

    def _of_run(self, place: Path) -> dict[str, Any]:
        artifact = artifacts.load(place / "artifact")
        summary = json.loads((place / "summary.json").read_text(encoding="utf-8"))
        quantized = artifact.quantization is not None
        found = costs.measured(artifact.network, self.batch(), timed=not quantized)
        return {
            "val": self.scores(artifact, artifact.network, "val"),
            "test": {k.removeprefix("test/"): v for k, v in summary.items() if k.startswith("test/")},
            "monitor": summary["monitor"],
            "bytes": cost.size_bytes(place / "artifact"),
            "seconds": summary.get("seconds"),
            **found,
        }

    def _of_file(self, place: Path, source: Path) -> dict[str, Any]:
        from assay.export import bundle, onnx_file
        from assay.export.session import Session

        place.parent.mkdir(exist_ok=True)
        bundle.export(source, place, list(FORMATS))
        artifact = artifacts.load(source)
        with tempfile.TemporaryDirectory() as scratch:  # the same file, but for a table's cells, which come prepared
            path = Path(scratch, MODEL)
            onnx_file.write(artifact, path)
            session = Session(path, costs.THREADS)
        runs = Exported(session, artifact, place)
        found = costs.measured(artifact.network, self.batch(), timed=False)
        latency = costs.latencies(runs.answers, self.batch())
        return {
            "val": self.scores(artifact, runs, "val"),
            "test": self.scores(artifact, runs, "test"),
            "bytes": cost.size_bytes(place / MODEL),
            **found,
            "latency_ms": latency,
            "runs_in": "onnxruntime",
        }

    def batch(self) -> Batch:
        """Validation examples, enough for the largest latency."""
        return next(iter(self.data.loader(self.stages.dataset.splits["val"].few(max(words.SIZES)))))

    def scores(self, artifact: Artifact, network: nn.Module, split: str) -> dict[str, float]:
        loader = self.data.loader(self.stages.dataset.splits[split])
        return evaluate(artifact.task, network, loader, CPU)[0]

    def add_ensemble(self, places: Sequence[Path]) -> None:
        """The mean of the distributions of several runs, as one more row; no artifact is made of it."""
        members = [artifacts.load(place / "artifact") for place in places]
        mean = Ensemble([one.network for one in members])
        one = members[0]
        totals = {key: sum(row[key] for row in self.rows[: len(members)]) for key in ("parameters", "macs", "bytes")}
        scores = {split: self.scores(one, mean, split) for split in ("val", "test")}
        self.rows.append({"stage": "ensemble", **scores, **totals, "nonzero": None, "latency_ms": None})

    def metric(self) -> str:
        return next(row["monitor"] for row in self.rows if "monitor" in row).removeprefix("val/")

    def write(self) -> dict[str, Any]:
        """figures/pareto.png; returns what chain.json holds."""
        from assay.loops.pareto import draw

        (self.where / "figures").mkdir(exist_ok=True)
        draw(self.rows, self.metric(), self.where / "figures" / "pareto.png")
        done = {path.name: status(path) for path in sorted((self.where / "stages").glob("[!.]*")) if path.is_dir()}
        done |= {row["stage"]: "done" for row in self.rows if row["stage"] in done}  # an export too
        return {
            "metric": self.metric(),
            "threads": costs.THREADS,
            "rows": self.rows,
            "stages": done,
            **({"search": self.search} if self.search else {}),
        }

    def screen(self, seconds: float) -> str:
        """The last screen: a table, what all of it came to, what to do next."""
        metric, first, last = self.metric(), self.rows[0], self.rows[-1]
        lines = [f"{metric} and cost of each stage:", *words.table(self.rows, metric, "stage")]
        lines.append(f"From {first['stage']} to {last['stage']}: {words.scores_line(first, last, metric)}.")
        lines.append(f"bytes: of the artifact, and of the exported file · {seconds:.0f} s in all")
        lines.append(f"ms: medians for 1 and for {words.SIZES[1]} examples, {costs.THREADS} thread")
        if self.search:
            of = f"Chosen of {len(self.search['candidates'])} that take {words.limits(self.search['limits'])}"
            lines.append(f"{of}: {self.search['chosen']}")
        run = screens.pasted(screens.shown(self.where))
        lines += ["Next:", f"  assay review {run}", f"  assay evaluate {run}"]
        if "onnxruntime" in (row.get("runs_in") for row in self.rows):
            lines.append(f"  assay predict {run}/export INPUT")
        return "\n".join(lines)


class Exported(nn.Module):
    """An exported file in the place of a network, for :func:`assay.evaluation.evaluate`."""

    def __init__(self, session: Any, artifact: Artifact, place: Path) -> None:
        from assay.export.tags import Chained, is_together
        from assay.export.whole import fields

        super().__init__()
        self.session, self.label, self.fields = session, artifact.spec.label, fields(artifact)
        self.padding_id = artifact.spec.source.padding_id or 0
        self.chained = Chained(place, is_together(artifact)) if self.label.kind == "tags" else None
        self.register_parameter("nothing", nn.Parameter(torch.zeros(0), requires_grad=False))

    def answers(self, batch: Batch) -> Any:
        return self.session.answers(*(batch[name] for name in self.fields))

    def forward(self, batch: Batch) -> Output:
        if self.chained is not None:
            return self.chained.output(torch.from_numpy(self.answers(batch)), batch["source"] != self.padding_id)
        found = self.session.outputs(batch["source"], labels=self.label.kind == "labels")
        if "log_probs" in found:
            return Output(found["log_probs"], found["log_probs"])
        return Output(((found["prediction"] - self.label.center) / self.label.scale).float())


class Ensemble(nn.Module):
    """The arithmetic mean of the members' distributions."""

    def __init__(self, members: Sequence[nn.Module]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)

    def forward(self, batch: Batch) -> Output:
        answers: list[Tensor] = []
        for member in self.members:
            output = member(batch)
            assert output.log_probs is not None
            answers.append(output.log_probs.double())
        mean = torch.stack(answers).logsumexp(0) - torch.tensor(len(answers)).double().log()
        return Output(mean, mean)

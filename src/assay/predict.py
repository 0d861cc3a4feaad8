"""`assay predict` and `assay evaluate`: an artifact at work. Loads neither Lightning nor Hydra to predict."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from assay import artifacts, predicted_tags
from assay.errors import ConfigError
from assay.export.opened import Exported, open_model
from assay.folder import find, find_artifact, read_config

FORMATS = ("table", "csv", "jsonl")
TEXTS = 8  # scored at a time by a language model, which has a number for each word of the vocabulary at each position


class Predictor:
    """What ``assay.load(RUN)`` returns.

    Example:
        ``assay.load("latest").predict(["a fine film", "a dull one"])``
    """

    def __init__(self, artifact: artifacts.Artifact | Exported) -> None:
        self.artifact = artifact

    @property
    def card(self) -> dict[str, Any]:
        """Data, licence, sizes, test metrics and versions."""
        return self.artifact.card

    def predict(self, inputs: Any, n_best: int = 1) -> list[dict[str, Any]]:
        """One row per input: ``prediction``, and for classes ``probability`` and ``probabilities`` by name; for tags
        ``prediction`` and ``probabilities`` are lists, as is ``tokens`` (:func:`assay.predicted_tags.rows`). Of a
        language model ``tokens`` and how well it foretold them: ``perplexity``, ``log_loss``, and bits.

        Args:
            inputs: one or several of what the data set holds: image files, arrays or Pillow images; texts; rows as
                dictionaries.
            n_best: of tags: the rows also have so many of the likeliest taggings of the whole sentence.
        Raises:
            ConfigError: an input cannot be read, or n_best was asked of what has no tags.
        """
        if isinstance(inputs, str | bytes | Path | dict) or not isinstance(inputs, Sequence):
            inputs = [inputs]
        return self._rows(list(inputs), n_best)

    def generate(self, prompt: str = "", **asked: Any) -> list[dict[str, Any]]:
        """Texts that a language model writes after ``prompt``: ``text`` and ``tokens`` of each.

        Example:
            ``assay.load("latest").generate("ROMEO:", tokens=200, temperature=0.8)[0]["text"]``
        Args:
            prompt: an empty one is the beginning of a text.
            asked: tokens, temperature, top_k, top_p, seed, greedy, beam, length_penalty, samples, stop, as
                :class:`assay.generate.Request` has them.
        Raises:
            ConfigError: this is no language model, or a value is outside its range.
        """
        from assay.generate import Request, language_model, write

        request = Request(prompt, **asked)
        return write(language_model(self.artifact, "this"), request)

    def _rows(self, raws: list[Any], n_best: int = 1) -> list[dict[str, Any]]:
        task: Any = self.artifact.task
        if n_best < 1:
            raise ConfigError(f"--n-best {n_best} is no number of taggings: 1 or more")
        if n_best > 1 and self.artifact.spec.label.kind != "tags":
            raise ConfigError(f"--n-best {n_best} is of taggings, and this model answers otherwise: leave it out")
        if not raws:
            return []
        asked = {"number": n_best} if n_best > 1 else {}
        if isinstance(self.artifact, artifacts.Artifact):
            few: dict[str, Any] = {"batch_size": TEXTS} if self.artifact.spec.label.kind == "tokens" else {}
            outputs = artifacts.outputs(self.artifact, self.artifact.preprocessing(raws), **few, **asked)
        else:
            outputs = self.artifact.outputs(self.artifact.columns(raws), **asked)
        if hasattr(task, "rows"):
            return task.rows(outputs)
        if "each" in outputs:
            return predicted_tags.rows(task, outputs, list(map(self.artifact.preprocessing.words, raws)))
        if "prediction" in outputs:
            return [{"prediction": value} for value in outputs["prediction"].tolist()]
        log_probs = outputs["log_probs"]
        names, probabilities = task.table(log_probs)
        each = log_probs[..., 1].exp() if log_probs.dim() == 3 else log_probs.exp()
        return [
            {"prediction": name, "probability": p, "probabilities": dict(zip(task.names, row, strict=True))}
            for name, p, row in zip(names, probabilities, each.tolist(), strict=True)
        ]


def load(run: str | Path, outputs: str = "outputs") -> Predictor:
    """The trained model of a run folder, an artifact, an export or its model.onnx, or ``latest``. Opening it runs no
    code of its own."""
    return Predictor(open_model(run, outputs))


def predict_command(
    run: str, inputs: list[str], format: str = "table", output: str | None = None, n_best: int = 1
) -> int:
    """Predicts files, folders, literal texts or standard input (``-``); writes a table, CSV or JSON lines."""
    if output is not None and (Path(output).is_dir() or not Path(output).absolute().parent.is_dir()):
        raise ConfigError(f"--output {output} cannot be written: name a file in a folder that is there")
    predictor = load(run)
    preprocessing = predictor.artifact.preprocessing
    ids, raws = preprocessing.read(inputs or ["-"])
    if not raws:
        raise ConfigError(f"there is nothing to predict in {', '.join(inputs) or 'standard input'}")
    rows = [{"id": name, **row} for name, row in zip(ids, predictor._rows(raws, n_best), strict=True)]
    for note in getattr(preprocessing, "notes", []):
        print(note, file=sys.stderr)
    text = render(rows, format)
    if output is None:
        print(text)
    else:
        try:
            Path(output).write_text(text + "\n", encoding="utf-8")
        except OSError as error:
            raise ConfigError(f"--output {output} cannot be written ({error.strerror}); name another file") from error
    return 0


def render(rows: list[dict[str, Any]], format: str) -> str:
    """Rows as an aligned table, CSV (a column per class; of tags a row per word), or JSON lines."""
    if format not in FORMATS:
        raise ConfigError(f"--format {format} is not one of {', '.join(FORMATS)}")
    if format == "jsonl":
        return "\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    if format == "csv" and predicted_tags.is_tagged(rows[0]):
        return predicted_tags.as_csv(rows)
    if format == "csv":
        text = io.StringIO()
        classes = list(rows[0].get("probabilities", {}))
        writer = csv.writer(text, lineterminator="\n")
        simple = [key for key in rows[0] if key != "probabilities"]
        writer.writerow([*simple, *(f"p({name})" for name in classes)])
        for row in rows:
            writer.writerow([*(row[key] for key in simple), *(row["probabilities"][name] for name in classes)])
        return text.getvalue().rstrip("\n")
    if "prediction" not in rows[0]:  # of a language model: how well it foretold each text
        cells = [[name.replace("_", " ") for name in rows[0]], *([_cell(one) for one in row.values()] for row in rows)]
        return _aligned(cells)
    if "n_best" in rows[0]:
        rows = predicted_tags.ranked(rows)
    more = [name for name in ("rank", "probability", "intent", "intent_probability") if name in rows[0]]
    cells = [["id", "prediction", *(name.replace("_", " ") for name in more)]]
    for row in rows:
        prediction = row["prediction"]
        if predicted_tags.is_tagged(row):
            prediction = predicted_tags.pairs(row)
        elif not isinstance(prediction, str):
            prediction = f"{prediction:.6g}"
        cells.append([_cell(row["id"]), prediction, *(_cell(row[name]) for name in more)])
    return _aligned(cells)


def _cell(value: Any) -> str:
    text = f"{value:.4f}" if isinstance(value, float) else str(value)
    return text if len(text) <= 60 else text[:59] + "…"


def _aligned(cells: list[list[str]]) -> str:
    widths = [max(len(line[i]) for line in cells) for i in range(len(cells[0]))]
    return "\n".join("  ".join(cell.ljust(w) for cell, w in zip(line, widths, strict=True)).rstrip() for line in cells)


def evaluate_command(run: str, overrides: list[str]) -> int:
    """Scores a run's artifact again on its test split, or on other data (``data=…`` or ``data.path=…``) through the
    artifact's own preprocessing."""
    import torch

    from assay.contracts import DataSpec
    from assay.data.loaders import MemoryLoader
    from assay.evaluation import evaluate
    from assay.preflight import compose
    from assay.targets import build

    where = find(run)
    artifact = artifacts.load(find_artifact(run))
    if overrides:
        config = compose([*_typed(where, artifact, overrides), *overrides]).config
    else:
        if not (where / "config.yaml").is_file():
            raise ConfigError(f"{run} is an artifact without its run; say on what: data=… with its path")
        config = read_config(where)
    dataset = build(config["data"])
    if hasattr(dataset, "fitted"):  # else nothing is fitted that its source depends on
        dataset.fitted = artifact.preprocessing
    dataset.setup()
    trained: DataSpec = artifact.spec
    _refuse_other(dataset.spec, trained, run)
    split = dataset.splits["test"]
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    size = getattr(dataset, "evaluation_batch_size", None) or config["data"]["batch_size"]
    loader = MemoryLoader(split, len(split) if size == "full" else size, accumulate=None)
    scores, _ = evaluate(artifact.task, artifact.network, loader, device)
    width = max(map(len, scores))
    for note in dataset.notes if overrides else []:  # how other data were read
        print(note, file=sys.stderr)
    print(f"{config['switches']['data']}: {len(split)} test examples")
    for name, value in scores.items():
        print(f"test/{name:<{width}}  {value:.4f}")
    return 0


def _typed(where: Path, artifact: artifacts.Artifact, overrides: Sequence[str]) -> list[str]:
    """What the run's command said of its model and, unless another set is named, of its data."""
    import yaml

    switches = artifact.config["switches"]
    own = [f"{group}={switches[group]}" for group in ("model", "task", "loss") if group in switches]
    if any(one.startswith("data=") for one in overrides):
        return own
    path = where / "overrides.yaml"
    typed = yaml.safe_load(path.read_text(encoding="utf-8")) if path.is_file() else []
    groups = ("data", "fold", "tokenizer", "scaling", "impute", "stem")
    said = [str(one) for one in typed if str(one).lstrip("+~").split("=")[0].split(".")[0] in groups]
    return [*own, f"data={switches['data']}", *said]


def _refuse_other(found: Any, trained: Any, run: str) -> None:
    """The data must mean what the model learnt: the same kinds of input, vocabularies and label names."""
    for name in ("source", "label", *trained.inputs):
        ours, theirs = trained.fields[name], found.fields.get(name)
        if theirs is None:
            raise ConfigError(f"{run} reads {name} beside the words; this data has none: name data that has it")
        if (ours.kind, ours.size, ours.names) != (theirs.kind, theirs.size, theirs.names):
            raise ConfigError(
                f"{run} was trained on {name} {_words(ours)}; this data has {_words(theirs)}: name data of the same "
                "kind"
            )


def _words(field: Any) -> str:
    names = ", ".join(map(str, field.names[:6])) + (", …" if len(field.names) > 6 else "")
    return f"{field.kind}" + (f" of {field.size}" if field.size else "") + (f" ({names})" if names else "")

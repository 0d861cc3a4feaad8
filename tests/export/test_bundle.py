"""`assay export`: a folder that runs with and without Assay, gives the run's answers, and is whole or not there."""

from __future__ import annotations

import csv
import importlib
import io
import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch

import assay
from assay.cli import main
from assay.errors import ConfigError
from assay.export import bundle, golden

pytest.importorskip("onnxruntime", reason="the extra export is not installed")


@pytest.fixture(scope="module")
def run(digits_run, tmp_path_factory):
    """The run's artifact alone, exported as ONNX and safetensors."""
    folder = tmp_path_factory.mktemp("exported")
    shutil.copytree(digits_run.folder / "artifact", folder / "artifact")
    assert main(["export", str(folder), "--format", "onnx,safetensors"]) == 0
    return folder


@pytest.fixture(scope="module")
def picture(tmp_path_factory):
    from PIL import Image
    from sklearn.datasets import load_digits

    folder = tmp_path_factory.mktemp("pictures")
    digits = load_digits()
    for number in range(6):
        pixels = (digits.images[number] * 255 / 16).round().astype(np.uint8)
        Image.fromarray(255 - pixels if number % 2 else pixels).resize((16, 16), Image.Resampling.NEAREST).save(
            folder / f"{number}.png"
        )
    return folder


def rows(capsys, *arguments):
    capsys.readouterr()
    assert main([str(one) for one in arguments]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def same(found, expected):
    assert [row["id"] for row in found] == [row["id"] for row in expected]
    for one, other in zip(found, expected, strict=True):
        if "probabilities" not in other:
            assert one["prediction"] == pytest.approx(other["prediction"], rel=1e-6)
            continue
        assert one["prediction"] == other["prediction"]
        assert one["probabilities"] == pytest.approx(other["probabilities"], abs=1e-5)


def test_files_and_facts(run):
    folder = run / "export"
    facts = json.loads((folder / "export.json").read_text())
    assert set(facts["files"]) | {"export.json"} == {path.name for path in folder.iterdir()}
    for name, file in facts["files"].items():
        assert file == {"bytes": (folder / name).stat().st_size, "sha256": bundle.sha256(folder / name)}
    assert facts["input"]["name"] == "pixels"
    assert facts["input"]["shape"] == [1, 8, 8]
    assert facts["opset"] == 21
    assert facts["differences"]["model.onnx"] < 1e-5
    assert (folder / "labels.txt").read_text().split() == [str(digit) for digit in range(10)]
    assert (folder / "config.json").read_bytes() == (run / "artifact" / "artifact.json").read_bytes()
    weights = sum(size["bytes"] for name, size in facts["files"].items() if name == "weights.safetensors")
    assert facts["files"]["model.onnx"]["bytes"] < weights + 1500  # the graph and its facts
    with np.load(folder / "golden.npz") as golden:
        assert golden["input"].shape == (8, 1, 8, 8)
        assert golden["answers"].sum(1) == pytest.approx(np.ones(8), abs=1e-5)


def test_golden_inputs_are_test_examples_of_the_run(digits_run, run):
    """The run's folder says where its data are; an artifact alone does not, and a changed set is none of its."""
    from sklearn.datasets import load_digits

    artifact = assay.load(digits_run.folder).artifact
    (found,), told = golden.inputs(artifact, digits_run.folder / "artifact")
    assert told == "8 test examples of digits"
    digits = {picture.tobytes() for picture in load_digits().images.astype(np.uint8)}  # counts of 0 to 16
    pixels = (found.numpy() * 16).round().astype(np.uint8)
    assert len({picture.tobytes() for picture in pixels}) == 8
    assert {picture.tobytes() for picture in pixels} <= digits
    (made,), told = golden.inputs(artifact, run / "artifact")
    assert told == "8 made-up inputs (an artifact without its run)"
    assert made.shape == found.shape
    assert json.loads((run / "export" / "export.json").read_text())["golden"] == told
    artifact.card["digest"] = "other"
    assert golden.inputs(artifact, digits_run.folder / "artifact")[1].endswith(
        "(the data are no longer those of the run)"
    )


def test_golden_cells_of_a_table_are_those_of_its_file(tmp_path):
    """Neither filled nor scaled: gaps and numbers as the user wrote them, categories by their code."""
    result = table(tmp_path, "task=regression", "impute=mean", "trainer.max_steps=2")
    artifact = assay.load(result.folder).artifact
    (found,), told = golden.inputs(artifact, result.folder / "artifact")
    assert told == "8 test examples of tabular_csv"
    assert found.dtype == torch.float64
    given = {("" if i % 9 == 4 else 2020 + i / 100, i % 3 + 1, i * 7 % 11) for i in range(120)}
    cells = {("" if np.isnan(a) else round(a, 2), int(kind), int(b)) for a, kind, b in found.tolist()}
    assert len(cells) == 8
    assert cells <= given


def test_predict_answers_as_the_run_does(run, picture, capsys):
    expected = rows(capsys, "predict", run / "artifact", picture, "--format", "jsonl")
    same(rows(capsys, "predict", run / "export", picture, "--format", "jsonl"), expected)
    same(rows(capsys, "predict", run / "export" / "model.onnx", picture, "--format", "jsonl"), expected)
    images = [np.random.default_rng(0).random((8, 8)).astype(np.float32)]
    one, other = assay.load(run / "export").predict(images), assay.load(run / "artifact").predict(images)
    assert one[0]["probabilities"] == pytest.approx(other[0]["probabilities"], abs=1e-5)


def without_assay(folder, *arguments):
    """run.py in a process that can import neither assay nor torch, in a folder of its own."""
    code = (
        "import sys, runpy\n"
        "class Gone:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.split('.')[0] in ('assay', 'torch', 'onnx', 'onnxscript', 'safetensors', 'sklearn'):\n"
        "            raise ImportError(name)\n"
        "sys.meta_path.insert(0, Gone())\n"
        "sys.argv = sys.argv[1:]\n"
        "runpy.run_path(sys.argv[0], run_name='__main__')\n"
    )
    command = [sys.executable, "-c", code, str(folder / "run.py"), *map(str, arguments)]
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, cwd=folder)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_the_script_runs_without_assay(run, picture, tmp_path, capsys):
    expected = rows(capsys, "predict", run / "artifact", picture, "--format", "jsonl")
    shutil.copytree(run / "export", tmp_path / "moved")
    said = [line.split("\t") for line in without_assay(tmp_path / "moved", *sorted(picture.iterdir()))]
    assert [name for _, name, _ in said] == [row["prediction"] for row in expected]
    for (_, _, probability), row in zip(said, expected, strict=True):
        assert float(probability) == pytest.approx(row["probability"], abs=1e-4)
    (line,) = without_assay(tmp_path / "moved")
    assert float(line.split()[-1]) < 1e-5
    script = (run / "export" / "run.py").read_text()
    assert max(map(len, script.splitlines())) <= 120
    assert sum(bool(line.strip()) for line in script.splitlines()) <= 28


# refusals


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--format", "onnx,tflite"], "'tflite' is not one of onnx, torch_export, safetensors"),
        (["--format", ","], "is not one of onnx"),
        (["--output", "{run}/artifact"], "is there and is no export"),
        (["--output", "{run}/no/such"], "there is no folder"),
    ],
)
def test_what_cannot_be_exported_costs_a_line(run, capsys, arguments, words):
    assert main(["export", str(run), *(one.format(run=run) for one in arguments)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert words in line


@pytest.mark.parametrize("name", ["onnx", "onnxscript", "onnxruntime"])
def test_a_missing_library_is_named_with_its_extra(run, capsys, monkeypatch, name):
    before = (run / "export" / "export.json").read_bytes()
    found = importlib.import_module

    def missing(wanted, *arguments):
        if wanted.split(".")[0] == name:
            raise ImportError(wanted)
        return found(wanted, *arguments)

    monkeypatch.setattr("assay.export.libraries.importlib.import_module", missing)
    assert main(["export", str(run)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line == f"ONNX files need {name}, which is not installed: pip install 'assay[export]'"
    assert (run / "export" / "export.json").read_bytes() == before


def test_a_file_that_differs_is_not_exported_and_the_earlier_export_stays(run, capsys, monkeypatch):
    before = {path.name: path.read_bytes() for path in (run / "export").iterdir()}
    answers = bundle.Session.answers
    monkeypatch.setattr(bundle.Session, "answers", lambda self, *inputs: answers(self, *inputs) + 0.001)
    assert main(["export", str(run), "--format", "onnx"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "model.onnx differs from torch by 0.001, where 0.0001 is allowed" in line
    assert {path.name: path.read_bytes() for path in (run / "export").iterdir()} == before
    assert sorted(path.name for path in run.iterdir()) == ["artifact", "export"]


def test_another_export_takes_the_place_of_the_first(run, tmp_path, capsys):
    shutil.copytree(run, tmp_path / "run")
    assert main(["export", str(tmp_path / "run"), "--format", "safetensors"]) == 0
    assert not (tmp_path / "run" / "export" / "model.onnx").exists()
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == ["artifact", "export"]
    assert main(["predict", str(tmp_path / "run" / "export"), "x.png"]) == 2
    assert "holds no model.onnx" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        ("model.onnx", lambda b: b + b"x", "altered after the export"),
        ("export.json", lambda b: b"{", "cannot be read"),
        ("export.json", lambda b: json.dumps({**json.loads(b), "format": 9}).encode(), "format 9; this version reads"),
        ("export.json", lambda b: json.dumps({**json.loads(b), "task": {"_target_": "os.system"}}).encode(), "trusted"),
        ("export.json", lambda b: b'{"format": 1}', "lacks files, input"),
        ("preprocessing.json", lambda b: b'{"type": "rocket"}', "does not describe its model"),
    ],
)
def test_a_broken_export_is_refused(run, tmp_path, name, change, words):
    shutil.copytree(run / "export", tmp_path / "export")
    (tmp_path / "export" / name).write_bytes(change((run / "export" / name).read_bytes()))
    with pytest.raises(ConfigError, match=words) as caught:
        assay.load(tmp_path / "export")
    assert "\n" not in str(caught.value)


def test_an_onnx_file_alone_is_refused(run, tmp_path, capsys):
    shutil.copyfile(run / "export" / "model.onnx", tmp_path / "model.onnx")
    assert main(["predict", str(tmp_path / "model.onnx"), "x.png"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "lies alone" in line


# tags: several inputs, and a search for the answer


def tagger(folder, *overrides):
    """Sentences of words with a feature, tagged by a rule that reads both neighbours."""
    towns, rest = ["Rome", "Oslo", "Lima", "York"], ["from", "to", "at", "12", "noon"]
    made = []
    for i in range(80):
        words = [(towns if (i + place) % 3 == 0 else rest)[(i * 5 + place * 3) % 4] for place in range(2 + i % 6)]
        tags = [
            "O" if word not in towns else "I-town" if place and words[place - 1] in towns else "B-town"
            for place, word in enumerate(words)
        ]
        made += [f"{word} {'N' if word in towns else 'P'} {tag}" for word, tag in zip(words, tags, strict=True)] + [""]
    path = lines(folder / "made.conll", made[0], made[1:])
    words = ["data=tagged_file", f"data.path={path}", "data.features=[pos:2]", "data.lowercase=true"]
    return trained(folder, *words, "data.digits=zero", *overrides)


TAGGED = {
    "chain": ["model=lstm", "model.hidden_size=8", "model.bidirectional=true", "output=crf", "characters=cnn"],
    "each word": ["model=gru", "model.hidden_size=8", "output=softmax", "output.constraints=none", "characters=lstm"],
}


@pytest.mark.parametrize("kind", TAGGED)
@pytest.mark.filterwarnings("ignore")  # tracing and short fits warn; what is asked here is the answers
def test_tags_of_a_file_are_those_of_the_run(kind, tmp_path, capsys):
    result = tagger(tmp_path, *TAGGED[kind])
    assert main(["export", str(result.folder), "--format", "onnx"]) == 0
    folder = result.folder / "export"
    facts = json.loads((folder / "export.json").read_text())
    assert [one["name"] for one in facts["beside"]] == ["characters", "feature_pos"]
    assert (folder / "chain.npz").is_file() == (kind == "chain")
    assert facts["golden"].endswith("test examples of tagged_file")
    sentences = ["to ROME Oslo at 77", "unheard-of", " ".join(["York"] * 30), "x" * 60 + " from Lima"]
    expected = rows(capsys, "predict", result.folder, *sentences, "--format", "jsonl", "--n-best", 3)
    found = rows(capsys, "predict", folder, *sentences, "--format", "jsonl", "--n-best", 3)
    for one, other in zip(found, expected, strict=True):
        assert (one["tokens"], one["prediction"]) == (other["tokens"], other["prediction"])
        assert one["probability"] == pytest.approx(other["probability"], rel=1e-4)
        assert one["probabilities"] == pytest.approx(other["probabilities"], abs=1e-5)
        assert [each["prediction"] for each in one["n_best"]] == [each["prediction"] for each in other["n_best"]]
    known = rows(capsys, "predict", folder, tmp_path / "made.conll", "--format", "jsonl")
    same_tags = rows(capsys, "predict", result.folder, tmp_path / "made.conll", "--format", "jsonl")
    assert [row["prediction"] for row in known] == [row["prediction"] for row in same_tags]
    shutil.copytree(folder, tmp_path / "moved")
    said = without_assay(tmp_path / "moved", *sentences)
    for line, row in zip(said, expected, strict=True):
        assert line == " ".join(f"{word}/{tag}" for word, tag in zip(row["tokens"], row["prediction"], strict=True))
    (line,) = without_assay(tmp_path / "moved")
    assert float(line.split()[-1]) < 1e-4  # of logarithms
    script = (folder / "run.py").read_text()
    assert max(map(len, script.splitlines())) <= 120
    assert sum(bool(line.strip()) for line in script.splitlines()) <= 48
    if kind == "chain":
        (folder / "chain.npz").write_bytes((folder / "chain.npz").read_bytes() + b"x")
        with pytest.raises(ConfigError, match=r"chain.npz was altered after the export"):
            assay.load(folder)
        (folder / "chain.npz").unlink()
        with pytest.raises(ConfigError, match=r"chain.npz is missing"):
            assay.load(folder)


def test_tags_by_counts_are_refused_in_a_line(tmp_path, capsys):
    result = tagger(tmp_path, "model=hmm")
    capsys.readouterr()
    assert main(["export", str(result.folder)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "tags by counts" in line
    assert not (result.folder / "export").exists()


# other data: train, export, compare


def trained(folder, *overrides):
    return assay.train(
        f"outputs={folder / 'outputs'}", "logger=none", "trainer=cpu", "trainer.max_epochs=2", *overrides
    )


def lines(path, head, rows):
    path.write_text("\n".join([head, *rows]) + "\n", encoding="utf-8")
    return path


def texts(folder, *overrides):
    made = [
        f"The film number {i} wasn’t {'good' if i % 2 else 'bad'} indeed!,{'yes' if i % 2 else 'no'}" for i in range(90)
    ]
    path = lines(folder / "texts.csv", "review,liked", made)
    return trained(folder, "data=text_csv", f"data.path={path}", "data.text=review", "data.label=liked", *overrides)


def table(folder, *overrides, label="y", gaps=True):
    made = []
    for i in range(120):
        a = "" if gaps and i % 9 == 4 else f"{2020 + i / 100}"
        made.append(f"{a},{'uvw'[i % 3]},{i * 7 % 11},{3 * i / 10 + 1000},{i % 2},{i % 3 % 2}")
    path = lines(folder / "table.csv", "a,kind,b,y,hot,wet", made)
    words = ["data=tabular_csv", f"data.path={path}", "data.features=[a,kind,b]", f"data.label={label}", "model=mlp"]
    return trained(folder, *words, *overrides)


TEXTS = ["A GOOD film, isn't it?", "bad, bad 17", "unheard-of ☃ words", "?"]
MADE = {
    "words": lambda folder: texts(folder, "model=lstm", "model.hidden_size=8"),
    "characters": lambda folder: texts(folder, "model=textcnn", "tokenizer=char"),
    "pieces": lambda folder: texts(folder, "model=bag", "tokenizer=bpe", "tokenizer.vocab_size=60"),
    "number": lambda folder: table(folder, "task=regression", "impute=mean"),
    "labels": lambda folder: table(folder, "impute=indicator", "thresholds=best_f1", label="[hot,wet]"),
    "nearest": lambda folder: table(folder, "task=regression", "impute=knn", "impute.k=3"),
    "minmax": lambda folder: table(folder, "task=regression", "scaling=minmax", gaps=False),
    "sequence": lambda folder: trained(folder, "data=adding", "model=gru", "model.hidden_size=4"),
}


def given(kind, folder):
    if kind in ("words", "characters", "pieces"):
        return TEXTS
    if kind == "sequence":
        preprocessing = assay.load(str(folder / "outputs" / "latest")).artifact.preprocessing
        steps = [",".join(str((i * 7 % 10) / 10) for _ in preprocessing.names) for i in range(preprocessing.length)]
        return [lines(folder / "new.csv", ",".join(preprocessing.names), steps)]
    gap = "" if kind in ("number", "labels", "nearest") else "2020.5"
    return [lines(folder / "new.csv", "b,kind,a", ["3,u,2020.25", f"9,unseen,{gap}", "0,w,2021"])]


@pytest.mark.slow
@pytest.mark.parametrize("kind", MADE)
@pytest.mark.filterwarnings("ignore")  # tracing and short fits warn; what is asked here is the answers
def test_every_kind_of_input_and_label(kind, tmp_path, capsys):
    result = MADE[kind](tmp_path)
    assert main(["export", str(result.folder)]) == 0
    inputs = given(kind, tmp_path)
    expected = rows(capsys, "predict", result.folder, *inputs, "--format", "jsonl")
    same(rows(capsys, "predict", result.folder / "export", *inputs, "--format", "jsonl"), expected)
    if kind == "nearest":  # whoever runs the file alone fills the gaps
        facts = json.loads((result.folder / "export" / "export.json").read_text())
        assert "none empty" in facts["input"]["means"]
        return
    said = [line.split("\t") for line in without_assay(result.folder / "export", *inputs)]
    assert len(said) == len(expected)
    for line, row in zip(said, expected, strict=True):
        if isinstance(row["prediction"], str):
            assert line[1] == row["prediction"]
        else:
            assert float(line[1]) == pytest.approx(row["prediction"], rel=1e-5)


def test_csv_of_an_export_has_a_column_for_each_class(run, picture, capsys):
    capsys.readouterr()
    assert main(["predict", str(run / "export"), str(picture), "--format", "csv"]) == 0
    found = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert list(found[0]) == ["id", "prediction", "probability", *(f"p({digit})" for digit in range(10))]

"""What is refused before torch is loaded, and by which rule."""

from __future__ import annotations

import json

import pytest

from assay.distillation.teacher_files import check, check_ensemble, check_wandb
from assay.errors import ConfigError
from assay.preflight import compose


def artifact(folder, kind="class", names=("a", "b", "c")):
    (folder / "artifact").mkdir(parents=True)
    label = {"kind": kind, "size": len(names) if kind != "number" else None, "names": list(names)}
    (folder / "artifact" / "artifact.json").write_text(json.dumps({"spec": {"label": label}}))
    (folder / "artifact" / "weights.safetensors").write_bytes(b"")
    return folder


@pytest.mark.parametrize("kind", ["class", "labels", "number"])
def test_a_teacher_says_what_it_answers_with(tmp_path, kind):
    run = artifact(tmp_path / "run", kind)
    assert check({"run": str(run)}) == {f"teaches_{kind}"}
    assert check_ensemble({"runs": [str(run), str(run)]}) == {f"teaches_{kind}"}


def test_what_is_no_finished_run_is_refused(tmp_path):
    (tmp_path / "unfinished").mkdir()
    (tmp_path / "unfinished" / "config.yaml").write_text("")
    for run, said in (("nowhere", "not a run folder"), (tmp_path / "unfinished", "did not finish")):
        with pytest.raises(ConfigError, match=said):
            check({"run": str(run)})
        with pytest.raises(ConfigError, match=said):
            check_ensemble({"runs": [str(run)]})
    broken = artifact(tmp_path / "broken")
    (broken / "artifact" / "artifact.json").write_text("{}")
    with pytest.raises(ConfigError, match=r"distillation.teacher.run=.*artifact.json cannot be read"):
        check({"run": str(broken)})
    for runs in ([], "a"):
        with pytest.raises(ConfigError, match="names no run: write"):
            check_ensemble({"runs": runs})


def test_an_ensemble_of_other_answers_is_refused(tmp_path):
    a, b, c = (
        artifact(tmp_path / "a"),
        artifact(tmp_path / "b", names=("a", "b", "d")),
        artifact(tmp_path / "c", "number"),
    )
    with pytest.raises(ConfigError, match=r"a answers with 3 class \(a, b, c\), .*b with 3 class \(a, b, d\)"):
        check_ensemble({"runs": [str(a), str(b)]})
    with pytest.raises(ConfigError, match="with a number: name runs on the same data"):
        check_ensemble({"runs": [str(a), str(c)]})


def test_a_wandb_artifact_on_this_disk_needs_no_network(tmp_path):
    folder = tmp_path / "wandb" / "team" / "assay" / "model-1" / "v0"
    made = artifact(tmp_path / "run")
    folder.parent.mkdir(parents=True)
    (made / "artifact").rename(folder)
    assert check_wandb({"artifact": "team/assay/model-1:v0", "root": str(tmp_path)}) == {"teaches_class"}


METHODS = ["kd", "fitnets", "dkd"]


@pytest.mark.parametrize("method", METHODS)
def test_a_teacher_of_another_kind_of_answer_is_refused(tmp_path, method):
    run = artifact(tmp_path / "run", "number")
    words = ["data=digits", "model=cnn", f"distillation={method}", f"distillation.teacher.run={run}"]
    with pytest.raises(ConfigError, match=f"distillation={method} learns classes here, and its teacher has none"):
        compose(words)


def test_a_number_and_labels_are_taught_by_their_like(tmp_path):
    number, classes = artifact(tmp_path / "number", "number"), artifact(tmp_path / "classes")
    words = ["data=diabetes", "distillation=kd"]
    assert compose([*words, f"distillation.teacher.run={number}"]).config["distillation"]["temperature"] == 20
    with pytest.raises(ConfigError, match="learns a number here, and its teacher has none"):
        compose([*words, f"distillation.teacher.run={classes}"])
    with pytest.raises(ConfigError, match="distillation=dkd parts the label's class from the others"):
        compose(["data=diabetes", "distillation=dkd", f"distillation.teacher.run={number}"])
    assert compose([*words, "distillation/teacher=self"])


def test_layers_of_an_ensemble_are_refused(tmp_path):
    run = artifact(tmp_path / "run")
    for method in ("fitnets", "attention_transfer"):
        words = ["model=cnn", f"distillation={method}", "distillation/teacher=ensemble"]
        with pytest.raises(ConfigError, match="an ensemble has several of each: use distillation/teacher=checkpoint"):
            compose([*words, f"distillation.teacher.runs=[{run}]"])


def test_attention_needs_places(tmp_path):
    words = ["distillation=attention_transfer", "distillation/teacher=self"]
    with pytest.raises(ConfigError, match="this one has no pixels or positions"):
        compose(["model=mlp", *words])
    with pytest.raises(ConfigError, match="some of which are padding"):
        compose(["data=char_contains", "model=lstm", *words])
    assert compose(["model=lstm", *words])
    assert compose(["model=student", *words])

"""``experiment=``: every one composes, what is typed wins, and a clash names the experiment that chose it."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

import assay
from assay.composition.compose import composer_of
from assay.composition.experiment import described, options, values
from assay.errors import ConfigError
from assay.preflight import check

COMPOSER = composer_of()
EXPERIMENTS = list(COMPOSER.catalogue.groups["experiment"])
NEEDED = {"hinton_distilled": ["distillation.teacher.run=TEACHER"]}
LONG = ("fashion_mnist_augmented",)


@pytest.fixture
def everything_there(monkeypatch):
    """As if all data had been downloaded."""
    for name in (
        "adult",
        "atis",
        "atis_tables",
        "conll2000",
        "fashion_mnist",
        "mnist",
        "mr",
        "ptb",
        "tiny_shakespeare",
        "trec",
    ):
        monkeypatch.setattr(f"assay.data.sources.{name}.check", lambda config: set())


def point(*words):
    (found,) = check([*words, "logger=none"])
    return found.config


def needed(name, run):
    return [word.replace("TEACHER", str(run)) for word in NEEDED.get(name, [])]


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_it_composes_to_what_its_file_says(name, everything_there, digits_run):
    config = point(f"experiment={name}", *needed(name, digits_run.folder))
    for key, value in values(name, COMPOSER).items():
        node = config
        for part in key.split("."):
            node = node[part]
        assert node == value, key
    for group, option in options(name, COMPOSER).items():
        assert config["switches"][group] == option
    assert config["experiment"]["name"] == config["switches"]["experiment"] == name


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_its_header_has_the_paper_a_figure_and_its_command(name):
    option = COMPOSER.catalogue.groups["experiment"][name]
    text = option.path.read_text(encoding="utf-8")
    assert text.startswith("# @package _global_\n")
    assert option.published
    assert f"# python train.py experiment={name}" in text
    assert option.ours or "not run here" in text
    assert {one.metric for one in option.ours} <= {one.metric for one in option.published}


def test_what_is_typed_wins_over_the_experiment_and_that_over_the_data(everything_there):
    config = point("experiment=textcnn_mr", "optim.lr=0.5", "model.dropout=0", "data.folds=5", "optim=sgd")
    assert (config["optim"]["lr"], config["model"]["dropout"], config["data"]["folds"]) == (0.5, 0, 5)
    assert config["switches"]["optim"] == "sgd"
    assert point("experiment=textcnn_mr", "optim=sgd")["optim"]["lr"] == 0.001  # it sets the rate, whoever takes it
    assert point("experiment=textcnn_mr", "constraint=none")["switches"]["constraint"] == "none"
    assert point("experiment=adult", "model=linear")["switches"]["model"] == "linear"
    listed = point("experiment=hinton_teacher", "augment=[crop,erasing]")
    assert listed["switches"]["augment"] == "[crop,erasing]"
    assert "experiment" not in point("model=mlp")


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (
            ["model=linear"],
            "experiment=textcnn_mr sets model.dropout, which model=linear has not: leave model=linear out, or write "
            "the settings that you want instead of experiment=textcnn_mr",
        ),
        (
            ["data=digits", "model=lstm"],
            "experiment=textcnn_mr sets stem.sequence.size, which stem=image has not: leave data=digits and model=lstm "
            "out, or write the settings that you want instead of experiment=textcnn_mr",
        ),
        (
            ["trainer=fsdp"],
            "constraint=max_norm bounds whole rows, of which trainer=fsdp leaves each process a part: use trainer=ddp "
            "(constraint=max_norm comes from experiment=textcnn_mr)",
        ),
        (
            ["normalization=batch"],
            "normalization=batch reaches nothing: model=textcnn has no normalization; use model=cnn, highway, mlp, "
            "resnet, student or vgg16 (model=textcnn comes from experiment=textcnn_mr)",
        ),
        (["optim.lr=-1"], "optim.lr=-1 is outside its range: lr > 0"),  # typed, so nobody else is named
        (["model=lstmm"], None),
    ],
)
def test_a_clash_names_the_experiment_that_chose_it(words, line, everything_there):
    with pytest.raises(ConfigError) as refused:
        check(["experiment=textcnn_mr", "logger=none", *words])
    if line is not None:
        assert str(refused.value) == line
    else:
        assert "experiment" not in str(refused.value)


def test_a_part_that_only_the_replaced_model_took_is_refused_with_its_origin(everything_there):
    with pytest.raises(ConfigError) as refused:
        check(["experiment=fashion_mnist_2conv_bn", "model=linear", "logger=none"])
    assert "normalization=batch reaches nothing" in str(refused.value)
    assert str(refused.value).endswith("(normalization=batch comes from experiment=fashion_mnist_2conv_bn)")


def test_an_own_experiment_is_checked_as_a_command_is(tmp_path):
    """Values of a user's file meet the types and ranges of what they set."""
    folder = tmp_path / "conf" / "experiment"
    folder.mkdir(parents=True)
    body = {"defaults": [{"override /model": "mlp"}], "model": {"hidden_sizes": 3}}

    def refusal():
        (folder / "mine.yaml").write_text(f"# @package _global_\n# Mine.\n{yaml.safe_dump(body)}")
        with pytest.raises(ConfigError) as refused:
            check(["--config-dir", str(tmp_path / "conf"), "experiment=mine", "logger=none"])
        return str(refused.value)

    assert refusal().startswith("model.hidden_sizes=3 needs a list of values")
    assert refusal().endswith("(model.hidden_sizes comes from experiment=mine)")
    body["model"] = {"hidden_sises": [3]}
    assert refusal().startswith("experiment=mine sets model.hidden_sises, which model=mlp has not")
    body["model"] = {"dropout": 1.5}
    assert "dropout >= 0 and dropout < 1 (model.dropout comes from experiment=mine)" in refusal()


def test_several_experiments_are_points_of_one_command(everything_there):
    found = check(["-m", "experiment=adult,fashion_mnist_mlp", "seed=0,1", "logger=none"])
    assert [one.config["switches"]["data"] for one in found] == ["adult", "adult", "fashion_mnist", "fashion_mnist"]


def test_what_a_run_keeps_is_plain():
    kept = described({"experiment": "textcnn_mr"}, COMPOSER.catalogue)["experiment"]
    assert yaml.safe_load(yaml.safe_dump(kept)) == kept
    assert kept["published"][0]["value"] == 0.761
    assert (kept["options"]["model"], kept["values"]["optim.lr"]) == ("textcnn", 0.001)
    assert described({"model": "mlp"}, COMPOSER.catalogue) == {}


@pytest.mark.slow
@pytest.mark.parametrize("name", EXPERIMENTS)
def test_it_trains_two_steps_and_gives_its_verdict(name, tmp_path, data_dir, digits_run, capsys):
    words = [f"experiment={name}", "debug=fast", f"outputs={tmp_path}", "logger=none", f"data_dir={data_dir}"]
    if name.startswith("hinton") and not Path(data_dir, "MNIST").is_dir():
        words.append("data=fashion_mnist")  # of the same sizes
    teacher = digits_run.folder
    if name in NEEDED:
        teacher = assay.train("data=fashion_mnist", "model=mlp", *words[1:]).folder
    run = assay.train(*words, *needed(name, teacher))
    (first, *_) = run.summary["verdicts"]
    metric = COMPOSER.catalogue.groups["experiment"][name].published[0].metric
    assert (first["experiment"], first["metric"]) == (name, metric)
    assert first["ours"] == run.summary[metric]
    assert "debug=fast" in first["changed"]
    assert f"experiment={name}: {metric}" in capsys.readouterr().out

"""What a chain's settings make of a command: its stages, and the orders and settings that are refused in one line."""

from __future__ import annotations

import json

import pytest

from assay.composition.compose import composer_of
from assay.errors import ConfigError
from assay.loops import start
from assay.loops.chain import Chain
from assay.loops.plan import joined, words
from assay.preflight import check, compose

ALL = ["train", "distil", "slim", "finetune", "quantize", "export"]


def own(chain: Chain, *overrides: str) -> dict[str, tuple[str, ...]]:
    return {stage.name: stage.own for stage in chain.plan(list(overrides), 0)}


def whole(chain: Chain, name: str, *overrides: str) -> tuple[str, ...]:
    return next(stage.overrides for stage in chain.plan(list(overrides), 0) if stage.name == name)


def test_each_stage_begins_with_the_one_before_it():
    assert own(Chain(ALL, student="student")) == {
        "1-train": (),
        "2-distil": ("model=student", "distillation=kd", "distillation.teacher.run=<1-train>"),
        "3-slim": ("init_from=<2-distil>", "compression=structured", "compression.ratio=0.5"),
        "4-finetune": ("init_from=<3-slim>", "compression=none"),
        "5-quantize": (
            *("init_from=<4-finetune>", "compression=none", "distillation=none", "trainer.max_epochs=0"),
            *("quantization=int8", "quantization.mode=static"),
        ),
        "6-export": (),
    }


def test_a_stage_keeps_what_those_before_it_said_but_not_of_another_model():
    chain = Chain(ALL, student="student", distil=["model.width_mult=2", "distillation.alpha=0.9"])
    typed = ["compression=chain", "compression.student=student", "model=cnn", "model.channels=[8]", "optim.lr=0.1"]
    slim = whole(chain, "3-slim", *typed)
    assert {"model=student", "model.width_mult=2", "distillation.alpha=0.9", "optim.lr=0.1"} <= set(slim)
    assert not any(one.startswith(("model.channels", "compression.student", "compression=chain")) for one in slim)
    quantized = whole(chain, "5-quantize", *typed)
    assert "model.width_mult=2" in quantized
    assert not any(one.startswith("distillation.") for one in quantized)


def test_rounds_share_the_ratio():
    chain = Chain(["train", "slim", "quantize"], pruning="slimming", ratio=0.75, rounds=2)
    stages = own(chain)
    assert list(stages) == ["1-train", "2-slim", "3-slim", "4-quantize"]
    assert stages["1-train"] == ("regularization=scales",)
    assert stages["2-slim"] == ("init_from=<1-train>", "compression=slimming", "compression.ratio=0.5")
    assert stages["3-slim"][:2] == ("init_from=<2-slim>", "regularization=none")


def test_a_teacher_takes_the_place_of_train():
    chain = Chain(["train", "distil", "quantize"], teacher="some/run")
    stages = chain.plan(["init_from=other", "model=mlp"], 0)
    assert [stage.name for stage in stages] == ["1-distil", "2-quantize"]
    assert stages[0].after == ("some/run",)
    assert not any(one.startswith("init_from=other") for stage in stages for one in stage.overrides)


def test_the_weights_that_were_typed_begin_the_first_stage_alone():
    stages = Chain(["train", "distil", "quantize"]).plan(["init_from=other"], 0)
    assert ["init_from=other" in stage.overrides for stage in stages] == [True, False, False]


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ({"stages": ["slim", "train"]}, "train cannot follow slim; the order is train → distil → slim"),
        ({"stages": ["train", "prune"]}, "prune is no stage; possible are train, distil, slim, finetune"),
        ({"stages": ["train", "slim", "finetune", "quantize", "quantize"]}, "quantize cannot follow quantize"),
        ({"stages": ["distil", "quantize"]}, "starts from nothing: begin with train, or give compression.teacher=RUN"),
        ({"stages": ["train", "export"]}, "makes nothing smaller: add distil, slim or quantize"),
        ({"stages": []}, "compression.stages is empty"),
        ({"stages": ["train", "quantize"], "slim": ["optim.lr=1"]}, r"compression.slim=\[optim.lr=1\] reaches nothing"),
        ({"stages": ["train", "slim"], "student": "student"}, "is trained by the stage distil, which"),
        ({"stages": ["train", "slim"], "max_bytes": 9}, "a budget searches students and precisions; keep distil"),
        ({"stages": ["train", "slim"], "train": ["fast"]}, "compression.train: 'fast' is not key=value"),
        ({"stages": ["train", "slim"], "train": ["data=iris"]}, "compression.train: data is of the whole loop"),
    ],
)
def test_refusals(settings, line):
    with pytest.raises(ConfigError, match=line):
        Chain(**settings)


@pytest.mark.parametrize(
    ("command", "line"),
    [
        ("model=mlp quantization=int8", "quantises in a stage of its own: write compression.quantization=int8"),
        ("model=mlp compression.pruning=slimming", "stage 2-distil: regularization=scales .*normalization=batch"),
        ("model=mlp compression.distil=[model.width_mult=2]", "stage 2-distil: model.width_mult is not a key"),
        ("model=mlp compression.student=nothing", "stage 2-distil: model=nothing is not an option; model is one"),
        ("model=mlp compression.teacher=/not/there", "/not/there is not a run folder or artifact"),
        ("model=mlp compression.quantization=int3", "compression.quantization=int3 is none of fp16"),
        ("model=mlp compression.stages=[train,slim] compression.slim=[optim.lr=fast]", "stage 2-slim: optim.lr=fast"),
    ],
)
def test_all_stages_are_checked_before_the_first(command, line):
    with pytest.raises(ConfigError, match=line):
        compose(["compression=chain", *command.split()])


def test_lists_of_overrides_need_no_quotes():
    point = compose(
        ["compression=chain", "model=mlp", "compression.train=[augment=[],model.hidden_sizes=[8,4],seed=3]"]
    )
    assert point.config["compression"]["train"] == ["augment=[]", "model.hidden_sizes=[8,4]", "seed=3"]


SWEPT = [
    "compression=chain",
    "model=mlp",
    "compression.stages=[train,slim]",
    "compression.ratio=0.3,0.6",
    "logger=none",
]


def test_each_point_of_a_sweep_is_a_whole_chain():
    """What is swept may be of the chain (``compression.…``) or of all its stages."""
    points = check(["-m", *SWEPT, "seed=0,1"])
    told = [{one.name: one.own for one in start.stages_of(point.config, point.overrides)} for point in points]
    assert [list(stages) for stages in told] == [["1-train", "2-slim"]] * 4
    assert [stages["2-slim"][-1] for stages in told] == [f"compression.ratio={ratio}" for ratio in (0.3, 0.3, 0.6, 0.6)]
    every = [one for point in points for one in start.stages_of(point.config, point.overrides)]
    assert [next(word for word in one.overrides if word.startswith("seed=")) for one in every] == [
        f"seed={seed}" for seed in (0, 0, 1, 1) * 2
    ]


def test_a_point_that_is_no_chain_is_refused_before_any_begins():
    with pytest.raises(ConfigError, match=r"compression.ratio=1.5"):
        check(["-m", *SWEPT, "compression.ratio=0.3,1.5"])


@pytest.mark.slow
def test_two_points_share_the_stages_that_are_the_same(tmp_path, monkeypatch):
    """As a sweep runs them, each in its folder; the second begins with the teacher that the first has trained."""
    monkeypatch.setattr("assay.environment.source_digest", lambda: "source")  # which somebody may edit meanwhile
    short = ["trainer=cpu", "trainer.max_epochs=1", "+trainer.limit_train_batches=4", f"outputs={tmp_path}"]
    places = [tmp_path / "sweeps" / "grid" / str(number) for number in range(2)]
    for point, place in zip(check(["-m", *SWEPT, *short]), places, strict=True):
        place.mkdir(parents=True)
        start.run(point.config, list(point.overrides), place, composer_of())
    first, second = (json.loads((place / "chain.json").read_text()) for place in places)
    assert [row["stage"] for row in first["rows"]] == [row["stage"] for row in second["rows"]] == ["1-train", "2-slim"]
    mark = json.loads((places[1] / "stages" / "1-train" / "stage.json").read_text())
    assert (places[1] / mark["taken_from"]).resolve() == places[0] / "stages" / "1-train"
    assert first["rows"][1]["parameters"] > second["rows"][1]["parameters"]


def test_a_choice_takes_what_was_said_of_the_one_before_it():
    before = ["model=cnn", "model.pool=max", "optim.lr=1"]
    assert joined(before, ["model=mlp"]) == ["optim.lr=1", "model=mlp"]
    assert joined(before, ["model=cnn"]) == ["model.pool=max", "optim.lr=1", "model=cnn"]
    assert joined(before, ["optim.lr=2"]) == ["model=cnn", "model.pool=max", "optim.lr=2"]
    assert words(["~model.x", "+a.b=1"], "k") == ["~model.x", "+a.b=1"]

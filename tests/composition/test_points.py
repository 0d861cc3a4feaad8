"""What a command line with ``-m`` means: points, conditions, and all refusals together."""

from __future__ import annotations

from pathlib import Path

import pytest

from assay.errors import ConfigError
from assay.preflight import check


def overrides(*argv: str) -> list[str]:
    return [" ".join(point.overrides) for point in check(argv)]


def refusals(*argv: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        check(argv)
    return str(caught.value).splitlines()


def test_the_product_of_all_axes_in_order():
    assert overrides("-m", "model=lstm,mlp", "seed=range(0,2)", "optim.lr=0.1") == [
        "model=lstm seed=0 optim.lr=0.1",
        "model=lstm seed=1 optim.lr=0.1",
        "model=mlp seed=0 optim.lr=0.1",
        "model=mlp seed=1 optim.lr=0.1",
    ]


def test_flags_stand_anywhere():
    assert overrides("model=lstm", "-m", "seed=0,1") == overrides("--multirun", "model=lstm", "seed=0,1")


def test_choice_glob_and_lists():
    assert overrides("-m", "optim=choice(adam,sgd)") == ["optim=adam", "optim=sgd"]
    assert overrides("-m", "optim=glob(ad*)", "model=mlp") == [
        f"optim={path.stem} model=mlp"
        for path in sorted(Path(__file__).parents[2].joinpath("conf/optim").glob("ad*.yaml"))
    ]
    assert overrides("-m", "callbacks=[],[grad_norm]") == ["callbacks=[]", "callbacks=[grad_norm]"]
    assert overrides("-m", "model=mlp", "model.hidden_sizes=[8],[8,4]")[1] == "model=mlp model.hidden_sizes=[8,4]"


def test_a_point_is_made_once():
    assert len(overrides("-m", "seed=1,1,2")) == 2


def test_a_key_under_a_condition_applies_where_its_option_is_chosen():
    assert overrides("-m", "model=lstm,mlp", "lstm.model.hidden_size=4,8") == [
        "model=lstm model.hidden_size=4",
        "model=lstm model.hidden_size=8",
        "model=mlp",
    ]
    assert overrides("lstm.model.hidden_size=4") == ["model.hidden_size=4"]
    assert overrides("adam.optim.lr=0.01", "lstm.model.num_layers=2") == ["optim.lr=0.01 model.num_layers=2"]


def test_a_condition_that_never_holds_is_refused():
    (line,) = refusals("-m", "model=lstm,mlp", "cnn.model.kernel_size=3")
    assert "no point has model=cnn" in line
    (line,) = refusals("cnn.model.kernel_size=3")
    assert "no point has model=cnn" in line


def test_a_condition_with_a_wrong_key_is_refused():
    (line,) = refusals("lstm.model.hiden_size=3")
    assert "did you mean model.hidden_size?" in line
    (line,) = refusals("lstm.optim.lr=3")
    assert "lstm.model.KEY" in line


def test_all_refusals_come_together_each_once():
    lines = refusals("-m", "model=lstm,bag,mlp", "optim.lr=0.1,-1", "seed=0,1")
    assert len(lines) == 2
    assert lines[0].startswith("optim.lr=-1 is outside")
    assert "(6 of 12 points)" in lines[0] or "(4 of 12 points)" in lines[0]
    assert lines[1].startswith("model=bag reads ids")


def test_misspelt_arguments_come_together_too():
    lines = refusals("-m", "model=lstn", "optim=adm,sgd")
    assert [line.partition(" ")[0] for line in lines] == ["model=lstn", "optim=adm"]


def test_a_key_that_some_points_lack_names_the_condition():
    (line,) = refusals("-m", "model=lstm,mlp", "model.hidden_size=4")
    assert "write lstm.model.hidden_size=… for the points with model=lstm alone" in line


@pytest.mark.parametrize(
    ("argument", "said"),
    [
        ("optim.lr=interval(0,1)", "an interval has no end of values"),
        ("seed=range(1,1)", "names no value at all"),
        ("hydra.job.name=a,b", "has one value in a sweep"),
    ],
)
def test_sweeps_that_are_none(argument, said):
    assert said in refusals("-m", argument)[0]


def test_options_are_composed_once_and_numbers_are_applied_to_it(monkeypatch):
    from assay.composition.compose import Composer

    composer = Composer()
    loads = []
    load = composer.loader.load_configuration
    monkeypatch.setattr(composer.loader, "load_configuration", lambda *a, **k: loads.append(a) or load(*a, **k))
    from assay.preflight import points

    found = points(["model=lstm,mlp", "seed=range(0,20)"], composer, multirun=True)
    assert (len(found), len(loads)) == (40, 2)
    assert [point.config["seed"] for point in found[:3]] == [0, 1, 2]

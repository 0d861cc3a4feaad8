"""Which switch mattered: known effects are found within their intervals, and what cannot be told apart is named."""

from __future__ import annotations

import random
import time

import pytest

from assay.preflight import check
from assay.review.effects import effects, sentence
from assay.review.importance import importance
from assay.sweeps.tables.cells import groups
from assay.sweeps.tables.comparison import t_quantile
from tests.sweeps.made_cells import make, read

KNOWN = {
    "model": {"mlp": 0.0, "linear": -0.06, "cnn": 0.04},
    "optim": {"adam": 0.0, "sgd": -0.02},
    "normalization": {"none": 0.0, "batch": 0.015},
    "scaling": {"none": 0.0, "standard": 0.0},
    "optim.lr": {"0.001": 0.0, "0.01": 0.01},
}
"""What each value adds. ``scaling`` does nothing; ``init`` and ``activation`` always change together, and add 0.03."""


def score(settings, seed, source):
    value = 0.7 + sum(KNOWN[key][chosen] for key, chosen in settings.items() if key in KNOWN)
    value += 0.03 * (settings.get("init") == "orthogonal")
    return value + random.Random(seed).gauss(0, 0.01) + source.gauss(0, 0.004)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """300 runs: 100 of 192 combinations, with three seeds each; init and activation confounded."""
    place = tmp_path_factory.mktemp("known")
    source = random.Random(7)
    combinations = [{}]
    for key, values in {**KNOWN, "pair": {"a": 0, "b": 0}, "clip": {"none": 0, "norm": 0}}.items():
        combinations = [{**one, key: value} for one in combinations for value in values]
    for number, settings in enumerate(source.sample(combinations, 100)):
        settings = dict(settings)
        both = settings.pop("pair") == "b"
        settings |= {"init": "orthogonal", "activation": "tanh"} if both else {"init": "default", "activation": "relu"}
        for seed in range(3):
            made = score(settings, seed, source)
            scores = {"val/accuracy": made, "test/accuracy": made + source.gauss(0, 0.01)}
            make(place / f"{number}-{seed}", settings, seed=seed, scores=scores)
    return place


@pytest.fixture(scope="module")
def group(runs):
    (found,), apart = groups(read(runs))
    assert apart == []
    assert len(found.runs) == 300
    return found


def test_known_effects_lie_within_their_intervals(group):
    found = {one.name: one for one in effects(group)}
    inside = []
    for key, values in KNOWN.items():
        one = found[key]
        assert sum(one.runs.values()) == 300
        for contrast in one.contrasts:
            truth = values[contrast.second] - values[contrast.first]
            assert contrast.difference.half < 0.006
            assert contrast.difference.count == 3 * contrast.contexts
            inside.append(abs(contrast.difference.mean - truth) <= contrast.difference.half)
    assert len(inside) == 6
    assert all(inside)


def test_the_confounded_pair_is_named(group):
    (pair,) = (one for one in effects(group) if len(one.keys) > 1)
    assert set(pair.keys) == {"init", "activation"}
    assert len(pair.contrasts) == 1
    (contrast,) = pair.contrasts
    sign = 1 if "orthogonal" in contrast.second else -1
    assert abs(sign * contrast.difference.mean - 0.03) <= contrast.difference.half
    assert "always changed together" in sentence(pair, "val/accuracy")
    assert "init=default,orthogonal" in pair.command
    assert "activation=relu,tanh" in pair.command


def test_the_largest_first(group):
    names = [one.name for one in effects(group)]
    assert names[0] == "model"
    assert set(names[-2:]) == {"scaling", "clip"}, "what does nothing"


def test_a_value_without_effect_is_not_said_to_differ(group):
    (one,) = (one for one in effects(group) if one.name == "scaling")
    assert not one.contrasts[0].differs


def test_the_fitted_importance_agrees(group):
    found = effects(group)
    fitted = importance(group, found)
    assert fitted.refused == ""
    assert fitted.fit > 0.5
    names = list(fitted.shares)
    assert names[0] == "model"
    assert fitted.shares["model"] > 10 * abs(fitted.shares["scaling"])
    assert set(next(name for name in names if " + " in name).split(" + ")) == {"init", "activation"}


def test_an_importance_of_noise_is_refused(tmp_path):
    source = random.Random(0)
    for number in range(24):
        settings = {"model": "abc"[number % 3], "optim": "xy"[number // 3 % 2], "clip": "pqrs"[number // 6]}
        make(tmp_path / str(number), settings, scores={"val/accuracy": source.random()})
    (group,), _ = groups(read(tmp_path))
    fitted = importance(group, effects(group))
    assert fitted.fit <= 0
    assert fitted.shares == {}
    assert "the fit explains nothing (R² = -" in fitted.refused


def test_too_few_cells_for_a_fit(tmp_path):
    for number in range(4):
        make(tmp_path / str(number), {"model": str(number)}, scores={"val/accuracy": number / 10})
    (group,), _ = groups(read(tmp_path))
    assert importance(group, effects(group)).refused == "4 cells are too few to fit importances; 12 are needed"


def cross(place, cells, seeds, value):
    for number, settings in enumerate(cells):
        for seed in range(seeds):
            scores = {"val/accuracy": value(settings, seed)}
            make(place / f"{number}-{seed}", settings, seed=seed, scores=scores)
    (group,), _ = groups(read(place))
    return group


def test_contexts_are_the_unit_where_they_are_more(tmp_path):
    """By hand: four contexts of one seed each."""
    cells = [{"model": model, "optim": optim} for model in "abcd" for optim in ("adam", "sgd")]
    falls = {"a": 0.1, "b": 0.2, "c": 0.1, "d": 0.4}
    group = cross(tmp_path, cells, 1, lambda one, _: 0.5 - (one["optim"] == "sgd") * falls[one["model"]])
    (optim,) = (one for one in effects(group) if one.name == "optim")
    (contrast,) = optim.contrasts
    difference = contrast.difference
    assert (contrast.first, contrast.second, contrast.contexts) == ("adam", "sgd", 4)
    assert difference.mean == pytest.approx(-0.2)
    deviation = (sum((fall - 0.2) ** 2 for fall in falls.values()) / 3) ** 0.5
    assert difference.half == pytest.approx(t_quantile(0.975, 3) * deviation / 2)
    assert (difference.over, difference.units, difference.count) == ("contexts", 4, 4)


def test_runs_of_one_context_do_not_count_as_many(tmp_path):
    """Ten seeds in each of four contexts, and an effect that depends on the context: forty pairs are four."""
    source = random.Random(0)
    cells = [{"model": model, "optim": optim} for model in "abcdefghijkl" for optim in ("adam", "sgd")]
    effect = {model: source.gauss(0.1, 0.1) for model in "abcdefghijkl"}
    group = cross(tmp_path, cells, 4, lambda one, _: (one["optim"] == "sgd") * effect[one["model"]])
    (optim,) = (one for one in effects(group) if one.name == "optim")
    difference = optim.contrasts[0].difference
    assert (difference.over, difference.units, difference.count) == ("contexts", 12, 48)
    naive = (sum((value - difference.mean) ** 2 for value in effect.values()) * 4 / 47 / 48) ** 0.5 * 2.01
    assert difference.half > 1.8 * naive


def test_seeds_are_the_unit_of_a_single_context(tmp_path):
    noise = [0.0, 0.02, 0.01, 0.03, 0.04]
    cells = [{"optim": "adam"}, {"optim": "sgd"}]
    group = cross(tmp_path, cells, 5, lambda one, seed: 0.5 + noise[seed] * (one["optim"] == "sgd"))
    difference = effects(group)[0].contrasts[0].difference
    assert (difference.over, difference.units, difference.count) == ("seeds", 5, 5)
    assert difference.mean == pytest.approx(0.02)
    assert difference.half == pytest.approx(t_quantile(0.975, 4) * 0.015811388 / 5**0.5)


def test_folds_are_corrected(tmp_path):
    for number in range(10):
        fold, optim = number // 2, ("adam", "sgd")[number % 2]
        scores = {"val/accuracy": 0.5 + fold / 100 * (number % 2)}
        make(tmp_path / str(number), {"optim": optim}, fold=fold, folds=5, scores=scores)
    (group,), _ = groups(read(tmp_path))
    difference = effects(group)[0].contrasts[0].difference
    assert difference.over == "folds"
    assert difference.half == pytest.approx(t_quantile(0.975, 4) * (1 / 5 + 1 / 4) ** 0.5 * 0.015811388)


def test_one_pair_has_no_interval(tmp_path):
    group = cross(tmp_path, [{"optim": "adam"}, {"optim": "sgd"}], 1, lambda one, _: 0.1 * (one["optim"] == "sgd"))
    (contrast,) = effects(group)[0].contrasts
    assert contrast.difference.half is None
    assert not contrast.differs


def test_a_switch_that_never_varied_alone_gets_its_command(tmp_path):
    """optim varies with model in part: neither has a pair, and they are not one either."""
    cells = [
        {"model": "mlp", "optim": "adam"},
        {"model": "linear", "optim": "sgd"},
        {"model": "lstm", "optim": "momentum"},
        {"model": "lstm", "optim": "momentum", "clip": "norm"},
        {"model": "rnn", "optim": "sgd"},
    ]
    for one in cells:
        one.setdefault("clip", "none")
    group = cross(tmp_path, cells, 3, lambda one, _: 0.9 if one["model"] == "mlp" else 0.5)
    found = {one.name: one for one in effects(group)}
    assert found["clip"].contrasts
    assert found["optim"].contrasts == []
    assert found["optim"].command == "assay train -m model=mlp clip=none optim=adam,momentum,sgd seeds=3"
    assert sentence(found["optim"], "val/accuracy").startswith("optim: never varied alone; assay train -m ")
    assert len(check(found["optim"].command.removeprefix("assay train ").split())) == 9


def test_what_an_option_chose_belongs_to_it(tmp_path):
    for number in range(6):
        optim, scheduler = (("sgd", "none"), ("adam", "onecycle"))[number % 2]
        made = {"val/accuracy": 0.5 + number % 2 / 10 + number / 1000}
        make(tmp_path / str(number), {"optim": optim}, seed=number // 2, followed={"scheduler": scheduler}, scores=made)
    (group,), _ = groups(read(tmp_path))
    (one,) = effects(group)
    assert (one.keys, one.along) == (("optim",), ("scheduler",))
    assert "scheduler changed with it" in sentence(one, "val/accuracy")


def test_tuned_keys_of_a_switch_are_part_of_it(tmp_path):
    """Each cell has its own best rate: no two differ in optim alone, but that is the comparison that was meant."""
    rates = {("mlp", "sgd"): "0.1", ("mlp", "adam"): "0.001", ("linear", "sgd"): "0.2", ("linear", "adam"): "0.002"}
    cells = [{"model": model, "optim": optim, "optim.lr": rate} for (model, optim), rate in rates.items()]
    group = cross(tmp_path, cells, 3, lambda one, seed: 0.5 + 0.1 * (one["optim"] == "sgd") + seed / 1000)
    (optim,) = (one for one in effects(group) if one.name == "optim")
    assert optim.contrasts[0].difference.mean == pytest.approx(0.1)
    assert optim.contrasts[0].contexts == 2
    assert optim.along == ("optim.lr",)


def test_equal_keys_of_a_switch_are_held_where_that_leaves_pairs(tmp_path):
    cells = [{"optim": optim, "optim.lr": rate} for optim in ("sgd", "adam") for rate in ("0.1", "0.01")]
    group = cross(tmp_path, cells, 2, lambda one, _: float(one["optim.lr"]))
    (optim,) = (one for one in effects(group) if one.name == "optim")
    assert optim.along == ()
    assert optim.contrasts[0].difference.mean == 0
    assert optim.contrasts[0].contexts == 2


def test_commands_are_pasted_whatever_was_typed(tmp_path):
    cells = [{"model": "mlp", "optim": "adam"}, {"model": "lstm", "optim": "sgd"}]
    for number, one in enumerate(cells):
        make(tmp_path / str(number), one, typed=["data.label='a, b'"], config={"data": {"label": "a, b"}})
    (group,), _ = groups(read(tmp_path))
    (one,) = effects(group)
    assert '''"data.label='a, b'"''' in one.command


@pytest.mark.slow
def test_five_hundred_runs_take_no_two_seconds(tmp_path):
    """Of one core's own time: other processes may share it."""
    source = random.Random(1)
    for number in range(500):
        settings = {
            "model": source.choice(("mlp", "lstm", "cnn")),
            "optim": source.choice(("sgd", "adam")),
            "clip": source.choice(("none", "norm")),
            "optim.lr": f"{10 ** source.uniform(-4, -1):.6f}",
            "init": source.choice(("a", "b", "c")),
        }
        made = 0.5 + 0.1 * (settings["model"] == "mlp") + source.gauss(0, 0.01)
        make(tmp_path / str(number), settings, scores={"val/accuracy": made})
    records = read(tmp_path)
    import sklearn.ensemble  # noqa: F401 (its import is nobody's)

    began = time.process_time()
    (group,), _ = groups(records)
    middle = time.process_time()
    found = effects(group)
    fitted = importance(group, found)
    seconds = middle - began, time.process_time() - middle
    assert fitted.shares
    assert sum(seconds) < 2, seconds

"""One rate of dropout for each layer: where each acts, that a number is the list its yaml says, and what is refused."""

from __future__ import annotations

import pytest
import torch

from assay.composition.compose import composer_of
from assay.errors import ConfigError
from assay.layers.random import Dropout, KeyedStreams
from assay.layers.rates import rates
from assay.preflight import compose
from tests.models.encoders import Case, batch
from tests.options import header

DATA = {"image": "data=digits", "vector": "data=digits", "sequence": "data=char_contains"}
COUNTS = {"cnn": 3, "highway": 11, "mlp": 1, "resnet": 4, "student": 4, "transformer": 3, "vgg16": 7}
NUMBER = {  # what a single rate of 0.5 is as a list
    "cnn": [0, 0, 0.5],
    "highway": [0] * 10 + [0.5],
    "mlp": [0.5],
    "resnet": [0, 0, 0, 0.5],
    "student": [0, 0, 0, 0.5],
    "transformer": [0.5, 0.5, 0.5],
    "vgg16": [0, 0, 0, 0, 0, 0.5, 0.5],
}
EVERY = pytest.mark.parametrize("name", COUNTS)


def encoder(name, dropout):
    kind = header("model", name)["reads"][0]
    case = Case(name, kind, (f"model.dropout={dropout}",))
    return case.build().train(), batch(case)


def out(made, x):
    with KeyedStreams(0).at(1):
        return made(*x).last


def test_every_model_that_takes_a_list_is_here():
    declared = {name for name, option in composer_of().catalogue.groups["model"].items() if option.counts}
    assert declared == set(COUNTS)


@EVERY
def test_each_place_acts_while_training_and_not_after(name):
    whole, x = encoder(name, [0.0] * COUNTS[name])
    silent = whole.eval()(*x).last
    plain = out(whole.train(), x)
    for place in range(COUNTS[name]):
        made, _ = encoder(name, [0.4 if place == i else 0.0 for i in range(COUNTS[name])])
        assert {module.p for module in made.modules() if isinstance(module, Dropout)} <= {0.0, 0.4}
        torch.testing.assert_close(made.eval()(*x).last, silent)  # first: training moves running statistics
        assert not torch.allclose(out(made.train(), x), plain), place


@EVERY
def test_a_number_is_the_list_that_the_yaml_says(name):
    number, x = encoder(name, 0.5)
    listed, _ = encoder(name, NUMBER[name])
    assert torch.equal(out(number, x), out(listed, x))
    assert list(number.state_dict()) == list(listed.state_dict())


@EVERY
def test_another_number_of_rates_is_refused_before_torch_and_by_the_model(name):
    words = [f"model={name}", DATA[header("model", name)["reads"][0]]]
    wrong = [0.1] * (COUNTS[name] + 1)
    shown = ",".join(["0.1"] * len(wrong))
    with pytest.raises(ConfigError) as refusal:
        compose([*words, f"model.dropout=[{shown}]"])
    told = f"model.dropout=[{shown}] has {len(wrong)} values; write one for all, or {COUNTS[name]}: a rate"
    assert str(refusal.value).startswith(told)
    assert compose([*words, f"model.dropout=[{','.join(['0.1'] * COUNTS[name])}]"])
    with pytest.raises(ConfigError, match=f"has {len(wrong)} rates for {COUNTS[name]} layers"):
        encoder(name, wrong)


def test_the_rates_follow_the_layers():
    assert compose(["model=mlp", "data=digits", "model.hidden_sizes=[9,8,7]", "model.dropout=[0.2,0.5,0.1]"])
    with pytest.raises(ConfigError, match="or 3: a rate for each hidden layer"):
        compose(["model=mlp", "data=digits", "model.hidden_sizes=[9,8,7]", "model.dropout=[0.2,0.5]"])
    with pytest.raises(ConfigError, match=r"outside its range"):
        compose(["model=mlp", "data=digits", "model.dropout=[1.5]"])
    with pytest.raises(ConfigError, match="dropout=half needs a number"):
        compose(["model=mlp", "data=digits", "model.dropout=half"])


def test_rates():
    assert rates(0.3, [False, True]) == [0, 0.3]
    assert rates([0.1, 0.2], [False, True]) == [0.1, 0.2]

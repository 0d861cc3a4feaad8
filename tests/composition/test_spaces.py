"""Hydra's words for spaces, as dimensions."""

from __future__ import annotations

import pytest

from assay.composition.compose import composer_of
from assay.composition.spaces import Dimension, choices_of, split
from assay.errors import ConfigError

COMPOSER = composer_of()


def one(word: str) -> Dimension:
    (found,), rest = split([word], COMPOSER)
    assert rest == []
    return found


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("optim.lr=interval(0.1,1)", Dimension("optim.lr", 0.1, 1.0)),
        ("optim.lr=tag(log,interval(1e-4,1))", Dimension("optim.lr", 1e-4, 1.0, log=True)),
        ("model.hidden_size=int(interval(8,64))", Dimension("model.hidden_size", 8, 64, whole=True)),
        ("model.hidden_size=tag(log,int(interval(8,64)))", Dimension("model.hidden_size", 8, 64, whole=True, log=True)),
        ("model.num_layers=range(1,4)", Dimension("model.num_layers", 1, 3, whole=True)),
        ("data.batch_size=range(16,65,16)", Dimension("data.batch_size", 16, 64, whole=True, step=16)),
        ("model.hidden_size=tag(log,range(1,65))", Dimension("model.hidden_size", 1, 64, whole=True, log=True)),
        ("model.dropout=range(0,0.4,0.2)", Dimension("model.dropout", choices=("0.0", "0.2"))),
        ("model.dropout=choice(0.0,0.2)", Dimension("model.dropout", choices=("0.0", "0.2"))),
        ("optim=sgd,adam", Dimension("optim", choices=("sgd", "adam"))),
        ("augment=[flip],[]", Dimension("augment", choices=("[flip]", "[]"))),
        (
            "momentum.optim.momentum=interval(0.5,0.9)",
            Dimension("momentum.optim.momentum", 0.5, 0.9, condition=("optim", "momentum")),
        ),
    ],
)
def test_each_word_is_a_dimension(word, expected):
    assert one(word) == expected


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("optim.lr=interval(1,0.1)", "its first end must be the lower one"),
        ("optim.lr=tag(log,interval(0,0.1))", "a logarithm needs ends above 0"),
        ("model.num_layers=range(3,3)", "is empty"),
        ("hydra.verbose=true,false", "has one value in a sweep"),
    ],
)
def test_what_cannot_be_drawn_from_is_refused(word, said):
    with pytest.raises(ConfigError, match=said):
        one(word)


def test_the_ends_and_the_shares_of_the_way():
    rate, size = one("optim.lr=tag(log,interval(0.001,1))"), one("model.hidden_size=range(1,4)")
    assert [rate.text(rate.at(share)) for share in (0.0, 1 / 3, 2 / 3, 1.0)] == ["0.001", "0.01", "0.1", "1"]
    assert rate.ends() == [0.001, 1.0]
    assert [size.at(place / 300) for place in range(300)] == [1] * 100 + [2] * 100 + [3] * 100
    assert [one("optim=sgd,adam").at(share) for share in (0.0, 0.49, 0.5, 1.0)] == ["sgd", "sgd", "adam", "adam"]
    wide = one("model.hidden_size=tag(log,int(interval(1,8)))")
    assert {wide.at(place / 999) for place in range(1000)} == set(range(1, 9))
    assert (wide.size, rate.size, size.size) == (8, float("inf"), 3)


def test_only_what_is_asked_for_is_taken_out_and_the_last_of_a_key_counts():
    words = ["optim=sgd,adam", "optim.lr=interval(0.1,1)", "seed=0,1", "data=digits", "optim.lr=0.1,0.2"]
    dimensions, rest = split(words, COMPOSER, lambda key: key == "optim.lr")
    assert dimensions == [Dimension("optim.lr", choices=("0.1", "0.2"))]
    assert rest == ["optim=sgd,adam", "seed=0,1", "data=digits"]
    assert split(["optim.lr=interval(0.1,1)", "optim.lr=0.5"], COMPOSER) == ([], ["optim.lr=0.5"])


def test_a_condition_is_a_choice_of_the_command():
    assert choices_of(["optim=momentum", "data=digits"], COMPOSER)["optim"] == "momentum"
    assert one("momentum.optim.momentum=interval(0.5,0.9)").override(0.7) == "optim.momentum=0.7"

"""Constructors read without importing, against what Python says of them when imported."""

from __future__ import annotations

import ast
import importlib
import inspect

import pytest

from assay.composition.signatures import describe, fits, like, parameters

TARGETS = [
    "torch.optim.Adam",
    "torch.optim.SGD",
    "torch.nn.ELU",
    "torch.nn.init.kaiming_normal_",
    "torch.optim.lr_scheduler.OneCycleLR",
    "torch.optim.lr_scheduler.ReduceLROnPlateau",
    "assay.models.lstm.LSTM",
    "assay.models.transformer.Transformer",
    "assay.data.text_csv.TextCSV",
    "assay.data.digits.Digits",
    "assay.layers.initialization.normal",
]


@pytest.mark.parametrize("target", TARGETS)
def test_names_order_and_defaults_are_those_of_the_import(target):
    module, _, name = target.rpartition(".")
    expected = inspect.signature(getattr(importlib.import_module(module), name)).parameters
    found = parameters(target)
    assert found is not None
    assert list(found) == list(expected)
    for key, parameter in expected.items():
        assert found[key].required == (parameter.default is inspect.Parameter.empty)


@pytest.mark.parametrize("target", ["nowhere.At", "torch.optim.NoSuch", "assay.no_such.Thing", "math.sqrt", "x"])
def test_what_cannot_be_read_is_not_guessed(target):
    assert parameters(target) is None


@pytest.mark.parametrize(
    ("annotation", "good", "bad"),
    [
        ("int", [0, -3], [0.5, True, "3", None, [1]]),
        ("float", [0, 0.5], [True, "a", None]),
        ("bool", [True, False], [0, "true", None]),
        ("str", ["a"], [1, None, ["a"]]),
        ("int | None", [1, None], ["a", 1.5]),
        ("Optional[int]", [1, None], ["a"]),
        ("'int | str'", [1, "full"], [1.5, None]),
        ('int | Literal["full"]', [1, "full"], ["fuller", 1.5]),
        ("Union[int, float]", [1, 1.5], ["a"]),
        ("list[int]", [[], [1, 2]], [[1.5], 1, "a", ["1"]]),
        ("Sequence[str]", [["a"]], ["a", [1]]),
        ("tuple[float, float]", [[0.9, 1]], [[0.9], [0.9, "a"], 0.9]),
        ("tuple[int, ...]", [[], [1, 2, 3]], [["a"], 1]),
        ("dict[str, int]", [{"a": 1}], [1, [1]]),
        ("collections.abc.Sequence[int]", [[1]], [["a"]]),
        ("Any", [1, None, "a"], []),
        ("float | Tensor", [0.1], []),
    ],
)
def test_types(annotation, good, bad):
    tree = ast.parse(annotation, mode="eval").body
    assert all(fits(tree, value) is True for value in good)
    assert all(fits(tree, value) is False for value in bad)


def test_a_type_that_yaml_does_not_have_is_left_to_the_default():
    assert fits(ast.parse("Callable[[], nn.Module]", mode="eval").body, 3) is None
    assert fits(ast.parse("float | Tensor", mode="eval").body, "abc") is None
    assert not like(0.1, "abc")
    assert like(0.1, 1)
    assert not like(1, 1.5)
    assert not like(1, True)
    assert not like([0.9], ["a"])
    assert like(None, "anything")


@pytest.mark.parametrize(
    ("annotation", "words"),
    [
        ("int", "a whole number"),
        ("int | None", "a whole number or null"),
        ('int | Literal["full"]', "a whole number or full"),
        ("list[int]", "a list of values, each a whole number"),
        ("tuple[float, float]", "a list of 2 values, each a number"),
        ("float | Tensor", "a number"),
    ],
)
def test_types_in_words(annotation, words):
    assert describe(ast.parse(annotation, mode="eval").body) == words

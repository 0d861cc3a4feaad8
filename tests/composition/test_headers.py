"""The header grammar, one line of each kind."""

from __future__ import annotations

import pytest

from assay.composition.headers import Bound, Catalogue, Rule, bound, read
from assay.errors import ConfigError

TEXT = """\
# A title, with: a colon.
# Prose that declares nothing.
# reads: ids, sequence
# gives: last
# needs: class or data.batch_size > 1 -- wants classes: use task=classification
# needs: optim!=sgd -- is not for sgd
# takes: normalization=none|layer, init
# range: dropout >= 0, dropout < 1, inner.size > 0
# one of: pool = max | average
# match: every = [0-9]+s -- is no time
# one each: dropout = sizes + 1 -- a rate each
# paths: path, test_path
# columns: label
# checked by: assay.data.delimited.check_text
# extra: vision = torchvision, PIL
# inert: it is the default
defaults: [base]
_target_: assay.models.bag.Bag
activation: ${activation}
rate: ${optim.lr}
"""


@pytest.fixture
def option(tmp_path):
    path = tmp_path / "bag.yaml"
    path.write_text(TEXT, encoding="utf-8")
    return read(path, "model", "bag")


def test_every_kind_of_line(option):
    assert option.title == "A title, with: a colon."
    assert option.reads == ("ids", "sequence")
    assert option.gives == ("last",)
    assert option.needs == [
        Rule(("class", "data.batch_size > 1"), "wants classes: use task=classification"),
        Rule(("optim!=sgd",), "is not for sgd"),
    ]
    assert option.takes == {"normalization": ("none", "layer"), "init": ()}
    assert option.bounds == [Bound("dropout", ">=", 0), Bound("dropout", "<", 1), Bound("inner.size", ">", 0)]
    assert option.choices == {"pool": ("max", "average")}
    assert option.counts == {"dropout": (("sizes", "1"), "a rate each")}
    assert option.matches == {"every": ("[0-9]+s", "is no time")}
    assert (option.paths, option.columns) == (("path", "test_path"), ("label",))
    assert option.checks == ("assay.data.delimited.check_text",)
    assert (option.extra, option.inert) == ("vision", "it is the default")
    assert option.libraries == ("torchvision", "PIL")
    assert option.parts == {"activation"}  # whole groups, not single keys
    assert option.siblings == ("base",)
    assert (option.label, option.node, option.key("dropout")) == ("model=bag", "model", "model.dropout")


def test_the_node_of_nested_and_global_options(tmp_path):
    path = tmp_path / "x.yaml"
    path.write_text("# Nested.\n", encoding="utf-8")
    assert read(path, "distillation/teacher", "x").key("run") == "distillation.teacher.run"
    path.write_text("# @package _global_\n# Off.\nclip: null\n", encoding="utf-8")
    off = read(path, "clip", "x")
    assert (off.title, off.key("clip")) == ("Off.", "clip")


@pytest.mark.parametrize(
    "line",
    [
        "needs: class",
        "range: lr about 3",
        "one of: pool",
        "match: a = b",
        "range: lr > x",
        "extra: text",
        "one each: a = b",
    ],
)
def test_a_line_that_cannot_be_read_is_named(tmp_path, line):
    path = tmp_path / "own.yaml"
    path.write_text(f"# Own.\n# {line}\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"own\.yaml: the header line"):
        read(path, "optim", "own")


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        ("a > 1", 2, 1),
        ("a >= 1", 1, 0.9),
        ("a < 1", 0, 1),
        ("a <= 1", 1, 1.1),
        ("a == 1", 1, 2),
        ("a != 1", 2, 1),
    ],
)
def test_bounds(text, inside, outside):
    assert bound(text).holds(inside)
    assert not bound(text).holds(outside)


def test_the_first_folder_wins_and_bases_follow(tmp_path):
    for folder, name, title in (("a", "x", "From a."), ("b", "x", "From b."), ("b", "y", "Y.")):
        (tmp_path / folder / "optim").mkdir(parents=True, exist_ok=True)
        (tmp_path / folder / "optim" / f"{name}.yaml").write_text(
            f"# {title}\ndefaults: [x]\n" if name == "y" else f"# {title}\n"
        )
    catalogue = Catalogue([tmp_path / "a", tmp_path / "b"])
    assert catalogue.groups["optim"]["x"].title == "From a."
    assert [option.name for option in catalogue.chosen("optim", "y")] == ["y", "x"]
    assert catalogue.chosen("optim", "z") == []

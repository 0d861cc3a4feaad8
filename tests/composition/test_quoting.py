"""Names with anything in them come out of Hydra's grammar as they were typed."""

from __future__ import annotations

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf
from omegaconf.errors import MissingMandatoryValue

from assay.composition.quoting import quote, quoted, split

KINDS = {"data.path": "path", "data.label": "column"}
NAMES = [
    "a b.csv",
    "it's.csv",
    'say "hi".csv',
    "a,b.csv",
    "a=b.csv",
    "[1] (2) {3}.csv",
    "100 %.csv",
    "$HOME.csv",
    "${seed}.csv",
    r"C:\data\new.csv",
    "ends in \\",
    "naïve 数据.csv",
    "a:b;c|d&e?f*g!h~i#j@k^l`m.csv",
    "' starts with a quote",
    "'a' and 'b'.csv",
    " leading space",
    "true",
    "1e3",
    "-1",
    "???x",
    "a\tb",
    "x'}]\"",
]


def value(argument: str):
    """What Hydra and then OmegaConf make of an override."""
    (override,) = OverridesParser.create().parse_overrides([argument])
    assert not override.is_sweep_override()
    return OmegaConf.create({"seed": 0, "value": override.value()}).value


def values(argument: str) -> list:
    (override,) = OverridesParser.create().parse_overrides([argument])
    return [getattr(one, "text", one) for one in override.sweep_iterator()]


@pytest.mark.parametrize("name", NAMES)
def test_a_column_of_any_name_arrives(name):
    assert value(quoted(f"data.label={name}", KINDS, multirun=False)) == name


@pytest.mark.parametrize("name", NAMES)
def test_a_file_of_any_name_arrives(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).touch()
    assert value(quoted(f"data.path={name}", KINDS, multirun=False)) == name


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1))
@settings(max_examples=300, deadline=None)
def test_any_text_stands_for_itself_when_quoted(text):
    assume(text != "???")
    assert value(f"key={quote(text)}") == text


@pytest.mark.parametrize("typed", ["???", "'???'"])
def test_three_question_marks_alone_are_a_value_that_is_missing(typed):
    with pytest.raises(MissingMandatoryValue):
        value(quoted(f"data.label={typed}", KINDS, multirun=False))


@given(st.text(st.sampled_from("ab '\"\\,[]{}$=:"), min_size=1, max_size=8))
@settings(max_examples=300, deadline=None)
def test_quoting_twice_changes_nothing(text):
    once = quoted(f"data.label={text}", KINDS, multirun=False)
    assert quoted(once, KINDS, multirun=False) == once


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("[a b,c d,e=f]", ["a b", "c d", "e=f"]),
        ("['a,b',c]", ["a,b", "c"]),
        ('["a]",b]', ["a]", "b"]),
        ("[x[0],y]", ["x[0]", "y"]),
        ("[it's,that's]", ["it's", "that's"]),
        ("[]", []),
        ("[é]", ["é"]),
    ],
)
def test_a_list_of_columns(typed, meant):
    assert value(quoted(f"data.label={typed}", KINDS, multirun=False)) == meant


@pytest.mark.parametrize("typed", ["'a, b'", '"a b"', "null", "'it\\'s'"])
def test_what_is_quoted_already_stays(typed):
    argument = f"data.path={typed}"
    assert quoted(argument, KINDS, multirun=False) == argument


def test_a_comma_separates_values_in_a_sweep_only():
    argument = "data.path=a b.csv,'c,d.csv',it's.csv"
    assert values(quoted(argument, KINDS, multirun=True)) == ["a b.csv", "c,d.csv", "it's.csv"]
    assert value(quoted("data.path=a b.csv,c.csv", KINDS, multirun=False)) == "a b.csv,c.csv"


def test_lists_of_columns_in_a_sweep():
    (override,) = OverridesParser.create().parse_overrides([quoted("data.label=[a b,c],d e", KINDS, multirun=True)])
    assert list(override.sweep_string_iterator()) == ["['a b','c']", "'d e'"]


def test_functions_of_hydra_stay_in_a_sweep():
    argument = "data.path=choice(a.csv,b.csv)"
    assert quoted(argument, KINDS, multirun=True) == argument


def test_an_interpolation_in_a_path_unless_a_file_has_that_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    argument = "data.path=folder ${seed}/x.csv"
    assert value(quoted(argument, KINDS, multirun=False)) == "folder 0/x.csv"
    (tmp_path / "folder ${seed}").mkdir()
    (tmp_path / "folder ${seed}" / "x.csv").touch()
    assert value(quoted(argument, KINDS, multirun=False)) == "folder ${seed}/x.csv"


def test_the_home_folder(monkeypatch):
    monkeypatch.setenv("HOME", "/home/a user")
    assert value(quoted("data.path=~/x.csv", KINDS, multirun=False)) == "/home/a user/x.csv"


@pytest.mark.parametrize(
    "argument", ["model=lstm", "optim.lr=0.1,0.2", "data.path", "data.path=", "data.pathology=a b"]
)
def test_other_arguments_are_left_alone(argument):
    assert quoted(argument, KINDS, multirun=False) == argument


def test_split_keeps_quotes_and_lists_together():
    assert split("a,'b,c',d", brackets=False) == ["a", "'b,c'", "d"]
    assert split("[a,b],c", brackets=True) == ["[a,b]", "c"]
    assert split("[a,b],c", brackets=False) == ["[a", "b]", "c"]

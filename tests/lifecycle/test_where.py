"""--where: comparisons over what runs know. The cases are a table, each with the runs that it means."""

from __future__ import annotations

import pytest

from assay.errors import ConfigError
from assay.lifecycle import records
from assay.lifecycle.where import condition, select, shown
from tests.made_runs import make_run


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    place = tmp_path_factory.mktemp("runs")
    make_run(place / "a", config={"optim": {"lr": 0.1, "betas": [0.9, 0.99]}, "name": "a b"}, seed=0)
    make_run(place / "b", switches={"model": "lstm"}, config={"optim": {"lr": 1e-3}, "flag": True}, seed=1)
    make_run(place / "c", switches={"data": "fashion_mnist"}, summary={"status": "failed", "reason": "No room"}, seed=2)
    make_run(place / "d", summary={"test/accuracy": 0.95, "test/log_loss": float("nan")}, seed=10)
    return records.read_all(records.folders(place))[0]


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (["model=lstm"], "b"),
        (["model != lstm"], "acd"),
        (["optim.lr>=0.01"], "a"),
        (["optim.lr=1e-1"], "a"),
        (["optim.lr==0.1000"], "a"),
        (["optim.lr<0.006"], "b"),
        (["optim.lr<=0.006"], "bcd"),
        (["test/accuracy>0.9"], "d"),
        (["test/accuracy<=0.5"], "ab"),
        (["test/accuracy!=0.5"], "cd"),
        (["status=failed"], "c"),
        (["data~MNIST"], "c"),
        (["data!~mnist"], "abd"),
        (["seed>1", "seed<10"], "c"),
        (["seed=1", "model=mlp"], ""),
        (["optim.betas=[0.9,0.99]"], "a"),
        (["optim.betas!=[0.9,0.99]"], "bcd"),
        (["monitor=val/accuracy"], "abd"),
        (["logger=null"], "abcd"),
        (["flag=true"], "b"),
        (["reason~room"], "c"),
        (["name='a b'"], "a"),
        (["test/log_loss=nan"], "d"),
        (["test/log_loss>0"], ""),
        (["distillation/teacher=checkpoint"], "abcd"),
        (["folder~/c"], "c"),
        (["started>2001-01-01"], "abcd"),
        (["started<2001-01-01"], ""),
        ([], "abcd"),
    ],
)
def test_the_runs_that_are_meant(runs, words, meant):
    found = select(runs, words)
    assert "".join(sorted(one.folder.name for one in found)) == meant


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("model", "is no comparison"),
        ("=3", "is no comparison"),
        ("test/accuracy", "in quotes because of the shell"),
        ("modle=lstm", "did you mean model?"),
        ("lr>0.1", "did you mean optim.lr?"),
        ("test/acuracy>0.1", "did you mean test/accuracy"),
        ("accuracy>0.1", "did you mean test/accuracy or val/accuracy?"),
        ("xyzzy=1", "no run here has xyzzy; a switch"),
        ("model>3", "model is no number here, but mlp; compare it by =, != or ~"),
        ("__import__('os').getcwd()=1", "no run here has"),
    ],
)
def test_what_is_refused_in_one_line(runs, word, said):
    with pytest.raises(ConfigError) as caught:
        select(runs, [word])
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_no_runs_have_no_unknown_keys():
    assert select([], ["anything=1"]) == []


def test_the_first_sign_separates():
    assert condition("name=a=b>c") == condition(" name = a=b>c ")
    assert condition("name=a=b>c").value == "a=b>c"


def test_values_are_shown_as_typed():
    assert [shown(value) for value in (None, True, 0.1, 1e-5, 3, [1, "a", None], {"a": 0.5})] == [
        "null",
        "true",
        "0.1",
        "1e-05",
        "3",
        "[1,a,null]",
        "{a:0.5}",
    ]

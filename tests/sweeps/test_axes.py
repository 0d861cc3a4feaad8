"""``seeds``, ``folds`` and ``ablate``: the points they make, and what they refuse."""

from __future__ import annotations

import pytest

from assay.composition import points as expansion
from assay.composition.compose import composer_of
from assay.errors import ConfigError
from assay.preflight import check, points
from assay.sweeps.axes import implied


def made(*typed: str) -> list[tuple[str, dict[str, str]]]:
    return [(" ".join(point.overrides), point.cell) for point in check(typed)]


def refused(*typed: str) -> str:
    with pytest.raises(ConfigError) as caught:
        check(typed)
    return str(caught.value)


def test_seeds_count_from_seed_and_make_a_sweep():
    assert made("model=mlp", "seeds=2") == [("model=mlp seed=0", {}), ("model=mlp seed=1", {})]
    assert [text for text, _ in made("seed=7", "seeds=2", "model=mlp,linear")] == [
        "model=mlp seed=7",
        "model=mlp seed=8",
        "model=linear seed=7",
        "model=linear seed=8",
    ]
    assert made("model=mlp", "seeds=1") == [("model=mlp seed=0", {})]


def test_folds_are_each_tested_on_once():
    found = check(["model=linear", "folds=3"])
    assert [(point.config["data"]["folds"], point.config["data"]["fold"], point.config["fold"]) for point in found] == [
        (3, fold, fold) for fold in range(3)
    ]
    assert [point.cell for point in found] == [{}] * 3
    assert len(check(["model=linear,mlp", "folds=3", "seeds=2"])) == 12


def test_each_switch_is_off_alone():
    full = ["model=transformer", "clip=norm", "callbacks=[grad_norm]", "model.dropout=0.2"]
    found = made(*full, "ablate=[normalization,clip,callbacks,model.dropout:0]")
    base = "model=transformer clip=norm callbacks=[grad_norm]"
    assert found == [
        (f"{base} model.dropout=0.2", {"ablate": "nothing"}),
        (f"{base} normalization=none model.dropout=0.2", {"ablate": "normalization"}),
        ("model=transformer clip=none callbacks=[grad_norm] model.dropout=0.2", {"ablate": "clip"}),
        ("model=transformer clip=norm callbacks=[] model.dropout=0.2", {"ablate": "callbacks"}),
        (f"{base} model.dropout=0", {"ablate": "model.dropout:0"}),
    ]


def test_a_bool_is_switched_off_and_a_point_that_is_there_already_is_made_once():
    assert [text for text, _ in made("optim=adam", "+optim.amsgrad=true", "model=mlp", "ablate=[optim.amsgrad]")] == [
        "optim=adam model=mlp +optim.amsgrad=true",
        "optim=adam model=mlp +optim.amsgrad=false",
    ]
    assert [text for text, _ in made("model=lstm", "model.bidirectional=true", "ablate=[model.bidirectional]")] == [
        "model=lstm model.bidirectional=true",
        "model=lstm model.bidirectional=false",
    ]
    texts = [text for text, _ in made("model=mlp", "clip=none,norm", "ablate=[clip]")]
    assert texts == ["model=mlp clip=none", "model=mlp clip=norm"]


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (["seeds=0"], "seeds=0 would run nothing: write seeds=5, or leave it out"),
        (["seeds=-1"], "seeds=-1 would run nothing: write seeds=5, or leave it out"),
        (["seeds=few"], "seeds=few is no number of seeds: write seeds=5"),
        (["seeds=1.5"], "seeds=1.5 is no number of seeds: write seeds=5"),
        (["seeds=true"], "seeds=true is no number of seeds: write seeds=5"),
        (["seeds=3,5"], "seeds=3,5 names several values: write seeds=5"),
        (["+seeds=3"], "+seeds=3: seeds is said as seeds=5, and is off when it is left out"),
        (["seeds=3", "seed=1,2"], "seeds=3 counts from one seed, seed=1,2 names them: use one"),
        (["folds=1"], "folds=1: two are the least, one to test on and one to train on"),
        (["folds=3", "fold=0"], "folds=3 runs every fold, and fold=0 names some: leave one out"),
        (["folds=3", "data.folds=5"], "folds=3 runs every fold, and data.folds=5 names some: leave one out"),
        (
            ["ablate=[clip]"],
            "ablate=[clip]: clip=none in the full system already; choose what it should lose, as clip=…",
        ),
        (
            ["model=lstm", "ablate=[model.bidirectional]"],
            "ablate=[model.bidirectional]: model.bidirectional=false in the full system already; write "
            "model.bidirectional=true, or ablate=[model.bidirectional:true]",
        ),
        (
            ["model=lstm", "ablate=[model.dropout:0.0]"],
            "ablate=[model.dropout:0.0]: model.dropout=0.0 in the full system already; give it another value there",
        ),
        (
            ["model=lstm", "ablate=[model.dropout]"],
            "ablate=[model.dropout]: model.dropout is 0.0, neither on nor off; say what instead, as "
            "ablate=[model.dropout:0]",
        ),
        (["clip=norm", "ablate=[clip,clip]"], "ablate=[clip,clip] names clip twice: leave one out"),
        (["ablate=[3]"], "ablate=[3] is no list of switches: write ablate=[normalization,model.dropout:0]"),
    ],
)
def test_what_cannot_be_meant_is_refused(typed, said):
    assert refused(*typed) == said


@pytest.mark.parametrize(
    ("typed", "part"),
    [
        (["model=lstm", "ablate=[model.dropuot:0]"], "did you mean model.dropout?"),
        (["ablate=[model]"], "model has no option none; say what instead, as ablate=[model:"),
        (["ablate=[model:lstn]"], "did you mean model=lstm?"),
        (["model=transformer", "ablate=[model.normalization]"], "write ablate=[normalization]"),
        (["callbacks=[grad_norm]", "ablate=[callbacks:x]"], "write ablate=[callbacks]"),
    ],
)
def test_refusals_name_what_was_meant(typed, part):
    assert part in refused(*typed)


def test_which_words_make_a_sweep():
    assert implied(["model=mlp", "seeds=2"])
    assert implied(["folds=2"])
    assert implied(["ablate=[clip]"])
    assert not implied(["model=mlp", "seed=1,2", "data.folds=2"])
    assert not implied(["seeds=null", "ablate=[]"])


def test_a_search_and_tuning_check_the_ends_and_every_choice_beside_the_first():
    ways = ["optim=sgd,adam", "optim.lr=interval(0.001,0.1)", "seeds=2"]
    assert {text for text, _ in made("search=random", *ways)} == {
        f"optim={optim} optim.lr={lr} seed={seed}"
        for optim, lr in (("sgd", 0.001), ("adam", 0.001), ("sgd", 0.1))
        for seed in (0, 1)
    }
    tuned = [text for text, _ in made("-m", "sweep.tune=[optim.lr]", *ways)]
    assert len(tuned) == 8
    assert "interval has no end of values" in refused(*ways)
    assert "optim.lr=-1 is outside its range" in refused("-m", "search=random", "optim.lr=interval(-1,0.1)")


def test_seeds_and_numbers_are_not_composed(monkeypatch):
    """1000 points: one composition for each choice of options, and one more for each key to learn what follows it."""
    composer = composer_of()
    checked = []
    from assay import preflight

    full = preflight._Check.check
    monkeypatch.setattr(preflight._Check, "check", lambda self, *rest: checked.append(1) or full(self, *rest))
    rates = ",".join(f"{number / 1000:g}" for number in range(1, 26))
    found = points(["model=mlp,linear", f"optim.lr={rates}", "data.batch_size=16,32", "seeds=10"], composer, True)
    assert len(found) == 1000
    assert len(checked) == 2 * (1 + 3)
    sample = found[777]
    (alone,) = points(sample.overrides, composer, multirun=False)
    assert alone.config == sample.config


def test_points_put_together_are_what_composing_gives():
    """Followed keys (fold), an interpolation inside others, lists, null and a key that is added."""
    composer = composer_of()
    typed = ["model=mlp,lstm", "normalization=none", "mlp.model.hidden_sizes=[8],[8,4]", "data.folds=4,5", "fold=0,2,3"]
    typed += ["data_dir=a,b", "+optim.amsgrad=true,false", "monitor=null,val/log_loss", "seeds=2"]
    found = points(typed, composer, multirun=True)
    assert len(found) == (2 + 1) * 2 * 3 * 2 * 2 * 2 * 2
    for sample in found[:: len(found) // 6]:
        (alone,) = points(sample.overrides, composer, multirun=False)
        assert alone.config == sample.config


def test_rules_between_keys_hold_for_every_combination():
    """Each value passes beside the first of the others; together they do not."""
    lines = refused("-m", "model=linear", "data.folds=3,6", "fold=0,2,5").splitlines()
    assert [line.partition(" (2 of")[0] for line in lines] == ["fold=5 is none of 0 to 2 (data.folds=3)"]
    lines = refused("-m", "model=linear", "data.folds=6,3", "fold=0,2,5").splitlines()
    assert lines == ["fold=5 is none of 0 to 2 (data.folds=3) (1 of 6 points)"]
    drafts = expansion.expand(["model=mlp", "seed=range(0,3)"], composer_of(), multirun=True)
    assert [draft.cell for draft in drafts] == [()] * 3

"""The verdict: mean, interval and words against a computation by hand; what counts together, and what was changed."""

from __future__ import annotations

import statistics

import pytest
from scipy import stats

import assay
from assay.experiments import of_run, of_runs, verdict
from assay.lifecycle import records
from tests.made_runs import make_run

PUBLISHED = {"metric": "test/accuracy", "value": 0.8, "deviation": None, "source": "A 2014, table 2"}
OURS = {"metric": "test/accuracy", "value": 0.79, "deviation": 0.01, "source": "seeds 0 to 4"}


def kept(**more):
    return {"name": "one", "published": [PUBLISHED], "ours": [], "options": {}, "values": {}, **more}


def runs(folder, scores, experiment=None, overrides=(), folds=None):
    """Records of finished runs; ``scores`` is {(seed, fold): accuracy}."""
    for (seed, fold), score in scores.items():
        config = {"experiment": experiment or kept(), "fold": fold, "data": {"split_seed": 0, "folds": folds}}
        make_run(
            folder / f"{seed}-{fold}",
            config=config,
            seed=seed,
            overrides=["experiment=one", f"seed={seed}", *overrides],
            summary={"test/accuracy": score},
        )
    return records.read_all(records.folders(folder))[0]


def test_ours_interval_published_and_verdict_over_seeds(tmp_path):
    values = [0.78, 0.79, 0.81, 0.79, 0.80]
    found = runs(tmp_path, {(seed, None): value for seed, value in enumerate(values)})
    (one,) = of_runs(found)
    half = stats.t.ppf(0.975, 4) * statistics.stdev(values) / 5**0.5
    assert one.ours.half == pytest.approx(half)
    assert verdict(found) == [
        f"experiment=one: test/accuracy 0.7940, 95 % interval {0.794 - half:.4f} to {0.794 + half:.4f} "
        "(seeds 0 to 4) · published 0.8 (A 2014, table 2) · within the interval, 0.0060 worse"
    ]


def test_folds_have_the_corrected_interval_of_their_number(tmp_path):
    values = [0.70, 0.74, 0.78, 0.75]
    (one,) = of_runs(runs(tmp_path, {(0, fold): value for fold, value in enumerate(values)}, folds=4))
    half = stats.t.ppf(0.975, 3) * statistics.stdev(values) * (1 / 4 + 1 / 3) ** 0.5
    assert one.ours.half == pytest.approx(half)
    assert one.runs == "folds 0 to 3, seed 0"


@pytest.mark.parametrize(
    ("values", "word"),
    [
        ([0.80], "reached, equal to it"),
        ([0.81], "reached, 0.0100 better"),
        ([0.79], "below, 0.0100 worse"),
        ([0.81, 0.83], "reached, 0.0200 better"),
        ([0.790, 0.791], "below, 0.0095 worse"),
        ([0.75, 0.80], "within the interval, 0.0250 worse"),
    ],
)
def test_the_word(values, word, tmp_path):
    (line,) = verdict(runs(tmp_path, {(seed, None): value for seed, value in enumerate(values)}))
    assert line.endswith(word)
    assert ("(seed 0 alone: no interval)" in line) == (len(values) == 1)


def test_of_errors_the_lower_is_better(tmp_path):
    kind = kept(published=[{**PUBLISHED, "metric": "test/rmse", "value": 0.5, "deviation": 0.02}])
    summary = {"test/rmse": 0.4}
    (one,) = of_run({"experiment": kind, "seed": 3, "fold": None, "data": {}}, [], summary)
    assert (one.word, one.ahead) == ("reached", pytest.approx(0.1))
    assert "(seed 3 alone: no interval) · published 0.5 ± 0.02 (A 2014" in one.line()
    (one,) = of_run({"experiment": kind, "seed": 3}, [], {"test/rmse": 0.6})
    assert one.word == "below"


def test_a_run_alone_is_shown_beside_our_record_and_a_changed_one_says_what(tmp_path):
    config = {"experiment": kept(ours=[OURS], values={"optim.lr": 0.001}), "seed": 0}
    (one,) = of_run(config, ["experiment=one", "optim.lr=1e-3", "logger=none", "trainer=cpu"], {"test/accuracy": 0.7})
    assert one.line().endswith("ours before: 0.79 ± 0.01 (seeds 0 to 4)")
    (one,) = of_run(config, ["experiment=one", "optim.lr=0.002", "debug=fast"], {"test/accuracy": 0.7})
    assert one.line().endswith("below, 0.1000 worse · changed: debug=fast optim.lr=0.002")
    assert one.as_plain()["changed"] == ["debug=fast", "optim.lr=0.002"]


def test_runs_count_together_only_with_the_same_changes(tmp_path):
    first = runs(tmp_path / "a", {(0, None): 0.8, (1, None): 0.81})
    other = runs(tmp_path / "b", {(0, None): 0.5}, overrides=["model.dropout=0.9"])
    make_run(tmp_path / "plain", summary={"test/accuracy": 0.9})
    make_run(tmp_path / "failed", config={"experiment": kept()}, summary={"status": "failed", "reason": "x"})
    plain = records.read_all(records.folders(tmp_path))[0]
    assert len(plain) == 5
    lines = verdict(plain)
    assert verdict([*first, *other]) == lines
    assert [line.partition(" · ")[0].partition("(")[2] for line in lines] == [
        "seeds 0 to 1)",
        "seed 0 alone: no interval)",
    ]
    assert lines[1].endswith("changed: model.dropout=0.9")


def test_every_figure_has_its_line_and_a_missing_metric_none(tmp_path):
    kind = kept(published=[PUBLISHED, {**PUBLISHED, "value": 0.9}, {**PUBLISHED, "metric": "test/auc"}])
    assert [one.figure.value for one in of_run({"experiment": kind}, [], {"test/accuracy": 0.85})] == [0.8, 0.9]
    assert of_run({"experiment": kind}, [], {"test/accuracy": float("nan")}) == []
    assert of_run({"seed": 0}, [], {"test/accuracy": 0.85}) == []


def test_a_real_run_of_an_own_experiment_prints_and_keeps_it(tmp_path, capsys):
    folder = tmp_path / "conf" / "experiment"
    folder.mkdir(parents=True)
    header = "# @package _global_\n# Mine.\n# published: test/accuracy 0.05 -- a guess\n"
    text = f"{header}defaults:\n  - override /model: mlp\n"
    (folder / "mine.yaml").write_text(text)
    words = ["experiment=mine", "model=mlp", "debug=fast", "trainer=cpu", "logger=none", f"outputs={tmp_path / 'out'}"]
    run = assay.train("--config-dir", str(tmp_path / "conf"), *words)
    score = run.summary["test/accuracy"]
    line = f"experiment=mine: test/accuracy {score:.4f} (seed 0 alone: no interval) · published 0.05 (a guess) · "
    said = capsys.readouterr().out
    assert line in said
    assert "changed: debug=fast\n" in said  # model=mlp is what the experiment chooses itself
    (record,) = records.read_all([run.folder])[0]
    assert verdict([record])[0].startswith(line)
    assert "assay train -m experiment=mine" in said

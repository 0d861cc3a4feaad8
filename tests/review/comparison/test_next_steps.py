"""What to do next: commands that this version takes, for reasons that the runs give."""

from __future__ import annotations

from assay.preflight import check
from assay.review.comparison.next_steps import best_run, next_steps
from assay.review.comparison.ranked import ranked
from assay.review.comparison.tree import read
from tests.review import made_sweeps


def steps(folder):
    tree = read(folder)
    groups = [ranked(group) for group in tree.groups]
    found, _ = next_steps(tree, groups)
    return found, groups


def test_one_seed_asks_for_more(tmp_path):
    found, _ = steps(made_sweeps.sweep(tmp_path, {"optim": ["adam", "sgd"]}, 1))
    assert found[0].words[-1] == "seeds=5"
    assert "optim=adam,sgd" in found[0].words
    assert "Several seeds show" in found[0].reason or "several seeds show" in found[0].reason


def test_a_best_value_at_the_end_goes_further(tmp_path):
    found, groups = steps(made_sweeps.sweep(tmp_path, {"optim.lr": ["0.0001", "0.0003", "0.001"]}, 2))
    edge = next(one for one in found if "lies at the upper end" in one.reason)
    assert groups[0].cells[0].settings == {"optim.lr": "0.001"}
    assert "optim.lr=0.001,0.0033" in edge.words


def test_what_is_shown_would_not_be_refused(tmp_path):
    found, _ = steps(made_sweeps.sweep(tmp_path, {"model": ["lstm", "gru"], "optim.lr": ["0.003", "0.006", "0.01"]}, 2))
    assert len(found) >= 2
    for one in found:
        if one.words[0] == "train":
            check(list(one.words[1:]))


def test_the_best_run_is_chosen_by_validation(tmp_path):
    _, groups = steps(made_sweeps.sweep(tmp_path, {"optim": ["adam", "sgd"]}, 3))
    best = best_run(groups[0])
    values = [one.summary["val/accuracy"] for one in groups[0].cells[0].runs]
    assert best.summary["val/accuracy"] == max(values)

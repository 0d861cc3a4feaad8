"""Searches and tuned cells: what was tried, what was cut short, what was chosen."""

from __future__ import annotations

import json
import re

from assay.review.comparison.page import page
from assay.review.comparison.ranked import ranked
from assay.review.comparison.search import trials
from assay.review.comparison.tree import read
from assay.review.comparison.tuned import tunings
from tests.review import made_sweeps
from tests.review.test_run_page import Reader


def search(place):
    """Five trials: the third is the best, the fourth was pruned, the last failed."""
    rates = ("0.001", "0.003", "0.006", "0.5", "9")
    for number, rate in enumerate(rates):
        status = {"0.5": "pruned", "9": "failed"}.get(rate, "done")
        folder = place / str(number)
        made_sweeps.run(folder, {"optim.lr": rate}, 0, epochs=8, status=status, reason="diverged", role="trial")
    return read(place)


def test_trials_stand_in_the_order_they_began(tmp_path):
    tree = search(tmp_path)
    group = ranked(tree.groups[0])
    found = trials(tree, group)
    assert [one.state for one in found] == ["done", "done", "done", "pruned", "failed"]
    scores = [json.loads((tmp_path / str(n) / "summary.json").read_text())["val/accuracy"] for n in range(4)]
    assert [one.value for one in found] == [*scores, None]
    assert max(scores[:3]) == scores[2]
    assert found[3].band.step[-1] == 90  # a quarter of 8 epochs
    said = Reader(page(tree)).text
    assert "5 trials: 3 done, 1 pruned, 1 that came to nothing. The best, number 3, is" in said
    assert "The 2 trials after it found nothing better." in said


def test_the_best_so_far_never_falls(tmp_path):
    html = page(search(tmp_path))
    path = re.search(r'<path d="([^"]*)" class="so-far">', html)[1]
    places = [float(y) for y in re.findall(r"(?:M[\d.]+ |V)([\d.]+)", path)]
    assert places == sorted(places, reverse=True)
    assert len(places) == 3
    assert html.count('class="trial done"') == 3
    assert html.count('class="trial pruned"') == 2  # of its value, and at the end of its curve
    assert html.count('class="line pruned"') == 1


def test_a_grid_is_no_search(tmp_path):
    tree = read(made_sweeps.sweep(tmp_path, {"optim": ["adam", "sgd"]}, 2, role="point"))
    assert trials(tree, ranked(tree.groups[0])) == []
    assert "The search" not in page(tree)


def test_tuned_values_with_their_edges(tmp_path):
    chosen = {"adam": "0.006", "sgd": "0.03"}
    number = 0
    for optim, rates in (("adam", ("0.001", "0.006", "0.03")), ("sgd", ("0.003", "0.01", "0.03"))):
        for rate in rates:
            settings = {"optim": optim, "optim.lr": rate}
            made_sweeps.run(tmp_path / str(number), settings, 0, role="tune", cell={"optim": optim})
            number += 1
        for seed in (1, 2):
            settings = {"optim": optim, "optim.lr": chosen[optim]}
            made_sweeps.run(tmp_path / str(number), settings, seed, role="point", cell={"optim": optim})
            number += 1
    tree = read(tmp_path)
    found = {one.cell: one for one in tunings(tree, ranked(tree.groups[0]))}
    assert {cell: (one.key, one.chosen, one.edge) for cell, one in found.items()} == {
        "optim=adam": ("optim.lr", "0.006", ""),
        "optim=sgd": ("optim.lr", "0.03", "highest"),
    }
    assert list(found["optim=adam"].tried) == ["0.001", "0.006", "0.03"]
    said = Reader(page(tree)).text
    assert "2 cells tuned by val/accuracy before their seeds ran. 1 chosen value at the end of what was tried" in said
    assert "0.03 the highest tried" in said

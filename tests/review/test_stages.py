"""The page of a loop over runs: its stages say how it learnt."""

from __future__ import annotations

import json
import os

from assay.review.facts import read
from assay.review.run_page import page
from assay.review.sections.stages import stages
from tests.review import made_sweeps
from tests.review.test_run_page import Reader, sound


def loop(place, status="done"):
    """A parent without metrics.csv, and two generations."""
    parent = made_sweeps.run(place / "loop", {"model": "lstm"}, 0)
    (parent / "metrics.csv").unlink()
    for number, extra in enumerate(((), ("clip=norm",))):
        ended = status if number else "done"
        stage = made_sweeps.run(
            parent / "stages" / f"generation-{number}", {"model": "lstm"}, number, status=ended, extra=extra
        )
        os.utime(stage / "config.yaml", (1e9 + number, 1e9 + number))
    if status != "done":
        made_sweeps.write(parent / "summary.json", {"format": 1, "status": "stopped", "stages": 1})
    return parent


def test_the_stages_stand_where_nothing_was_measured(tmp_path):
    said = sound(page(read(loop(tmp_path)))).text
    assert "Nothing was measured" not in said
    assert "A loop over runs: 2 stages, 2 of them done." in said
    assert said.index("generation-0") < said.index("generation-1")
    assert "clip=norm seed=1" in said
    assert "val/accuracy (monitored)" in said


def test_the_order_is_that_of_the_chain_where_times_were_lost(tmp_path):
    parent = loop(tmp_path)
    rows = [{"stage": "generation-1"}, {"stage": "generation-0"}]
    (parent / "chain.json").write_text(json.dumps({"rows": rows}))
    said = Reader("".join(stages(read(parent)))).text
    assert said.index("generation-1") < said.index("generation-0")


def test_a_stopped_loop_says_how_far_it_came(tmp_path):
    said = sound(page(read(loop(tmp_path, status=None)))).text
    assert "1 of the 2 stages that it had begun are done." in said
    assert "generation-1 unfinished" in said


def test_a_plain_run_has_none(tmp_path):
    assert stages(read(made_sweeps.run(tmp_path / "0", {"model": "lstm"}, 0))) == []

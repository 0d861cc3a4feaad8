"""The page of many runs: whole, small, harmless, and right about what it was made of."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys

import pytest

from assay.cli import main
from assay.errors import ConfigError
from assay.review.comparison.page import MOST_BYTES, page
from assay.review.comparison.tree import read
from assay.review.run_page import review_command
from tests.review import made_sweeps
from tests.review.run_folders import EVIL
from tests.review.test_run_page import Reader

AXES = {"model": ["lstm", "rnn"], "optim": ["adam", "sgd"], "optim.lr": ["0.006", "0.03"]}
REASON = "the loss is not finite at step {} (epoch 0)"


@pytest.fixture(scope="module")
def grid(tmp_path_factory):
    return made_sweeps.sweep(tmp_path_factory.mktemp("grid"), AXES, seeds=3)


@pytest.fixture(scope="module")
def grid_page(grid):
    return page(read(grid))


def sound(text):
    assert len(text.encode()) < MOST_BYTES
    found = Reader(text)
    assert found.tags.count("script") == 1
    assert not any(name.startswith("on") for name in found.attributes)
    for link in found.links:
        assert link.startswith(("#", "data:image/png;base64,")) or re.fullmatch(r"[\w./-]+", link), link
    anchors = re.findall(r' id="([^"]*)"', text)
    assert len(set(anchors)) == len(anchors)
    assert {link[1:] for link in found.links if link.startswith("#")} <= set(anchors)
    assert not re.search(r"fetch|XMLHttp|import\(|innerHTML|eval|WebSocket", text.rpartition("<script>")[2])
    return found


def test_it_answers_every_question(grid_page):
    said = sound(grid_page).text
    for words in (
        "24 runs",
        "Best by val/accuracy : model=lstm optim=adam",
        "on the test split",
        "What mattered for val/accuracy , the most first: model (lstm instead of rnn +0.0",
        "8 cells, the best first by val/accuracy",
        "rnn instead of lstm",
        "8 cells are too few to fit importances",
        "Each line is the mean of a cell's runs",
        "A line for each cell, dark where it scores best (val/accuracy, higher is better).",
        "Summed over the runs of a cell.",
        "Of 60 test examples",
        "Every run gets these wrong",
        "Hardest on average",
        "adam × 12",
        "The best run, looked at by itself.",
        "frees what finished runs need no more",
    ):
        assert words in said, words


def test_what_every_run_gets_wrong_is_found(grid_page):
    wrong = grid_page[grid_page.index("Every run gets these wrong") : grid_page.index("How many runs get how many")]
    assert {"22", "82", "166"} <= set(re.findall(r"example (\d+)<", wrong))
    assert "wrong in 24 of 24" in wrong


def test_the_table_and_the_sentence_stand_before_every_picture(grid_page):
    assert grid_page.index("Best by") < grid_page.index("<table") < grid_page.index('class="plot"')


def test_tables_have_headings_and_nothing_needs_the_script(grid_page):
    for table in re.findall(r"<table.*?</table>", grid_page, re.DOTALL):
        assert "<thead" in table
        heads = re.findall(r"<th[ >][^>]*", table)
        assert heads
        assert all("scope=" in head for head in heads), table[:300]
    assert "<button" not in grid_page
    assert "<select" not in grid_page
    assert grid_page.count(" open>") == 1  # the best cell's matrix


def test_every_baseline_was_computed_before_it_can_be_chosen(grid_page):
    from html import unescape

    held = json.loads(unescape(re.search(r'data-differences="([^"]*)"', grid_page)[1]))
    assert [one["cell"] for one in held] == list(range(8))
    for one in held:
        assert len(one["rows"]) == 8
        assert one["rows"][one["cell"]][0] == "–"
    assert held[0]["rows"][1][2] == pytest.approx(-held[1]["rows"][0][2])


def test_it_does_not_grow_with_the_length_of_the_runs(tmp_path):
    sizes = []
    for name, epochs, every in (("short", 60, 15), ("long", 180, 2)):
        folder = made_sweeps.sweep(tmp_path / name, {"optim": ["adam", "sgd"]}, 2, epochs=epochs, every=every)
        sizes.append(len(page(read(folder))))
    assert sizes[1] < 1.3 * sizes[0]


def test_failures_are_grouped_by_their_reason(tmp_path):
    axes = {"model": ["lstm", "rnn"], "optim.lr": ["0.006", "10"]}
    folder = made_sweeps.sweep(tmp_path, axes, 2, wrong={"optim.lr=10": REASON.format(31) + EVIL})
    other = folder / "3"
    summary = json.loads((other / "summary.json").read_text())
    made_sweeps.write(other / "summary.json", {**summary, "reason": REASON.format(77) + EVIL})
    (other / "log.txt").write_text("")
    made_sweeps.run(folder / "90", {"model": "lstm", "optim.lr": "0.006"}, 7, status=None)
    (folder / "91").mkdir()
    for name in ("config.yaml", "summary.json"):
        (folder / "91" / name).write_text("[")
    found = sound(page(read(folder)))
    said = found.text
    assert "9 runs · 4 done, 4 failed, 1 killed · 1 folder that cannot be read" in said
    assert "5 of 9 runs came to nothing." in said
    assert said.count(REASON.format(31)) == 1
    assert EVIL in said
    failed = said[said.index("What failed, and why") :]
    assert "4 failed optim.lr=10 2 , 3 , 6 , 7" in failed
    assert "killed: no end was recorded 1 killed – 90" in failed
    assert "3/log.txt" in found.links
    assert "cannot be read: config.yaml cannot be read: ParserError 1 91" in failed
    assert "The same command goes on: 5 that came to nothing" in said


def test_a_tree_of_several_sweeps_is_grouped_and_says_what_it_left_apart(tmp_path, grid):
    shutil.copytree(grid, tmp_path / "moved here" / "renamed")
    (tmp_path / "moved here" / "renamed" / "sweep.json").unlink()
    for seed in range(2):
        settings = {"model": "lstm", "optim": "adam"}
        made_sweeps.run(tmp_path / "other" / str(seed), settings, seed, digest="e" * 64)
        made_sweeps.run(tmp_path / "fast" / str(seed), settings, seed, extra=("debug=fast",))
    found = sound(page(read(tmp_path)))
    said = found.text
    assert "2 groups whose scores cannot be compared with one another" in said
    assert "a rehearsal (debug=fast) 2 fast/0, fast/1" in said
    assert "Scores: digits, val/accuracy" in said
    assert "Best by val/accuracy : all runs" in said
    assert "#ranking-2" in found.links


def test_a_tree_without_any_result(tmp_path):
    made_sweeps.run(tmp_path / "0", {"optim": "adam"}, 0, status="failed", reason="out of memory")
    said = sound(page(read(tmp_path))).text
    assert "Nothing to compare yet. 1 run failed; the reasons are below." in said
    assert "out of memory" in said


def test_a_single_cell(tmp_path):
    said = sound(page(read(made_sweeps.sweep(tmp_path, {"optim": ["adam"]}, 2)))).text
    assert "There is nothing to compare it with." in said


def test_names_that_are_markup_stay_names(tmp_path):
    for seed, name in enumerate(("plain", EVIL)):
        folder = made_sweeps.run(tmp_path / EVIL.replace("/", "") / str(seed), {"optim": "adam"}, 0)
        text = (folder / "config.yaml").read_text()
        (folder / "config.yaml").write_text(re.sub(r"init_from: null", f"init_from: {json.dumps(name)}", text))
        overrides = ["optim=adam", f"init_from={json.dumps(name)}"]
        (folder / "overrides.yaml").write_text(json.dumps(overrides))
        lines = (folder / "predictions" / "test.csv").read_text().replace(",3,", f',"{EVIL.replace(chr(34), "")}",')
        (folder / "predictions" / "test.csv").write_text(lines)
    text = page(read(tmp_path))
    assert EVIL in sound(text).text
    assert "<script>alert" not in text


def test_a_baseline_by_name(grid, tmp_path, capsys):
    out = tmp_path / "page.html"
    assert main(["review", str(grid), "--output", str(out), "--baseline", "model=rnn,optim=sgd,optim.lr=0.03"]) == 0
    assert "Differences are to model=rnn optim=sgd optim.lr=0.03 , over runs" in sound(out.read_text()).text
    for asked, why in (("model=gru", "no cell here is so"), ("model=rnn", "say also"), ("rnn", "names no cell")):
        with pytest.raises(ConfigError, match=why):
            review_command(str(grid), str(out), asked)
    with pytest.raises(ConfigError, match="is one run"):
        review_command(str(grid / "0"), str(out), "model=rnn")


def test_the_page_lies_in_the_folder_and_is_not_a_run(grid, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(grid, tmp_path / "outputs" / "sweeps" / "grid")
    assert main(["review", "outputs/sweeps/grid"]) == 0
    assert main(["review", "outputs"]) == 0
    assert capsys.readouterr().out.splitlines() == ["outputs/sweeps/grid/review.html", "outputs/review.html"]
    assert "24 runs" in sound((tmp_path / "outputs" / "review.html").read_text()).text
    (tmp_path / "none").mkdir()
    with pytest.raises(ConfigError, match="none holds no runs; name a run folder, a sweep, or a folder above some"):
        review_command("none")


def test_it_needs_no_torch(grid, tmp_path):
    code = f"""
import sys
from assay.cli import main
assert main(["review", {str(grid)!r}, "--output", "page.html"]) == 0
heavy = "torch pandas matplotlib pytorch_lightning torchmetrics wandb PIL optuna submitit".split()
print("heavy:", [name for name in heavy if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.splitlines() == ["page.html", "heavy: []"]


@pytest.mark.slow
def test_five_hundred_runs_stay_below_five_megabytes(tmp_path):
    axes = {
        "model": ["lstm", "gru", "rnn"],
        "optim": ["adam", "sgd", "momentum"],
        "data.batch_size": ["16", "32", "64"],
    }
    rates = ["0.0003", "0.001", "0.003", "0.006", "0.01", "0.03"]
    folder = made_sweeps.sweep(tmp_path, {**axes, "optim.lr": rates}, 3, epochs=30, tests=180)
    text = page(read(folder))
    said = sound(text).text
    assert len(text.encode()) < 1_500_000
    assert "486 runs" in said
    assert "162 cells, the best first" in said

"""What a sweep shows: lines, the table of a terminal, and the last screen."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from assay.sweeps.ledger.ledger import Ledger, Planned
from assay.sweeps.live import Live, last
from assay.sweeps.standing import Standing, progress
from assay.sweeps.strategy import Grid

CONFIG = {"monitor": None, "monitor_mode": None, "outputs": "outputs"}
SCORES = {  # number of the point: accuracy, or why it failed; 6 and 7 have not begun
    0: 0.90,
    1: 0.92,
    2: 0.80,
    3: 0.84,
    4: "out of memory",
    5: None,
}


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def standing(tmp_path, monkeypatch):
    """Eight points of four cells, two seeds each: four done, one failed, one running."""
    monkeypatch.chdir(tmp_path)
    points = []
    for number in range(8):
        cell = {"model": "lstm" if number // 2 % 2 else "mlp", "optim": "adam" if number < 4 else "sgd"}
        config = {**CONFIG, "seed": number % 2, "cell": cell}
        points.append(Planned(config, (f"seed={number % 2}",), cell, number % 2))
    ledger = Ledger(tmp_path / "outputs" / "sweeps" / "tried")
    ledger.folder.mkdir(parents=True)
    strategy = Grid(points)
    made = Standing(ledger, strategy, CONFIG, slots=2)
    strategy.begin(ledger)
    for number, score in SCORES.items():
        assert ledger.claim(number, "me")
        made.began(ledger.entry(number))
        folder = ledger.entry(number).folder
        if score is None:
            (folder / "log.txt").write_text(
                "mlp: 10 parameters\nepoch 3: step 6/90 · loss 0.2 · 30 steps/s · 3 s left\nsome warning\n"
            )
        elif isinstance(score, str):
            made.ended(ledger.finish(number, "failed", reason=score, seconds=2.0))
        else:
            (folder / "summary.json").write_text('{"monitor": "val/accuracy"}')
            made.ended(ledger.finish(number, "done", metrics={"val/accuracy": score}, seconds=10.0))
    return made


def test_counts_best_and_remaining_time(standing):
    counts = standing.counts()
    assert [counts[state] for state in ("done", "failed", "running", "planned", "total")] == [4, 1, 1, 2, 8]
    best = standing.best()
    assert best is not None
    assert best.number == 1
    left = standing.left()
    assert left == pytest.approx(3 * 10 / 2, abs=1.0)  # three to go, ten seconds each, two at once
    assert [(one.label, one.runs) for one in standing.means()] == [
        ("model=mlp optim=adam", 2),
        ("model=lstm optim=adam", 2),
    ]
    assert standing.means()[0].mean == pytest.approx(0.91)
    assert standing.means()[0].deviation == pytest.approx(0.0141421, abs=1e-6)


def test_less_is_better_of_a_loss(standing):
    standing.monitor, standing.config = "val/accuracy", {**CONFIG, "monitor_mode": "min"}
    assert standing.best().number == 2
    standing.config = CONFIG
    standing.monitor = "val/log_loss"
    assert standing.lower
    assert standing.best() is None


def test_a_failure_of_points_that_this_command_has_not_is_none_of_its(standing):
    later = Standing(standing.ledger, standing.strategy, CONFIG, slots=1)
    assert [entry.number for entry in standing.failed()] == [4]
    assert later.failed() == []
    later.began(standing.ledger.entry(4))
    assert [entry.number for entry in later.failed()] == [4]


def test_a_pipe_gets_a_line_for_each_job(standing):
    stream = io.StringIO()
    live = Live(stream)
    live.begin(standing)
    live.ended(standing, standing.ledger.entry(1))
    live.ended(standing, standing.ledger.entry(4))
    live.show(standing)
    begun, done, failed = stream.getvalue().splitlines()
    assert begun == "outputs/sweeps/tried: 8 runs, 4 done and 1 failed before, 2 at once"
    assert done.startswith("[5/8, ")
    assert done.endswith("s left] 1 model=mlp optim=adam seed=1: done, val/accuracy 0.9200, 10 s")
    assert failed.endswith("4 model=mlp optim=sgd seed=0: failed: out of memory, 2 s")


def test_a_terminal_gets_a_table_that_is_gone_in_the_end(standing, monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "140")
    stream = Terminal()
    live = Live(stream)
    live.begin(standing)
    live.show(standing)
    shown = stream.getvalue()
    assert "5 model=mlp optim=sgd seed=1" in shown
    assert "epoch 3: step 6/90 · loss 0.2 · 3 s left" in shown
    assert "4 done, 1 failed of 8" in shown
    assert "best: 1 model=mlp optim=adam seed=1, val/accuracy 0.9200" in shown
    live.ended(standing, standing.ledger.entry(1))  # the table says it
    live.ended(standing, standing.ledger.entry(4))
    assert "out of memory" in stream.getvalue()
    assert "done, val" not in stream.getvalue()
    live.end(standing, "stopped", ["assay", "train", "-m"])
    assert live.table is None
    assert "the same command continues: assay train -m" in stream.getvalue()


def test_the_last_screen(standing):
    lines = last(standing, "", ["assay", "train", "-m", "model=mlp,lstm", "name=a b"])
    assert lines[0].startswith("4 done, 1 failed of 8 in ")
    assert lines[1:] == [
        "val/accuracy, mean ± deviation over seeds and folds:",
        "  model=mlp optim=adam   0.9100 ± 0.0141 (2 runs)",
        "  model=lstm optim=adam  0.8200 ± 0.0283 (2 runs)",
        "best: 1 model=mlp optim=adam seed=1, val/accuracy 0.9200",
        "4 model=mlp optim=sgd seed=0 failed: out of memory",
        "traces: outputs/sweeps/tried/NUMBER/log.txt",
        "the same command tries the failed ones again: assay train -m model=mlp,lstm 'name=a b'",
        "Next:",
        "  assay table outputs/sweeps/tried",
        "  assay review outputs/sweeps/tried",
        "  assay predict outputs/sweeps/tried:best INPUT",
    ]


def test_who_reads_may_go_away(standing):
    class Gone(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    live = Live(Gone())
    live.begin(standing)
    live.end(standing, "", [])


def test_how_far_a_run_is(tmp_path):
    assert progress(tmp_path) == ""
    (tmp_path / "log.txt").write_text("x" * 1000 + "\nepoch 1: step 5/10\nepoch 2: step 10/10\naccuracy 0.9\n")
    assert progress(Path(tmp_path)) == "epoch 2: step 10/10"

"""Tables that fit: what goes first, what is broken, and that no line is wider than asked."""

from __future__ import annotations

from assay.lifecycle import table
from assay.lifecycle.table import Column


def columns():
    return [
        Column("folder", ["2026-11-21/10-20-05-mlp", "sweeps/g/0"]),
        Column("status", ["done", "failed"], 1),
        Column("optim.lr", ["0.1", "10"], 2, numeric=True),
        Column("test/accuracy", ["0.9", ""], 1, numeric=True),
        Column("seconds", ["1", "2"], 6, numeric=True),
    ]


def test_without_a_width_everything_stays():
    kept, out = table.fitted(columns(), None)
    assert (len(kept), out) == (5, [])
    assert list(table.lines(kept)) == [
        "folder                   status  optim.lr  test/accuracy  seconds",
        "2026-11-21/10-20-05-mlp  done         0.1            0.9        1",
        "sweeps/g/0               failed        10                       2",
    ]


def test_what_tells_least_goes_first():
    everything = table.total(columns())
    assert table.fitted(columns(), everything) == (columns(), [])
    order = table.fitted(columns(), 1)[1]
    assert order == ["seconds", "optim.lr", "test/accuracy", "status"], "of equal ranks the last; rank 0 never"
    assert table.fitted(columns(), 1, least=2)[1] == ["seconds"]
    kept, out = table.fitted(columns(), everything - 1)
    assert out == ["seconds"]
    assert max(map(len, table.lines(kept))) < everything


def test_broken_headings_and_paths():
    made = [table.heading_broken(one) for one in columns()]
    assert [one.name for one in made][2:4] == ["optim.\nlr", "test/\naccuracy"]
    assert table.fitted(made, 1)[1][1] == "optim.lr", "left out by its whole name"
    made[0] = table.path_broken(made[0])
    assert made[0].cells == ["2026-11-21/\n10-20-05-mlp", "sweeps/g/0"]
    assert list(table.lines(made)) == [
        "                      optim.     test/",
        "folder        status      lr  accuracy  seconds",
        "2026-11-21/   done       0.1       0.9        1",
        "10-20-05-mlp",
        "sweeps/g/0    failed      10                  2",
    ]


def test_wide_letters_and_colours(monkeypatch):
    assert [table.cell_width(text) for text in ("abc", "é", "猫", "a\nbcd")] == [3, 1, 2, 3]
    assert list(table.lines([Column("x", ["猫", "a"]), Column("y", ["1", "2"])])) == ["x   y", "猫  1", "a   2"]
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    painted = list(table.lines([Column("status", ["done", "so"])], {"status": {"done": "green"}}))
    assert painted == ["\x1b[1mstatus\x1b[0m", "\x1b[32mdone\x1b[0m", "so"]
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in "".join(table.lines([Column("status", ["done"])], {"status": {"done": "green"}}))

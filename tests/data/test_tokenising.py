"""Short texts are tokenised in silence, long ones are not."""

from __future__ import annotations

from assay.data import tokenising
from assay.data.tokenising import Progress


def test_nothing_is_said_of_what_takes_seconds(capsys):
    told = Progress("tokenising", 100)
    for _ in range(10):
        told("0123456789")
    told.ended()
    assert capsys.readouterr().err == ""


def test_elsewhere_than_on_a_terminal_each_tenth_is_a_line(capsys, monkeypatch):
    now = iter(range(0, 1000, 4))
    monkeypatch.setattr(tokenising.time, "monotonic", lambda: next(now))
    told = Progress("tokenising", 100)
    for _ in range(20):
        told(b"01234")
    told.ended()
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "tokenising: 10 %, 72 s left"
    assert len(lines) == 10
    assert lines[-1].startswith("tokenising: 100 %, 0 s")


def test_on_a_terminal_it_is_one_line(capsys, monkeypatch):
    now = iter(range(0, 1000, 4))
    monkeypatch.setattr(tokenising.time, "monotonic", lambda: next(now))
    told = Progress("reading the text", 10)
    told.terminal = True
    for _ in range(5):
        told("ab")
    told.ended()
    said = capsys.readouterr().err
    assert "\n" not in said
    assert "reading the text: 60 %" in said
    assert said.endswith("\r")

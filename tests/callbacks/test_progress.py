from __future__ import annotations

import io

import pytest

from assay.callbacks import progress


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.2, "0 s"), (59.4, "59 s"), (200, "3 min 20 s"), (3605, "1 h 00 min"), (7500, "2 h 05 min")]
)
def test_durations_as_a_person_says_them(seconds, text):
    assert progress.duration(seconds) == text


class Terminal(io.StringIO):
    def isatty(self):
        return True


def watch(stream, monkeypatch, columns="80"):
    monkeypatch.setenv("COLUMNS", columns)
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    shown = progress.Progress(100, "val/accuracy", stream)
    shown.started()
    for step in range(1, 51):
        now[0] = step * 0.1
        shown.stepped(step)
    shown.loss = 0.5
    shown.validated(50, 0, {"val/accuracy": 0.75})
    now[0] = 6.0
    shown.stepped(60)
    shown.finished()
    return stream.getvalue()


@pytest.mark.parametrize("kind", [io.StringIO, Terminal])
def test_a_reader_who_leaves_does_not_end_the_run(monkeypatch, kind):
    class Gone(kind):
        def write(self, text):
            raise BrokenPipeError

    assert watch(Gone(), monkeypatch) == ""


def test_plain_lines_when_not_a_terminal(monkeypatch):
    text = watch(io.StringIO(), monkeypatch)
    assert "\r" not in text
    assert "\x1b" not in text
    assert text.splitlines() == [
        "about 9 s to go",
        "epoch 1: step 50/100 · loss 0.5000 · val/accuracy 0.7500 · 10 steps/s · 5 s left",
    ]


def test_one_renewed_line_on_a_terminal_that_fits_it(monkeypatch):
    text = watch(Terminal(), monkeypatch, columns="30")
    assert "\n" not in text
    lines = text.split("\r\x1b[K")
    assert all(len(line) < 30 for line in lines)
    assert lines[-1] == ""  # cleaned up
    assert any(line.startswith("step 60/100") for line in lines)

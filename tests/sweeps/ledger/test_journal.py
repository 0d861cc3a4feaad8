"""Appending from several processes, torn lines, a disk that is full: nothing that was told is lost."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from assay.sweeps.ledger.journal import Journal

APPENDS = """
import sys
from pathlib import Path
from assay.sweeps.ledger.journal import Journal
journal = Journal(Path(sys.argv[1]), lambda line: None, lambda: None)
for number in range(int(sys.argv[3])):
    with journal.appending() as append:
        append([{"who": sys.argv[2], "number": number, "text": "x" * (number % 500)}])
"""

FILLS = """
import resource, sys
from pathlib import Path
from assay.sweeps.ledger.journal import Journal
journal = Journal(Path(sys.argv[1]), lambda line: None, lambda: None)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
told = 0
try:
    for number in range(100):
        with journal.appending() as append:
            append([{"number": number, "text": "x" * 50}, {"number": number, "half": 2}])
        told = number + 1
except OSError as error:
    print(told)
"""


def read(path: Path) -> tuple[list[dict], Journal]:
    lines: list[dict] = []
    journal = Journal(path, lambda line: lines.append(dict(line)), lines.clear)
    journal.read()
    return lines, journal


def test_processes_that_append_at_once_lose_nothing(tmp_path):
    path = tmp_path / "journal"
    processes = [subprocess.Popen([sys.executable, "-c", APPENDS, path, who, "60"]) for who in "abc"]
    assert [process.wait() for process in processes] == [0, 0, 0]
    lines, journal = read(path)
    assert journal.damaged == 0
    for who in "abc":
        assert [line["number"] for line in lines if line["who"] == who] == list(range(60))


def test_a_torn_line_is_skipped_and_not_glued_to_the_next(tmp_path):
    path = tmp_path / "journal"
    path.write_text('{"a": 1}\n{"b": 2, "torn": "by a ki')
    lines, journal = read(path)
    assert lines == [{"a": 1}]
    with journal.appending() as append:
        append([{"c": 3}])
    assert lines == [{"a": 1}, {"c": 3}]
    assert read(path)[0] == [{"a": 1}, {"c": 3}]
    assert [line for line in path.read_text().splitlines() if line.startswith('{"c')] == ['{"c": 3}']


def test_a_full_disk_takes_all_of_an_append_or_nothing(tmp_path):
    path = tmp_path / "journal"
    done = subprocess.run([sys.executable, "-c", FILLS, path, "1000"], capture_output=True, text=True, check=True)
    told = int(done.stdout)
    assert 3 < told < 20
    assert path.stat().st_size <= 1000
    lines, journal = read(path)
    assert journal.damaged == 0
    assert [line["number"] for line in lines] == [number for number in range(told) for _ in range(2)]
    with journal.appending() as append:
        append([{"number": "again"}])
    assert read(path)[0][-1] == {"number": "again"}


def test_what_others_append_is_read_once_and_a_replaced_file_from_its_beginning(tmp_path):
    path = tmp_path / "journal"
    lines, journal = read(path)
    path.write_text('{"a": 1}\n')
    journal.read()
    journal.read()
    assert lines == [{"a": 1}]
    with path.open("a") as file:
        file.write('{"b": 2}\nnot json\n')
    journal.read()
    assert (lines, journal.damaged) == ([{"a": 1}, {"b": 2}], 1)
    (tmp_path / "new").write_text('{"c": 3}\n')
    (tmp_path / "new").replace(path)
    journal.read()
    assert (lines, journal.damaged) == ([{"c": 3}], 0)
    path.unlink()
    journal.read()
    assert lines == []


def test_an_append_that_is_refused_in_its_block_leaves_nothing(tmp_path):
    lines, journal = read(tmp_path / "journal")
    with pytest.raises(ZeroDivisionError), journal.appending():
        raise ZeroDivisionError
    with journal.appending() as append:
        append([])
        append([{"text": "ä\n\u2028"}])
    assert lines == [{"text": "ä\n\u2028"}]
    assert json.loads((tmp_path / "journal").read_text(encoding="utf-8")) == {"text": "ä\n\u2028"}

"""The journal of a study: torn lines, and locks of processes that died."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import optuna

from assay.sweeps.search.storage import JOURNAL, Lock, opened


def study(folder):
    return optuna.create_study(storage=opened(folder, None), study_name="study", load_if_exists=True)


def test_a_torn_line_is_taken_away_and_the_next_one_is_whole(tmp_path):
    first = study(tmp_path)
    first.tell(first.ask(), 1.0)
    path = tmp_path / JOURNAL
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"op_code":4,"worker_id":"a","study_id":0,"datetime_sta')
    second = study(tmp_path)
    second.tell(second.ask(), 2.0)
    assert path.read_bytes().startswith(whole)
    assert [trial.value for trial in study(tmp_path).trials] == [1.0, 2.0]


def test_a_journal_of_one_torn_line_begins_anew(tmp_path):
    (tmp_path / JOURNAL).write_bytes(b'{"op_code":0' + b" " * 10_000)
    assert study(tmp_path).trials == []


def test_nobody_waits_for_a_process_that_was_killed_with_the_lock(tmp_path):
    path = tmp_path / JOURNAL
    path.touch()
    code = f"""
import time
from assay.sweeps.search.storage import Lock
Lock({str(path)!r}).acquire()
print("held", flush=True)
time.sleep(60)
"""
    holder = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()
    holder.stdout.close()
    before = time.monotonic()
    lock = Lock(str(path))
    assert lock.acquire()
    lock.release()
    assert time.monotonic() - before < 10  # Optuna's own waits for 30 s

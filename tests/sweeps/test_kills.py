"""A sweep that is killed, anywhere and again and again, ends as one that never was: nothing lost, nothing run twice."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from assay.sweeps.ledger.ledger import Ledger
from tests.conftest import ROOT
from tests.sweeps import made


def processes(session: int) -> dict[int, int]:
    """{process: its parent} of those below a process that has not ended."""
    parents = {}
    for place in Path("/proc").iterdir():
        if place.name.isdigit():
            try:
                fields = (place / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if fields[0] != "Z":
                parents[int(place.name)] = int(fields[1])
    found, grown = {session: parents.get(session, 0)}, True
    while grown:
        below = {pid: up for pid, up in parents.items() if up in found and pid not in found}
        grown = bool(below)
        found |= below
    return found


def victims(parent: int, whom: str) -> list[int]:
    """Whom to kill: the sweep's process, the warm parent, one of its children, or all at once."""
    tree = processes(parent)
    server = next((pid for pid, up in tree.items() if up == parent), None)
    children = [pid for pid, up in tree.items() if up == server]
    one = children[:1]
    return {
        "parent": [parent],
        "server": [server] if server else [],
        "child": one,
        "both": [parent, *one],
        "all": [parent, *([server] if server else []), *children],
    }[whom]


def kill(parent: int, whom: str) -> int:
    """Sends SIGKILL; how many processes got it."""
    hit = 0
    for pid in victims(parent, whom):
        try:
            os.kill(pid, signal.SIGKILL)
            hit += 1
        except ProcessLookupError:
            pass
    return hit


def finished_once(folder: Path) -> None:
    """No point that had ended was begun again."""
    over: set[int] = set()
    for line in (folder / "ledger.jsonl").read_bytes().splitlines():
        try:
            event = json.loads(line)
        except ValueError:
            continue
        if event["event"] == "claimed":
            assert event["number"] not in over, f"{event['number']} ran again"
        if event["event"] == "ended" and event["state"] == "done":
            over.add(event["number"])


def killed_until_done(folder, points, moments, limit=60, **orders) -> Counter[str]:
    """Runs a sweep, killing somebody when some more points are done; the same command then continues."""
    hits: Counter[str] = Counter()
    left = list(moments)
    for _ in range(limit):
        pid = made.parent(folder, points, **orders)
        while (done := os.waitpid(pid, os.WNOHANG))[0] == 0:
            count = sum(entry.state == "done" for entry in Ledger(folder).entries())
            running = sum(entry.state == "running" for entry in Ledger(folder).entries())
            if left and count >= left[0][0] and running:
                time.sleep(left[0][2])
                if kill(pid, left[0][1]):
                    hits[left[0][1]] += 1
                    left.pop(0)
            time.sleep(0.01)
        if os.waitstatus_to_exitcode(done[1]) == 0:
            return hits
    pytest.fail(f"{folder} did not end: {(folder / 'screen.txt').read_text()[-3000:]}")


SIX = {"optim__lr": [0.01, 0.003, 0.001], "seed": [0, 1]}


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    """The sweep of six runs that nobody disturbed."""
    outputs = tmp_path_factory.mktemp("unbroken")
    folder = outputs / "sweeps" / "a"
    assert made.ended(made.parent(folder, made.planned(outputs, **SIX))) == 0, (folder / "screen.txt").read_text()
    return folder


def test_killed_at_random_it_ends_as_one_that_never_was(unbroken, tmp_path):
    moments = [(0, "child", 0.1), (1, "all", 0.2), (2, "server", 0.0), (3, "both", 0.05), (4, "parent", 0.0)]
    folder = tmp_path / "sweeps" / "a"
    hits = killed_until_done(folder, made.planned(tmp_path, **SIX), moments)
    assert sum(hits.values()) >= 4
    assert made.standing(folder) == made.standing(unbroken)
    assert made.results(folder) == made.results(unbroken)
    finished_once(folder)


@pytest.mark.slow
def test_killed_and_extended_by_a_value_and_by_seeds(unbroken, tmp_path):
    folder = tmp_path / "sweeps" / "a"
    few = made.planned(tmp_path, optim__lr=[0.003, 0.01], seed=[0])
    killed_until_done(folder, few, [(0, "both", 0.2)])
    hits = killed_until_done(folder, made.planned(tmp_path, **SIX), [(2, "all", 0.1), (4, "child", 0.1)])
    assert sum(hits.values()) == 2
    assert [entry.digest for entry in Ledger(folder).entries()[:2]] == [
        Ledger(unbroken).entry(number).digest for number in (2, 0)
    ]  # what was there keeps its number

    def by_digest(sweep: Path) -> dict[str, object]:
        ran = made.results(sweep)
        return {one["digest"]: ({**one, "number": 0}, ran[one["number"]]) for one in made.standing(sweep)}

    assert by_digest(folder) == by_digest(unbroken)
    finished_once(folder)


def command(outputs: Path, rates: int, seeds: int) -> list[str]:
    """A grid of ``rates`` x 3 x ``seeds`` points, as a user types it."""
    lr = ",".join(f"{0.03 / 2**number:g}" for number in range(rates))
    axes = [f"optim.lr={lr}", "data.batch_size=32,64,128", f"seeds={seeds}"]
    fixed = ["model=mlp", "trainer=cpu", "trainer.max_epochs=3", "logger=none", "checkpoint.every=20steps"]
    return [sys.executable, str(ROOT / "train.py"), "-m", *fixed, *axes, f"outputs={outputs}"]


def sweep(outputs: Path) -> Path:
    (folder,) = (one for one in (outputs / "sweeps").iterdir() if (one / "ledger.jsonl").exists())
    return folder


def finish(words: list[str], log: Path) -> None:
    """Runs the command to its end."""
    with open(log, "ab") as file:
        assert subprocess.run(words, stdout=file, stderr=file, cwd=log.parent).returncode == 0, log.read_text()[-3000:]


def finish_killed(words: list[str], outputs: Path, draw: random.Random, kills: int) -> Counter[str]:
    """The same, with so many kills on the way, each at a random moment while jobs run."""
    hits: Counter[str] = Counter()
    log = outputs.parent / f"{outputs.name}.txt"
    while True:
        with open(log, "ab") as file:
            process = subprocess.Popen(words, stdout=file, stderr=file, cwd=log.parent, start_new_session=True)
        while process.poll() is None:
            whom = draw.choice(("parent", "child", "both", "all", "server"))
            if sum(hits.values()) < kills and len(victims(process.pid, "all")) > 2:  # a job is at it
                time.sleep(draw.uniform(0.0, 1.2))
                hits[whom] += process.poll() is None and kill(process.pid, whom) > 0
            time.sleep(0.05)
        if process.returncode == 0:
            return hits
        assert process.returncode == -signal.SIGKILL, log.read_text()[-3000:]


@pytest.mark.slow
def test_sixty_points_killed_ten_times_then_extended(tmp_path):
    """The acceptance of issue 6: as an unbroken one, apart from attempts and times; then a value and a seed more."""
    draw = random.Random(6)
    broken, whole = tmp_path / "broken", tmp_path / "whole"
    for rates, seeds, kills in ((5, 4, 10), (6, 5, 3)):
        hits = finish_killed(command(broken, rates, seeds), broken, draw, kills)
        assert sum(hits.values()) == kills, hits
        finish(command(whole, rates, seeds), tmp_path / "whole.txt")
        assert len(made.results(sweep(whole))) == rates * 3 * seeds
        by_digest = [sorted(made.standing(sweep(one)), key=lambda entry: entry["digest"]) for one in (broken, whole)]
        assert by_digest[0] == by_digest[1]
        assert made.standing(sweep(broken)) == made.standing(sweep(whole))  # numbers too
        assert made.results(sweep(broken)) == made.results(sweep(whole))
        finished_once(sweep(broken))
        assert tables(broken) == tables(whole)


def tables(outputs: Path) -> str:
    """What ``assay table`` says of a sweep, its place aside."""
    words = [sys.executable, "-m", "assay.cli", "table", str(sweep(outputs)), "--format", "csv"]
    done = subprocess.run(words, capture_output=True, text=True, cwd=ROOT, env={**os.environ, "PYTHONPATH": "src"})
    assert done.returncode == 0, done.stderr
    return done.stdout.replace(str(outputs), "OUTPUTS")


@pytest.mark.slow
def test_a_third_of_the_points_fails_by_the_command(tmp_path):
    words = [word for word in command(tmp_path / "out", 2, 2) if not word.startswith("optim.lr=")]
    log = tmp_path / "log.txt"
    with open(log, "w") as file:
        ended = subprocess.run([*words, "optim.lr=0.01,1e39,0.003"], stdout=file, stderr=file, cwd=tmp_path)
    assert ended.returncode == 1
    text = log.read_text()
    assert "12 done, 6 failed of 18" in text
    assert text.count("the loss is not finite") >= 6

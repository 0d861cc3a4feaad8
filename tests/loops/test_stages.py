"""A loop that is killed at any moment, any number of times, ends as one that never was: bit for bit."""

from __future__ import annotations

import json
import os
import shutil
import signal
from pathlib import Path

import pytest

from assay import folder
from assay.composition.compose import composer_of
from assay.errors import ConfigError
from assay.lifecycle.resume import prepare, resume_command
from assay.loops import loop, stages, start
from assay.preflight import Point, compose
from assay.run import Stopped
from tests.interruptions import Moment, at, bits, die

SHORT = ["model=mlp", "data.batch_size=32", "trainer.max_epochs=2", "+trainer.limit_train_batches=4", "logger=none"]
SHORT += ["checkpoint.every=3steps", "distillation=born_again", "distillation.generations=2", "threads=1"]
NAMES = ["generation-0", "generation-1", "generation-2"]


def point_of(outputs: Path, *more: str) -> Point:
    return compose([*SHORT, f"outputs={outputs}", *more])


def begin(point: Point, where: Path, *, resume: bool = False) -> None:
    where.mkdir(parents=True, exist_ok=True)
    if resume:
        config, typed = prepare(where, [])
    else:
        config, typed = point.config, list(point.overrides)
        folder.write_config(where, config, typed)
    start.run(config, typed, where, composer_of(), resume=resume)


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory) -> Path:
    where = tmp_path_factory.mktemp("loops") / "day" / "unbroken"
    begin(point_of(where.parent.parent), where)
    return where


def same(one: Path, other: Path) -> None:
    for name in NAMES:
        assert not bits(one / "stages" / name, other / "stages" / name)
    weights = [path / "artifact" / "weights.safetensors" for path in (one, other)]
    assert weights[0].read_bytes() == weights[1].read_bytes()
    rows = [json.loads((path / "chain.json").read_text())["rows"] for path in (one, other)]
    assert [row["val"] for row in rows[0]] == [row["val"] for row in rows[1]]


def forked(work) -> int:
    """The status of a process that does the work."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            work()
            code = 0
        finally:
            os._exit(code)
    return os.waitpid(pid, 0)[1]


PLACES = {
    "before its mark": (folder, "write_config", 2),  # of the loop, then of its first stage
    "between two stages": (stages.Stages, "_begin", 2),
    "measuring": (loop.report.Rows, "_add", 2),
    "before the artifact of the whole": (loop, "_taken", 1),
}


OFTEN = [Moment("step", 11), "between two stages"]
RARELY = [Moment("step", 2), Moment("writing", 2), Moment("ending", 2), *(one for one in PLACES if one not in OFTEN)]


@pytest.mark.parametrize(
    "moment",
    [*OFTEN, *(pytest.param(one, marks=pytest.mark.slow) for one in RARELY)],
    ids=lambda one: one if isinstance(one, str) else f"{one.name} {one.number}",
)
def test_killed_anywhere_it_ends_as_one_that_never_was(unbroken, tmp_path, moment, monkeypatch):
    where = tmp_path / "day" / "broken"
    point = point_of(tmp_path)

    def until() -> None:
        if isinstance(moment, Moment):
            with at(moment, die):
                begin(point, where)
        owner, name, number = PLACES[moment]
        original, calls = getattr(owner, name), []

        def counted(*arguments, **named):
            calls.append(1)
            return die() if len(calls) == number else original(*arguments, **named)

        monkeypatch.setattr(owner, name, counted)
        begin(point, where)

    assert os.WTERMSIG(forked(until)) == signal.SIGKILL
    begin(point, where, resume=True)
    same(unbroken, where)


def test_finished_stages_are_not_run_again(unbroken, tmp_path, monkeypatch):
    where = tmp_path / "day" / "copy"
    shutil.copytree(unbroken, where)
    (where / "summary.json").unlink()
    monkeypatch.setattr(stages.running, "run", lambda *_, **__: pytest.fail("a stage ran again"))
    begin(point_of(tmp_path), where, resume=True)
    same(unbroken, where)


def test_a_second_loop_takes_what_is_the_same(unbroken, tmp_path, capsys):
    """Its first generations are those of the first loop; one generation more is trained."""
    where = unbroken.parent / "longer"
    begin(point_of(unbroken.parent.parent, "distillation.generations=3"), where)
    marks = [json.loads((where / "stages" / name / "stage.json").read_text()) for name in (*NAMES, "generation-3")]
    assert [mark.get("taken_from") for mark in marks] == [*(f"../unbroken/stages/{name}" for name in NAMES), None]
    assert "taken from there" in capsys.readouterr().out
    other = unbroken.parent / "other"
    begin(point_of(unbroken.parent.parent, "optim.lr=0.02"), other)
    assert not any("taken_from" in stages.read_mark(other / "stages" / name) for name in NAMES)


def test_an_altered_stage_is_run_anew_and_those_after_it(unbroken, tmp_path, capsys):
    where = tmp_path / "day" / "altered"
    shutil.copytree(unbroken, where)
    (where / "summary.json").unlink()
    mark = where / "stages" / NAMES[1] / "stage.json"
    mark.write_text(json.dumps({**json.loads(mark.read_text()), "inputs": {NAMES[0]: "another"}}))
    begin(point_of(tmp_path), where, resume=True)  # its config names the outputs where the unbroken one lies
    assert "taken_from" in json.loads(mark.read_text())
    weights = [path / "artifact" / "weights.safetensors" for path in (unbroken, where)]
    assert weights[0].read_bytes() == weights[1].read_bytes()
    assert f"stage {NAMES[1]} began from other artifacts" in capsys.readouterr().out


def test_stopped_by_a_signal_it_says_how_to_go_on(tmp_path, monkeypatch, capsys):
    where = tmp_path / "day" / "stopped"
    with at(Moment("step", 11), lambda: signal.raise_signal(signal.SIGINT)), pytest.raises(Stopped):
        begin(point_of(tmp_path), where)
    summary = json.loads((where / "summary.json").read_text())
    assert (summary["status"], summary["stages"]) == ("stopped", 1)
    assert f"`assay resume {where}` goes on" in capsys.readouterr().out
    assert (tmp_path / "latest").resolve() == where.resolve()
    assert resume_command(str(where), []) == 0
    assert json.loads((where / "summary.json").read_text())["status"] == "done"
    with pytest.raises(ConfigError, match=r"is done, with all its stages: `assay rerun RUN`"):
        resume_command(str(where), [])


def test_a_refused_first_stage_leaves_nothing(tmp_path):
    point = point_of(tmp_path, "monitor=val/nothing")
    where = tmp_path / "day" / "refused"
    with pytest.raises(ConfigError, match=r"monitor=val/nothing is not measured"):
        begin(point, where)
    assert not where.exists()


def test_a_loop_is_not_lengthened(unbroken):
    with pytest.raises(ConfigError, match=r"trainer.max_epochs=9 would lengthen every stage"):
        resume_command(str(unbroken), ["trainer.max_epochs=9"])


def test_a_teacher_that_was_there_is_the_first_row(unbroken, tmp_path):
    """So that the report says what was lost and won since."""
    plain = [word for word in SHORT if not word.startswith("distillation")]
    words = ["compression=chain", "compression.stages=[quantize]", f"compression.teacher={unbroken}"]
    where = tmp_path / "day" / "small"
    begin(compose([*plain, *words, f"outputs={tmp_path}"]), where)
    rows = json.loads((where / "chain.json").read_text())["rows"]
    assert [row["stage"] for row in rows] == ["teacher", "1-quantize"]
    assert rows[0]["val"] == json.loads((unbroken / "chain.json").read_text())["rows"][-2]["val"]
    assert rows[0]["bytes"] > 2 * rows[1]["bytes"]

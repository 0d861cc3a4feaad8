"""What ``assay train -m`` does with a sweep that is new, known, extended, edited, aside or lost. Runs are stand-ins."""

from __future__ import annotations

import errno
import json
import shutil
from pathlib import Path

import pytest

from assay import folder
from assay.cli import main
from assay.sweeps.ledger import snapshot
from assay.sweeps.ledger.ledger import JOURNAL, Ledger


def train(*words: str) -> int:
    return main(["train", "-m", "model=linear", *words])


def the_sweep() -> Path:
    (found,) = (place for place in Path("outputs/sweeps").iterdir() if place.is_dir())
    return found


def test_the_same_command_goes_on_and_more_values_extend_it(courses, capfd):
    courses.fails = (1,)
    assert train("optim=sgd,adam", "seeds=2") == 1
    courses.fails = ()
    assert train("optim=sgd,adam", "seeds=2") == 0
    assert train("optim=sgd,adam", "seeds=2") == 0
    assert train("optim=momentum,adam,sgd", "seeds=3") == 0
    assert courses == [
        {0: 0, 1: 1, 2: 0, 3: 1},
        {1: 1},
        {},
        {4: 0, 5: 1, 6: 2, 7: 2, 8: 2},
    ]
    entries = Ledger(the_sweep()).entries()
    assert [entry.attempts for entry in entries] == [1, 2, 1, 1, 1, 1, 1, 1, 1]
    facts = json.loads((the_sweep() / "sweep.json").read_text())
    assert facts["axes"] == {"optim": ["sgd", "adam", "momentum"], "seed": ["0", "1", "2"]}
    assert facts["fixed"] == ["model=linear"]
    assert facts["command"] == ["-m", "model=linear", "optim=momentum,adam,sgd", "seeds=3"]
    assert courses.orders.command == ["assay", "train", *facts["command"]]
    assert courses.orders.paths == [(the_sweep() / "source" / "src").resolve()]
    assert capfd.readouterr() == ("", "")


def test_an_edit_is_refused_and_the_ways_out_are_named(courses, capsys, monkeypatch):
    assert train("seeds=1") == 0
    Path("tree/model.py").write_text("2")
    assert train("seeds=2") == 2
    sweep = the_sweep()
    assert capsys.readouterr().err == (
        f"src/assay/model.py changed since sweep {sweep.name} began, so its points would not compare: "
        "sweep.source=snapshot goes on as it was then, name=… starts another sweep, sweep.fresh=true this one anew\n"
    )
    entered = []
    monkeypatch.setattr(snapshot, "enter", lambda place, words: entered.append((place, list(words))) or exit(7))
    with pytest.raises(SystemExit):
        train("seeds=2", "sweep.source=snapshot")
    assert entered == [(sweep.absolute(), ["-m", "model=linear", "seeds=2", "sweep.source=snapshot"])]
    assert len(courses) == 1
    assert train("seeds=2", "name=mine") == 0
    assert Ledger("outputs/sweeps/mine").entries()[1].state == "done"


def test_a_snapshot_of_a_sweep_that_is_not_there(courses, capsys):
    assert train("seeds=2", "sweep.source=snapshot") == 2
    assert "whose source could run; leave it out to begin one" in capsys.readouterr().err
    assert not Path("outputs").exists()


def test_a_fresh_sweep_keeps_the_old_one_beside(courses, capsys):
    assert train("seeds=2") == 0
    sweep = the_sweep()
    Path("tree/model.py").write_text("2")
    assert train("seeds=2", "sweep.fresh=true") == 0
    assert train("seeds=2", "sweep.fresh=true") == 0
    assert courses == [{0: 0, 1: 1}] * 3
    assert sorted(place.name for place in sweep.parent.iterdir() if place.is_dir()) == [
        sweep.name,
        f"{sweep.name}-1",
        f"{sweep.name}-2",
    ]
    assert (sweep.parent / f"{sweep.name}-1" / "source" / "src" / "assay" / "model.py").read_text() == "1"
    assert f"the earlier sweep is now outputs/sweeps/{sweep.name}-1" in capsys.readouterr().err
    with Ledger(sweep).at_work("else"):
        assert train("seeds=2", "sweep.fresh=true") == 2
    assert "else is at work on sweep" in capsys.readouterr().err


def test_one_name_for_commands_that_do_not_compare(courses, capsys):
    words = ["name=mine", "optim=sgd,adam"]
    assert train(*words, "trainer.max_epochs=3") == 0
    entry = Ledger("outputs/sweeps/mine").entry(1)
    assert entry.overrides == ("model=linear", "optim=adam", "trainer.max_epochs=3")
    assert folder.read_config(entry.folder)["name"] is None
    assert train(*words, "trainer.max_epochs=4") == 2
    assert capsys.readouterr().err == (
        "sweep mine was begun with trainer.max_epochs=3, and this command has trainer.max_epochs=4: write several "
        "values to make trainer.max_epochs an axis of it, name=… for another sweep, or sweep.fresh=true for this one "
        "anew\n"
    )
    assert train(*words) == 2
    assert train(*words, "trainer.max_epochs=3", "clip=norm") == 2
    assert train(*words, "trainer.max_epochs=3,4") == 0
    assert courses[-1] == {2: 0, 3: 0}
    cells = [entry.cell for entry in Ledger("outputs/sweeps/mine").entries()]
    assert cells[0] == {"optim": "sgd", "trainer.max_epochs": "3"}
    assert train(*words, "trainer.max_epochs=4") == 0
    assert courses[-1] == {}


def test_a_lost_ledger_and_a_run_that_ended_unheard_are_entered(courses, capsys):
    assert train("seeds=3") == 0
    sweep = the_sweep()
    (sweep / JOURNAL).unlink()
    (sweep / "sweep.json").unlink()
    shutil.rmtree(sweep / "2")
    (sweep / JOURNAL).touch()
    assert train("seeds=3") == 0
    assert courses[-1] == {2: 2}
    assert "the ledger had lost points 0 and 1: entered again from the job folders" in capsys.readouterr().err
    ledger = Ledger(sweep)
    lines = (sweep / JOURNAL).read_text().splitlines()
    (sweep / JOURNAL).write_text("\n".join(lines[:-1]) + "\n")
    assert ledger.entries()[2].state == "running"
    assert train("seeds=3") == 0
    assert courses[-1] == {}
    assert "point 2 had ended as the sweep was stopped: entered" in capsys.readouterr().err


def test_a_full_disk_is_one_line(courses, monkeypatch, capsys):
    def full(*arguments: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Ledger, "plan", full)
    assert train("seeds=2") == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("the disk is full: nothing of outputs/sweeps/seeds-")
    monkeypatch.setattr(snapshot, "take", full)
    assert train("seeds=2", "name=other") == 1
    assert not Path("outputs/sweeps/other").exists()


def test_a_plan_shows_cells_seeds_and_what_is_left(courses, capsys):
    words = ["optim=sgd,adam", "seeds=3", "data.folds=4", "fold=0,1"]
    assert train(*words[:1], "seeds=1", *words[2:]) == 0
    assert train(*words, "plan=true") == 0
    *_, cells, left, last = capsys.readouterr().out.splitlines()
    assert cells == "2 cells × 3 seeds × 2 folds"
    assert "4 of these done; the other 8 take about " in left
    assert last == "12 runs, all checks passed; leave out plan=true to train"
    assert train("optim.lr=range(1,100)", "plan=true") == 0
    out = capsys.readouterr().out.splitlines()
    assert out[5] == "…  94 more"
    assert len(out) == 9
    assert len(courses) == 1


def test_places_that_are_no_sweeps(courses, capsys):
    Path("outputs/sweeps/mine").mkdir(parents=True)
    Path("outputs/sweeps/mine/thesis.tex").touch()
    assert train("seeds=2", "name=mine") == 2
    assert capsys.readouterr().err == "outputs/sweeps/mine is there and no sweep; choose another name=…\n"
    Path("taken").touch()
    assert train("seeds=2", "outputs=taken") == 2
    assert "takes no sweep (Not a directory); name another" in capsys.readouterr().err


def test_runs_of_a_sweep_are_listed_once_and_its_state_below(courses, capsys):
    courses.fails = (1,)
    assert train("optim=sgd,adam") == 1
    assert main(["runs"]) == 0
    out = capsys.readouterr().out
    assert f"sweep sweeps/{the_sweep().name}: 1 done, 1 failed" in out
    assert "2 runs: 1 done, 1 failed" in out

"""assay clean: what goes, what never goes, and that nothing goes unasked."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from assay import cli
from assay import folder as run_folder
from assay.lifecycle.clean import bytes_shown
from tests.made_runs import make_run

DAY = 86_400
CHECKPOINTS = {f"checkpoints/{name}.ckpt": 1000 for name in ("last", "previous", "best", "best-12")}
FILES = {
    **CHECKPOINTS,
    "checkpoints/last.ckpt.tmp": 100,
    "artifact/artifact.json": 10,
    "artifact/weights.safetensors": 1000,
    "artifact.tmp/weights.safetensors": 50,
    "summary.json.tmp": 5,
    "predictions/test.csv": 30,
    "wandb/offline-run-1-x/run.wandb": 400,
    "wandb/run_id": 8,
    "notes.txt": 7,
}
KEPT = {
    *("config.yaml", "overrides.yaml", "metrics.csv", "summary.json", "checkpoints/best.ckpt"),
    *("artifact/artifact.json", "artifact/weights.safetensors", "predictions/test.csv", "wandb/run_id", "notes.txt"),
}


def held(folder: Path) -> set[str]:
    """The files of a run; the lock that cleaning takes is none."""
    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file() or path.is_symlink()}
    return files - {run_folder.LOCK}


def clean(capsys, *argv, code=0) -> list[str]:
    assert cli.main(["clean", *map(str, argv)]) == code
    return capsys.readouterr().out.splitlines()


def test_a_finished_run(tmp_path, capsys):
    run = make_run(tmp_path / "a", files=FILES)
    before = held(run)
    lines = clean(capsys, tmp_path, "--dry")
    assert held(run) == before
    assert lines[1] == "3.2 kB in 1 of 1 run"
    assert set(lines[0].split("done  ")[1].split(", ")) == {
        *("best-12.ckpt", "last.ckpt", "last.ckpt.tmp", "previous.ckpt", "artifact.tmp", "summary.json.tmp"),
    }
    assert clean(capsys, tmp_path, "--yes")[-1] == "freed 3.2 kB"
    assert held(run) == KEPT | {"wandb/offline-run-1-x/run.wandb"}, "an upload may still need its scratch"
    assert clean(capsys, tmp_path, "--yes") == ["nothing to delete"]


def test_scratch_goes_once_the_host_has_it_all(tmp_path, capsys):
    run = make_run(tmp_path / "a", files=FILES)
    for rows, gone in ((3, False), (0, True)):
        (run / "wandb" / "sent").write_text(json.dumps({"status": "done", "rows": rows}))
        clean(capsys, run, "--yes")
        assert (run / "wandb" / "offline-run-1-x").exists() != gone
    assert held(run) == KEPT | {"wandb/sent"}


@pytest.mark.parametrize("status", ["failed", "stopped", "interrupted", None])
def test_what_resuming_needs_stays(tmp_path, capsys, status):
    summary = None if status is None else {"status": status}
    run = make_run(tmp_path / "a", files=FILES, summary=summary, age=DAY)
    lines = clean(capsys, tmp_path, "--yes")
    assert "1 unfinished, whose checkpoints resuming needs (--all-checkpoints takes them)" in lines[1]
    assert held(run) >= set(CHECKPOINTS)
    assert "checkpoints/last.ckpt.tmp" not in held(run)
    os.utime(run / "checkpoints", (1e9, 1e9))
    clean(capsys, tmp_path, "--yes", "--all-checkpoints")
    assert not held(run) & set(CHECKPOINTS)


def test_all_checkpoints_of_a_finished_run(tmp_path, capsys):
    whole = make_run(tmp_path / "a", files=FILES)
    bare = make_run(tmp_path / "b", files=CHECKPOINTS)
    clean(capsys, tmp_path, "--yes", "--all-checkpoints")
    assert "checkpoints/best.ckpt" not in held(whole)
    assert "artifact/weights.safetensors" in held(whole)
    assert "checkpoints/best.ckpt" in held(bare), "its weights are nowhere else"


def test_a_run_that_is_trained_is_left_alone(tmp_path, capsys):
    run = make_run(tmp_path / "a", files=FILES, summary=None, age=DAY)
    finished = make_run(tmp_path / "b", files=FILES, age=DAY)
    before = held(run), held(finished)
    hold = (
        "import sys, pathlib, contextlib; from assay.folder import held\n"
        "with contextlib.ExitStack() as s:\n"
        "    [s.enter_context(held(pathlib.Path(p))) for p in sys.argv[1:]]; print('held', flush=True); input()"
    )
    command = [sys.executable, "-c", hold, str(run), str(finished)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        for flags in ([], ["--all-checkpoints"], ["--runs", "--where", "seed=0"]):
            assert clean(capsys, tmp_path, "--yes", *flags)[0].startswith("nothing to delete; 2 running")
        assert (held(run), held(finished)) == before
        child.communicate(b"\n")
    assert clean(capsys, tmp_path, "--runs", "--where", "status=killed", "--yes")[-1].startswith("freed")
    assert not run.exists()


def test_a_run_that_is_resumed_while_the_user_thinks(tmp_path, capsys, monkeypatch):
    run, other = (make_run(tmp_path / name, files=FILES) for name in "ab")
    before = held(run)
    hold = "import sys, pathlib; from assay.folder import held\n"
    hold += "with held(pathlib.Path(sys.argv[1])): print('held', flush=True); input()"
    command = [sys.executable, "-c", hold, str(run)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:

        def answer(prompt):
            assert child.stdout is not None
            child.stdout.readline()
            return "y"

        monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
        monkeypatch.setattr("builtins.input", answer)
        lines = clean(capsys, tmp_path)
        child.communicate(b"\n")
    assert lines[-2:] == ["a has been started meanwhile and is left alone", "freed 3.2 kB"]
    assert held(run) == before
    assert "checkpoints/last.ckpt" not in held(other)


def test_a_run_that_wrote_lately_may_be_alive(tmp_path, capsys):
    run = make_run(tmp_path / "a", files=FILES, summary=None)
    before = held(run)
    (line,) = clean(capsys, tmp_path, "--yes", "--all-checkpoints")
    assert line == "nothing to delete; 1 killed within the last 10 minutes, if at all"
    assert held(run) == before


def test_links_lead_nowhere(tmp_path, capsys):
    outside = make_run(tmp_path / "outside" / "run", files=FILES)
    before = held(outside)
    place = tmp_path / "outputs"
    run = make_run(place / "a", files={"artifact/artifact.json": 1})
    (place / "far").symlink_to(tmp_path / "outside")
    (run / "checkpoints").symlink_to(outside / "checkpoints")
    (run / "wandb").symlink_to(outside / "wandb")
    (run / "x.tmp").symlink_to(outside / "notes.txt")
    other = make_run(place / "b", files={"checkpoints/previous.ckpt": 10})
    (other / "checkpoints" / "last.ckpt").symlink_to(outside / "checkpoints" / "last.ckpt")
    assert clean(capsys, place, "--yes", "--all-checkpoints")[-1] == "freed 10 B"
    clean(capsys, place, "--runs", "--where", "seed=0", "--yes")
    assert not run.exists()
    assert not other.exists()
    assert held(outside) == before


def test_what_is_no_run_is_left_alone(tmp_path, capsys):
    strange = make_run(tmp_path / "strange", files=FILES)
    (strange / "config.yaml").write_text("format: 2\n")
    (tmp_path / "mine" / "checkpoints").mkdir(parents=True)
    (tmp_path / "mine" / "checkpoints" / "last.ckpt").write_text("x")
    assert cli.main(["clean", str(tmp_path), "--yes", "--all-checkpoints"]) == 0
    out, err = capsys.readouterr()
    assert out == "nothing to delete\n"
    assert "strange (config.yaml has format 2" in err
    assert (tmp_path / "mine" / "checkpoints" / "last.ckpt").exists()
    assert (strange / "checkpoints" / "last.ckpt").exists()


def test_which_runs(tmp_path, capsys):
    for number, days in enumerate((30, 8, 1, 0)):
        make_run(tmp_path / f"2026-01-0{number + 1}" / "00-00-00-x", files=CHECKPOINTS, age=days * DAY, seed=number)

    def meant(*argv):
        lines = clean(capsys, tmp_path, "--dry", *argv)
        return [int(line.split()[2][9]) - 1 for line in lines[:-1]], lines[-1]

    assert meant()[0] == [0, 1, 2, 3]
    assert meant("--older-than", "7d") == ([0, 1], "6.0 kB in 2 of 4 runs; 2 too young")
    assert meant("--older-than", "4w")[0] == [0]
    assert meant("--older-than", "12h")[0] == [0, 1, 2]
    assert meant("--keep", "3") == ([0], "3.0 kB in 1 of 4 runs; 3 among the newest")
    assert meant("--keep", "9")[0] == []
    assert meant("--where", "seed>=2")[0] == [2, 3]


def test_whole_runs(tmp_path, capsys):
    outputs = tmp_path / "outputs"
    runs = [
        make_run(outputs / day / f"00-00-0{n}-x", summary={"status": status})
        for n, (day, status) in enumerate(
            [("2026-01-01", "failed"), ("2026-01-02", "done"), ("2026-01-02", "failed"), ("2026-01-03", "failed")]
        )
    ]
    job = make_run(outputs / "sweeps" / "grid" / "0", summary={"status": "failed"})
    run_folder.point_latest(outputs, runs[3])
    lines = clean(capsys, outputs, "--runs", "--where", "status=failed", "--yes")
    assert lines[0].endswith("2026-01-01/00-00-00-x  failed  the whole run")
    assert lines[-1].startswith("freed ")
    assert [path.name for path in outputs.iterdir() if path.name != "sweeps"] in (
        ["2026-01-02", "latest"],
        ["latest", "2026-01-02"],
    ), "days that became empty go too"
    assert not job.parent.exists()
    assert (outputs / "latest").resolve() == runs[1].resolve(), "the newest that is left"
    clean(capsys, outputs, "--runs", "--where", "status=done", "--yes")
    assert not os.path.lexists(outputs / "latest")
    assert outputs.is_dir()


def test_an_interrupted_deletion_leaves_a_run_that_can_be_found_again(tmp_path, capsys, monkeypatch):
    run = make_run(tmp_path / "a", files=FILES, summary={"status": "failed"}, age=DAY)
    unlink, seen = Path.unlink, []

    def stop(self, missing_ok=False):
        seen.append(self.name)
        if len(seen) == 5:
            raise KeyboardInterrupt
        unlink(self, missing_ok)

    monkeypatch.setattr(Path, "unlink", stop)
    assert cli.main(["clean", str(tmp_path), "--runs", "--where", "status=failed", "--yes"]) == 130
    assert capsys.readouterr().out.splitlines()[-1].startswith("freed ")
    monkeypatch.undo()
    assert {"config.yaml", "summary.json"} <= held(run)
    clean(capsys, tmp_path, "--runs", "--where", "status=failed", "--yes")
    assert not run.exists()


def test_nothing_goes_unasked(tmp_path, capsys, monkeypatch):
    run = make_run(tmp_path / "a", files=FILES)
    before = held(run)
    monkeypatch.setattr("sys.stdin.isatty", lambda: False, raising=False)
    assert cli.main(["clean", str(tmp_path)]) == 2
    out, err = capsys.readouterr()
    assert "3.2 kB in 1 of 1 run" in out
    assert err == "nothing was deleted: add --yes to delete without being asked, or --dry to look only\n"
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    for answer in ("", "n", "no", "Yess"):
        monkeypatch.setattr("builtins.input", lambda prompt, answer=answer: answer)
        assert clean(capsys, tmp_path)[-1] == "nothing was deleted"
    assert held(run) == before
    asked = []
    monkeypatch.setattr("builtins.input", lambda prompt: asked.append(prompt) or "y")
    assert clean(capsys, tmp_path)[-1] == "freed 3.2 kB"
    assert asked == ["delete these files? [y/N] "]


def test_what_cannot_be_deleted_is_said(tmp_path, capsys, monkeypatch):
    make_run(tmp_path / "a", files=CHECKPOINTS)
    unlink = Path.unlink

    def refuse(self, missing_ok=False):
        if self.name == "last.ckpt":
            raise PermissionError(13, "Permission denied")
        unlink(self, missing_ok)

    monkeypatch.setattr(Path, "unlink", refuse)
    assert cli.main(["clean", str(tmp_path), "--yes"]) == 1
    out, err = capsys.readouterr()
    assert out.splitlines()[-1] == "freed 2.0 kB"
    assert err == f"not deleted: {tmp_path}/a/checkpoints/last.ckpt: Permission denied\n"


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["--runs"], "needs to know which"),
        (["--older-than", "7"], "is no age; write 30min, 12h, 7d or 4w"),
        (["--keep", "-1"], "--keep -1 is no number of runs"),
        (["--keep", "x"], "invalid int value"),
        (["--where", "modle=x"], "did you mean model?"),
    ],
)
def test_refusals(tmp_path, capsys, argv, said):
    make_run(tmp_path / "a", files=FILES)
    assert cli.main(["clean", str(tmp_path), "--yes", *argv]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line


def test_an_outputs_folder_that_is_not_there(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["clean"]) == 2
    assert "outputs is not a folder of runs" in capsys.readouterr().err


# loops over runs


def make_loop(folder: Path, stages: dict[str, str | None], status: str, **kept) -> Path:
    loop = make_run(folder, summary={"status": status}, files={"chain.json": 3}, **kept)
    for name, ended in stages.items():
        summary = None if ended is None else {"status": ended}
        make_run(loop / "stages" / name, summary=summary, files=FILES, **kept)
    (loop / "stages" / "9-export").mkdir(parents=True)
    (loop / "stages" / "9-export" / "model.onnx").write_bytes(b"x" * 20)
    return loop


def test_stages_of_a_finished_loop_are_as_finished_runs(tmp_path, capsys):
    loop = make_loop(tmp_path / "a", {"1-train": "done", "2-distil": "done"}, "done")
    (loop / "stages" / ".3-slim.tmp").mkdir()
    (loop / "stages" / ".3-slim.tmp" / "config.yaml").write_bytes(b"x" * 7)
    before = held(loop)
    lines = clean(capsys, tmp_path, "--dry")
    assert held(loop) == before
    assert "last.ckpt of 2 stages" in lines[0]
    assert lines[1] == "6.3 kB in 1 of 1 run"
    assert clean(capsys, tmp_path, "--yes")[-1] == "freed 6.3 kB"
    for name in ("1-train", "2-distil"):
        assert held(loop / "stages" / name) == KEPT | {"wandb/offline-run-1-x/run.wandb"}
    assert (loop / "stages" / "9-export" / "model.onnx").is_file()
    assert not (loop / "stages" / ".3-slim.tmp").exists()
    assert clean(capsys, tmp_path, "--yes") == ["nothing to delete"]
    clean(capsys, tmp_path, "--yes", "--all-checkpoints")
    assert not list(loop.rglob("*.ckpt"))
    assert (loop / "stages" / "2-distil" / "artifact" / "weights.safetensors").is_file()


@pytest.mark.parametrize("ended", ["stopped", "failed", None])
def test_of_a_loop_that_can_go_on_the_stage_it_stopped_at_stays(tmp_path, capsys, ended):
    loop = make_loop(tmp_path / "a", {"1-train": "done", "2-distil": ended}, "stopped", age=DAY)
    lines = clean(capsys, tmp_path, "--yes")
    assert "1 unfinished, whose checkpoints resuming needs" in lines[1]
    assert "checkpoints/last.ckpt" not in held(loop / "stages" / "1-train"), "it is passed by"
    assert held(loop / "stages" / "2-distil") >= set(CHECKPOINTS)
    clean(capsys, tmp_path, "--yes", "--all-checkpoints")
    assert not list((loop / "stages" / "2-distil").rglob("*.ckpt"))


def test_a_stage_that_somebody_trains_by_itself_is_left_alone(tmp_path, capsys, monkeypatch):
    loop = make_loop(tmp_path / "a", {"1-train": "done", "2-distil": "done"}, "done")
    with run_folder.held(loop / "stages" / "1-train"):
        clean(capsys, tmp_path, "--yes")
        assert held(loop / "stages" / "1-train") >= set(CHECKPOINTS)
    assert "checkpoints/last.ckpt" not in held(loop / "stages" / "2-distil")
    with run_folder.held(loop / "stages" / "1-train"):  # begun while the user thinks
        monkeypatch.setattr(run_folder, "is_running", lambda folder: False)
        assert "has been started meanwhile and is left alone" in clean(capsys, tmp_path, "--yes")[-2]
        assert held(loop / "stages" / "1-train") >= set(CHECKPOINTS)


# a teacher's answers


def answers(outputs: Path, name: str, *, age: float = 0.0, **facts: str) -> Path:
    """A file as :mod:`assay.distillation.cache_file` writes it, without its numbers."""
    told = {"__metadata__": {"format": "assay teacher answers 1", "teacher": "t", **facts}}
    text = json.dumps(told).encode()
    path = outputs / "teachers" / f"{name}.safetensors"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(len(text).to_bytes(8, "little") + text + b"x" * 1000)
    os.utime(path, (time.time() - age,) * 2)
    return path


def teacher(folder: Path, digest: str) -> Path:
    run = make_run(folder, files={"artifact/weights.safetensors": 10})
    (run / "artifact" / "artifact.json").write_text(json.dumps({"digest": digest}))
    return run


def test_answers_of_a_teacher_that_is_gone(tmp_path, capsys):
    teacher(tmp_path / "a", "one")
    teacher(make_loop(tmp_path / "b", {}, "done") / "stages" / "1-train", "two")
    elsewhere = teacher(tmp_path.parent / f"{tmp_path.name}-elsewhere", "three") / "artifact"
    kept = [
        answers(tmp_path, "a", artifacts="one"),
        answers(tmp_path, "b", artifacts="one two"),
        answers(tmp_path, "c", artifacts="one three", places=json.dumps([str(elsewhere)])),
        answers(tmp_path, "d", teacher="two"),  # written before they said where the teacher was
    ]
    gone = [
        answers(tmp_path, "e", artifacts="one four"),
        answers(tmp_path, "f", artifacts="five", places=json.dumps([str(elsewhere), "/no/such/place"])),
    ]
    strange = tmp_path / "teachers" / "mine.safetensors"
    strange.write_bytes(b"x" * 50)
    lines = clean(capsys, tmp_path, "--dry")
    assert [line.strip().split("  ", 1)[1] for line in lines[:2]] == [
        f"teachers/{p.name}  its teacher is gone" for p in gone
    ]
    size = sum(path.stat().st_size for path in gone)
    assert lines[2] == f"{bytes_shown(size)} in 2 files of teachers' answers"
    assert clean(capsys, tmp_path, "--where", "seed=0", "--yes") == ["nothing to delete"], "these are of no run"
    assert clean(capsys, tmp_path, "--yes")[-1] == f"freed {bytes_shown(size)}"
    assert all(path.is_file() for path in [*kept, strange])
    assert not any(path.exists() for path in gone)
    clean(capsys, tmp_path, "--runs", "--keep", "1", "--yes")
    clean(capsys, tmp_path, "--yes")
    assert sorted(path.is_file() for path in kept) == [False, False, False, True], "b, the newest, is left"


def test_answers_that_no_run_opened_for_long(tmp_path, capsys):
    teacher(tmp_path / "a", "one")
    old, new = answers(tmp_path, "old", age=8 * DAY, artifacts="one"), answers(tmp_path, "new", artifacts="gone")
    half = tmp_path / "teachers" / "new.safetensors.77.tmp"
    half.write_bytes(b"x" * 10)
    assert clean(capsys, tmp_path, "--older-than", "9d", "--yes") == ["nothing to delete; 1 too young"]
    assert "teachers/old.safetensors  not opened since " in clean(capsys, tmp_path, "--older-than", "7d", "--yes")[0]
    assert (old.exists(), new.exists(), half.exists()) == (False, True, True)
    os.utime(half, (1e9, 1e9))
    lines = clean(capsys, tmp_path, "--yes")
    assert lines[1].endswith("teachers/new.safetensors.77.tmp  half-written")
    assert not list((tmp_path / "teachers").iterdir())


def test_sizes_are_shown_in_three_digits():
    sizes = [bytes_shown(number) for number in (0, 999, 1000, 12_345, 999_400, 1.5e6, 2e9, 3e12, 4e15)]
    assert sizes == ["0 B", "999 B", "1.0 kB", "12.3 kB", "999 kB", "1.5 MB", "2.0 GB", "3.0 TB", "4000.0 TB"]

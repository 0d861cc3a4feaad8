"""assay clean: what goes, what never goes, and that nothing goes unasked."""

from __future__ import annotations

import json
import os
import subprocess
import sys
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


def test_sizes_are_shown_in_three_digits():
    sizes = [bytes_shown(number) for number in (0, 999, 1000, 12_345, 999_400, 1.5e6, 2e9, 3e12, 4e15)]
    assert sizes == ["0 B", "999 B", "1.0 kB", "12.3 kB", "999 kB", "1.5 MB", "2.0 GB", "3.0 TB", "4000.0 TB"]

"""The process that talks to wandb for one run: ``python -m assay.review.wandb_send FOLDER online|offline SECONDS``.

Reads ``wandb/run.json`` and metrics.csv, online as it grows. The end of the run comes as one JSON line on stdin
(``{"status", "summary"}``); the end of stdin without it means that the run was killed. Says on stdout, as one JSON
line, how it went (:class:`assay.review.wandb_log.Outcome`); all else goes to ``wandb/log.txt``. What wandb writes stays
in ``wandb/work``, which goes when it has served; of the offline record, ``wandb/offline-run-…`` stays.
"""

from __future__ import annotations

import contextlib
import csv
import importlib
import json
import math
import os
import shutil
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Generator, Mapping
from itertools import groupby, islice
from pathlib import Path
from typing import Any

from assay.review import metrics_csv, wandb_ask, wandb_host
from assay.review.redact import redact_text
from assay.review.wandb_log import Outcome

POLL_SECONDS = 1.0
AXIS = "trainer/step"
PLAIN_FIGURES = ("curves", "confusion", "lr_finder")  # these show scores; every other figure may show data
PLAIN_FIGURES += ("grad_norm", "dead_units", "saturated_units", "hessian", "jacobian")  # these weights and units
TABLE_ROWS = 10_000
_GOOD_ENDS = ("done", "pruned")


Sending = Callable[[Path, str, "Ending", float], Outcome]


class Ending:
    """How the run ended, once it has: read from stdin by a thread."""

    def __init__(self) -> None:
        self.came = threading.Event()
        self.status = "killed"
        self.summary: dict[str, Any] = {}
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        line = b""
        while not line.endswith(b"\n") and (more := os.read(0, 65536)):  # sys.stdin may not be held when Python ends
            line += more
        with contextlib.suppress(ValueError, KeyError, TypeError):
            said = json.loads(line)
            self.summary, self.status = said["summary"], said["status"]
        self.came.set()


class Tail:
    """Rows of a metrics.csv as they come, each once; a row still being written waits."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._offset = 0

    def new(self) -> list[metrics_csv.Row]:
        if not self.path.exists():
            return []
        with open(self.path, "rb") as file:
            file.seek(self._offset)
            found = file.read()
        whole = found[: found.rfind(b"\n") + 1]
        text = whole.decode()
        if self._offset == 0:
            text = text.partition("\n")[2]
        self._offset += len(whole)
        return list(metrics_csv.parse(text))


def rows_before(next_step: int) -> int:
    """How many rows the host holds, of a run that goes on at this ``_step``.

    A line of history carries the rows of one step of training; its ``_step`` is twice the number of its last row, which
    leaves the odd one after it for the figures.
    """
    return (next_step + 1) // 2


class Feed:
    """Sends rows by their numbers; those that the host holds already are passed over."""

    def __init__(self, run: Any) -> None:
        self.run = run
        going_on_at = run.starting_step  # run.step says 0 here for a moment (found by running)
        self.held = rows_before(going_on_at)
        self.has_figures = going_on_at > 0 and going_on_at % 2 == 0
        self.rows = 0
        self.step = 0

    def points(self, rows: list[metrics_csv.Row]) -> None:
        numbered = list(enumerate(rows, start=self.rows))
        self.rows += len(rows)
        self.step = rows[-1].step if rows else self.step
        unsent = [(number, row) for number, row in numbered if number >= self.held]
        for (step, epoch), group in groupby(unsent, key=lambda pair: (pair[1].step, pair[1].epoch)):
            line: dict[str, float] = {}
            last = 0
            for number, row in group:
                if row.name in line:  # measured twice at one step: two lines
                    self._line(step, epoch, line, last)
                    line = {}
                line[row.name] = row.value
                last = number
            self._line(step, epoch, line, last)

    def _line(self, step: int, epoch: int, line: Mapping[str, float], number: int) -> None:
        self.run.log({AXIS: step, "epoch": epoch, **line}, step=2 * number, commit=True)
        self.has_figures = False

    def figures(self, found: Mapping[str, Any]) -> None:
        if found and self.rows and not self.has_figures:
            self.run.log({AXIS: self.step, **found}, step=2 * self.rows - 1, commit=True)


def send(folder: Path, mode: str, ending: Ending, seconds: float) -> Outcome:
    """All of it, from wandb's start to its end."""
    wandb: Any = importlib.import_module("wandb")  # the one place that does
    described = json.loads((folder / "wandb" / "run.json").read_text(encoding="utf-8"))
    work = folder / "wandb" / "work"
    with_data = described["upload"] == "data"
    run = wandb.init(
        **{key: described[key] for key in ("id", "project", "entity", "name", "group", "job_type", "tags", "config")},
        dir=str(work),
        mode=mode,
        resume="allow" if mode == "online" else None,
        settings=settings(wandb, seconds),
    )
    run.define_metric(AXIS)
    run.define_metric("*", step_metric=AXIS)
    tail, feed = Tail(folder / "metrics.csv"), Feed(run)
    while not ending.came.wait(POLL_SECONDS if mode == "online" else None):
        feed.points(tail.new())
    feed.points(tail.new())
    lost = ""
    try:
        feed.figures(_figures(wandb, folder, with_data) | (_tables(wandb, folder) if with_data else {}))
        if with_data:
            _attach(wandb, run, folder, described["name"])
    except Exception as error:  # whatever a picture or a table meets, the points and the end of the run come through
        lost = in_short(error)
    run.summary.update({"status": ending.status, **_numbers(ending.summary)})
    try:
        run.finish(exit_code=0 if ending.status in _GOOD_ENDS else 1)
    except TimeoutError:
        return Outcome(False, reason=f"{wandb_host.host()} did not answer within {seconds:g} s")
    finally:
        wandb.teardown()
    if mode == "offline":
        keep_record(folder)
        return Outcome(not lost, reason=lost)
    if lost:
        return Outcome(False, reason=lost)
    if not _arrived(described["project"], run.entity, described["id"], feed.rows):
        return Outcome(False, reason=f"{wandb_host.host()} does not hold every point")
    _note_sent(folder, feed.rows, ending.status, run.url)
    return Outcome(True, url=run.url)


def settings(wandb: Any, seconds: float) -> Any:
    """Only what we hand over is recorded: nothing of the machine, the console, the code or its history."""
    return wandb.Settings(
        console="off",
        disable_code=True,
        disable_git=True,
        disable_job_creation=True,
        finish_timeout=seconds,
        finish_timeout_raises=True,
        host="",
        init_timeout=seconds,
        label_disable=True,
        program="assay",
        save_code=False,
        stop_fn=lambda: None,  # the host's stop button would end this process, not the training
        symlink=False,
        x_disable_machine_info=True,
        x_disable_meta=True,
        x_disable_stats=True,
        x_save_requirements=False,
    )


def _figures(wandb: Any, folder: Path, with_data: bool) -> dict[str, Any]:
    found = sorted((folder / "figures").glob("*.png"))
    return {f"figures/{path.stem}": wandb.Image(str(path)) for path in found if with_data or path.stem in PLAIN_FIGURES}


def _tables(wandb: Any, folder: Path) -> dict[str, Any]:
    tables = {}
    for path in sorted((folder / "predictions").glob("*.csv")):
        with open(path, encoding="utf-8", newline="") as file:
            reader = csv.reader(file)
            columns = next(reader, [])
            tables[f"predictions/{path.stem}"] = wandb.Table(columns=columns, data=list(islice(reader, TABLE_ROWS)))
    return tables


def _attach(wandb: Any, run: Any, folder: Path, name: str) -> None:
    patch = folder / "source.patch"
    if patch.exists():
        clean = folder / "wandb" / "work" / patch.name
        clean.write_text(redact_text(patch.read_text(encoding="utf-8", errors="replace")), encoding="utf-8")
        run.save(str(clean), base_path=str(clean.parent), policy="now")
    if (folder / "artifact").is_dir():
        artifact = wandb.Artifact(f"model-{run.id}", type="model", metadata={"run": name})
        artifact.add_dir(str(folder / "artifact"), policy="immutable")  # no copy of it
        run.log_artifact(artifact)


def _numbers(summary: Mapping[str, Any], prefix: str = "") -> dict[str, float]:
    """The numbers in a summary, inner ones by their path; its texts may quote data and stay here."""
    found: dict[str, float] = {}
    for key, value in summary.items():
        if isinstance(value, Mapping):
            found |= _numbers(value, f"{prefix}{key}/")
        elif isinstance(value, bool | int | float) and not (isinstance(value, float) and math.isnan(value)):
            found[f"{prefix}{key}"] = value
    return found


def _arrived(project: str, entity: str | None, run_id: str, rows: int) -> bool:
    """Whether the host says that it holds every row. wandb does not: refused, it ends well (found by running)."""
    if wandb_host.key() is None:  # an identity token, which only wandb can use
        return True
    for wait_seconds in (0.0, 0.5, 1.5):  # the host may need a moment to count
        time.sleep(wait_seconds)
        last = wandb_ask.last_step(project, entity, run_id)
        if last is not None and rows_before(last + 1) >= rows:
            return True
    return False


def in_short(error: Exception) -> str:
    """For the screen; the log gets the whole trace."""
    traceback.print_exception(error)
    return " ".join(str(error).split())[:120] or type(error).__name__


def keep_record(folder: Path) -> None:
    place = folder / "wandb"
    for made in (place / "work" / "wandb").glob("offline-run-*"):
        for old in place.glob("offline-run-*"):
            shutil.rmtree(old)
        for scratch in ("logs", "tmp"):
            shutil.rmtree(made / scratch, ignore_errors=True)
        made.rename(place / made.name)


def _note_sent(folder: Path, rows: int, status: str, url: str) -> None:
    place = folder / "wandb"
    (place / "sent").write_text(json.dumps({"rows": rows, "status": status, "url": url}) + "\n", encoding="utf-8")
    for record in place.glob("offline-run-*/*.wandb"):
        record.with_suffix(".wandb.synced").touch()  # wandb's own mark, so that `wandb sync` passes it over


@contextlib.contextmanager
def _alone(place: Path) -> Generator[None]:
    """One process a run: that of a killed run may still be sending when the resumed one starts."""
    with open(place / "lock", "w") as file:
        with contextlib.suppress(ImportError, OSError):  # no such locks on Windows and on some shared disks
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def main(folder: Path, mode: str, seconds: float, send: Sending = send) -> None:
    with os.fdopen(os.dup(1), "w") as answer:
        os.dup2(2, 1)  # whatever wandb prints goes to the log
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the training is told, and tells us
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        if hasattr(signal, "SIGUSR2"):  # which SLURM sends to a whole task
            signal.signal(signal.SIGUSR2, signal.SIG_IGN)
        place = folder / "wandb"
        ending = Ending()
        with _alone(place):
            shutil.rmtree(place / "work", ignore_errors=True)
            (place / "work").mkdir()
            try:
                outcome = send(folder, mode, ending, seconds)
            except Exception as error:
                outcome = Outcome(False, reason=in_short(error))
            shutil.rmtree(place / "work", ignore_errors=True)
        with contextlib.suppress(OSError):  # the run was killed and listens no more
            print(json.dumps(outcome._asdict()), file=answer, flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], float(sys.argv[3]))

"""Weights & Biases beside a run, fed from metrics.csv by a process of its own.

The training process never imports wandb (1.2 s, and 1 s more to start) and never talks to it, so neither can stop or
slow a step: :mod:`assay.review.wandb_send` reads metrics.csv, which holds every point, and does the talking. Online it
runs beside the training; offline it runs once, at the end, in about a second. A run that was killed lacks nothing:
`assay sync` starts the same process on its folder.

Imports neither torch nor wandb.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import signal
import subprocess
import sys
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import IO, Any, NamedTuple

from assay.errors import ConfigError
from assay.review import wandb_host
from assay.review.redact import redact
from assay.review.wandb_host import Mode

FINISH_SECONDS = 30.0  # how long the end of a run waits for the host
RECORD_SECONDS = 60.0  # the same for the offline record, which needs about one
_GRACE_SECONDS = 10.0  # for the process to say how it went
_ID = re.compile(r"[a-z0-9]{8}")
_TAG_SIZE = 64  # the most that W&B takes
_LEFT_OUT = ("none", "default")  # tags say what a run has
_MACHINERY = ("logger", "debug", "trainer")
_PASSED_ON = (  # every other WANDB_ variable would change what we decide here
    "WANDB_API_KEY",
    "WANDB_IDENTITY_TOKEN_FILE",
    "WANDB_CREDENTIALS_FILE",
    "WANDB_INSECURE_DISABLE_SSL",
    "WANDB_HTTP_PROXY",
    "WANDB_HTTPS_PROXY",
    "WANDB_X_EXTRA_HTTP_HEADERS",
)


class Outcome(NamedTuple):
    """How sending went.

    complete: the host holds every point (online), or the record does (offline).
    url: of the run, online.
    reason: why not complete, in a few words.
    """

    complete: bool
    url: str = ""
    reason: str = ""


class WandbLog:
    """One run's mirror in W&B: live when logged in and reachable, else an offline record in ``wandb/``.

    Sent always: points, the config without secrets, group (the sweep), tags (the options), the numbers of summary.json,
    curves and the confusion matrix. Sent only with ``upload=data``: prediction tables, all other figures, source.patch
    and the artifact, since its vocabulary and label names come from the user's data. Never sent: what wandb would
    collect by itself (environment, machine, console, code, git state, system metrics). Gradients come as the points of
    callbacks=grad_norm; histograms of them are not sent, since metrics.csv does not hold them. W&B's axis of wall-clock
    time shows when the points were sent, since metrics.csv has none, and its stop button does not reach the training.

    Each row of metrics.csv is sent once, across any number of kills and resumes, since the host itself says how many
    rows it holds (see :func:`assay.review.wandb_send.rows_before`); the axis of the curves is ``trainer/step``.

    Args:
        folder: of the run. ``wandb/run_id`` in it is the run's id, made once and kept.
        config: resolved, with ``switches``.
        mode: auto, online, offline or disabled (see :func:`assay.review.wandb_host.decide`).
        project, entity: where on the host; entity None is the key's own.
        upload: curves, or data.
    Raises:
        ConfigError: upload or mode is unknown; from :meth:`start`, online was asked for and cannot be.
    """

    def __init__(
        self,
        folder: str | Path,
        config: Mapping[str, Any],
        *,
        mode: str = "auto",
        project: str = "assay",
        entity: str | None = None,
        upload: str = "curves",
    ) -> None:
        if upload not in ("curves", "data"):
            raise ConfigError(f"logger.upload={upload} is not known; use curves or data")
        self.folder = Path(folder)
        self.mode = mode
        self.note: str | None = None
        self._config = config
        self._place = {"project": project, "entity": entity, "upload": upload}
        self._decided = Mode("disabled", "not started")
        self._sender: subprocess.Popen[bytes] | None = None

    def start(self) -> str:
        """Decides the mode, and online starts the process that sends.

        Returns:
            The line for the first screen.
        """
        self._decided = wandb_host.decide(self.mode)
        mode, reason = self._decided
        if mode != "disabled":
            self.describe()
        if mode == "online":
            self._sender = launch(self.folder, "online", FINISH_SECONDS)
        says = {
            "disabled": f"W&B: off ({reason})",
            "offline": f"W&B: offline ({reason}); assay sync uploads",
            "online": f"W&B: online, project {self._place['project']} at {reason}",
        }
        self.note = says[mode]
        return self.note

    def points(self, step: int, epoch: int, values: Mapping[str, float]) -> None:
        """Nothing to do: the same points are in metrics.csv, and are sent from there."""

    def finish(self, status: str, summary: Mapping[str, Any]) -> str | None:
        """Sends or writes what is left; bounded in time, and never raises for what the host does. A second call does
        nothing.

        Args:
            status: done, or anything else for a run that W&B shall show as failed.
            summary: as in summary.json; its numbers are sent.
        Returns:
            A line to print: where the run is, or what went wrong. None offline, since :meth:`start` has said it.
        """
        mode = self._decided.name
        self._decided = Mode("disabled", "finished")
        if mode == "disabled":
            return None
        lost = ""
        if self._sender is not None:
            outcome = conclude(self._sender, status, summary, FINISH_SECONDS)
            self._sender = None
            if outcome.complete:
                return f"W&B: {outcome.url}"
            lost = f"W&B: not everything arrived ({outcome.reason}); "
        written = write_record(self.folder, status, summary)
        if not written.complete:
            return f"{lost or 'W&B: '}the offline record is not whole ({written.reason}); metrics.csv holds every point"
        return f"{lost}the offline record is complete, assay sync uploads it" if lost else None

    def describe(self) -> None:
        """Writes ``wandb/run_id``, unless it is there, and ``wandb/run.json``: all that the sending process is told."""
        place = self.folder / "wandb"
        place.mkdir(exist_ok=True)
        group = sweep_of(self.folder)
        role, cell = point_of(self.folder) if group else ("train", [])
        number = self.folder.resolve().name
        described = {
            "id": run_id(self.folder),
            **self._place,
            "name": f"{group}/{number}" if group else self._config.get("name") or number,
            "group": group,
            "job_type": role,
            "tags": list(dict.fromkeys([*cell, *tags(self._config.get("switches") or {})])),
            "config": dict(self._config),
        }
        write_whole(place / "run.json", json.dumps(redact(described), indent=2, ensure_ascii=False, default=str))


def run_id(folder: Path) -> str:
    """The W&B id of a run: made once, kept in its folder."""
    path = folder / "wandb" / "run_id"
    with contextlib.suppress(OSError):
        kept = path.read_text(encoding="utf-8").strip()
        if _ID.fullmatch(kept):
            return kept
    made = "".join(secrets.choice("abcdefghijklmnopqrstuvwxyz0123456789") for _ in range(8))
    write_whole(path, made + "\n")
    return made


def sweep_of(folder: Path) -> str | None:
    """The sweep's name where the folder lies in ``sweeps/<name>/``, at most two folders deep."""
    above = folder.resolve().parents
    return next((sweep.name for sweep, sweeps in pairwise(above[:3]) if sweeps.name == "sweeps"), None)


def point_of(folder: Path) -> tuple[str, list[str]]:
    """(role, tags of the cell) of a job of a sweep: point, tune or trial; ``key=value`` of axes but seed and fold."""
    try:
        point = json.loads((folder / "point.json").read_text(encoding="utf-8"))
        return str(point["role"]), [f"{key}={value}"[:_TAG_SIZE] for key, value in point["cell"].items()]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return "train", []


def tags(switches: Mapping[str, Any]) -> list[str]:
    """``group=option`` of every group that is switched to something."""
    found = []
    for group, chosen in switches.items():
        options = chosen if isinstance(chosen, list | tuple) else [chosen]
        if group not in _MACHINERY:
            found += [f"{group}={option}"[:_TAG_SIZE] for option in options if option and option not in _LEFT_OUT]
    return found


def write_record(folder: Path, status: str, summary: Mapping[str, Any]) -> Outcome:
    """The offline record, anew, from metrics.csv and what else the folder holds; in place of an earlier one."""
    return conclude(launch(folder, "offline", RECORD_SECONDS), status, summary, RECORD_SECONDS)


def launch(
    folder: Path, mode: str, finish_seconds: float, module: str = "assay.review.wandb_send"
) -> subprocess.Popen[bytes]:
    """Starts the sending process. It ends by itself soon after this one does, however this one ends."""
    place = (folder / "wandb").resolve()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("WANDB_")}
    environment |= {name: os.environ[name] for name in _PASSED_ON if os.environ.get(name)}
    environment |= {
        "WANDB_BASE_URL": wandb_host.base_url(),
        "WANDB_ERROR_REPORTING": "false",  # no crash reports or usage counts of wandb itself
        "WANDB_QUIET": "true",
        **{f"WANDB_{what}_DIR": str(place / "work" / what.lower()) for what in ("CACHE", "CONFIG", "DATA", "ARTIFACT")},
    }
    with open(place / "log.txt", "ab") as log:
        return subprocess.Popen(
            [sys.executable, "-P", "-m", module, str(folder.resolve()), mode, str(finish_seconds)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            env=environment,
            start_new_session=True,  # Ctrl-C is for the training, which then tells this process
        )


def conclude(sender: subprocess.Popen[bytes], status: str, summary: Mapping[str, Any], seconds: float) -> Outcome:
    """Tells the sending process how the run ended, and waits, at most a little longer than ``seconds``, for how its
    sending went."""
    line = json.dumps({"status": status, "summary": dict(summary)}, default=str) + "\n"
    try:
        said, _ = sender.communicate(line.encode(), timeout=seconds + _GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        _kill(sender)
        return Outcome(False, reason=f"{wandb_host.host()} did not answer within {seconds:g} s")
    except (OSError, ValueError):  # it died; its last words may still be there
        said = _rest(sender.stdout)
    try:
        return Outcome(**json.loads(said.splitlines()[-1]))
    except (IndexError, ValueError, TypeError):
        return Outcome(False, reason="the sending process died; wandb/log.txt says more")


def _kill(sender: subprocess.Popen[bytes]) -> None:
    """With all that it started: wandb's own process would otherwise go on trying."""
    with contextlib.suppress(OSError):
        if hasattr(os, "killpg"):
            os.killpg(sender.pid, signal.SIGKILL)
        else:
            sender.kill()
    sender.communicate()


def _rest(stream: IO[bytes] | None) -> bytes:
    if stream is None:
        return b""
    with stream, contextlib.suppress(OSError, ValueError):
        return stream.read()
    return b""


def write_whole(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)

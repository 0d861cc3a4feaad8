"""The folder of a sweep: begun, gone on with, put aside, and refused where its points would not compare."""

from __future__ import annotations

import errno
import os
import shutil
import sys
import time
from argparse import Namespace
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assay.composition.compose import Composer
from assay.composition.nearest import listed
from assay.composition.points import Command
from assay.environment import versions
from assay.errors import ConfigError
from assay.folder import is_sweep, write_json
from assay.preflight import Point
from assay.review.redact import redact
from assay.screens import shown
from assay.sweeps.ledger import place, snapshot
from assay.sweeps.ledger.journal import alone
from assay.sweeps.ledger.ledger import Entry, Ledger

ASIDE = 10_000  # sweeps of one name


@dataclass(frozen=True)
class Sweep:
    """A command as a sweep.

    Attributes:
        folder: where it lies, or will.
        points: checked.
        arguments: the overrides as typed.
        argv: the whole command line after ``train``.
    """

    folder: Path
    points: Sequence[Point]
    arguments: Sequence[str]
    command: Command
    composer: Composer
    flags: Namespace
    argv: Sequence[str]

    @property
    def settings(self) -> dict[str, Any]:
        return self.points[0].settings


def opened(sweep: Sweep) -> Ledger:
    """The ledger of the sweep: begun, gone on with or begun anew, with what a lost one can be rebuilt from.

    Raises:
        ConfigError: it cannot be gone on with.
        OSError: the disk is full.
    """
    folder = sweep.folder
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise
        outputs = folder.parent.parent
        raise ConfigError(f"outputs={outputs} takes no sweep ({error.strerror}); name another") from error
    with alone(folder.parent / f".{folder.name}.lock"):
        if sweep.settings["sweep"]["fresh"] and is_sweep(folder):
            put_aside(folder)
        if is_sweep(folder):
            _go_on(sweep)
        elif folder.exists() and any(folder.iterdir()):
            raise ConfigError(f"{shown(folder)} is there and no sweep; choose another name=…")
        else:
            _begin(sweep)
    ledger = Ledger(folder)
    rebuilt, found = ledger.rebuild(), ledger.reconcile()
    if rebuilt:
        _say(f"the ledger had lost {_points(rebuilt)}: entered again from the job folders")
    if found:
        _say(f"{_points(found)} had ended as the sweep was stopped: entered")
    return ledger


def _points(entries: Sequence[Entry]) -> str:
    return f"point{'s' * (len(entries) > 1)} {listed([str(entry.number) for entry in entries], 'and')}"


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def put_aside(folder: Path) -> None:
    """``sweep.fresh=true``: what was trained so far stays, beside, with a number.

    Raises:
        ConfigError: somebody is at work on it.
    """
    if workers := Ledger(folder).workers():
        raise ConfigError(
            f"sweep.fresh=true: {listed(workers, 'and')} is at work on sweep {folder.name}; stop it first"
        )
    for number in range(1, ASIDE):
        aside = folder.with_name(f"{folder.name}-{number}")
        if not aside.exists():
            folder.rename(aside)
            _say(f"the earlier sweep is now {shown(aside)}")
            return
    raise ConfigError(f"{folder.parent} holds {ASIDE:,} sweeps named {folder.name}; choose another name=…")


def _begin(sweep: Sweep) -> None:
    fresh = not sweep.folder.exists()
    sweep.folder.mkdir(exist_ok=True)
    try:
        files = snapshot.take(sweep.folder, sweep.flags.config_dir)
        _write(sweep, {"created": time.strftime("%Y-%m-%dT%H:%M:%S"), "source": snapshot.digest(files)})
    except OSError:
        if fresh:
            shutil.rmtree(sweep.folder, ignore_errors=True)
        raise


def _go_on(sweep: Sweep) -> None:
    folder = sweep.folder
    facts = place.read_facts(folder)
    refuse_other(sweep.command, facts, folder.name)
    if not snapshot.read_manifest(folder):  # lost: what the finished points ran cannot be said any more
        _say(f"the snapshot of sweep {folder.name} was lost: its other points run from the source as it is now")
        files = snapshot.take(folder, sweep.flags.config_dir)
        facts["source"] = snapshot.digest(files)
    elif changed := snapshot.edited(folder, sweep.flags.config_dir):
        raise ConfigError(snapshot.edited_line(folder, changed))
    then, now = facts.get("versions", {}), versions()
    if others := [f"{name} {then[name]} → {now[name]}" for name in now if then.get(name, now[name]) != now[name]]:
        _say(f"sweep {folder.name} began with others: {', '.join(others)}")
    _write(sweep, facts)


def refuse_other(command: Command, facts: Mapping[str, Any], name: str) -> None:
    """Points of one sweep share what is not an axis: else its cells would not say what they are.

    Raises:
        ConfigError: a key that was fixed has another value now, or the other way round, and no axis holds it.
    """
    if "fixed" not in facts:
        return
    axes = {*facts.get("axes", {}), *(key for key, values in command.varied.items() if len(values) > 1)}

    def shared(texts: Sequence[str]) -> dict[str, str]:
        pairs = (text.partition("=") for text in texts)
        return {key.lstrip("+"): value for key, _, value in pairs if key.lstrip("+") not in axes}

    then, now = shared(facts["fixed"]), shared(place.fixed(command))
    different = [key for key in {**then, **now} if then.get(key) != now.get(key)]
    if different:
        key = different[0]
        was = f"{key}={then[key]}" if key in then else f"the default {key}"
        raise ConfigError(
            f"sweep {name} was begun with {was}, and this command has {_now(key, now)}: write several values to make "
            f"{key} an axis of it, name=… for another sweep, or sweep.fresh=true for this one anew"
        )


def _now(key: str, now: Mapping[str, str]) -> str:
    return f"{key}={now[key]}" if key in now else "its default"


def _write(sweep: Sweep, facts: Mapping[str, Any]) -> None:
    """sweep.json, with the axes of all commands so far."""
    axes: dict[str, list[str]] = {key: list(values) for key, values in facts.get("axes", {}).items()}
    for key, values in sweep.command.varied.items():
        axes[key] = list(dict.fromkeys([*axes.get(key, []), *values]))
    fixed = [text for text in place.fixed(sweep.command) if text.partition("=")[0].lstrip("+") not in axes]
    write_json(
        sweep.folder / place.FILE,
        {
            "format": place.FORMAT,
            "name": sweep.folder.name,
            "command": redact(list(sweep.argv)),
            "fixed": redact(fixed),
            "axes": redact(axes),
            "source": facts.get("source", ""),
            "created": facts.get("created", ""),
            "directory": os.getcwd(),
            "versions": facts.get("versions") or versions(),
        },
    )

"""``assay clean``: bounds the disk that runs take, without losing what they found.

Of a finished run go the checkpoints it could be trained on from, half-written files, and W&B's scratch once the host
has it all. best.ckpt, artifact/, config, metrics, summary, predictions and figures stay. Of a run that may be resumed
nothing goes that resuming needs, unless asked. A stage of a loop over runs is treated as a run. Kept answers of a
teacher go once the teacher is gone, or, with ``--older-than``, once no run has opened them for so long. Whole runs go
by ``--runs`` alone. A run that is being trained, a folder that is no run, and whatever a link leads to are left alone.
"""

from __future__ import annotations

import re
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

from assay import folder as run_folder
from assay.errors import ConfigError
from assay.lifecycle import records as reading
from assay.lifecycle.droppable import Doomed, doomed, needed, size
from assay.lifecycle.kept_answers import Answers, unused
from assay.lifecycle.listing import short
from assay.lifecycle.records import Record
from assay.lifecycle.where import select

_AGE = re.compile(r"(\d+(?:\.\d+)?)\s*(min|h|d|w)")
_SECONDS = {"min": 60, "h": 3600, "d": 86_400, "w": 604_800}
_RECENT = 600  # seconds; where the disk knows no locks, a run without an end that wrote since may be alive
SHOWN = 40  # lines of the plan, before the question
_LAST = ("config.yaml", "summary.json")  # of a run that is deleted: until they go it can be found again


def clean_command(
    path: str,
    older_than: str | None,
    keep: int,
    where: Sequence[str],
    all_checkpoints: bool,
    runs: bool,
    dry: bool,
    yes: bool,
) -> int:
    """Shows what would go, asks, and deletes.

    Returns:
        0; 1 if something could not be deleted.
    Raises:
        ConfigError: there is no such folder, an option cannot be read, or nobody is there to be asked.
    """
    place = Path(path)
    if keep < 0:
        raise ConfigError(f"--keep {keep} is no number of runs; write 0 or more")
    if runs and not (where or older_than or keep):
        raise ConfigError(
            "--runs deletes whole runs and needs to know which: --where status=failed, --older-than 30d, or --keep 100"
        )
    age = seconds(older_than) if older_than is not None else 0.0
    folders = reading.folders(place, links=False)
    found, bad = reading.read_all(folders)
    chosen, left = _chosen(found, where, age, keep)
    plan = [one for record in chosen if (one := doomed(record, all_checkpoints, runs)).paths]
    answers = unused(place, folders, age if older_than is not None else None) if not where else []
    _show(plan, answers, found, left, place, bad, resumable=not (runs or all_checkpoints), dry=dry)
    if not (plan or answers) or dry:
        return 0
    if not yes and not _agreed(plan, answers, runs):
        print("nothing was deleted")
        return 0
    return _delete_all(plan, answers, place)


def _chosen(found: Sequence[Record], where: Sequence[str], age: float, keep: int) -> tuple[list[Record], Counter[str]]:
    """The runs that may lose something, and why the others do not."""
    left: Counter[str] = Counter()
    newest = {id(record) for record in found[len(found) - keep :]} if keep else set()
    wanted = {id(record) for record in select(found, where)}
    chosen = []
    for record in found:
        if id(record) not in wanted:
            continue
        if run_folder.is_running(record.folder):
            left["running"] += 1
        elif record.status == "killed" and time.time() - last_sign(record) < _RECENT:
            left[f"killed within the last {_RECENT // 60} minutes, if at all"] += 1
        elif id(record) in newest:
            left["among the newest"] += 1
        elif time.time() - last_sign(record) < age:
            left["too young"] += 1
        else:
            chosen.append(record)
    return chosen, left


def seconds(age: str) -> float:
    """``7d`` and the like. Raises ConfigError."""
    found = _AGE.fullmatch(age.strip())
    if found is None:
        raise ConfigError(f"--older-than {age} is no age; write 30min, 12h, 7d or 4w")
    return float(found[1]) * _SECONDS[found[2]]


def last_sign(record: Record) -> float:
    """When the run last wrote."""
    places = (record.folder / name for name in ("summary.json", "metrics.csv", "log.txt", "checkpoints", "config.yaml"))
    return max((place.lstat().st_mtime for place in places if place.exists()), default=record.began)


def bytes_shown(number: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if number < 1000:
            return f"{number:.0f} {unit}" if unit == "B" or number >= 100 else f"{number:.1f} {unit}"
        number /= 1000
    return f"{number:.1f} TB"


def _show(
    plan: Sequence[Doomed],
    answers: Sequence[Answers],
    found: Sequence[Record],
    left: Counter[str],
    place: Path,
    bad: Sequence[tuple[Path, str]],
    resumable: bool,
    dry: bool,
) -> None:
    limit = SHOWN if sys.stdout.isatty() and len(plan) > SHOWN + 1 and not dry else len(plan)
    for one in plan[:limit]:
        what = "the whole run" if one.whole else ", ".join(_named(one))
        print(f"{bytes_shown(one.size):>8}  {short(one.record.folder, place)}  {one.record.status}  {what}")
    if limit < len(plan):
        print(f"… and {len(plan) - limit} more runs (--dry shows all)")
    for one in answers:
        print(f"{bytes_shown(one.size):>8}  {short(one.path, place)}  {one.why}")
    said = " and ".join(_totals(plan, answers, found)) or "nothing to delete"
    notes = [f"{number} {why}" for why, number in left.items()]
    if resumable:
        kept = sum(one.status != "running" and needed(one) for one in found)
        notes += [f"{kept} unfinished, whose checkpoints resuming needs (--all-checkpoints takes them)"] if kept else []
    print("; ".join([said, *notes]), flush=True)
    if bad:
        print(reading.bad_line(bad, lambda folder: short(folder, place)), file=sys.stderr)


def _totals(plan: Sequence[Doomed], answers: Sequence[Answers], found: Sequence[Record]) -> Iterator[str]:
    if plan:
        total = bytes_shown(sum(one.size for one in plan))
        yield f"{total} in {len(plan)} of {len(found)} run{'s' * (len(found) != 1)}"
    if answers:
        total = bytes_shown(sum(one.size for one in answers))
        yield f"{total} in {len(answers)} file{'s' * (len(answers) != 1)} of teachers' answers"


def _named(one: Doomed) -> Iterator[str]:
    """Names in the run's folder; those of a loop's stages counted, since each has the same."""
    names = [path.relative_to(one.record.folder).as_posix() for path in one.paths]
    scratch = [name for name in names if "wandb/" in name]
    counted = Counter(name.rpartition("/")[2] for name in names if name.startswith("stages/") and name not in scratch)
    yield from (name.removeprefix("checkpoints/") for name in names if not name.startswith(("stages/", "wandb/")))
    yield from (f"{name} of {number} stage{'s' * (number > 1)}" for name, number in counted.items())
    if scratch:
        yield "W&B's scratch, uploaded"


def _agreed(plan: Sequence[Doomed], answers: Sequence[Answers], whole: bool) -> bool:
    """Asks, if somebody is there.

    Raises:
        ConfigError: nobody is.
    """
    if not sys.stdin.isatty():
        raise ConfigError("nothing was deleted: add --yes to delete without being asked, or --dry to look only")
    what = f"these {len(plan)} whole runs" if whole and plan else "these files"
    what += f" and {len(answers)} files of teachers' answers" if whole and plan and answers else ""
    try:
        return input(f"delete {what}? [y/N] ").strip().lower() in ("y", "yes")
    except EOFError:
        return False


def _delete_all(plan: Sequence[Doomed], answers: Sequence[Answers], place: Path) -> int:
    freed, failed, gone = 0, [], []
    try:
        for one in plan:
            folder = one.record.folder
            try:
                with ExitStack() as stack:
                    for held in one.folders:  # nobody resumes it meanwhile
                        stack.enter_context(run_folder.held(held))
                    for path in one.paths:
                        freed += _delete(path, failed)
            except ConfigError:
                print(f"{short(folder, place)} has been started meanwhile and is left alone")
            except OSError as error:
                failed.append(f"{folder}: {error.strerror}")
            if one.whole and not folder.exists():
                gone.append(folder)
                _prune(folder.parent, place)
        for kept in answers:
            freed += _delete(kept.path, failed)
    finally:  # also after Ctrl-C: what is gone is told
        _mend_latest(gone)
        print(f"freed {bytes_shown(freed)}", flush=True)
    for line in failed:
        print(f"not deleted: {line}", file=sys.stderr)
    return 1 if failed else 0


def _delete(path: Path, failed: list[str]) -> int:
    """Deletes a file, or a folder with all in it, following no links; returns the bytes and notes what would not go."""
    freed = 0
    try:
        if path.is_symlink() or not path.is_dir():
            held = size(path)
            path.unlink()
            return held
        for inner in sorted(path.iterdir(), key=lambda one: one.name in _LAST):
            freed += _delete(inner, failed)
        path.rmdir()
    except FileNotFoundError:  # gone already
        pass
    except OSError as error:
        failed.append(f"{path}: {error.strerror}")
    return freed


def _prune(folder: Path, place: Path) -> None:
    """Takes away the day or sweep that has become empty, below the path that was asked for."""
    while folder != place and folder.is_relative_to(place):
        try:
            folder.rmdir()
        except OSError:
            return
        folder = folder.parent


def _mend_latest(gone: Sequence[Path]) -> None:
    """``latest`` of the outputs that lost its run points to the newest that is left, or goes."""
    for outputs in dict.fromkeys(parent for folder in gone for parent in list(folder.absolute().parents)[1:3]):
        latest = outputs / "latest"
        if latest.is_symlink():
            target = outputs / latest.readlink()
        elif latest.is_file():
            target = outputs / latest.read_text(encoding="utf-8").strip()
        else:
            continue
        if target.exists():
            continue
        records, _ = reading.read_all(reading.folders(outputs, links=False))
        if records:
            run_folder.point_latest(outputs, records[-1].folder)
        else:
            latest.unlink()

"""What of a run can go without losing what it found: :mod:`assay.lifecycle.clean` shows it and deletes it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from assay import folder as run_folder
from assay.errors import ConfigError
from assay.lifecycle import records as reading
from assay.lifecycle.records import Record


@dataclass(frozen=True)
class Doomed:
    """What goes of one run: files and folders inside it, or all of it."""

    record: Record
    paths: list[Path]
    size: int
    whole: bool = False

    @property
    def folders(self) -> list[Path]:
        """The run's, and those of its stages that lose something: nobody may train in them meanwhile."""
        stages = [self.record.folder / "stages" / one.name for one in stage_folders(self.record.folder)]
        touched = [place for place in stages if any(path.is_relative_to(place) for path in self.paths)]
        return [self.record.folder, *touched]


def doomed(record: Record, all_checkpoints: bool, whole: bool) -> Doomed:
    """What goes of one run."""
    if whole:
        return Doomed(record, [record.folder], size(record.folder), whole=True)
    paths = list(_droppable(record.folder, record.status == "done", all_checkpoints))
    paths += _of_stages(record, all_checkpoints)
    return Doomed(record, paths, sum(map(size, paths)))


def needed(record: Record) -> bool:
    """Whether the run, or the stage of a loop at which it stopped, has checkpoints to be resumed from."""
    stages = [place for place, done in _stages(record.folder) if not done]
    places = [record.folder, *stages] if record.status != "done" else []
    return any(any((place / "checkpoints").glob("*.ckpt")) for place in places)


def stage_folders(folder: Path) -> list[Path]:
    """Those of a loop over runs; none of a plain run."""
    stages = folder / "stages"
    if not stages.is_dir() or stages.is_symlink():
        return []
    return sorted(one for one in stages.glob("[!.]*") if one.is_dir() and not one.is_symlink())


def _stages(folder: Path) -> Iterator[tuple[Path, bool]]:
    """(folder, whether it is done) of the stages that trained."""
    for place in stage_folders(folder):
        try:
            yield place, reading.read(place).status == "done"
        except ConfigError:  # an export, which is no run; or one that was killed before it had a config
            continue


def _of_stages(record: Record, all_checkpoints: bool) -> Iterator[Path]:
    """A loop passes by the stages that are done, whatever becomes of it: their checkpoints are as a finished run's.
    Those of the stage at which it stopped are needed, as a stopped run's."""
    for place, done in _stages(record.folder):
        if not run_folder.is_running(place):
            yield from _droppable(place, done, all_checkpoints)
    if stage_folders(record.folder):
        yield from _files(record.folder / "stages", ("*.tmp",))


def _droppable(folder: Path, done: bool, all_checkpoints: bool) -> Iterator[Path]:
    checkpoints = folder / "checkpoints"
    if checkpoints.is_dir() and not checkpoints.is_symlink():
        if done or all_checkpoints:
            yield from _files(checkpoints, ("last.ckpt", "previous.ckpt", "best-*.ckpt"))
        if all_checkpoints and (not done or (folder / "artifact" / "artifact.json").is_file()):
            yield from _files(checkpoints, ("best.ckpt",))
        yield from _files(checkpoints, ("*.tmp",))
    yield from _files(folder, ("*.tmp",))
    wandb = folder / "wandb"
    if wandb.is_dir() and not wandb.is_symlink() and done and _uploaded(folder):
        yield from sorted(one for one in wandb.glob("*run-*") if one.is_dir() and not one.is_symlink())


def _files(folder: Path, patterns: Sequence[str]) -> Iterator[Path]:
    """What is really there under these names: no links; a folder only if it is half-written (``artifact.tmp``)."""
    for pattern in patterns:
        for path in sorted(folder.glob(pattern)):
            if not path.is_symlink() and (path.is_file() or pattern == "*.tmp"):
                yield path


def _uploaded(folder: Path) -> bool:
    from assay.review.sync import is_sent

    try:
        return is_sent(folder)
    except (ConfigError, KeyError, TypeError):
        return False


def size(path: Path) -> int:
    """Bytes of a file, or of all files in a folder; links count as themselves, a file of two names half for each."""
    if path.is_symlink() or not path.is_dir():
        found = path.lstat()
        return found.st_size // max(found.st_nlink, 1)
    return sum(size(inner) for inner in path.iterdir())

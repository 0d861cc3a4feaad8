"""A run folder: what lies where, and how RUN on the command line finds it. Imports no torch.

``outputs/<date>/<time>-<name>/`` holds config.yaml, overrides.yaml, environment.json, source.patch, metrics.csv,
summary.json, predictions/, checkpoints/, artifact/, figures/, log.txt and wandb/. Nothing inside names the folder
itself, so it can be moved.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import IO, Any

from assay.errors import ConfigError

FORMAT = 1
LOCK = ".lock"
_held: set[Path] = set()  # by this process: a lock of its own does not show to it


def create(outputs: str | Path, name: str) -> Path:
    """A new folder that no other run has: made exclusively, numbered when the second is shared."""
    now = datetime.now()
    day = Path(outputs) / now.strftime("%Y-%m-%d")
    day.mkdir(parents=True, exist_ok=True)
    stem = f"{now.strftime('%H-%M-%S')}-{name}"
    for attempt in range(1, 10_000):
        folder = day / (stem if attempt == 1 else f"{stem}-{attempt}")
        try:
            folder.mkdir()
        except FileExistsError:
            continue
        return folder
    raise ConfigError(f"{day} already holds 10,000 runs named {stem}; choose another name=…")


def discard(folder: Path) -> None:
    """Takes back a folder that a refused run had been given, and those above it that were made for it."""
    shutil.rmtree(folder, ignore_errors=True)
    with suppress(OSError):  # the day and the outputs folder, where this run was their first
        folder.parent.rmdir()
        folder.parent.parent.rmdir()


def point_latest(outputs: str | Path, folder: Path) -> None:
    """``outputs/latest`` -> the newest run: a relative link, or a text file where links are not to be had."""
    latest = Path(outputs) / "latest"
    latest.parent.mkdir(parents=True, exist_ok=True)
    relative = os.path.relpath(folder, outputs)
    temporary = latest.with_name(f".latest-{os.getpid()}")
    try:
        temporary.unlink(missing_ok=True)
        temporary.symlink_to(relative, target_is_directory=True)
    except OSError:
        temporary.write_text(relative + "\n", encoding="utf-8")
    temporary.replace(latest)


def find(run: str, outputs: str | Path = "outputs") -> Path:
    """The folder that RUN names: a run folder, an artifact, ``SWEEP:12``, ``SWEEP:best``, or ``latest``; the last, and
    a sweep's own name, may be a sweep.

    Raises:
        ConfigError: there is no such run.
    """
    if ":" in run and not Path(run).exists():
        from assay.sweeps.ledger.place import find_job

        return find_job(run, outputs).resolve()
    path = Path(outputs) / "latest" if run == "latest" else Path(run)
    if not path.exists() and (Path(outputs) / run).exists():  # as `assay runs` shows it
        path = Path(outputs) / run
    elif not path.exists() and (Path(outputs) / "sweeps" / run).exists():
        path = Path(outputs) / "sweeps" / run
    if run == "latest" and not path.exists():
        raise ConfigError(f"there is no latest run in {outputs}; train one with `assay train`, or name a run folder")
    if path.is_file() and path.name == "latest":
        path = path.parent / path.read_text(encoding="utf-8").strip()
    if path.is_file() and path.suffix in (".ckpt", ".pt", ".pth", ".bin", ".pkl", ".safetensors"):
        raise ConfigError(
            f"{run} is a file of weights; name its run folder or artifact, which also say what they are of"
        )
    if not path.is_dir():
        raise ConfigError(f"{run} is not a run folder or artifact; name one, or latest")
    return path.resolve()


def find_artifact(run: str, outputs: str | Path = "outputs") -> Path:
    """The artifact of RUN.

    Raises:
        ConfigError: there is none, which says why.
    """
    path = find(run, outputs)
    artifact = path if (path / "artifact.json").is_file() else path / "artifact"
    if not (artifact / "artifact.json").is_file():
        raise ConfigError(f"{run} holds no artifact: {status(path)}; name a finished run")
    return artifact


def is_sweep(folder: Path) -> bool:
    """Whether this is the folder of a sweep: of its runs, and not a run."""
    return (folder / "sweep.json").is_file() or (folder / "ledger.jsonl").is_file()


def status(folder: Path) -> str:
    """Why a folder may lack its artifact, in words."""
    if is_sweep(folder):
        return f"it is a sweep, of which one run is named as {folder.name}:best or {folder.name}:0"
    try:
        return f"its run is {json.loads((folder / 'summary.json').read_text(encoding='utf-8'))['status']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "its run did not finish" if (folder / "config.yaml").is_file() else "it is not a run folder"


def write_json(path: Path, value: Any) -> None:
    """Atomically, readable, with every float exact."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(path.suffix + ".tmp")
    temporary.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    temporary.replace(path)


def write_config(folder: Path, config: Mapping[str, Any], overrides: Sequence[str]) -> None:
    import yaml

    from assay.review.redact import redact

    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)  # libyaml's is ten times as fast, where there is one
    for name, value in (("config.yaml", {"format": FORMAT, **config}), ("overrides.yaml", list(overrides))):
        text = yaml.dump(redact(value), Dumper=dumper, sort_keys=False, allow_unicode=True)
        (folder / name).write_text(text, encoding="utf-8")


def read_config(folder: Path) -> dict[str, Any]:
    """The resolved config of a run.

    Raises:
        ConfigError: there is none, it is not YAML of plain values, or it is of a newer format.
    """
    import yaml

    path = folder / "config.yaml"
    if is_sweep(folder):
        raise ConfigError(f"{folder} holds no run: {status(folder)}")
    try:
        config = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"{path} cannot be read ({' '.join(str(error).split())}); name a run folder") from error
    if not isinstance(config, dict) or config.get("format") != FORMAT:
        found = config.get("format") if isinstance(config, dict) else None
        raise ConfigError(f"{path} has format {found}; this version reads {FORMAT}")
    return config


def read_overrides(folder: Path) -> list[str]:
    """The overrides of a run, as typed; empty where none are stored."""
    import yaml

    try:
        found = yaml.safe_load((folder / "overrides.yaml").read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return []
    return [str(one) for one in found] if isinstance(found, list) else []


@contextmanager
def held(folder: Path) -> Generator[None]:
    """Marks a run folder as one that a process is writing to, for as long as that process lives.

    A lock of the operating system on ``.lock`` (which names the process): it goes with the process, however that
    ends, and a forked child does not inherit it. Where the disk knows no locks, nothing is marked.

    Raises:
        ConfigError: another process holds it.
    """
    path = (folder / LOCK).resolve()
    if path in _held:
        raise ConfigError(f"{folder} is being trained by this process")
    with open(path, "a+", encoding="utf-8") as file:
        if not _lock(file, seconds=1.0):  # whoever only looks (is_running) has it for an instant
            file.seek(0)
            holder = file.read().strip() or "another process"
            raise ConfigError(f"{folder} is being trained by {holder}; wait for it, or stop it first")
        file.truncate(0)
        file.write(f"process {os.getpid()} of {platform.node()}\n")
        file.flush()
        _held.add(path)
        try:
            yield
        finally:
            _held.discard(path)


def is_running(folder: Path) -> bool:
    """Whether a process is writing to this run folder."""
    path = (folder / LOCK).resolve()
    if path in _held:
        return True
    try:
        with open(path, encoding="utf-8") as file:
            return not _lock(file, shared=True)
    except OSError:
        return False


def _lock(file: IO[str], *, shared: bool = False, seconds: float = 0.0) -> bool:
    """Takes the lock, trying again for some ``seconds``; whether nobody else has it."""
    try:
        import fcntl
    except ImportError:  # Windows: nothing is marked
        return True
    until = time.monotonic() + seconds
    while True:
        try:
            fcntl.lockf(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= until:
                return False
            time.sleep(0.02)
        except OSError:  # a disk without locks
            return True
        else:
            return True

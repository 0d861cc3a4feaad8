"""A run folder: what lies where, and how RUN on the command line finds it. Imports no torch.

``outputs/<date>/<time>-<name>/`` holds config.yaml, overrides.yaml, environment.json, source.patch, metrics.csv,
summary.json, predictions/, checkpoints/, artifact/, figures/, log.txt and wandb/. Nothing inside names the folder
itself, so it can be moved.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from assay.errors import ConfigError

FORMAT = 1
PATCH_BYTES = 5_000_000
_PACKAGES = (
    "assay",
    "torch",
    "pytorch-lightning",
    "torchmetrics",
    "hydra-core",
    "numpy",
    "scikit-learn",
    "safetensors",
)


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
    """The folder that RUN names: a run folder, an artifact, or ``latest``.

    Raises:
        ConfigError: there is no such run.
    """
    path = Path(outputs) / "latest" if run == "latest" else Path(run)
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


def status(folder: Path) -> str:
    """Why a folder may lack its artifact, in words."""
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

    for name, value in (("config.yaml", {"format": FORMAT, **config}), ("overrides.yaml", list(overrides))):
        text = yaml.safe_dump(redact(value), sort_keys=False, allow_unicode=True)
        (folder / name).write_text(text, encoding="utf-8")


def read_config(folder: Path) -> dict[str, Any]:
    """The resolved config of a run.

    Raises:
        ConfigError: there is none, it is not YAML of plain values, or it is of a newer format.
    """
    import yaml

    path = folder / "config.yaml"
    try:
        config = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"{path} cannot be read ({' '.join(str(error).split())}); name a run folder") from error
    if not isinstance(config, dict) or config.get("format") != FORMAT:
        found = config.get("format") if isinstance(config, dict) else None
        raise ConfigError(f"{path} has format {found}; this version reads {FORMAT}")
    return config


def versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found


def source_digest() -> str:
    """sha256 over this package's own source: what code made an artifact, commit or not."""
    here = Path(__file__).resolve().parent
    summed = hashlib.sha256()
    for path in sorted(here.rglob("*.py")):
        summed.update(f"{path.relative_to(here).as_posix()}\0".encode() + path.read_bytes())
    return summed.hexdigest()


def write_source(folder: Path) -> dict[str, Any]:
    """``source.patch``: the uncommitted difference, 5 MB at most; returns the commit and what was left out."""
    from assay.review.redact import redact_text

    here = Path(__file__).resolve().parent

    def git(*arguments: str) -> bytes | None:
        try:
            done = subprocess.run(["git", "-C", str(here), *arguments], capture_output=True, timeout=10, check=True)
        except (OSError, subprocess.SubprocessError):
            return None
        return done.stdout

    if "site-packages" in here.parts:
        return {"commit": None}
    status_ = git("status", "--porcelain=v2", "--branch", "--untracked-files=no")
    if status_ is None:
        return {"commit": None}
    lines = status_.decode(errors="replace").splitlines()
    commit = next((line.split()[-1] for line in lines if line.startswith("# branch.oid")), None)
    facts: dict[str, Any] = {"commit": commit, "dirty": any(not line.startswith("#") for line in lines)}
    if facts["dirty"]:
        patch = git("diff", "HEAD") or b""
        if len(patch) <= PATCH_BYTES:
            text = redact_text(patch.decode("utf-8", errors="surrogateescape"))
            (folder / "source.patch").write_text(text, encoding="utf-8", errors="surrogateescape")
        else:
            facts["patch"] = f"left out: {len(patch)} bytes, {PATCH_BYTES} at most"
    return facts


def environment(device: str, threads: int, seed: int, chosen: Mapping[str, Any], source: Mapping[str, Any]) -> dict:
    """What besides the config decides the bits of a run. ``chosen`` are choices that the run made for itself."""
    from assay.review.redact import redact

    return {
        "versions": versions(),
        "source_digest": source_digest(),
        "platform": platform.platform(),
        "machine": platform.machine(),
        "device": device,
        "threads": threads,
        "seed": seed,
        "chosen": dict(chosen),
        "command": redact([Path(sys.argv[0]).name, *sys.argv[1:]]),
        **source,
    }

"""What besides the config decides the bits of a run: versions, source, device, threads. Imports no torch."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from assay.errors import ConfigError

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


def versions() -> dict[str, str]:
    """Of Python and the packages that decide about results."""
    return dict(_versions())


@cache
def _versions() -> dict[str, str]:  # they stay while a process lives
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found


def processor() -> str:
    """The model of the CPU: its vendor's libraries choose their kernels by it."""
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


@cache
def source_digest() -> str:
    """sha256 over this package's own source: what code made an artifact, commit or not. Read once in a process, as the
    source itself is."""
    here = Path(__file__).resolve().parent
    summed = hashlib.sha256()
    for path in sorted(here.rglob("*.py")):
        summed.update(f"{path.relative_to(here).as_posix()}\0".encode() + path.read_bytes())
    return summed.hexdigest()


def write_source(folder: Path) -> dict[str, Any]:
    """``source.patch``: the uncommitted difference, 5 MB at most; returns the commit and what was left out."""
    facts, patch = source()
    if patch is not None:
        (folder / "source.patch").write_text(patch, encoding="utf-8", errors="surrogateescape")
    return dict(facts)


@cache
def source() -> tuple[dict[str, Any], str | None]:
    """What git says of the source, asked once in a process, and the uncommitted difference, without secrets."""
    from assay.review.redact import redact_text

    here = Path(__file__).resolve().parent

    def git(*arguments: str) -> bytes | None:
        try:
            done = subprocess.run(["git", "-C", str(here), *arguments], capture_output=True, timeout=10, check=True)
        except (OSError, subprocess.SubprocessError):
            return None
        return done.stdout

    if "site-packages" in here.parts:
        return {"commit": None}, None
    status_ = git("status", "--porcelain=v2", "--branch", "--untracked-files=no")
    if status_ is None:
        return {"commit": None}, None
    lines = status_.decode(errors="replace").splitlines()
    commit = next((line.split()[-1] for line in lines if line.startswith("# branch.oid")), None)
    facts: dict[str, Any] = {"commit": commit, "dirty": any(not line.startswith("#") for line in lines)}
    if not facts["dirty"]:
        return facts, None
    patch = git("diff", "HEAD") or b""
    if len(patch) > PATCH_BYTES:
        return {**facts, "patch": f"left out: {len(patch)} bytes, {PATCH_BYTES} at most"}, None
    return facts, redact_text(patch.decode("utf-8", errors="surrogateescape"))


def describe(
    *,
    device: str,
    capability: str,
    world_size: int,
    seed: int,
    data: str,
    chosen: Mapping[str, Any],
    source: Mapping[str, Any],
) -> dict[str, Any]:
    """environment.json.

    Args:
        device: its model.
        capability: the instruction set that torch's CPU kernels use here.
        world_size: processes that train together.
        data: digest of the data set.
        chosen: what the run chose for itself, by timing or by rule, before step 1; obeyed when it is resumed.
        source: commit and difference.
    """
    from assay.review.redact import redact

    return {
        "versions": versions(),
        "source_digest": source_digest(),
        "platform": platform.platform(),
        "machine": platform.machine(),
        "processor": processor(),
        "device": device,
        "cpu_capability": capability,
        "world_size": world_size,
        "threads": chosen["threads"],
        "seed": seed,
        "data_digest": data,
        "chosen": dict(chosen),
        "directory": os.getcwd(),
        "command": redact([Path(sys.argv[0]).name, *sys.argv[1:]]),
        **source,
    }


def read(folder: Path) -> dict[str, Any] | None:
    """environment.json of a run; None where the run ended before it was written.

    Raises:
        ConfigError: it cannot be read.
    """
    path = folder / "environment.json"
    if not path.exists():
        return None
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return {**found, "chosen": dict(found["chosen"]), "versions": dict(found["versions"])}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{path} cannot be read ({error}); `assay rerun` starts anew") from error


def refuse_other_data(then: Mapping[str, Any], digest: str) -> None:
    """Raises ConfigError if a run would go on with other data than it began with."""
    if then.get("data_digest") != digest:
        raise ConfigError("the data have changed since this run began (their digest differs): use `assay rerun`")


_DECIDING = {
    "device": "device",
    "processor": "processor",
    "cpu_capability": "CPU instructions",
    "world_size": "processes",
    "machine": "machine",
}


def differences(then: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What may change the bits between two environment.json, in words: empty where the same bits can be promised."""
    found = [
        f"{name} {then.get('versions', {}).get(name)} → {version}"
        for name, version in now["versions"].items()
        if then.get("versions", {}).get(name) != version
    ]
    found += [f"{words} {then.get(key)} → {now[key]}" for key, words in _DECIDING.items() if then.get(key) != now[key]]
    kept = then.get("chosen", {})
    found += [f"{key} {kept.get(key)} → {value}" for key, value in now["chosen"].items() if kept.get(key) != value]
    if (
        then.get("source_digest") != now["source_digest"]
        and then.get("versions", {}).get("assay") == now["versions"]["assay"]
    ):
        found.append("Assay's own source was edited")
    return found

"""A run's artifact that Weights & Biases holds: on this disk, or fetched once. Imports no torch."""

from __future__ import annotations

import re
import shutil
import tempfile
from pathlib import Path
from typing import Any

from assay.errors import ConfigError
from assay.review.wandb_host import host, host_problem

FILES = ("artifact.json", "weights.safetensors")
_NAME = re.compile(r"[\w.-]+/[\w.-]+/[\w.-]+:[\w.-]+")


def place(artifact: str, root: str) -> Path:
    """Where an artifact lies once it was fetched.

    Raises:
        ConfigError: it is no name of one.
    """
    if not _NAME.fullmatch(artifact) or any(set(part) <= {"."} for part in re.split("[/:]", artifact)):
        raise ConfigError(
            f"distillation.teacher.artifact={artifact} is not entity/project/name:version: W&B's page of the artifact "
            "shows it, as team/assay/model-1a2b3c:v0"
        )
    return Path(root).expanduser() / "wandb" / artifact.replace(":", "/")


def fetched(artifact: str, root: str, api: Any = None) -> Path:
    """Its folder. A version is fetched once; so is an alias as ``latest``, which from then on means what it meant then:
    a run that is resumed has the teacher that it began with.

    Args:
        artifact: ``entity/project/name:version``.
        root: data_dir.
        api: wandb's, where one is at hand.
    Raises:
        ConfigError: it is not there, and the host cannot be reached, does not have it, or has something else.
    """
    folder = place(artifact, root)
    if all((folder / name).is_file() for name in FILES):
        return folder
    by_hand = f"or put its {' and '.join(FILES)} into {folder} by hand"
    problem = host_problem() if api is None else None
    if problem is not None:
        raise ConfigError(
            f"distillation.teacher.artifact={artifact} is not on this disk, and {problem}: `wandb login` where there "
            f"is a network, {by_hand}"
        )
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".fetching-") as scratch:
        try:
            _ask(api).artifact(artifact).download(root=scratch)
        except Exception as error:  # wandb's errors have no common class
            said = " ".join(str(error).split())[:200]
            raise ConfigError(
                f"distillation.teacher.artifact={artifact}: {host()} did not give it ({said}); name one that it has, "
                f"{by_hand}"
            ) from error
        lacking = [name for name in FILES if not (Path(scratch) / name).is_file()]
        if lacking:
            raise ConfigError(
                f"distillation.teacher.artifact={artifact} holds no {' and no '.join(lacking)}: name the artifact of a "
                "finished run, which is called model-ID"
            )
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        for name in FILES:
            (Path(scratch) / name).rename(folder / name)
    return folder


def _ask(api: Any) -> Any:
    if api is not None:
        return api
    import wandb

    return wandb.Api(timeout=30)

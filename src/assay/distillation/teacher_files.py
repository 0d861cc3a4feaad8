"""What preflight asks of a teacher before torch is loaded: is there an artifact, and what does it answer with?

Each check gives the fact ``teaches_class``, ``teaches_labels`` or ``teaches_number``, which the rules of
``distillation=…`` hold against the data's.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from assay.distillation.wandb_files import fetched
from assay.errors import ConfigError
from assay.folder import find_artifact


def check(config: dict[str, Any]) -> set[str]:
    """The facts of ``distillation/teacher=checkpoint``.

    Raises:
        ConfigError: there is no such run, or its artifact cannot be read.
    """
    label = _label(find_artifact(str(config["run"])), f"distillation.teacher.run={config['run']}")
    return {f"teaches_{label['kind']}"}


def check_ensemble(config: dict[str, Any]) -> set[str]:
    """The facts of ``distillation/teacher=ensemble``.

    Raises:
        ConfigError: there is no run, one is not there, or two of them answer with something else.
    """
    runs = config["runs"]
    if not isinstance(runs, list) or not runs:
        raise ConfigError("distillation.teacher.runs names no run: write distillation.teacher.runs=[A,B]")
    labels = {run: _label(find_artifact(str(run)), f"distillation.teacher.runs={run}") for run in runs}
    (first, one), *others = labels.items()
    for run, label in others:
        if (label["kind"], label.get("names")) != (one["kind"], one.get("names")):
            raise ConfigError(
                f"distillation.teacher.runs: {first} answers with {_words(one)}, {run} with {_words(label)}: name runs "
                "on the same data"
            )
    return {f"teaches_{one['kind']}"}


def check_wandb(config: dict[str, Any]) -> set[str]:
    """The facts of ``distillation/teacher=wandb_artifact``, which is fetched where it is not on this disk.

    Raises:
        ConfigError: it cannot be fetched, or is no artifact of ours.
    """
    named = f"distillation.teacher.artifact={config['artifact']}"
    return {f"teaches_{_label(fetched(str(config['artifact']), str(config['root'])), named)['kind']}"}


def _label(artifact: Path, named: str) -> dict[str, Any]:
    path = artifact / "artifact.json"
    try:
        label = json.loads(path.read_text(encoding="utf-8"))["spec"]["label"]
        return {**label, "kind": str(label["kind"])}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{named}: {path} cannot be read ({error})") from error


def _words(label: dict[str, Any]) -> str:
    names = [str(name) for name in label.get("names") or ()]
    shown = f" ({', '.join(names[:4])}{', …' if len(names) > 4 else ''})" if names else ""
    return "a number" if label["kind"] == "number" else f"{label.get('size')} {label['kind']}{shown}"

"""``assay resume RUN``: a run goes on from its last checkpoint, as if nothing had stopped it. Torch loads last.

The config that the run stored wins; what may change is how long it trains and how it is watched.
"""

from __future__ import annotations

import copy
import json
import sys
from collections.abc import Mapping, Sequence
from contextlib import chdir
from itertools import pairwise
from pathlib import Path
from typing import Any

from assay import environment, folder, preflight
from assay.composition.compose import Composer, composer_of
from assay.composition.headers import Catalogue
from assay.errors import ConfigError
from assay.follow import following
from assay.loops import start

MAY_CHANGE = ("trainer.max_epochs", "trainer.max_steps", "checkpoint.every", "logger", "threads")
"""What a resumed run may be told anew: none of it changes what was trained so far."""


def resume_command(run: str, overrides: Sequence[str]) -> int:
    """Goes on with RUN.

    Returns:
        The exit code: 0 done, 1 failed, 130 or 143 stopped by a signal after saving.
    Raises:
        ConfigError: RUN is no run, is done, is being trained, or an override may not change.
    """
    where = folder.find(run)
    if (code := following(folder.read_config(where)["trainer"])) is not None:
        return code
    config, typed = prepare(where, overrides)
    from assay import run as running

    try:
        start.run(config, typed, where, _composer(environment.read(where) or {}), resume=True)
    except running.Stopped as stopped:
        return 128 + int(stopped.args[0])
    except running.Failed as failed:
        print(failed, file=sys.stderr)
        return 1
    return 0


def prepare(where: Path, overrides: Sequence[str]) -> tuple[dict[str, Any], list[str]]:
    """The config to go on with, and the overrides as typed, the new ones last.

    Raises:
        ConfigError: as :func:`resume_command`.
    """
    if not (where / "config.yaml").is_file():
        raise ConfigError(f"{where} holds no config.yaml: it is not a run folder, or was killed before it began")
    config = stored = folder.read_config(where)
    typed = folder.read_overrides(where)
    if folder.is_running(where):
        raise ConfigError(f"{where} is being trained by another process; wait for it, or stop it first")
    made_in = environment.read(where) or {}
    composer = _composer(made_in)
    directory = Path(made_in.get("directory", "."))
    if overrides:
        with chdir(directory if directory.is_dir() else "."):  # where relative paths lead somewhere
            config = changed(config, typed, overrides, composer)
    config = found_again(config, composer.catalogue, directory)
    refuse_lengths(config, overrides)
    done = _summary(where)
    if done.get("status") == "pruned":
        raise ConfigError(f"{where} was {done.get('reason')}: `assay rerun RUN` trains its settings to the end")
    if done.get("status") == "done" and _lengths(config) == _lengths(stored):
        raise ConfigError(
            f"{where} is done, with all its stages: `assay rerun RUN` starts a new one, which reuses what is the same"
            if start.loop_of(config) is not None
            else f"{where} is done, after {done.get('epochs')} epochs: `assay resume RUN trainer.max_epochs=…` trains "
            "longer, `assay rerun RUN` trains it again"
        )
    return config, merged(typed, overrides)


def _composer(made_in: Mapping[str, Any]) -> Composer:
    """With the folder of own options that the run was started with, where it is still there."""
    command = [str(word) for word in made_in.get("command", [])]
    given = {flag: word for flag, word in pairwise(command) if flag in ("--config-dir", "--config-name")}
    own = Path(made_in.get("directory", ""), given.get("--config-dir", "--"))
    return composer_of(str(own) if own.is_dir() else None, None, given.get("--config-name"))


def found_again(config: dict[str, Any], catalogue: Catalogue, directory: Path) -> dict[str, Any]:
    """The config with relative paths that lead somewhere only from where the run was started made absolute."""
    config = copy.deepcopy(config)
    for group, name in config["switches"].items():
        node: Any = config
        for part in group.split("/"):
            node = (node or {}).get(part)
        if not isinstance(node, dict) or not isinstance(name, str):
            continue
        for key in (key for option in catalogue.chosen(group, name) for key in option.paths):
            path = node.get(key)
            if isinstance(path, str) and not Path(path).exists() and (directory / path).exists():
                node[key] = str(directory / path)
    return config


def changed(
    config: dict[str, Any], typed: Sequence[str], overrides: Sequence[str], composer: Composer
) -> dict[str, Any]:
    """The stored config with the new overrides in it, which are composed and checked as those of a new run.

    Raises:
        ConfigError: one of them is not in :data:`MAY_CHANGE`, or preflight refuses it.
    """
    for one in overrides:
        key = _key(one)
        if not any(key == allowed or key.startswith(f"{allowed}.") for allowed in MAY_CHANGE):
            raise ConfigError(
                f"{key} cannot change when a run is resumed; {', '.join(MAY_CHANGE)} can: use `assay rerun RUN {one}`"
            )
    keys = {_key(one) for one in overrides}
    (point,) = preflight.points(merged(typed, overrides), composer, False)
    made = copy.deepcopy(config)
    for allowed in MAY_CHANGE:
        if any(key == allowed or key.startswith(f"{allowed}.") for key in keys):
            *outer, last = allowed.split(".")
            target, source = made, point.config
            for part in outer:
                target, source = target[part], source[part]
            target[last] = source[last]
            if allowed in made["switches"]:
                made["switches"][allowed] = point.config["switches"][allowed]
    return made


def refuse_lengths(config: Mapping[str, Any], overrides: Sequence[str]) -> None:
    """Raises ConfigError if a loop over runs is told to train longer: each of its stages has a length of its own."""
    lengths = [one for one in overrides if _key(one).startswith("trainer.")]
    if lengths and start.loop_of(config) is not None:
        raise ConfigError(
            f"{lengths[0]} would lengthen every stage of this loop; use `assay rerun`, with the stage's own overrides"
        )


def merged(typed: Sequence[str], overrides: Sequence[str]) -> list[str]:
    """The overrides of the run without those that are typed anew, then the new ones."""
    keys = {_key(one) for one in overrides}
    return [*(one for one in typed if _key(one) not in keys), *overrides]


def _key(override: str) -> str:
    return override.partition("=")[0].lstrip("+")


def _lengths(config: Mapping[str, Any]) -> tuple[Any, Any]:
    return config["trainer"]["max_epochs"], config["trainer"]["max_steps"]


def _summary(where: Path) -> dict[str, Any]:
    try:
        return json.loads((where / "summary.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}

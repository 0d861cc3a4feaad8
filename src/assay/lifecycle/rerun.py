"""``assay rerun``: a new run with another's overrides and some of your own, composed anew by today's conf/.

What a run typed is kept; what it left to defaults may have changed since, and each key that would come out differently
is named before the run starts.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assay import environment, preflight
from assay import folder as run_folder
from assay.composition.compose import Composer, composer_of, leaves
from assay.composition.nearest import group_of, listed
from assay.composition.points import quote_all
from assay.errors import ConfigError
from assay.lifecycle import records as reading
from assay.lifecycle.records import Record
from assay.lifecycle.where import shown as value_shown
from assay.review.redact import HIDDEN
from assay.screens import pasted, shown

_NOT_COMPARED = ("plan", "format", "switches", "reads")
_KEY = re.compile(r"[+~]*([^=@:]+)")
NAMED = 8  # changed defaults on one line


@dataclass(frozen=True)
class Plan:
    """What a rerun is made of.

    overrides: the stored ones that still count, then the new ones.
    left_out: stored ones that what was typed now has made meaningless, each with the option that lacks the key.
    """

    overrides: list[str]
    left_out: list[str]


def rerun_command(run: str, arguments: Sequence[str], dry: bool) -> int:
    """Trains anew what a run trained, with changes.

    Raises:
        ConfigError: there is no such run, one of its values was redacted, or preflight refuses the whole.
    """
    folder = run_folder.find(run)
    try:
        record = reading.read(folder)
    except ConfigError as error:
        raise ConfigError(f"{run} is not a run that can be repeated: {error}; name a run folder, or latest") from error
    flags = preflight.parse(arguments)
    if flags.cfg or flags.help or flags.hydra_help or flags.info is not None:
        raise ConfigError("rerun trains; what only shows something is --dry, or a flag of `assay train`")
    made_in = _read(folder)
    places = _places(flags, made_in)
    composer = composer_of(flags.config_dir or places.get("--config-dir"), flags.config_path, flags.config_name)
    plan = merged(record, flags.overrides, composer, flags.multirun)
    try:
        points = preflight.points(plan.overrides, composer, flags.multirun)
    except ConfigError as error:
        if made_in.get("directory") in (None, os.getcwd()):
            raise
        raise ConfigError(f"{error}; the run was started in {made_in['directory']}") from error
    words = [word for flag, value in places.items() for word in (flag, value)] + ["-m"] * flags.multirun
    print(" ".join(["assay train", *map(pasted, (*words, *plan.overrides))]))
    for line in (*plan.left_out, *told(record, points, flags.overrides, composer), *then_and_now(made_in)):
        print(line)
    if dry:
        print(f"{len(points)} run{'s' * (len(points) > 1)}, all checks passed; leave out --dry to train")
        return 0
    sys.stdout.flush()
    from assay.launch import train

    return train([*words, *plan.overrides])


def merged(record: Record, new: Sequence[str], composer: Composer, multirun: bool) -> Plan:
    """The stored overrides but for those that are typed anew, then the new ones. A stored key that an option chosen
    now does not have is left out, and said.

    Raises:
        ConfigError: a stored value was redacted and is not given again.
    """
    given = {key_of(one) for one in new}
    kept = [one for one in record.overrides if key_of(one) not in given]
    if hidden := [key_of(one) for one in kept if HIDDEN in one]:
        raise ConfigError(
            f"{shown(record.folder)} has {listed(hidden, 'and')} redacted, as a secret: "
            f"give {'it' if len(hidden) == 1 else 'them'} again, as {' '.join(f'{key}=…' for key in hidden)}"
        )
    groups = composer.catalogue.groups
    changed = {key for key in given if key in groups}
    if multirun or not changed:  # a sweep of options has no one config to look keys up in: preflight says what fails
        return Plan([*kept, *new], [])
    chosen = [one for one in (*kept, *new) if key_of(one) in groups]
    try:
        config, choices = composer.compose(quote_all(chosen, composer.catalogue, False))
    except ConfigError:  # no such option: preflight says what is near
        return Plan([*kept, *new], [])
    known = set(leaves(config))
    still, left_out = [], []
    for one in kept:
        key = key_of(one)
        group = group_of(key, groups)
        if group in changed and one[0] not in "+~" and not any(k == key or k.startswith(f"{key}.") for k in known):
            leaf = key.removeprefix(f"{group}.")
            left_out.append(f"left out: {one}, since {group}={choices.get(group)} has no {leaf}")
        else:
            still.append(one)
    return Plan([*still, *new], left_out)


def key_of(override: str) -> str:
    """``+model.x=1``, ``~model.x``, ``model@pkg=…``: the key or group that it is about."""
    found = _KEY.match(override)
    return found[1].strip() if found else override


def told(record: Record, points: Sequence[preflight.Point], new: Sequence[str], composer: Composer) -> list[str]:
    """The line that names what today's defaults make different from the stored config; none if nothing is."""
    stored = reading.parse(record.text)
    here = _flat(points[0].config)
    then = _flat(stored)
    differing = {key for key in here.keys() | then.keys() if _differs(key, here, then)}
    caused = _caused(record, new, composer, here)
    changed = sorted(key for key in differing if not caused(key))
    if not changed:
        return []
    words = [f"{key} {_side(then, key)} → {_side(here, key)}" for key in changed[:NAMED]]
    more = [f"{len(changed) - NAMED} more (--dry, then `assay diff`, show all)"] if len(changed) > NAMED else []
    return [f"defaults have changed since: {', '.join([*words, *more])}"]


def _caused(record: Record, new: Sequence[str], composer: Composer, here: Mapping[str, Any]) -> Callable[[str], bool]:
    """Whether a key differs because of what was typed now: what the stored overrides alone make today tells."""
    try:
        (alone,) = preflight.points(record.overrides, composer, False)
    except ConfigError:  # refused today without the new overrides: by the keys and groups they name
        nodes = [key_of(one).replace("/", ".") for one in new]
        return lambda key: any(key == node or key.startswith(f"{node}.") for node in nodes) or HIDDEN in record.text
    before = _flat(alone.config)
    return lambda key: _differs(key, here, before)


def _flat(config: Mapping[str, Any]) -> dict[str, Any]:
    switches = dict(config.get("switches") or {})
    rest = {key: value for key, value in config.items() if key not in _NOT_COMPARED}
    return {**{key: value for key, value in reading.leaves(rest) if key not in switches}, **switches}


def _differs(key: str, a: Mapping[str, Any], b: Mapping[str, Any]) -> bool:
    if (key in a) != (key in b):
        return True
    return key in a and a[key] != b[key] and HIDDEN not in str(a[key]) + str(b[key])


def _side(config: Mapping[str, Any], key: str) -> str:
    return value_shown(config[key]) if key in config else "(none)"


def then_and_now(made_in: Mapping[str, Any]) -> list[str]:
    """The line that names other versions and another source than the run had."""
    then = made_in.get("versions", {})
    found = [
        f"{name} {then.get(name, '?')} → {now}"
        for name, now in environment.versions().items()
        if then and then.get(name) != now
    ]
    digest = made_in.get("source_digest")
    if digest and digest != environment.source_digest():
        commit = made_in.get("commit")
        found.append("the source of Assay" + (f" (then at commit {commit[:9]})" if commit else ""))
    return [f"made with others then: {', '.join(found)}"] if found else []


def _places(flags: Any, made_in: Mapping[str, Any]) -> dict[str, str]:
    """Where options are looked for: as typed now, else the folder of own options that the run had, if it is there."""
    found = {}
    command = [str(word) for word in made_in.get("command", [])]
    for flag, typed in (("--config-dir", flags.config_dir), ("--config-name", flags.config_name)):
        before = command[command.index(flag) + 1] if flag in command[:-1] else None
        if typed is not None:
            found[flag] = typed
        elif before is not None and (flag != "--config-dir" or Path(before).is_dir()):
            found[flag] = before
    return found


def _read(folder: Path) -> dict[str, Any]:
    try:
        return environment.read(folder) or {}
    except ConfigError:  # it only tells what was then
        return {}

"""Whether the chosen options go together: the rules that their headers declare, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from assay.composition import devices
from assay.composition.headers import Catalogue, Option, bound
from assay.composition.locations import declared
from assay.composition.nearest import listed
from assay.composition.values import holds, select
from assay.errors import ConfigError

TRUSTED = ("assay.", "torch.nn.", "torch.optim.", "pytorch_lightning.Trainer")
"""What a ``_target_`` may begin with: :data:`assay.targets.ALLOWED`, which holds it again when parts are built."""


def check_targets(config: Any, key: str = "") -> None:
    """Every ``_target_`` lies among ours, torch's layers and optimisers, or a declared package of the user's.

    Raises:
        ConfigError: one does not.
    """
    if isinstance(config, Mapping):
        target = config.get("_target_")
        if target is not None and not _is_trusted(str(target)):
            where = f"{key}._target_" if key else "_target_"
            raise ConfigError(
                f"{where}={target} is not trusted; a config may name things in {listed(TRUSTED, 'and')}, "
                "and in packages that declare themselves by the entry point assay.targets"
            )
        for name, value in config.items():
            check_targets(value, f"{key}.{name}" if key else str(name))
    elif isinstance(config, list):
        for value in config:
            check_targets(value, key)


def _is_trusted(target: str) -> bool:
    if any(not part.isidentifier() or part.startswith("_") for part in target.split(".")):
        return False
    own = tuple(value.rstrip(".") + "." for _, value in declared("assay.targets"))
    return any(target == prefix or (prefix.endswith(".") and target.startswith(prefix)) for prefix in TRUSTED + own)


def gather(options: Sequence[Option], config: Mapping[str, Any], found: dict[str, set[str]]) -> set[str]:
    """The facts: what the options give, and what their ``checked by`` functions find in the user's files.

    ``found`` keeps the answers within one command: the points of a sweep often share their data.

    Raises:
        ConfigError: a file, row or artifact was refused.
    """
    facts = {fact for option in options for fact in option.gives}
    for option in options:
        for check in option.checks:
            node = config if option.global_ else select(config, option.node)[1]
            key = f"{check} {json.dumps(node, default=str)}"
            if key not in found:
                found[key] = _checker(check)(node)
            facts |= found[key]
    return facts


def _checker(check: str) -> Callable[[Any], set[str]]:
    module, _, name = check.rpartition(".")
    if not _is_trusted(check):
        raise ConfigError(f"'checked by: {check}' is not trusted; it may lie in assay or a declared package")
    return getattr(import_module(module), name)


def check_extras(options: Sequence[Option]) -> None:
    """The libraries that a chosen option needs besides those of every run, looked for without importing them.

    Raises:
        ConfigError: one is not installed.
    """
    for option in options:
        if absent := [library for library in option.libraries if find_spec(library) is None]:
            raise ConfigError(
                f"{option.label} needs {listed(absent, 'and')}, which {'is' if len(absent) == 1 else 'are'} not "
                f"installed: uv sync --extra {option.extra}, or pip install 'assay[{option.extra}]'"
            )


def check_rules(
    options: Sequence[Option], config: Mapping[str, Any], choices: Mapping[str, str], facts: Collection[str]
) -> None:
    """Kinds, needs and takes of every chosen option.

    Raises:
        ConfigError: two options do not go together.
    """
    for option in options:
        for rule in option.needs:
            if not any(_term(term, config, choices, facts) for term in rule.terms):
                raise ConfigError(f"{option.label} {rule.reason}")
        for group, allowed in option.takes.items():
            if allowed and group in choices and choices[group] not in allowed:
                raise ConfigError(
                    f"{option.label} takes {group}={listed(allowed)}, not {choices[group]}; write {group}={allowed[0]}"
                )


def _term(term: str, config: Mapping[str, Any], choices: Mapping[str, str], facts: Collection[str]) -> bool:
    if "!=" in term and "." not in term:
        group, _, name = term.partition("!=")
        return choices.get(group.strip()) != name.strip()
    if any(sign in term for sign in "<>") or ("." in term and "=" in term):
        return holds(bound(term), config)
    if "=" in term:
        group, _, name = term.partition("=")
        return choices.get(group.strip()) == name.strip()
    return devices.gpu_count() > 0 if term == "gpu" else term in facts


def check_kinds(
    options: Sequence[Option], config: Mapping[str, Any], choices: Mapping[str, str], catalogue: Catalogue
) -> tuple[str, ...]:
    """What the model reads, of which the data's stem must make one kind.

    Raises:
        ConfigError: it makes none; the options that would do are named.
    """
    stem = config.get("stem")
    kinds = tuple(stem) if isinstance(stem, Mapping) else ()
    for option in options:
        if option.reads and kinds:
            if not set(option.reads) & set(kinds):
                able = [
                    other.name for other in catalogue.groups[option.group].values() if set(other.reads) & set(kinds)
                ]
                raise ConfigError(
                    f"{option.label} reads {listed(option.reads)}; data={choices.get('data')} can be read as "
                    f"{listed(kinds)}: " + (f"use {option.group}={listed(able)}" if able else "choose other data")
                )
            return option.reads
    return ()


def idle(
    options: Sequence[Option], typed: Collection[str], choices: Mapping[str, str], catalogue: Catalogue
) -> list[str]:
    """The part groups that were typed and that no chosen option takes."""
    taken = {group for option in options for group in (*option.takes, *option.parts)}
    return [group for group in typed if group in catalogue.parts and group in choices and group not in taken]


def idle_line(group: str, choices: Mapping[str, str], catalogue: Catalogue) -> str:
    """The refusal of an idle part group, naming who would take it."""
    takers: dict[str, list[str]] = {}
    for option in catalogue:
        allowed = option.takes.get(group)
        if (group in option.takes or group in option.parts) and (not allowed or choices[group] in allowed):
            takers.setdefault(option.group, []).append(option.name)
    given = f"{group}={choices[group]}"
    now = listed([f"{other}={choices.get(other)}" for other in takers], "and")
    mend = listed([f"{other}={listed(names)}" for other, names in takers.items()])
    return f"{given} reaches nothing: {now} {'has' if len(takers) == 1 else 'have'} no {group}; use {mend}"

"""What was probably meant: the nearest option, group or key, said in one line."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from difflib import SequenceMatcher
from typing import Any

from omegaconf import DictConfig

from assay.composition.compose import leaves
from assay.composition.headers import Catalogue

_SHOWN = 12


def near(word: str, possible: Iterable[str], least: float = 0.6) -> list[str]:
    """Up to three of the possible words that resemble this one, best first; a shared beginning counts."""
    scored = []
    for other in possible:
        score = SequenceMatcher(None, word.lower(), other.lower()).ratio()
        if len(word) > 2 and (other.lower().startswith(word.lower()) or word.lower().startswith(other.lower())):
            score = max(score, 0.8)
        scored.append((-score, other))
    return [other for score, other in sorted(scored) if -score >= least][:3]


def listed(words: Sequence[str], last: str = "or") -> str:
    """ "a, b or c"; a long list ends in how many more there are."""
    words = list(words)
    if len(words) > _SHOWN:
        words = [*words[:_SHOWN], f"{len(words) - _SHOWN} more"]
        last = "and"
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} {last} {words[-1]}"


def unknown_option(group: str, name: str, catalogue: Catalogue) -> str:
    """``model=lstn``: the line that names the nearest option and all of them."""
    options = list(catalogue.groups[group])
    if name.lower() in ("null", "none", "false", "off", "") and "none" in options:
        return f"{group}={name} is not an option; off is {group}=none"
    if name.lower() in ("null", "none", "false", "off", ""):
        return f"{group}={name or '(nothing)'} is not an option; {group} is one of {listed(options)}"
    found = near(name, options)
    elsewhere = [other for other, members in catalogue.groups.items() if name in members and other != group]
    hint = f"did you mean {group}={found[0]}?" if found else f"did you mean {elsewhere[0]}={name}?" if elsewhere else ""
    return " ".join(filter(None, [f"{group}={name} is not an option;", hint, f"{group} is one of {listed(options)}"]))


def unknown_key(
    key: str,
    value: str,
    config: DictConfig,
    choices: Mapping[str, str],
    catalogue: Catalogue,
    sweep: Collection[str] = (),
) -> str:
    """``lr=0.1``, ``optim.name=adam``, ``optim.lrr=0.1``: the line that names what was probably meant.

    ``sweep`` holds the options of other points: one that has the key can be named as its condition.
    """
    groups = catalogue.groups
    said = f"{key}={value}" if value else key
    slashed = key.replace(".", "/")
    if "." in key and value in groups.get(slashed, {}):
        return f"{said}: a group is chosen with slashes; write {slashed}={value}"
    first, _, rest = key.partition(".")
    group = group_of(key, groups)
    if group and rest in groups[group]:
        return f"{said}: {rest} is an option of {group}; write {group}={rest}"
    if group and value in groups[group]:
        return f"{said}: {value} is an option of {group}; write {group}={value}"
    if not rest and (choice := _choice(first, value, groups)):
        return f"{first} is not a switch or key; did you mean {choice}?"
    if rest and first not in config and first not in groups:
        if known := sorted((o for o in catalogue if o.name == first), key=lambda o: o.group != "model"):
            return f"{said}: keys of {known[0].label} alone are written {first}.{known[0].node}.KEY"
        if found := near(first, groups):
            return f"{key} is not a key; did you mean {found[0]}.{rest}?"
    leaf = key.rpartition(".")[2]
    keys = list(leaves(config))
    if group and (own := _own(group, leaf, keys, choices, catalogue, sweep)):
        return f"{key} is not a key: {own}"
    alike = near(leaf, {one.rpartition(".")[2] for one in keys})
    found = [one for one in keys if one.rpartition(".")[2] == leaf] or near(key, keys)
    if found := found or [one for one in keys if one.rpartition(".")[2] in alike]:
        meant = [f"{found[0]}={value}" if value else found[0]] if len(found) == 1 else found[:3]
        return f"{key} is not a key; did you mean {listed(meant)}?"
    return f"{key} is not a key; `assay train --cfg job` shows all keys, `assay switches` all options"


def _choice(word: str, value: str, groups: Mapping[str, Mapping[str, Any]]) -> str:
    """``optimizer=adam`` -> ``optim=adam``: the nearest group, of those that have the option if any has."""
    holding = [group for group, options in groups.items() if value in options]
    found = near(word, holding, 0.5) or near(word, groups)
    if not found:
        return ""
    return f"{found[0]}={value if value in groups[found[0]] else listed(list(groups[found[0]]))}"


def group_of(key: str, groups: Mapping[str, Any]) -> str | None:
    """The longest group whose node holds the key."""
    parts = key.split(".")
    for size in range(len(parts) - 1, 0, -1):
        if "/".join(parts[:size]) in groups:
            return "/".join(parts[:size])
    return None


def _own(
    group: str, leaf: str, keys: list[str], choices: Mapping[str, str], catalogue: Catalogue, sweep: Collection[str]
) -> str:
    """Within a group: another option that has this key, else the nearest key of the chosen one."""
    node = group.replace("/", ".") + "."
    own = [
        key.removeprefix(node) for key in keys if key.startswith(node) and not key.endswith(("_target_", "_partial_"))
    ]
    label = f"{group}={choices.get(group, 'none')}"
    found = near(leaf, own, 0.7)
    having = [option for option in catalogue.groups[group].values() if _has(option.path, leaf)]
    if there := [option for option in having if option.label in sweep]:
        mend = f"{there[0].name}.{node}{leaf}=…"
        return f"{label} has no {leaf}; write {mend} for the points with {there[0].label} alone"
    if having:
        hint = f"; did you mean {node}{found[0]}?" if found else ""
        names = listed([option.name for option in having], "and")
        return f"{label} has no {leaf}, but {group}={names} {'have' if len(having) > 1 else 'has'}{hint}"
    if found:
        return f"did you mean {node}{found[0]}?"
    if own:
        return f"{label} has {listed(own, 'and')}"
    return f"{label} has no keys" if group in choices else ""


def _has(path: Any, leaf: str) -> bool:
    return any(line.startswith(f"{leaf}:") for line in path.read_text(encoding="utf-8").splitlines())

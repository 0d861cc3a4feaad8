"""``experiment=NAME``: what its file sets, checked against the options that are chosen, and named when it clashes.

The file is a diff of the job (``# @package _global_``, ``override /group: option``, values). What is typed wins over
it; a value that it sets for an option which something else then replaced has nowhere to go, and is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from hydra.core.default_element import GroupDefault
from omegaconf import OmegaConf

from assay.composition.nearest import listed
from assay.errors import ConfigError

if TYPE_CHECKING:
    from assay.composition.compose import Composer
    from assay.composition.headers import Catalogue

GROUP = "experiment"


def name_in(chosen: Sequence[str]) -> str | None:
    """The experiment that overrides choose."""
    names = [one.partition("=")[2] for one in chosen if one.lstrip("+").partition("=")[0] == GROUP]
    return names[-1] if names and names[-1] != "null" else None


def options(name: str, composer: Composer) -> dict[str, str]:
    """{group: option} of its ``override`` lines; a list of options as ``[a,b]``."""
    found = composer.loader.repository.load_config(f"{GROUP}/{name}")
    made = {}
    for default in (found.defaults_list or []) if found else []:
        if isinstance(default, GroupDefault) and default.group and default.value is not None:
            value = default.value
            made[default.group.lstrip("/")] = f"[{','.join(value)}]" if isinstance(value, list) else str(value)
    return made


def asked(chosen: Sequence[str], composer: Composer) -> frozenset[str]:
    """The groups that the chosen experiment, where there is one, chooses an option of."""
    name = name_in(chosen)
    return frozenset(options(name, composer) if name else ())


def values(name: str, composer: Composer) -> dict[str, Any]:
    """{full key: value} of what it sets beside options."""
    found = composer.loader.repository.load_config(f"{GROUP}/{name}")
    plain = OmegaConf.to_container(found.config, resolve=False) if found else {}
    return dict(_leaves(plain)) if isinstance(plain, Mapping) else {}


def check(chosen: Sequence[str], choices: Mapping[str, str], composer: Composer) -> list[str]:
    """The keys that the chosen experiment sets; each has to be a key of the options that are chosen with it.

    Raises:
        ConfigError: one is not, as another option was typed in place of the experiment's.
    """
    name = name_in(chosen)
    if name is None:
        return []
    own = options(name, composer)
    typed = {one.partition("=")[0] for one in chosen}
    others = [one for one in chosen if one.partition("=")[0] != GROUP]
    chosen_by_it = [f"{group}={option}" for group, option in own.items() if group not in typed]
    without, _ = composer.compose([*chosen_by_it, *others])
    keys = list(values(name, composer))
    lost = [key for key in keys if not _has(without, key)]
    if not lost:
        return keys
    groups = dict.fromkeys(key.partition(".")[0] for key in lost)
    now = [f"{group}={choices[group]}" for group in groups if group in choices] or ["this job"]
    typed_instead = [f"{group}={choices.get(group, '')}" for group in own if group in typed] or now
    raise ConfigError(
        f"{GROUP}={name} sets {listed(lost, 'and')}, which {listed(now, 'and')} {'has' if len(now) == 1 else 'have'} "
        f"not: leave {listed(typed_instead, 'and')} out, or write the settings that you want instead of {GROUP}={name}"
    )


def blamed(line: str, chosen: Sequence[str], typed_values: Sequence[str], composer: Composer) -> str:
    """A refusal, with what of it the experiment had chosen and nobody typed."""
    name = name_in(chosen)
    if name is None or f"{GROUP}={name}" in line or name not in composer.catalogue.groups.get(GROUP, {}):
        return line
    typed = {one.partition("=")[0].lstrip("+~") for one in (*chosen, *typed_values)}
    found = [f"{group}={option}" for group, option in options(name, composer).items() if group not in typed]
    found = [choice for choice in found if re.search(rf"(?<![\w./]){re.escape(choice)}(?![\w.])", line)]
    keys = [key for key in values(name, composer) if key not in typed]
    found += [key for key in keys if re.search(rf"(?<![\w./]){re.escape(key)}(?![\w.])", line)]
    if not found:
        return line
    return f"{line} ({listed(found, 'and')} {'comes' if len(found) == 1 else 'come'} from {GROUP}={name})"


def described(switches: Mapping[str, str], catalogue: Catalogue) -> dict[str, Any]:
    """What a run keeps of its experiment: ``{"experiment": {name, published, ours, options, values}}``; nothing without
    one."""
    option = catalogue.groups.get(GROUP, {}).get(switches.get(GROUP, ""))
    if option is None:
        return {}
    import yaml

    body = yaml.safe_load(option.path.read_text(encoding="utf-8")) or {}
    chosen = {
        str(key).removeprefix("override").strip().lstrip("/"): value
        for default in body.pop("defaults", None) or []
        if isinstance(default, Mapping)
        for key, value in default.items()
    }
    return {
        GROUP: {
            "name": option.name,
            "published": [one.as_plain() for one in option.published],
            "ours": [one.as_plain() for one in option.ours],
            "options": chosen,
            "values": dict(_leaves(body)),
        }
    }


def _leaves(node: Mapping[Any, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in node.items():
        if isinstance(value, Mapping) and value:
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _has(config: Any, key: str) -> bool:
    from assay.composition.compose import raw

    node, _, name = key.rpartition(".")
    parent = raw(config, node)
    return hasattr(parent, "keys") and name in parent.keys()  # noqa: SIM118

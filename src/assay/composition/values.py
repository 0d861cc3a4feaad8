"""What one key may hold: types from the constructor's annotations, ranges and lists of values from headers."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from assay.composition.compose import raw
from assay.composition.headers import Bound, Catalogue, Option
from assay.composition.nearest import listed, near
from assay.composition.signatures import describe, describe_default, fits, like, parameters
from assay.errors import ConfigError

_PART = re.compile(r"\$\{(\w+)\}")


def check_part(key: str, value: Any, config: DictConfig, catalogue: Catalogue) -> None:
    """``model.activation=gelu``: the value of a part is chosen by its group.

    Raises:
        ConfigError: it was not.
    """
    default = raw(config, key)
    found = _PART.fullmatch(default) if isinstance(default, str) else None
    if found and found[1] in catalogue.groups and not isinstance(value, dict):
        raise ConfigError(f"{key}={show(value)}: {found[1]} is a group of its own; write {found[1]}={show(value)}")
    if OmegaConf.is_dict(default) and not isinstance(value, dict):
        inner = [str(name) for name in default if name not in ("_target_", "_partial_")]
        raise ConfigError(
            f"{key}={show(value)}: {key} holds keys of its own: {listed([f'{key}.{one}' for one in inner], 'and')}"
        )


def check_new(key: str, config: DictConfig) -> None:
    """``+model.key=…``: only an argument of the constructor may be added.

    Raises:
        ConfigError: nothing would read it.
    """
    node, _, name = key.rpartition(".")
    target = target_of(raw(config, node)) if node else None
    if target is None:
        raise ConfigError(f"+{key}: nothing reads {key}; keys can be added to a node with a _target_ only")
    known = parameters(target)
    if known is None or name in known:
        return
    found = near(name, known)
    hint = (
        f"did you mean {node}.{found[0]}?"
        if found
        else f"it takes {listed(list(known), 'and')}"
        if known
        else "it takes none"
    )
    raise ConfigError(f"+{key}: {target} has no argument {name}; {hint}")


def check_type(key: str, value: Any, before: DictConfig, anything: bool = False) -> None:
    """The value of a key that was set, against its constructor's annotation, else (unless a header lists what it may
    be: ``anything``) against the default's type.

    Raises:
        ConfigError: it has another type.
    """
    default = _default(before, key)
    answer, words = None, ""
    node, _, name = key.rpartition(".")
    target = target_of(raw(before, node)) if node else None
    if target is not None and (known := parameters(target)) and name in known:
        answer, words = fits(known[name].annotation, value), describe(known[name].annotation)
    if answer is None and not anything:
        answer = like(default, value)
        words = words or describe_default(default)
    if answer is False:
        now = "" if default is None else f" (its default is {show(default)})"
        raise ConfigError(f"{key}={show(value)} needs {words}{now}")


def check_header(option: Option, config: Mapping[str, Any], keys: Iterable[str] | None = None) -> None:
    """Ranges, lists of values and patterns of one option, on all keys or only on some.

    Raises:
        ConfigError: a value is outside.
    """
    wanted = None if keys is None else set(keys)
    for relative, allowed in option.choices.items():
        key = option.key(relative)
        for value in _held(config, key, wanted):
            if show(value) not in allowed:
                hint = f"; did you mean {found[0]}?" if (found := near(show(value), allowed)) else ""
                raise ConfigError(f"{key}={show(value)} is none of {', '.join(allowed)}{hint}")
    for relative, (pattern, reason) in option.matches.items():
        key = option.key(relative)
        for value in _held(config, key, wanted):
            if not re.fullmatch(pattern, show(value)):  # null is the word null here
                raise ConfigError(f"{key}={show(value)} {reason}")
    for relative, (terms, what) in option.counts.items():
        key = option.key(relative)
        found, value = select(config, key)
        count = sum(_count(config, option, term) for term in terms)
        if found and isinstance(value, list) and len(value) != count and (wanted is None or key in wanted):
            raise ConfigError(f"{key}={show(value)} has {len(value)} values; write one for all, or {count}: {what}")
    for limit in option.bounds:
        key = option.key(limit.key)
        for value in _held(config, key, wanted):
            number = as_number(value)
            if number is not None and not limit.holds(number):
                raise ConfigError(f"{key}={show(value)} is outside its range: {_range(option, limit.key)}")
            if number is None and value is not None:
                full = ", or full" if key.endswith("batch_size") else ""
                raise ConfigError(f"{key}={show(value)} needs a number: {_range(option, limit.key)}{full}")


def _count(config: Mapping[str, Any], option: Option, term: str) -> int:
    """A term of ``one each``: a number, the value of a key, or the length of the list that it holds."""
    if term.isdecimal():
        return int(term)
    _, value = select(config, option.key(term))
    return len(value) if isinstance(value, list) else value if isinstance(value, int) else 0


def _range(option: Option, key: str) -> str:
    return " and ".join(f"{key.rpartition('.')[2]} {limit}" for limit in option.bounds if limit.key == key)


def as_number(value: Any) -> float | None:
    """A number; ``full`` (a batch size) is more than any."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    return math.inf if value == "full" else None


def _held(config: Mapping[str, Any], key: str, wanted: set[str] | None) -> Iterator[Any]:
    """The value at the key, each item of a list; nothing if the key is absent or not wanted."""
    if wanted is not None and key not in wanted:
        return
    found, value = select(config, key)
    if found:
        yield from value if isinstance(value, list) else [value]


def select(config: Any, key: str) -> tuple[bool, Any]:
    """(whether the plain config has the key, its value)."""
    node = config
    for part in key.split("."):
        if not isinstance(node, Mapping) or part not in node:
            return False, None
        node = node[part]
    return True, node


def target_of(node: Any) -> str | None:
    if OmegaConf.is_dict(node) and "_target_" in node:
        target = raw(node, "_target_")
        return target if isinstance(target, str) else None
    return None


def _default(before: DictConfig, key: str) -> Any:
    try:
        value = OmegaConf.select(before, key, throw_on_missing=False)
    except OmegaConfBaseException:
        return None
    return OmegaConf.to_container(value) if OmegaConf.is_config(value) else value


def show(value: Any) -> str:
    """A value as it would be typed."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, list):
        return f"[{','.join(show(one) for one in value)}]"
    if isinstance(value, dict):
        return "{" + ",".join(f"{key}:{show(one)}" for key, one in value.items()) + "}"
    return f"{value:g}" if isinstance(value, float) else str(value)


def holds(limit: Bound, config: Mapping[str, Any]) -> bool:
    """A term ``key.path OP number`` of a rule."""
    _, value = select(config, limit.key)
    number = as_number(value)
    return number is not None and limit.holds(number)

"""``seeds=5``, ``folds=10``, ``ablate=[normalization]``: axes of a sweep that are said by a word of their own.

They imply ``-m``. ``seeds`` counts from ``seed``; ``folds=K`` is ``data.folds=K`` and each of its folds; ``ablate`` is
the full system, and each of the named switches off alone. Imports no torch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from assay.composition.compose import raw
from assay.composition.headers import Catalogue
from assay.composition.nearest import unknown_key, unknown_option
from assay.errors import ConfigError
from assay.sweeps.ledger.identity import REPEATS

if TYPE_CHECKING:
    from assay.composition.compose import Composer
    from assay.composition.points import Draft

WORDS = ("seeds", "folds", "ablate")
FULL = "nothing"
"""What is ablated in the full system."""


@dataclass(frozen=True)
class Words:
    """What a command said by words of its own, and the arguments that are left."""

    rest: list[str]
    seeds: int | None = None
    folds: int | None = None
    ablate: tuple[str, ...] = ()

    @property
    def ablated(self) -> list[str]:
        """The values of the axis ``ablate``."""
        return [FULL, *self.ablate]


def implied(arguments: Sequence[str]) -> bool:
    """Whether a command is a sweep without saying ``-m``."""
    off = ("null", "[]")
    return any(key in WORDS and value.strip() not in off for key, _, value in (one.partition("=") for one in arguments))


def drawn(arguments: Sequence[str], parse: Callable[[str], Any]) -> frozenset[str] | None:
    """The keys whose values a search or tuning draws from: those of ``sweep.tune``; None: every axis."""
    found: frozenset[str] = frozenset()
    for argument in arguments:
        if argument.startswith("search=") and argument.partition("=")[2].strip("'\" ") != "grid":
            return None
        if argument.startswith("sweep.tune="):
            value = parse(argument).value()
            found = frozenset(map(str, value if isinstance(value, list) else [value]))
    return found


def is_drawn(key: str, keys: frozenset[str] | None) -> bool:
    return key not in REPEATS if keys is None else key in keys


def ends(override: Any) -> list[str]:
    """The ends of an interval, or of a range: what can be checked of a space before it is searched; [] of others."""
    if override.is_interval_sweep():
        interval = override.value()
        return [f"{interval.start:.12g}", f"{interval.end:.12g}"]
    if override.is_range_sweep():
        values = [str(value) for value in override.sweep_string_iterator()]
        return list(dict.fromkeys((values[0], values[-1]))) if values else []
    return []


def read(arguments: Sequence[str], parse: Callable[[str], Any]) -> Words:
    """Takes the words out of the arguments of a command.

    Raises:
        ConfigError: one of them is not what it should be.
    """
    said = {one: one.partition("=")[0].strip().lstrip("+~") for one in arguments}
    found: dict[str, Any] = {}
    for argument, key in said.items():
        if key in WORDS:
            if not argument.startswith(key) or "=" not in argument:
                raise ConfigError(f"{argument}: {key} is said as {_EXAMPLE[key]}, and is off when it is left out")
            override = parse(argument)
            if override.is_sweep_override():
                raise ConfigError(f"{argument} names several values: write {_EXAMPLE[key]}")
            found[key] = _value(key, override.value(), argument)
    rest = [one for one in arguments if said[one] not in WORDS]
    return Words(rest, found.get("seeds"), found.get("folds"), tuple(found.get("ablate") or ()))


_EXAMPLE = {"seeds": "seeds=5", "folds": "folds=10", "ablate": "ablate=[normalization,model.dropout:0]"}


def _value(key: str, value: Any, argument: str) -> Any:
    if value is None:
        return None
    if key == "ablate":
        items = [value] if isinstance(value, str) else value
        if not isinstance(items, list) or not all(isinstance(one, str) and one for one in items):
            raise ConfigError(f"{argument} is no list of switches: write {_EXAMPLE[key]}")
        if twice := next((one for one in items if items.count(one) > 1), None):
            raise ConfigError(f"{argument} names {twice} twice: leave one out")
        return items
    if not isinstance(value, int) or isinstance(value, bool):
        raise ConfigError(f"{argument} is no number of {key}: write {_EXAMPLE[key]}")
    if value < 1:
        raise ConfigError(f"{argument} would run nothing: write {_EXAMPLE[key]}, or leave it out")
    if key == "folds" and value < 2:
        raise ConfigError(f"{argument}: two are the least, one to test on and one to train on")
    return value


def spelled(words: Words, typed: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """``seeds`` and ``folds`` as the overrides that they stand for, by key.

    Args:
        typed: the other axes, key -> overrides; holds ``seed`` where there are ``seeds``.
    Raises:
        ConfigError: they were typed as well.
    """
    found: dict[str, list[str]] = {}
    if words.folds is not None:
        if both := next((key for key in ("fold", "data.folds") if key in typed), None):
            named = ",".join(text.partition("=")[2] for text in typed[both])
            raise ConfigError(f"folds={words.folds} runs every fold, and {both}={named} names some: leave one out")
        found["data.folds"] = [f"data.folds={words.folds}"]
        found["fold"] = [f"fold={fold}" for fold in range(words.folds)]
    if words.seeds is not None:
        values = [text.partition("=")[2] for text in typed["seed"]]
        if len(values) > 1:
            raise ConfigError(f"seeds={words.seeds} counts from one seed, seed={','.join(values)} names them: use one")
        if not values[0].strip().isdecimal():
            raise ConfigError(f"seeds={words.seeds} counts from seed={values[0]}, which is no number")
        first = int(values[0])
        found["seed"] = [f"seed={seed}" for seed in range(first, first + words.seeds)]
    return found


def ablations(drafts: Sequence[Draft], words: Words, composer: Composer) -> list[Draft]:
    """Every draft, and after it the same with each of the named switches off alone.

    Raises:
        ConfigError: a switch is unknown, is off in every draft already, or it is not said what off means.
    """
    off: dict[tuple[str, tuple[str, ...], tuple[str, ...]], str | None] = {}
    made: list[Draft] = []
    ever: set[str] = set()
    for draft in drafts:
        made.append(replace(draft, cell=(*draft.cell, ("ablate", FULL))))
        settled = tuple(text for text in draft.values if text.partition("=")[0] not in REPEATS)
        for item in words.ablate:
            key = (item, draft.chosen, settled)
            if key not in off:
                off[key] = _off(item, draft, composer)
            if (text := off[key]) is not None:
                ever.add(item)
                made.append(_with(draft, text, item, composer.catalogue))
    if never := next((item for item in words.ablate if item not in ever), None):
        raise ConfigError(_off_already(never, drafts[0], composer))
    return list(dict.fromkeys(made))


def _with(draft: Draft, text: str, item: str, catalogue: Catalogue) -> Draft:
    key = text.partition("=")[0]
    cell = (*draft.cell, ("ablate", item))
    if key in catalogue.groups:
        return replace(draft, chosen=_put(draft.chosen, key, text), cell=cell)
    return replace(draft, values=_put(draft.values, key, text), cell=cell)


def _put(texts: tuple[str, ...], key: str, text: str) -> tuple[str, ...]:
    """The overrides with this one in the place of the one of its key, else last."""
    keys = [one.partition("=")[0].lstrip("+") for one in texts]
    if key not in keys:
        return (*texts, text)
    pairs = zip(keys, texts, strict=True)
    return tuple((f"+{text}" if one.startswith("+") else text) if name == key else one for name, one in pairs)


def _off(item: str, draft: Draft, composer: Composer) -> str | None:
    """The override that switches it off in a draft; None where it is off."""
    key, sign, value = item.partition(":")
    catalogue = composer.catalogue
    config, choices = composer.compose(draft.chosen)
    if key in catalogue.groups:
        return _group_off(key, value if sign else None, config, choices, composer)
    now = _now(key, draft, config, choices, composer)
    if isinstance(now, str) and now.startswith("${") and now[2:-1] in catalogue.groups:
        raise ConfigError(f"ablate=[{item}]: {now[2:-1]} is a group of its own; write ablate=[{now[2:-1]}]")
    if sign:
        return None if composer.parse(f"{key}={value}").value() == now else f"{key}={value}"
    if not isinstance(now, bool):
        shown = "" if now is None else f" is {now},"
        raise ConfigError(f"ablate=[{key}]: {key}{shown} neither on nor off; say what instead, as ablate=[{key}:0]")
    return f"{key}=false" if now else None


def _group_off(key: str, value: str | None, config: Any, choices: Mapping[str, str], composer: Composer) -> str | None:
    options = composer.catalogue.groups[key]
    if key in composer.lists:
        if value is not None:
            raise ConfigError(f"ablate=[{key}:{value}]: off is {key}=[]; write ablate=[{key}]")
        return f"{key}=[]" if config.get(key) else None
    if value is None and "none" not in options:
        other = next(name for name in options if name != choices.get(key))
        raise ConfigError(f"ablate=[{key}]: {key} has no option none; say what instead, as ablate=[{key}:{other}]")
    name = "none" if value is None else value
    if name not in options:
        raise ConfigError(f"ablate=[{key}:{name}]: {unknown_option(key, name, composer.catalogue)}")
    return None if choices.get(key) == name else f"{key}={name}"


def _now(key: str, draft: Draft, config: Any, choices: Mapping[str, str], composer: Composer) -> Any:
    """The value of a key in a draft: as typed, else as composed."""
    typed = [text for text in draft.values if text.partition("=")[0].lstrip("+") == key]
    if typed:
        return composer.parse(typed[-1]).value()
    node, _, name = key.rpartition(".")
    parent = raw(config, node)
    if not hasattr(parent, "keys") or name not in parent.keys():  # noqa: SIM118 (a missing value is a key too)
        raise ConfigError(f"ablate=[{key}]: {unknown_key(key, '', config, choices, composer.catalogue)}")
    return raw(config, key)


def _off_already(item: str, draft: Draft, composer: Composer) -> str:
    key, sign, value = item.partition(":")
    if key in composer.catalogue.groups:
        choice = composer.compose(draft.chosen)[1].get(key, "[]")
        return f"ablate=[{item}]: {key}={choice} in the full system already; choose what it should lose, as {key}=…"
    if sign:
        return f"ablate=[{item}]: {key}={value} in the full system already; give it another value there"
    return f"ablate=[{item}]: {key}=false in the full system already; write {key}=true, or ablate=[{key}:true]"

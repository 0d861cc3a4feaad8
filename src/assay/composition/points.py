"""From the arguments of a command to the points it means: one without ``-m``, the product of its axes with it.

``momentum.optim.beta=0.9`` is a key under a condition: it applies to the points where optim=momentum.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field

from hydra.core.override_parser.types import Override
from hydra.errors import HydraException

from assay.composition.compose import Composer, one_line
from assay.composition.headers import Catalogue
from assay.composition.nearest import near, unknown_option
from assay.composition.quoting import quoted
from assay.errors import ConfigError


@dataclass(frozen=True)
class Draft:
    """One point before it is checked.

    chosen: overrides that choose options, and Hydra's own settings.
    values: overrides of single keys.
    """

    chosen: tuple[str, ...]
    values: tuple[str, ...]
    typed: frozenset[str] = frozenset()

    @property
    def overrides(self) -> tuple[str, ...]:
        return tuple(one for one in (*self.chosen, *self.values) if not is_hydra(one))


@dataclass
class _Axis:
    """One key of the command and the values it takes, each as a whole override."""

    key: str
    texts: list[str]
    group: bool
    option: str | None = None
    """Of a key under a condition: the option of ``condition`` (a group) it waits for."""
    condition: str = ""
    used: bool = field(default=False)


def is_hydra(argument: str) -> bool:
    return argument.lstrip("+~").startswith(("hydra.", "hydra/"))


def quote_all(arguments: Sequence[str], catalogue: Catalogue, multirun: bool) -> list[str]:
    """Quotes the values of path, column and override keys of the options that the command names, else of all."""
    named: dict[str, set[str]] = {}
    for argument in arguments:
        group, sign, value = argument.partition("=")
        if sign and group in catalogue.groups:
            named[group] = {part.strip(" []'\"") for part in value.split(",")}
    kinds: dict[str, str] = {}
    for option in (catalogue.top, *catalogue):
        words = named.get(option.group)
        if words and words <= catalogue.groups[option.group].keys() and option.name not in words:
            continue
        for kind, keys in (("path", option.paths), ("column", option.columns), ("overrides", option.overrides)):
            for key in keys:
                kinds[option.key(key)] = kinds[f"{option.name}.{option.key(key)}"] = kind
    return [quoted(argument, kinds, multirun) for argument in arguments]


def expand(arguments: Sequence[str], composer: Composer, multirun: bool) -> list[Draft]:
    """The points of a command. Refusals are gathered, one a line.

    Raises:
        ConfigError: an argument cannot be read, an option does not exist, or a condition never holds.
    """
    catalogue = composer.catalogue
    axes: dict[str, _Axis] = {}
    refused: list[str] = []
    for argument in quote_all(arguments, catalogue, multirun):
        try:
            axis = _axis(composer.parse(argument), catalogue, multirun)
        except ConfigError as error:
            refused.append(str(error))
        else:
            axes[axis.key] = axis
    if refused:
        raise ConfigError("\n".join(refused))
    free = [axis for axis in axes.values() if axis.option is None]
    bound = [axis for axis in axes.values() if axis.option is not None]
    typed = frozenset(axis.key for axis in free if axis.group and not is_hydra(axis.key))
    drafts = []
    for texts in itertools.product(*(axis.texts for axis in free)):
        chosen = tuple(text for axis, text in zip(free, texts, strict=True) if axis.group)
        values = tuple(text for axis, text in zip(free, texts, strict=True) if not axis.group)
        drafts += _conditional(Draft(chosen, values, typed), bound, composer)
    for axis in bound:
        if not axis.used:
            choice = f"{axis.condition}={axis.option}"
            refused.append(f"{axis.texts[0]}: no point has {choice}, whose key it is; choose {choice}, or leave it out")
    if refused:
        raise ConfigError("\n".join(refused))
    return list(dict.fromkeys(drafts))


def _conditional(draft: Draft, bound: Sequence[_Axis], composer: Composer) -> list[Draft]:
    if not bound:
        return [draft]
    _, choices = composer.compose(draft.chosen)
    active = [axis for axis in bound if choices.get(axis.condition) == axis.option]
    for axis in active:
        axis.used = True
    return [
        Draft(draft.chosen, (*draft.values, *(text.partition(".")[2] for text in texts)), draft.typed)
        for texts in itertools.product(*(axis.texts for axis in active))
    ]


def _axis(override: Override, catalogue: Catalogue, multirun: bool) -> _Axis:
    line = override.input_line or ""
    key = override.get_key_element()
    name = override.key_or_group
    if name == "hydra.searchpath":
        raise ConfigError(f"{line}: a folder of your own options is added by --config-dir FOLDER")
    if not name:
        raise ConfigError(f"'{line}' has no key before the =; write key=value")
    texts = _texts(override, multirun, name in catalogue.groups)
    if is_hydra(name):
        return _Axis(key, texts, group=True)
    if override.package is not None and name not in catalogue.groups:
        raise ConfigError(f"{line}: {name} is not a group; {_groups_near(name, catalogue)}")
    if "/" in name and name not in catalogue.groups:
        raise ConfigError(f"{line}: {name} is not a group; {_groups_near(name, catalogue)}")
    if name in catalogue.groups and not isinstance(override.value(), dict):
        if override.is_delete():
            raise ConfigError(f"{line}: a group cannot be taken away; `assay switches {name}` shows its options")
        for value in _values(override):
            twice = next((one for one in value if value.count(one) > 1), None) if isinstance(value, list) else None
            if twice is not None:
                raise ConfigError(f"{line} names {twice} twice, and each is made once: leave one out")
            for option in value if isinstance(value, list) else [value]:
                if not isinstance(option, str) or option not in catalogue.groups[name]:
                    shown = "null" if option is None else str(option)
                    raise ConfigError(unknown_option(name, shown, catalogue))
        return _Axis(key, texts, group=True)
    first, _, rest = name.partition(".")
    for group, options in catalogue.groups.items():
        if first in options and rest.startswith(options[first].node + ".") and first not in catalogue.groups:
            return _Axis(key, texts, group=False, option=first, condition=group)
    return _Axis(key, texts, group=False)


def _groups_near(name: str, catalogue: Catalogue) -> str:
    found = near(name, catalogue.groups)
    return f"did you mean {found[0]}?" if found else "`assay switches` lists them"


def _values(override: Override) -> list[object]:
    if not override.is_sweep_override():
        return [override.value()]
    return [getattr(value, "text", value) for value in override.sweep_iterator()]


def _texts(override: Override, multirun: bool, group: bool) -> list[str]:
    """The override once for each of its values, in Hydra's grammar."""
    line = override.input_line or ""
    if not override.is_sweep_override():
        return [line]
    key = override.get_key_element()
    if not multirun:
        listing = "" if group else f", or write {key}=[{override.get_value_string()}] for a list"
        raise ConfigError(f"{line} names several values: add -m to train one after another{listing}")
    if is_hydra(key):
        raise ConfigError(f"{line}: a setting of Hydra's has one value in a sweep")
    if not override.is_discrete_sweep():
        raise ConfigError(f"{line}: an interval has no end of values; name them, as {key}=0.1,0.01 or {key}=range(1,4)")
    try:
        texts = [f"{key}={value}" for value in override.sweep_string_iterator()]
    except HydraException as error:
        raise ConfigError(f"{line}: {one_line(error)}") from error
    if not texts:
        raise ConfigError(f"{line} names no value at all")
    return texts

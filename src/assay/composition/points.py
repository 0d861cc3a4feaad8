"""From the arguments of a command to the points it means: one without ``-m``, the product of its axes with it.

``momentum.optim.beta=0.9`` is a key under a condition: it applies to the points where optim=momentum.
``seeds``, ``folds`` and ``ablate`` are words for axes (:mod:`assay.sweeps.axes`).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from hydra.core.override_parser.types import Override
from hydra.errors import HydraException

from assay.composition.compose import Composer, one_line
from assay.composition.headers import Catalogue
from assay.composition.nearest import near, unknown_option
from assay.composition.quoting import quoted
from assay.errors import ConfigError
from assay.sweeps import axes as words
from assay.sweeps.ledger.identity import REPEATS, is_own


@dataclass(frozen=True)
class Draft:
    """One point before it is checked.

    chosen: overrides that choose options, and Hydra's own settings.
    values: overrides of single keys.
    cell: the axes that it was made by, and its values on them as typed.
    """

    chosen: tuple[str, ...]
    values: tuple[str, ...]
    typed: frozenset[str] = frozenset()
    cell: tuple[tuple[str, str], ...] = field(default=(), compare=False)

    @property
    def overrides(self) -> tuple[str, ...]:
        """Of the run alone: what the sweep is told is not the point's."""
        return tuple(one for one in (*self.chosen, *self.values) if not is_hydra(one) and not is_own(one))


@dataclass
class _Axis:
    """One key of the command and the values it takes, each as a whole override."""

    key: str
    texts: list[str]
    group: bool
    option: str | None = None
    """Of a key under a condition: the option of ``condition`` (a group) it waits for."""
    condition: str = ""
    loose: bool = False
    """Whether a search or tuning draws from its values, of which not all run."""
    used: bool = field(default=False)

    @property
    def values(self) -> list[str]:
        return [value_of(text) for text in self.texts]

    @property
    def is_cell(self) -> bool:
        """Whether its value tells a point from others, seeds and folds aside."""
        return len(self.texts) > 1 and self.key not in REPEATS


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


@dataclass
class Command:
    """The arguments of a command as axes, most of which have one value."""

    axes: dict[str, _Axis]
    words: words.Words

    @property
    def fixed(self) -> list[str]:
        """The overrides that all points share, the sweep's own aside."""
        alone = (axis for axis in self.axes.values() if len(axis.texts) == 1)
        return [axis.texts[0] for axis in alone if not is_hydra(axis.key) and not is_own(axis.key)]

    @property
    def varied(self) -> dict[str, list[str]]:
        """{axis: its values as typed}."""
        found = {axis.key: axis.values for axis in self.axes.values() if len(axis.texts) > 1}
        return found | ({"ablate": self.words.ablated} if self.words.ablate else {})

    def text(self, key: str) -> str:
        """The override of a key, its first where it has several; empty where it was not typed."""
        return self.axes[key].texts[0] if key in self.axes else ""

    @property
    def chosen(self) -> tuple[str, ...]:
        """What the first point chooses."""
        return tuple(axis.texts[0] for axis in self.axes.values() if axis.group)


def read(arguments: Sequence[str], composer: Composer, multirun: bool) -> Command:
    """The axes of a command. Refusals are gathered, one a line.

    Raises:
        ConfigError: an argument cannot be read, or an option does not exist.
    """
    catalogue = composer.catalogue
    axes: dict[str, _Axis] = {}
    refused: list[str] = []
    found = words.read(arguments, composer.parse)
    if not multirun and (own := [one for one in arguments if is_own(one)]):
        refused.append(f"{own[0]} is said of a sweep: add -m, or leave it out")
    drawn = words.drawn(arguments, composer.parse) if multirun else frozenset()
    for argument in quote_all(found.rest, catalogue, multirun):
        try:
            axis = _axis(composer.parse(argument), catalogue, multirun, drawn)
        except ConfigError as error:
            refused.append(str(error))
        else:
            axes[axis.key] = axis
    if refused:
        raise ConfigError("\n".join(refused))
    if found.seeds and "seed" not in axes:
        config, _ = composer.compose(Command(axes, found).chosen)
        axes["seed"] = _Axis("seed", [f"seed={config.seed}"], group=False)
    for key, texts in words.spelled(found, {key: axis.texts for key, axis in axes.items()}).items():
        axes.pop(key, None)  # repeats come last: the cells of a table are whole early
        axes[key] = _Axis(key, texts, group=False)
    return Command(axes, found)


def expand(arguments: Sequence[str], composer: Composer, multirun: bool) -> list[Draft]:
    """The points of a command. Refusals are gathered, one a line.

    Raises:
        ConfigError: an argument cannot be read, an option does not exist, or a condition never holds.
    """
    command = read(arguments, composer, multirun)
    free = [axis for axis in command.axes.values() if axis.option is None]
    bound = [axis for axis in command.axes.values() if axis.option is not None]
    typed = frozenset(axis.key for axis in free if axis.group and not is_hydra(axis.key) and not is_own(axis.key))
    drafts: list[Draft] = []
    choices: dict[tuple[str, ...], dict[str, str]] = {}
    for texts in _combined(free):
        pairs = list(zip(free, texts, strict=True))
        chosen = tuple(text for axis, text in pairs if axis.group)
        values = tuple(text for axis, text in pairs if not axis.group)
        cell = tuple((axis.key, value_of(text)) for axis, text in pairs if axis.is_cell)
        if bound and chosen not in choices:
            choices[chosen] = composer.compose(chosen)[1]
        drafts += _conditional(Draft(chosen, values, typed, cell), bound, choices.get(chosen, {}))
    refused = []
    for axis in bound:
        if not axis.used:
            choice = f"{axis.condition}={axis.option}"
            refused.append(f"{axis.texts[0]}: no point has {choice}, whose key it is; choose {choice}, or leave it out")
    if refused:
        raise ConfigError("\n".join(refused))
    drafts = list(dict.fromkeys(drafts))
    return words.ablations(drafts, command.words, composer) if command.words.ablate else drafts


def _combined(axes: Sequence[_Axis]) -> Iterator[tuple[str, ...]]:
    """Every combination; of an axis that is drawn from each value once, beside the first of the others of its kind:
    enough to check it."""
    firsts = [axis.texts[:1] if axis.loose else axis.texts for axis in axes]
    yield from itertools.product(*firsts)
    for place, axis in enumerate(axes):
        if axis.loose and len(axis.texts) > 1:
            yield from itertools.product(*firsts[:place], axis.texts[1:], *firsts[place + 1 :])


def value_of(text: str) -> str:
    return text.partition("=")[2]


def _conditional(draft: Draft, bound: Sequence[_Axis], choices: Mapping[str, str]) -> list[Draft]:
    if not bound:
        return [draft]
    active = [axis for axis in bound if choices.get(axis.condition) == axis.option]
    for axis in active:
        axis.used = True
    return [
        Draft(
            draft.chosen,
            (*draft.values, *(text.partition(".")[2] for text in texts)),
            draft.typed,
            (*draft.cell, *((a.key, value_of(text)) for a, text in zip(active, texts, strict=True) if a.is_cell)),
        )
        for texts in _combined(active)
    ]


def _axis(override: Override, catalogue: Catalogue, multirun: bool, drawn: frozenset[str] | None) -> _Axis:
    line = override.input_line or ""
    key = override.get_key_element()
    name = override.key_or_group
    if name == "hydra.searchpath":
        raise ConfigError(f"{line}: a folder of your own options is added by --config-dir FOLDER")
    if not name:
        raise ConfigError(f"'{line}' has no key before the =; write key=value")
    option, condition = _condition(name, catalogue)
    loose = words.is_drawn(name.partition(".")[2] if option else name, drawn)
    texts = _texts(override, multirun, name in catalogue.groups, loose)
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
        return _Axis(key, texts, group=True, loose=loose)
    return _Axis(key, texts, group=False, option=option, condition=condition, loose=loose)


def _condition(name: str, catalogue: Catalogue) -> tuple[str | None, str]:
    """The option and group of ``momentum.optim.beta``; none of a plain key."""
    first, _, rest = name.partition(".")
    for group, options in catalogue.groups.items():
        if first in options and rest.startswith(options[first].node + ".") and first not in catalogue.groups:
            return first, group
    return None, ""


def _groups_near(name: str, catalogue: Catalogue) -> str:
    found = near(name, catalogue.groups)
    return f"did you mean {found[0]}?" if found else "`assay switches` lists them"


def _values(override: Override) -> list[object]:
    if not override.is_sweep_override():
        return [override.value()]
    return [getattr(value, "text", value) for value in override.sweep_iterator()]


def _texts(override: Override, multirun: bool, group: bool, loose: bool) -> list[str]:
    """The override once for each of its values, in Hydra's grammar; of numbers that are drawn from, their ends."""
    line = override.input_line or ""
    if not override.is_sweep_override():
        return [line]
    key = override.get_key_element()
    if not multirun:
        listing = "" if group else f", or write {key}=[{override.get_value_string()}] for a list"
        raise ConfigError(f"{line} names several values: add -m to train one after another{listing}")
    if is_hydra(key):
        raise ConfigError(f"{line}: a setting of Hydra's has one value in a sweep")
    if is_own(key):
        raise ConfigError(f"{line}: {key} is said once for a whole sweep")
    if loose and (interval := words.ends(override)):
        return [f"{key}={end}" for end in interval]
    if not override.is_discrete_sweep():
        raise ConfigError(
            f"{line}: an interval has no end of values; name them, as {key}=0.1,0.01, or use search=random"
        )
    try:
        texts = [f"{key}={value}" for value in override.sweep_string_iterator()]
    except HydraException as error:
        raise ConfigError(f"{line}: {one_line(error)}") from error
    if not texts:
        raise ConfigError(f"{line} names no value at all")
    return texts

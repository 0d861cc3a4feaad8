"""Spaces of a search, from Hydra's grammar: ``interval``, ``range``, ``choice``, ``a,b`` and ``tag(log, …)``.

Under a search every key with several values is a dimension that it draws from; under a grid only the keys that
``sweep.tune`` names are, and the rest are axes (:mod:`assay.composition.points`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from hydra.core.override_parser.types import IntervalSweep, Override, RangeSweep
from hydra.errors import HydraException

from assay.composition.compose import Composer, one_line
from assay.composition.points import expand, is_hydra
from assay.errors import ConfigError

Value = float | int | str
"""Of a dimension: a number, or one of its choices as typed."""


@dataclass(frozen=True)
class Dimension:
    """One key and what it may be.

    Attributes:
        key: as typed; with the option that it waits for in front, where it has one (``momentum.optim.beta``).
        low, high: the ends, both possible; None where the values are named.
        whole: whether numbers are whole.
        step: between whole numbers.
        log: even in the logarithm.
        choices: the values that are named, as typed.
        condition: (group, option) without which the key does not exist; ('', '') where it always does.
    """

    key: str
    low: float | None = None
    high: float | None = None
    whole: bool = False
    step: int = 1
    log: bool = False
    choices: tuple[str, ...] = ()
    condition: tuple[str, str] = ("", "")

    @property
    def plain(self) -> str:
        """The key of the config."""
        return self.key.partition(".")[2] if self.condition[0] else self.key

    @property
    def size(self) -> float:
        """How many values there are."""
        if self.low is None or self.high is None:
            return len(self.choices)
        return (self.high - self.low) // self.step + 1 if self.whole else math.inf

    def text(self, value: Value) -> str:
        """A value as one would type it: six digits of a number."""
        return f"{value:.6g}" if isinstance(value, float) and not self.whole else str(value)

    def override(self, value: Value) -> str:
        return f"{self.plain}={self.text(value)}"

    def ends(self) -> list[Value]:
        """What is checked before the first job: both ends, or each choice."""
        if self.low is None or self.high is None:
            return list(self.choices)
        return [self._number(self.low), self._number(self.high)]

    def at(self, share: float) -> Value:
        """The value at this share of the way, from 0 to 1; of whole numbers and choices each has the same part."""
        if self.low is None or self.high is None:
            return self.choices[min(int(share * len(self.choices)), len(self.choices) - 1)]
        if self.whole and not self.log:
            return self._number(self.low + self.step * min(int(share * self.size), int(self.size) - 1))
        low, high = (self.low - 0.5, self.high + 0.5) if self.whole else (self.low, self.high)
        value = low * (high / low) ** share if self.log else low + (high - low) * share
        return self._number(min(max(round(value) if self.whole else value, self.low), self.high))

    def _number(self, value: float) -> Value:
        return int(value) if self.whole else float(value)


def split(
    arguments: Sequence[str], composer: Composer, wanted: Callable[[str], bool] = lambda key: True
) -> tuple[list[Dimension], list[str]]:
    """The dimensions among the arguments of a command, and the other arguments.

    Args:
        arguments: quoted (:func:`assay.composition.points.quote_all`).
        wanted: whether a key of the config that is given several values is a dimension.
    Raises:
        ConfigError: one has no values, or cannot be drawn from; each has its line.
    """
    found: dict[str, Dimension] = {}
    rest: dict[str, str] = {}
    refused = []
    for argument in arguments:
        override = composer.parse(argument)
        condition = _condition(override, composer)
        name = override.key_or_group
        key = name.partition(".")[2] if condition[0] else name
        found.pop(typed := override.get_key_element(), None)  # the last one counts
        rest.pop(typed, None)
        if not (override.is_sweep_override() and wanted(key)):
            rest[typed] = argument
            continue
        try:
            found[typed] = _dimension(override, condition)
        except ConfigError as error:
            refused.append(str(error))
    if refused:
        raise ConfigError("\n".join(refused))
    return list(found.values()), list(rest.values())


def choices_of(arguments: Sequence[str], composer: Composer) -> Mapping[str, str]:
    """{group: option} of arguments that name one point."""
    (draft,) = expand(arguments, composer, multirun=False)
    return composer.compose(draft.chosen)[1]


def _condition(override: Override, composer: Composer) -> tuple[str, str]:
    """As :func:`assay.composition.points.expand` reads ``momentum.optim.beta``."""
    first, _, rest = override.key_or_group.partition(".")
    groups = composer.catalogue.groups
    for group, options in groups.items():
        if first in options and rest.startswith(options[first].node + ".") and first not in groups:
            return group, first
    return "", ""


def _dimension(override: Override, condition: tuple[str, str]) -> Dimension:
    line, key, value = override.input_line or "", override.get_key_element(), override.value()
    if is_hydra(key):
        raise ConfigError(f"{line}: a setting of Hydra's has one value in a sweep")
    if isinstance(value, IntervalSweep | RangeSweep):
        log = "log" in value.tags
        if value.start is None or (stop := value.stop if isinstance(value, RangeSweep) else value.end) is None:
            raise ConfigError(f"{line} has no ends; write {key}=interval(0.001,0.1)")
        if isinstance(value, IntervalSweep):
            low, high, whole, step = value.start, stop, isinstance(value.start, int), 1
        elif (isinstance(value.start, int) and isinstance(value.step, int)) and (not log or value.step == 1):
            low, whole, step = value.start, True, abs(value.step)
            high = low + (stop - low - 1) // step * step  # its end is not one of its values
        else:
            return Dimension(key, choices=_texts(override), condition=condition)
        if not low < high:
            raise ConfigError(
                f"{line} is empty: its first end must be the lower one, and more than one value lie in it"
            )
        if log and low <= 0:
            raise ConfigError(f"{line}: a logarithm needs ends above 0")
        return Dimension(key, low, high, whole, int(step), log, condition=condition)
    return Dimension(key, choices=_texts(override), condition=condition)


def _texts(override: Override) -> tuple[str, ...]:
    try:
        texts = dict.fromkeys(str(value) for value in override.sweep_string_iterator())
    except HydraException as error:
        raise ConfigError(f"{override.input_line}: {one_line(error)}") from error
    if not texts:
        raise ConfigError(f"{override.input_line} names no value at all")
    return tuple(texts)

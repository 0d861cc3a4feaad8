"""``--where``: simple comparisons over what a run's record knows, all of which must hold. Nothing is evaluated."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from assay.errors import ConfigError
from assay.lifecycle.records import Record

_FORM = re.compile(r"([^=<>~!]+?)\s*(!=|!~|>=|<=|==|=|>|<|~)\s*(.*)", re.DOTALL)
_ORDER = ("<", ">", "<=", ">=")


@dataclass(frozen=True)
class Condition:
    """``key sign value``. ``~`` is "holds the text", in any case; ``!=`` and ``!~`` hold where ``=`` and ``~`` do not,
    so also for a run that has no such key."""

    key: str
    sign: str
    value: str

    def holds(self, record: Record) -> bool:
        there, found = record.value(self.key)
        if self.sign in ("!=", "!~"):
            return not (there and _equal_or_holding(self.sign[1], found, self.value))
        if self.sign in ("=", "~"):
            return there and _equal_or_holding(self.sign, found, self.value)
        return there and _ordered(self.sign, found, self.value)


def condition(text: str) -> Condition:
    """One comparison.

    Raises:
        ConfigError: it is none.
    """
    found = _FORM.fullmatch(text.strip())
    if found is None:
        raise ConfigError(
            f"--where {text} is no comparison; write key=value, key!=value, key~text or, in quotes because of the "
            f"shell, 'key>=value'; PATH stands before --where"
        )
    key, sign, value = found.groups()
    return Condition(key.strip(), "=" if sign == "==" else sign, value.strip().strip("'\""))


def select(records: Sequence[Record], texts: Sequence[str]) -> list[Record]:
    """The runs for which every comparison holds.

    Raises:
        ConfigError: a comparison cannot be read, no run knows its key, or it orders what has no order.
    """
    conditions = [condition(text) for text in texts]
    for one in conditions:
        check_key(one.key, records, "--where")
        if one.sign in _ORDER and _number(one.value) is not None:
            held = [value for record in records for there, value in (record.value(one.key),) if there]
            if held and all(_number(value) is None and value is not None for value in held):
                raise ConfigError(
                    f"--where {one.key}{one.sign}{one.value}: {one.key} is no number here, but {shown(held[0])}; "
                    f"compare it by =, != or ~"
                )
    return [record for record in records if all(one.holds(record) for one in conditions)]


def check_key(key: str, records: Sequence[Record], option: str) -> None:
    """Refuses a key that none of the runs knows, naming the nearest.

    Raises:
        ConfigError: none knows it.
    """
    if not records or any(record.value(key)[0] for record in records):
        return
    from assay.composition.nearest import listed, near

    sample = records[:: max(1, len(records) // 50)]
    keys = {known: None for record in sample for known in record.keys()}  # noqa: SIM118 (not a mapping)
    leaf = re.split(r"[./]", key)[-1]
    ends = [known for known in keys if re.split(r"[./]", known)[-1] == leaf][:3]
    found = ends or near(key, keys)
    hint = f"did you mean {listed(found)}?" if found else "a switch (model), a key (optim.lr), a metric (test/accuracy)"
    raise ConfigError(f"{option} {key}: no run here has {key}; {hint}")


def shown(value: Any) -> str:
    """A value as it would be typed."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, list):
        return f"[{','.join(map(shown, value))}]"
    if isinstance(value, dict):
        return "{" + ",".join(f"{key}:{shown(one)}" for key, one in value.items()) + "}"
    return f"{value:.12g}" if isinstance(value, float) else str(value)


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return float(value)
    except ValueError:
        return None


def _equal_or_holding(sign: str, found: Any, given: str) -> bool:
    if sign == "~":
        return given.lower() in shown(found).lower()
    left, right = _number(found), _number(given)
    if left is not None and right is not None:
        return left == right or (math.isnan(left) and math.isnan(right))
    return shown(found) == given


def _ordered(sign: str, found: Any, given: str) -> bool:
    left: Any = _number(found)
    right: Any = _number(given)
    if left is None or right is None:
        if not isinstance(found, str) or right is not None:
            return False
        left, right = found, given  # dates: as text
    return {"<": left < right, ">": left > right, "<=": left <= right, ">=": left >= right}[sign]

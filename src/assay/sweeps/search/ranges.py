"""Which values of a key are tried when a cell is tuned."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

from assay.composition.spaces import Dimension
from assay.errors import ConfigError

STEP = math.sqrt(10)
"""Between two values of a range that nobody named: half a power of ten."""

DOUBLED = 2
"""The same of whole numbers."""


def around(key: str, default: Any, count: int) -> list[float | int]:
    """Values evenly spaced in the logarithm around an option's own default, which is one of them: of eight, four lie
    below it and three above, from a hundredth to thirty times as much. More lie below, since from some rate on
    nothing trains.

    Raises:
        ConfigError: there is no range around it.
    """
    if isinstance(default, bool) or not isinstance(default, int | float):
        raise ConfigError(f"sweep.tune=[{key}]: it is {default}; name its values, as {key}=choice(a,b)")
    if default <= 0:
        raise ConfigError(
            f"sweep.tune=[{key}]: it is {default:g}, and no range lies around that; give one, as "
            f"{key}=tag(log,interval(0.00001,0.1))"
        )
    below = round((count - 1) * 4 / 7)
    if isinstance(default, int) and default > 1:  # a rate of 1 is no whole number
        return sorted({max(round(default * DOUBLED**power), 1) for power in range(-below, count - below)})
    return [float(f"{default * STEP**power:.3g}") if power else default for power in range(-below, count - below)]


def along(one: Dimension, count: int, default: Any) -> list[float | int | str]:
    """Values of a typed range, both ends among them, evenly spaced as it says; the default in place of the nearest
    inner one where it lies inside. Of named values all.

    Raises:
        ConfigError: more are named than are tried.
    """
    if one.low is None or one.high is None:
        if len(one.choices) > count:
            raise ConfigError(
                f"sweep.tune_trials={count} is fewer than the {len(one.choices)} values of {one.key}: raise it, or "
                "name fewer"
            )
        return list(one.choices)
    even = [one.at(place / (count - 1)) for place in range(count)]
    if one.whole and not one.log:  # at() gives each the same part, which leaves out the ends of few
        steps = round((one.high - one.low) / one.step)
        even = [int(one.low) + one.step * round(place * steps / (count - 1)) for place in range(count)]
    values = list(dict.fromkeys(even))
    number = isinstance(default, int | float) and not isinstance(default, bool)
    if number and one.low < default < one.high and default not in values and len(values) > 2:
        nearest = min(values[1:-1], key=lambda value: abs(_place(one, value) - _place(one, default)))
        values[values.index(nearest)] = int(default) if one.whole else float(default)
    return values


def _place(one: Dimension, value: Any) -> float:
    return math.log(value) if one.log else float(value)


def spread(count: int, dimensions: int) -> list[tuple[float, ...]]:
    """Points of the unit cube, of which each axis has ``count`` different, evenly spaced values: a lattice of one
    generator (Korobov 1959), the one whose points lie farthest from each other. Eight points on a grid would be fewer
    than three values of each of two keys.
    """
    found: list[list[tuple[float, ...]]] = []
    for modulus, first in ((count, 0), (count + 1, 1)):
        shift = 0.5 * (1 - first)
        for base in (one for one in range(1, modulus) if math.gcd(one, modulus) == 1):
            steps = [pow(base, axis, modulus) for axis in range(dimensions)]
            found.append(
                [
                    tuple((place * step % modulus + shift) / modulus for step in steps)
                    for place in range(first, first + count)
                ]
            )
    return max(found, key=_least_distance, default=[(0.5,) * dimensions] * count)


def _least_distance(points: Sequence[tuple[float, ...]]) -> float:
    return min((math.dist(a, b) for a, b in itertools.combinations(points, 2)), default=0.0)


def candidates(keys: Mapping[str, tuple[Dimension | None, Any]], count: int) -> list[dict[str, Any]]:
    """What a cell tries: {key: value}, the defaults among them where they lie in their ranges.

    One key: evenly spaced values, for which no other choice of as many leaves smaller gaps. Several: the defaults, and
    points of a lattice. Neither hangs on how an earlier one ended, so all can run at once.

    Args:
        keys: key -> (its typed range, or None; its value in the cell).
        count: how many, at most.
    """
    if len(keys) == 1:
        ((key, (one, default)),) = keys.items()
        return [{key: value} for value in (around(key, default, count) if one is None else along(one, count, default))]
    found = [{key: default for key, (_, default) in keys.items() if _holds(*keys[key])}]
    found = found if len(found[0]) == len(keys) else []
    for shares in spread(count - len(found), len(keys)):
        pairs = zip(keys.items(), shares, strict=True)
        found.append({key: _at(key, one, default, share) for (key, (one, default)), share in pairs})
    return list({tuple(one.items()): one for one in found}.values())


def _at(key: str, one: Dimension | None, default: Any, share: float) -> Any:
    if one is not None:
        return one.at(share)
    values = around(key, default, 8)
    value = values[0] * (values[-1] / values[0]) ** share
    return round(value) if isinstance(default, int) else float(f"{value:.3g}")


def _holds(one: Dimension | None, default: Any) -> bool:
    """Whether a cell's own value is one that may be tried."""
    if one is None:
        return True
    if one.low is None or one.high is None:
        return str(default) in one.choices
    return isinstance(default, int | float) and one.low <= default <= one.high


def is_edge(value: Any, tried: Sequence[Any]) -> str:
    """``lowest`` or ``highest`` of what was tried, where these are numbers; else nothing."""
    numbers = [number for number in map(_number, tried) if number is not None]
    if len(numbers) < len(tried) or len(numbers) < 2:
        return ""
    return {min(numbers): "lowest", max(numbers): "highest"}.get(_number(value) or 0.0, "")


def _number(value: Any) -> float | None:
    if isinstance(value, bool):
        return None
    try:
        return float(value)
    except (TypeError, ValueError):
        return None

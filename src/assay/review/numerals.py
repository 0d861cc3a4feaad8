"""Numbers as a reader wants them: as many digits as mean something, no more."""

from __future__ import annotations

import math


def score(value: float | None) -> str:
    """A metric: four decimals near one, four digits else; a dash for nothing."""
    if value is None or math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    if value == 0 or 1e-3 <= abs(value) < 10:
        return f"{value:.4f}".replace("-", "−")
    if 10 <= abs(value) < 1e6:
        return f"{value:,.{max(0, 3 - int(math.log10(abs(value))))}f}".replace("-", "−")
    return f"{value:.3e}".replace("-", "−")


def signed(value: float | None) -> str:
    """A difference: as :func:`score`, with its sign."""
    shown = score(value)
    return f"+{shown}" if value is not None and value > 0 and shown not in ("–",) else shown


def short(value: float) -> str:
    """The label of an axis."""
    if value == 0:
        return "0"
    if 1e4 <= abs(value) < 1e6:
        return f"{value / 1000:.4g}k".replace("-", "−")
    if abs(value) >= 1e6 or abs(value) < 1e-3:
        mantissa, _, exponent = f"{value:.2e}".partition("e")
        mantissa = mantissa.rstrip("0").rstrip(".")
        return f"{mantissa}e{int(exponent)}".replace("-", "−")
    return f"{value:.6g}".replace("-", "−")


def share(value: float | None) -> str:
    """A share as per cent, with one decimal."""
    return "–" if value is None or math.isnan(value) else f"{100 * value:.1f} %"


def count(value: int, what: str = "", several: str | None = None) -> str:
    """``1,437 examples``; ``what`` in the singular."""
    if not what:
        return f"{value:,}"
    return f"{value:,} {what if value == 1 else several or what + 's'}"


def duration(seconds: float) -> str:
    """Seconds, minutes or hours, two of them at most."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def size(count_: int) -> str:
    """Bytes."""
    for unit, factor in (("MB", 1e6), ("kB", 1e3)):
        if count_ >= factor:
            return f"{count_ / factor:.1f} {unit}"
    return f"{count_} bytes"

"""What diagnostics found: gradients by depth, dead and saturated units, the Hessian's ends, a recurrent Jacobian."""

from __future__ import annotations

import base64
import math
from collections.abc import Sequence
from typing import Any

from assay.callbacks.kinds import curvature
from assay.review import charts
from assay.review.facts import Point, Run
from assay.review.html import Html, tag

PREFIXES = ("grad_norm/", "dead_units/", "saturated_units/", "hessian/", "jacobian/")
"""Of the metrics that are shown here; gradients are drawn among the curves, and spoken of here."""

_MOST_LAYERS = 6  # of a chart
_MOST_BYTES = 400_000  # of a picture
_FAR = 1e3  # between the first layer's gradient and the last's: it vanishes, or explodes


def diagnostics(run: Run) -> list[Html]:
    """Empty where no diagnostic was on."""
    parts = (_gradients, _dead, _saturated, _hessian, _jacobian)
    return [tag("div", body) for part in parts if (body := part(run))]


def _under(run: Run, prefix: str) -> dict[str, list[Point]]:
    """The curves under a prefix, in the order of the layers; what is not finite is left out."""
    found = {}
    for name, points in run.curves.items():
        finite = [point for point in points if math.isfinite(point.value)]
        if name.startswith(prefix) and finite:
            found[name.removeprefix(prefix)] = finite
    return found


def _gradients(run: Run) -> list[Html]:
    """Of weights, the first layer's against the last's: their medians over the run."""
    norms = {name: points for name, points in _under(run, "grad_norm/").items() if "weight" in name}
    if len(norms) < 2:
        return []
    middle = {name: sorted(p.value for p in points)[len(points) // 2] for name, points in norms.items()}
    first, last = next(iter(middle)), list(middle)[-1]
    if not middle[first] or not middle[last]:
        zero = first if not middle[first] else last
        return [_say(f"Half of the time or more the gradient of {zero} was 0: nothing reached it.")]
    ratio = middle[first] / middle[last]
    if ratio < 1 / _FAR:
        say = f"Gradients vanish on their way down: that of {first} is {_round(ratio)} of {last}'s. A normalisation, "
        say += "another init or residual connections carry them further."
    elif ratio > _FAR:
        say = f"Gradients explode on their way down: that of {first} is {_round(ratio)} times {last}'s. clip=norm "
        say += "bounds the step, a normalisation the growth."
    else:
        say = f"Gradients neither vanish nor explode with depth: that of {first} is {_round(ratio)} of {last}'s."
    return [_say(say)]


def _dead(run: Run) -> list[Html]:
    shares = _under(run, "dead_units/")
    if not shares:
        return []
    worst = max(shares, key=lambda name: shares[name][-1].value)
    start, end = shares[worst][0], shares[worst][-1]
    if end.value == 0:
        say = f"At step {end.step} every rectifier is woken by some example."
    else:
        say = f"At step {end.step} {_percent(end.value)} of the units of {worst} are dead, the most of any layer; "
        say += f"at step {start.step} it was {_percent(start.value)}."
        if end.value == 1:
            say += " Nothing below that layer learns any more: a smaller optim.lr, or activation=leaky_relu."
    return [_say(say), _layers("Dead units, share of a layer", shares)]


def _saturated(run: Run) -> list[Html]:
    ends = _under(run, "saturated_units/")
    shares: dict[str, list[Point]] = {}
    for name, low in ends.items():
        layer, _, end = name.rpartition("/")
        high = {point.step: point.value for point in ends.get(f"{layer}/high", [])}
        if end == "low":
            shares[layer] = [point._replace(value=point.value + high.get(point.step, 0.0)) for point in low]
    if not shares:
        return []
    worst = max(shares, key=lambda name: shares[name][-1].value)
    end = shares[worst][-1]
    low, high = ends[f"{worst}/low"][-1].value, end.value - ends[f"{worst}/low"][-1].value
    say = (
        f"At step {end.step} {_percent(end.value)} of the activations of {worst} are saturated, the most of any layer: "
    )
    say += f"{_percent(low)} at the low end, {_percent(high)} at the high one."
    return [_say(say), _layers("Saturated units, share of activations at either end", shares)]


def _hessian(run: Run) -> list[Html]:
    found = _under(run, "hessian/")
    if not {"max", "min", "gradient_norm"} <= found.keys():
        return []
    high, low, gradient = (found[name][-1] for name in ("max", "min", "gradient_norm"))
    node = (run.config.get("callbacks") or {}).get("hessian") or {}
    tolerance = node.get("tolerance", 1e-3)
    kind = curvature(low.value, high.value, tolerance)
    plain = {
        "minimum": "as at a minimum: no direction curves down",
        "maximum": "as at a maximum: no direction curves up",
        "saddle": "as at a saddle: some directions curve up, others down",
        "flat": "flat in every direction",
    }.get(kind, kind)
    say = f"At step {high.step} the training loss is curved {plain}. The Hessian's largest eigenvalue is "
    say += (
        f"{_round(high.value)}, its smallest {_round(low.value)} (resolved to {_round(tolerance)} of the largest); the "
    )
    say += f"gradient's norm there is {_round(gradient.value)}."
    if "condition" in found and found["condition"][-1].step == high.step:
        say += f" Their quotient, the condition, is {_round(found['condition'][-1].value)}."
    body = [_say(say)]
    if len({point.step for point in found["max"]}) > 1:
        series = [charts.Series(f"hessian/{name}", found[name]) for name in ("max", "min")]
        body.append(charts.lines("The Hessian's extreme eigenvalues", series))
    return [*body, *_picture(run, "hessian", "the Hessian's spectrum")]


def _jacobian(run: Run) -> list[Html]:
    found = _under(run, "jacobian/")
    body = []
    for name in [one.removesuffix("/product") for one in found if one.endswith("/product")]:
        product, largest, median = (found[f"{name}/{end}"] for end in ("product", "max", "median"))
        say = (
            f"{name}: a step multiplies what the state remembers by at most {_round(largest[-1].value)}, in the median "
        )
        say += (
            f"direction by {_round(median[-1].value)}; from the first position to the last what is best remembered is "
        )
        say += f"multiplied by {_round(product[-1].value)}"
        if product[0].step != product[-1].step:
            say += f", at step {product[0].step} by {_round(product[0].value)}"
        body.append(_say(say + "."))
    return [*body, *_picture(run, "jacobian", "singular values of the state's Jacobian over time")] if body else []


def _layers(title: str, shares: dict[str, list[Point]]) -> Html:
    """The six layers with the highest share at the end, in the order of the network."""
    ranked = sorted(shares, key=lambda name: -shares[name][-1].value)[:_MOST_LAYERS]
    if len(shares) > len(ranked):
        title += f": {len(ranked)} of {len(shares)} layers"
    series: Sequence[Any] = [charts.Series(name, shares[name]) for name in shares if name in ranked]
    return charts.lines(title, series)


def _picture(run: Run, name: str, what: str) -> list[Html]:
    path = run.folder / "figures" / f"{name}.png"
    try:
        raw = path.read_bytes()
    except OSError:
        return []
    if not raw.startswith(b"\x89PNG") or len(raw) > _MOST_BYTES:
        return []
    source = f"data:image/png;base64,{base64.b64encode(raw).decode()}"
    return [tag("img", src=source, alt=f"{what}, as said above", loading="lazy", style="max-width: 100%")]


def _say(text: str) -> Html:
    return tag("p", text)


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"


def _round(value: float) -> str:
    return f"{value:.3g}".replace("-", "\u2212")

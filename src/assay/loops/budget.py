"""``compression.max_bytes=…``: widths, pruning and precisions that fit are tried, and the best of them is made.

Candidates come from exports of untrained networks. They are compared by successive halving (Jamieson and Talwalkar
2016, arXiv:1502.07943): all are distilled for a few epochs, the better half for twice as many, and so on; the last one
is trained in full. The score is the validation's, of the quantised network.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from assay import artifacts, folder
from assay.compression import words
from assay.errors import ConfigError
from assay.failures import Failed
from assay.loops.chain import Chain, precision
from assay.loops.gauge import NARROWEST, Gauge, scaled
from assay.loops.plan import Stage
from assay.loops.report import Rows
from assay.loops.stages import Stages, say
from assay.screens import lower_is_better

PLAN = "search.json"


@dataclass(frozen=True)
class Candidate:
    """A network to try: how wide, with which numbers, and how much of it is then cut away."""

    factor: float
    kind: str
    ratio: float = 0.0

    def __str__(self) -> str:
        cut = f", {100 * self.ratio:.0f} % of its channels cut" if self.ratio else ""
        return f"{self.factor:.3g} × as wide, {self.kind}{cut}"


def search(chain: Chain, overrides: Sequence[str], config: Mapping[str, Any], stages: Stages, rows: Rows) -> None:
    """Runs everything; ``rows`` then holds the stages of the network that was chosen.

    Raises:
        ConfigError: nothing fits, told before anything is trained.
        Failed: the trained networks do not fit after all.
    """
    where, plain = stages.where, replace(chain, max_bytes=None, max_macs=None, max_latency_ms=None)
    every = plain.plan(overrides, config["seed"])
    student = next(stage for stage in every if stage.name.endswith("-distil"))
    gauge = Gauge(stages, student.overrides, chain.limits)
    found = _candidates(chain, gauge, where)
    tried: list[dict[str, Any]] = []
    teachers = [stage for stage in every if stage.name.endswith("-train")]
    for stage in teachers:
        stages.run(stage)
        rows.add_run(stage.name)

    def pipeline(one: Candidate, label: str, epochs: int | None) -> list[Stage]:
        return _pipeline(plain, one, label, epochs, gauge, overrides, config["seed"])

    left = list(enumerate(found, 1))
    epochs, ranked = chain.trial_epochs, list(left)
    while len(left) > 1:
        scores = []
        for number, one in left:
            label = f"trial-{number}-{epochs}ep"
            *training, last = [s for s in pipeline(one, label, epochs) if s.trains and s not in teachers]
            for stage in (*training, last):
                place = stages.run(stage)
            used = _load(gauge, place)
            score = _score(place)
            say(where, f"── {label}: {one}: val {score:.4f}, {100 * used:.0f} % of what is allowed")
            tried.append({"candidate": str(one), "epochs": epochs, "val": score, "load": used, "stage": last.name})
            if used <= 1:
                scores.append((_sign(config, place) * score, -number, (number, one)))
        if not scores:
            break
        order = [entry for _, _, entry in sorted(scores, reverse=True)]
        ranked = [*order, *(entry for entry in ranked if entry not in order)]
        left, epochs = order[: max(1, len(left) // 2)], 2 * epochs
    for turn, (_, one) in enumerate(ranked):
        if _in_full(pipeline(one, f"{turn + 1}-choice" if turn else "", None), stages, rows, chain, teachers):
            rows.search = {"limits": chain.limits, "candidates": [asdict(c) for c in found], "tried": tried}
            rows.search["chosen"] = str(one)
            return
        say(where, f"── {one} does not fit once trained: the next one is taken")
    raise Failed(f"none of {len(ranked)} networks fits {_asked(chain)} once trained; ask for a little more")


def _candidates(chain: Chain, gauge: Gauge, where: Path) -> list[Candidate]:
    """Found once, and kept: latencies are of the moment."""
    kept = where / PLAN
    if kept.is_file():
        return [Candidate(**one) for one in json.loads(kept.read_text(encoding="utf-8"))]
    _refuse_unreachable(chain, gauge)
    whole: list[Candidate] = []
    cut: list[Candidate] = []
    narrower: list[Candidate] = []
    for kind in chain.precisions:
        given = sorted(chain.widths, reverse=True)
        fits = [w for w in given if gauge.load(gauge.costs(w, precision(kind))) <= 1]
        if not given and (most := gauge.widest(precision(kind), first=whole[0].factor if whole else 1.0)) is not None:
            fits = [most, float(f"{0.7 * most:.3g}")]
        whole += [Candidate(width, kind) for width in fits[:1]]
        narrower += [Candidate(width, kind) for width in fits[1:]]
        if "slim" in chain.stages and fits:
            wide = gauge.widest(precision(kind), chain.ratio, fits[0] * (1 - chain.ratio) ** -0.6)
            cut += [Candidate(wide, kind, chain.ratio)] if wide is not None else []
    found = [*whole, *cut, *narrower][: chain.trials]
    if not found:
        raise ConfigError(f"none of compression.widths={chain.widths} fits {_asked(chain)}: name smaller ones")
    folder.write_json(kept, [asdict(one) for one in found])
    return found


def _refuse_unreachable(chain: Chain, gauge: Gauge) -> None:
    """Raises ConfigError if even the narrowest network is too much."""
    least = [(gauge.costs(NARROWEST, precision(kind)), kind) for kind in chain.precisions]
    for name, limit in chain.limits.items():
        smallest, kind = min((found[name], kind) for found, kind in least)
        if smallest <= limit:
            continue
        named = f", in {kind}," if name == "bytes" else ""  # work and time of so narrow a network are of its shape
        raise ConfigError(
            f"compression.max_{name}={limit:g} is out of reach: with every layer one unit wide{named} the exported "
            f"network takes {smallest:,.4g} {words.UNITS[name]}; ask for more, or another compression.student"
        )


def _pipeline(
    plain: Chain, one: Candidate, label: str, epochs: int | None, gauge: Gauge, overrides: Sequence[str], seed: int
) -> list[Stage]:
    """The stages of a candidate: those of the plain chain, under names of their own where there is a label."""
    short = [f"trainer.max_epochs={epochs}"] if epochs is not None else []
    left = [name for name in plain.stages if one.ratio or name not in ("slim", "finetune")]
    chain = replace(
        plain,
        stages=left,
        quantization=one.kind,
        distil=[*plain.distil, *scaled(gauge.model, one.factor), *short],
        slim=[*plain.slim, *short] if one.ratio else [],
        finetune=[*plain.finetune, *short] if "finetune" in left else [],
        quantize=[*plain.quantize, *(short if one.kind == "qat" else [])],
    )
    made = chain.plan(overrides, seed)
    if not label:
        return made
    names = {stage.name: f"{label}-{stage.name}" for stage in made if not stage.name.endswith("-train")}

    def renamed(text: str) -> str:
        for old, new in names.items():
            text = text.replace(f"<{old}>", f"<{new}>")
        return text

    return [
        replace(
            stage,
            name=names.get(stage.name, stage.name),
            overrides=tuple(map(renamed, stage.overrides)),
            own=tuple(map(renamed, stage.own)),
            after=tuple(names.get(name, name) for name in stage.after),
        )
        for stage in made
    ]


def _in_full(made: Sequence[Stage], stages: Stages, rows: Rows, chain: Chain, teachers: Sequence[Stage]) -> bool:
    """Runs a whole pipeline; whether its file keeps to the limits. One that does not leaves no rows."""
    before = len(rows.rows)
    for stage in made:
        if stage in teachers:
            continue
        if stage.trains:
            stages.run(stage)
            rows.add_run(stage.name)
        else:
            row = rows.add_file(stage.name, rows.last_run)
    latency = (row["latency_ms"] or {}).get("1", {}).get("median", math.inf)
    found = {"bytes": row["bytes"], "macs": row["macs"], "latency_ms": latency}
    if all(found[name] <= limit for name, limit in chain.limits.items()):
        return True
    del rows.rows[before:]
    return False


def _load(gauge: Gauge, place: Path) -> float:
    """Of a trained network; measured once, since latencies are of the moment."""
    kept = place / "budget.json"
    if not kept.is_file():
        folder.write_json(kept, gauge.of(artifacts.load(place / "artifact")))
    return gauge.load(json.loads(kept.read_text(encoding="utf-8")))


def _summary(place: Path) -> dict[str, Any]:
    return json.loads((place / "summary.json").read_text(encoding="utf-8"))


def _score(place: Path) -> float:
    """The monitored metric of a stage, on the validation split."""
    summary = _summary(place)
    return float(summary[summary["monitor"]])


def _sign(config: Mapping[str, Any], place: Path) -> int:
    mode = config["monitor_mode"] or ("min" if lower_is_better(_summary(place)["monitor"]) else "max")
    return -1 if mode == "min" else 1


def _asked(chain: Chain) -> str:
    return " ".join(f"compression.max_{name}={limit:g}" for name, limit in chain.limits.items())

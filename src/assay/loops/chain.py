"""``compression=chain``: from a trained network to a small exported one, each step a run. Imports no torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from assay.errors import ConfigError
from assay.loops.plan import Stage, base, joined, without, words

ORDER = {"train": 0, "distil": 1, "slim": 2, "finetune": 2, "quantize": 3, "export": 4}
"""Where a stage may stand: slim and finetune may alternate, every other comes once."""

PLAIN = ("init_from", "quantization", "distillation", "lr_finder")
"""Typed keys that count in the first stage alone, or that the chain sets itself."""


@dataclass(frozen=True)
class Chain:
    """train → distil → slim → finetune → quantize → export: what :meth:`plan` makes of the settings.

    Each stage says what the one before it said, and what it changes: the model of ``distil`` stays that of the stages
    after it, which also keep listening to the teacher while they train.

    Args:
        stages: names of :data:`ORDER`, in its order.
        teacher: a run that is there already and takes the place of ``train``.
        student: the model of ``distil``; None distils into the same one.
        pruning: of ``slim``: structured or slimming, which has the stage before it shrink batch-norm scales.
        ratio: of channels that all rounds of ``slim`` together take away.
        rounds: how often each ``slim`` prunes and trains.
        quantization: what ``quantize`` does, an option of that group.
        train, distil, slim, finetune, quantize: overrides of the stages.
        max_bytes, max_macs, max_latency_ms: of the exported file, for one example; see :mod:`assay.loops.budget`.
        widths: of the student that the search tries, times those it has; empty: the widest that fits and a narrower.
        precisions: that the search tries, in the place of ``quantization``.
        trials, trial_epochs: candidates that are trained, and for how long the first comparison trains them.
        reuse: whether stages that other chains have finished alike are copied.
    Raises:
        ConfigError: an order of stages that makes no sense, or settings that reach no stage.
    """

    stages: list[str]
    teacher: str | None = None
    student: str | None = None
    pruning: str = "structured"
    ratio: float = 0.5
    rounds: int = 1
    quantization: str = "int8"
    train: list[str] = field(default_factory=list)
    distil: list[str] = field(default_factory=list)
    slim: list[str] = field(default_factory=list)
    finetune: list[str] = field(default_factory=list)
    quantize: list[str] = field(default_factory=list)
    max_bytes: int | None = None
    max_macs: int | None = None
    max_latency_ms: float | None = None
    widths: list[float] = field(default_factory=list)
    precisions: list[str] = field(default_factory=lambda: ["int8", "int4"])
    trials: int = 4
    trial_epochs: int = 2
    reuse: bool = True

    def __post_init__(self) -> None:
        names, said = self.stages, f"compression.stages=[{','.join(map(str, self.stages))}]"
        possible = f"possible are {', '.join(ORDER)}"
        if not names:
            raise ConfigError(f"compression.stages is empty; {possible}")
        for name in names:
            if name not in ORDER:
                raise ConfigError(f"{said}: {name} is no stage; {possible}")
        for one, other in pairwise(names):
            if ORDER[other] < ORDER[one] or (one == other):
                raise ConfigError(f"{said}: {other} cannot follow {one}; the order is {' → '.join(ORDER)}")
        for name in ("train", "distil", "quantize", "export"):
            if names.count(name) > 1:
                raise ConfigError(f"{said} names {name} twice")
        if "train" not in names and self.teacher is None:
            raise ConfigError(f"{said} starts from nothing: begin with train, or give compression.teacher=RUN")
        if all(name in ("train", "export") for name in names) and not self.budgeted:
            raise ConfigError(f"{said} makes nothing smaller: add distil, slim or quantize")
        for name in ("train", "distil", "slim", "finetune", "quantize"):
            given = words(getattr(self, name), f"compression.{name}")
            if given and (name not in names or (name == "train" and self.teacher is not None)):
                why = "compression.teacher takes its place" if name in names else f"{said} has no stage {name}"
                raise ConfigError(f"compression.{name}=[{','.join(given)}] reaches nothing: {why}")
        if self.student is not None and "distil" not in names:
            raise ConfigError(f"compression.student={self.student} is trained by the stage distil, which {said} lacks")
        if self.budgeted and not {"distil", "quantize", "export"} <= set(names):
            raise ConfigError(f"{said}: a budget searches students and precisions; keep distil, quantize and export")

    @property
    def budgeted(self) -> bool:
        """Whether a largest size, work or time was asked for."""
        return bool(self.limits)

    @property
    def limits(self) -> dict[str, float]:
        """{bytes, macs, latency_ms: the most allowed}, of those that were given."""
        found = {"bytes": self.max_bytes, "macs": self.max_macs, "latency_ms": self.max_latency_ms}
        return {name: limit for name, limit in found.items() if limit is not None}

    def plan(self, overrides: Sequence[str], seed: int) -> list[Stage]:
        """The runs, in order, of a command with these overrides; all have its seed."""
        made: list[Stage] = []
        plain = [*base(overrides, "compression"), "compression=none"]
        now = without(plain, PLAIN) if self.teacher is not None else plain
        before = teacher = self.teacher
        chosen = [name for name in self.stages if name != "train" or self.teacher is None]
        for place, name in enumerate(chosen):
            for turn in range(self.rounds if name == "slim" else 1):
                following = chosen[place + 1] if place + 1 < len(chosen) else None
                own, after = self._own(name, before, teacher, turn, following)
                if name == "distil":
                    now = without(plain, PLAIN)
                else:
                    now = without(now, ("init_from",)) if before is not None else now
                now = joined(now, own)
                label = f"{len(made) + 1}-{name}"
                made.append(Stage(label, tuple(now), tuple(own), after, trains=name != "export"))
                if name != "export":
                    before = label
                if name == "train":
                    teacher = label
        return made

    def _own(
        self, name: str, before: str | None, teacher: str | None, turn: int, following: str | None
    ) -> tuple[list[str], tuple[str, ...]]:
        """What one stage adds to the words of the one before it, and whose artifacts it reads."""
        sparse = ["regularization=scales"] if following == "slim" and self.pruning == "slimming" else []
        given = words(getattr(self, name, []), f"compression.{name}")
        start = [f"init_from=<{before}>"] if before is not None else []
        listens = (teacher,) if teacher is not None else ()
        match name:
            case "train":
                return [*sparse, *given], ()
            case "distil":
                model = [f"model={self.student}"] if self.student is not None else []
                teaching = ["distillation=kd", f"distillation.teacher.run=<{teacher}>"]
                return [*model, *teaching, *sparse, *given], listens
            case "slim":
                ratio = 1 - (1 - self.ratio) ** (1 / self.rounds)
                pruned = [f"compression={self.pruning}", f"compression.ratio={ratio:.6g}"]
                relieved = ["regularization=none"] if self.pruning == "slimming" and turn == self.rounds - 1 else []
                return [*start, *relieved, *pruned, *given], _once(before, *listens)
            case "finetune":
                return [*start, "compression=none", *given], _once(before, *listens)
            case "quantize":
                trains = self.quantization == "qat"
                still = [] if trains else ["distillation=none", "trainer.max_epochs=0"]
                own = [*start, "compression=none", *still, *precision(self.quantization), *given]
                return own, _once(before, *listens) if trains else _once(before)
        return [], _once(before)  # export


def precision(kind: str) -> list[str]:
    """The words of a precision: int8 rounds what layers read as well, so that integers are multiplied."""
    return [f"quantization={kind}", *(["quantization.mode=static"] if kind == "int8" else [])]


def _once(*names: str | None) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for name in names if name is not None))

"""``distillation=born_again``: generations of one model, Furlanello et al. 2018. Imports no torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from assay.errors import ConfigError
from assay.loops.plan import Stage, base, joined


@dataclass(frozen=True)
class BornAgain:
    """Generation 0 learns from the labels; generation k, of the same model, from the labels and generation k-1.

    Furlanello, Lipton, Tschannen, Itti and Anandkumar, "Born-Again Neural Networks", 2018, arXiv:1805.04770, section 3.
    Each generation starts from weights of its own: its seed is ``seed`` + k. The answer of their ensemble, section 3.1,
    is reported beside the last generation's; the artifact is the last generation.
    Differs from the paper: the objective is kd's, of which theirs (the teacher's cross-entropy alone) is alpha=1,
    temperature=1.

    Args:
        generations: that learn from another; the paper's tables go to 3.
        alpha: weight of the teacher.
        temperature: of both distributions.
        teacher: a run that is there already and takes the place of generation 0; None trains it.
    Raises:
        ConfigError: no generation.
    """

    generations: int = 3
    alpha: float = 0.5
    temperature: float = 1.0
    teacher: str | None = None

    def __post_init__(self) -> None:
        if self.generations < 1:
            raise ConfigError(f"distillation.generations={self.generations} is no generation: write 1 or more")

    def plan(self, overrides: Sequence[str], seed: int) -> list[Stage]:
        """Generation by generation."""
        plain = base(overrides, "distillation")
        before, made = self.teacher, []
        for generation in range(0 if before is None else 1, self.generations + 1):
            own = [f"seed={seed + generation}"]
            if before is None:
                own.append("distillation=none")
            else:
                own += ["distillation=kd", f"distillation.teacher.run=<{before}>"]
                own += [f"distillation.alpha={self.alpha}", f"distillation.temperature={self.temperature}"]
            name = f"generation-{generation}"
            after = () if before is None else (before,)
            made.append(Stage(name, tuple(joined(plain, own)), tuple(own), after))
            before = name
        return made

"""Every encoder of conf/model in every form its yaml offers, with a batch for it: what the battery goes through."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn

from assay.contracts import DataSpec, Field
from assay.layers.random import name_layers
from assay.targets import accepted
from tests.options import encoders, header, node, option, options

B, T, V = 10, 6, 40
SHAPES: dict[str, tuple[int | None, ...]] = {
    "ids": (None,),
    "tokens": (None, 3),
    "sequence": (None, 5),
    "image": (2, 6, 5),
    "vector": (16,),
}
FEATURES = (7, 9)
WORDS = DataSpec({f"feature{size}": Field("feature", (None,), size, 0) for size in FEATURES})


@dataclass(frozen=True)
class Case:
    """One option in one form, reading one kind."""

    name: str
    kind: str
    overrides: tuple[str, ...]

    def __str__(self) -> str:
        return "-".join([self.name, self.kind, *(o.removeprefix("model.") for o in self.overrides)])

    @property
    def ragged(self) -> bool:
        return self.kind in ("ids", "sequence", "tokens")

    @property
    def counted(self) -> bool:
        """Whether its input is ids, and no number."""
        return self.kind in ("ids", "tokens")

    def build(self, seed: int = 0) -> Any:
        torch.manual_seed(seed)
        make = option("model", self.name, *self.overrides)
        sizes = {"vocabulary_size": V, "padding_id": 0, "spec": WORDS} if self.counted else {}
        encoder = make(SHAPES[self.kind], **accepted(make, **sizes))
        name_layers(encoder)
        return encoder

    def says(self, key: str) -> Any:
        return node("model", self.name, *self.overrides).get(key)


@cache
def cases() -> list[Case]:
    """The option as it is, and with one thing changed: each switch of its yaml, each normalisation it takes, two
    layers."""
    found = []
    for name in encoders():
        forms: list[tuple[str, ...]] = [()]
        plain = node("model", name)
        for key, value in plain.items():
            if isinstance(value, bool) and not key.startswith("_"):
                forms.append((f"model.{key}={str(not value).lower()}",))
            if key == "num_layers" and value == 1:
                forms.append(("model.num_layers=2",))
            if key == "num_layers" and "bidirectional" in plain:
                forms.append(("model.num_layers=2", "model.bidirectional=true"))
        for line in header("model", name).get("one of", []):
            key, values = line.split(" = ")
            for value in values.split(" | "):
                if str(plain[key]).lower() != value and not isinstance(plain[key], bool):
                    forms.append((f"model.{key}={value}",))
        for taken in header("model", name).get("takes", []):
            group, _, allowed = taken.partition("=")
            if group == "normalization":
                values = allowed.split("|") if allowed else options("normalization")
                others = [(f"normalization={value}",) for value in values]
                forms.extend(form for form in others if node("model", name, *form) != plain)
        found += [Case(name, kind, form) for form in dict.fromkeys(forms) for kind in header("model", name)["reads"]]
    return found


def batch(case: Case, count: int = B) -> tuple[Tensor, Tensor | None]:
    """(x, mask): ragged where the kind allows it, the first example whole, one with a single position."""
    torch.manual_seed(1)
    if not case.ragged:
        return torch.randn(count, *(size or 1 for size in SHAPES[case.kind])), None
    mask = torch.arange(T) < torch.tensor([T, 1, *torch.randint(1, T + 1, (count - 2,)).tolist()]).unsqueeze(1)
    if case.kind == "ids":
        return torch.randint(1, V, (count, T)) * mask, mask
    if case.kind == "tokens":  # a word and its two features
        return torch.randint(1, min(V, *FEATURES), (count, T, 3)) * mask.unsqueeze(-1), mask
    return torch.randn(count, T, 5) * mask.unsqueeze(-1), mask


def head(encoder: Any, size: int = 3) -> nn.Linear:
    torch.manual_seed(2)
    return nn.Linear(encoder.output_size, size)

"""What the two character tasks share: different random strings, and the data set that strings and answers make."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from assay.contracts import DataSpec, Field
from assay.data.dataset import cut, sha256
from assay.data.examples import Dense, Examples
from assay.data.folds import Cut
from assay.data.preprocessing.text import TextPreprocessing
from assay.data.tokenizers import Tokenizer
from assay.layers.random import example_uniform

Draw = Callable[[Tensor, int], list[str]]
"""(example numbers (n,), attempt) -> a string for each."""


def draws(seed: int, examples: Tensor, attempt: int, purpose: str, count: int = 1) -> Tensor:
    """``count`` numbers in [0, 1) for each example, (n, count), keyed by all arguments: what was drawn before changes
    nothing."""
    keys = examples[:, None] * 65536 + torch.arange(count)
    return example_uniform(seed, attempt, keys, purpose)


def different(count: int, draw: Draw) -> list[str]:
    """``count`` strings without a copy: those drawn before are drawn again. Ends where many more exist than needed."""
    texts = [""] * count
    seen: set[str] = set()
    examples, attempt = torch.arange(count), 0
    while len(examples):
        again = []
        for example, text in zip(examples.tolist(), draw(examples, attempt), strict=True):
            if text in seen:
                again.append(example)
            else:
                seen.add(text)
                texts[example] = text
        examples, attempt = torch.tensor(again, dtype=torch.int64), attempt + 1
    return texts


def assemble(
    texts: list[str], answers: list[int], names: tuple[str, ...], tokenizer: Tokenizer, split_seed: int, cutting: Cut
) -> tuple[DataSpec, dict[str, Examples], TextPreprocessing, list[str], str]:
    """Different strings and their classes -> spec, splits, fitted preprocessing, notes, digest."""
    field = Field("class", size=len(names), names=names)
    positions, notes = cutting({"train": texts}, torch.tensor(answers), field, split_seed)
    preprocessing = TextPreprocessing(tokenizer, max(map(len, texts)))
    preprocessing.fit([texts[number] for number in positions["train"].tolist()])
    columns = {**preprocessing(texts), "label": Dense(torch.tensor(answers))}
    spec = DataSpec({"source": preprocessing.field(), "label": field})
    digest = sha256(texts, map(str, answers))
    return spec, cut(columns, positions), preprocessing, notes, digest

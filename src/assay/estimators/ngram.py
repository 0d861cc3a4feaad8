"""Language models of n-grams: counted, smoothed, and read like any other network of task=lm."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from assay.contracts import Batch, DataSpec, Output, Term
from assay.errors import ConfigError
from assay.estimators import ngram_tables as tables
from assay.estimators.smoothing import smoothing_of
from assay.layers.carry import Carry

PARTS = tables.Level._fields
WAITING = 1 << 16
"""Rows that wait, at least, before they are counted among the others."""


class NGram(nn.Module):
    """p(w_t | w_1 … w_{t-1}) = p(w_t | w_{t-n+1} … w_{t-1}), smoothed.

    Chen and Goodman, "An Empirical Study of Smoothing Techniques for Language Modeling", 1999: additive smoothing, and
    Kneser-Ney's, interpolated, with one discount for each order or with three (:mod:`assay.estimators.smoothing`). No
    n-gram is left out, however rare. An epoch counts, its end makes the parameters; before it p is 1/V.

    A context runs over the borders of windows as a recurrent net's state does (:class:`assay.layers.carry.Carry`), to
    the beginning of the row's text; SRILM's runs to the beginning of a sentence, which ``restart`` does.

    Like :class:`assay.tasks.lm.LanguageModel` it is a :class:`assay.contracts.Decoder`, with ``start`` and ``step``.

    Args:
        order: n, words of an n-gram.
        smoothing: ``additive``, ``kneser_ney`` or ``modified_kneser_ney``.
        k: what additive smoothing adds to each count.
        discount: of Kneser-Ney's, ``auto`` or a number between 0 and 1 for every order and count.
        restart: a token, such as the end of a sentence, before which no context reaches; None: contexts run on.
        spec: of the data.
    Attributes:
        carry: the last words of each row, between windows.
    Shape:
        batch["source"] (B, T), of which the last word before batch["label"] (B, T) stands at its place -> Output with
        logits = log_probs (B, T, V); mask (B, T), True where batch["label"] is a token
    Raises:
        ConfigError: an unknown smoothing, or a token that the vocabulary does not have.
    """

    waiting: Tensor
    used: Tensor
    rows: Tensor
    counts: Tensor

    def __init__(
        self, order: int, smoothing: str, k: float, discount: str | float, restart: str | None, *, spec: DataSpec
    ) -> None:
        super().__init__()
        self.order, self.size = order, int(spec.label.size or 0)
        self.smooth = smoothing_of(smoothing, k, discount, self.size, order)
        self.continued = smoothing != "additive"
        self.restart = None if restart is None else _number(restart, spec.source.names)
        self.carry = Carry()
        for level in range(order):
            empty = torch.zeros(0, dtype=torch.int64)
            held = tables.Level(empty, empty.clone(), torch.zeros(0), torch.zeros(0))
            if level == 0:
                held = held._replace(contexts=torch.zeros(1, dtype=torch.int64), left=torch.ones(1))
            for part, tensor in held._asdict().items():
                self.register_buffer(f"{part}_{level}", tensor)
        self.register_buffer("waiting", torch.zeros(0, order, dtype=torch.int32))
        self.register_buffer("used", torch.zeros((), dtype=torch.int64))  # rows of waiting
        self.register_buffer("rows", torch.zeros(0, order, dtype=torch.int32))
        self.register_buffer("counts", torch.zeros(0, dtype=torch.int64))

    @property
    def levels(self) -> list[tables.Level]:
        return [tables.Level(*(self.get_buffer(f"{part}_{k}") for part in PARTS)) for k in range(self.order)]

    def forward(self, batch: Batch) -> Output:
        context = self._contexts(batch)  # (B, T, n - 1)
        p = self._distributions(context.flatten(0, 1)).view(*context.shape[:2], self.size)
        label = batch.get("label")
        log_probs = p.log_()
        return Output(log_probs, log_probs, None if label is None else label >= 0)

    def accumulate(self, batch: Batch) -> Term:
        """Counts the n-grams that end in a label; their loss under the parameters as they are."""
        context, label = self._contexts(batch, counting=True), batch["label"]
        asked = label >= 0
        context, word = context[asked], label[asked].long()  # (N, n - 1), (N,)
        numbers = tables.numbered(self.levels, context, self.size)
        loss = -tables.probabilities(self.levels, numbers, word, self.size).log().sum()
        self._count(torch.cat([context, word.unsqueeze(1)], 1).int())
        return Term(loss, float(len(word)))

    def maximize(self) -> None:
        self._settle(0)
        for k, level in enumerate(tables.fitted(self.rows, self.counts, self.size, self.smooth, self.continued)):
            for part, tensor in level._asdict().items():
                setattr(self, f"{part}_{k}", tensor)
        self.rows, self.counts = self.rows[:0].clone(), self.counts[:0].clone()

    def start(self, prompt: Tensor) -> tuple[Tensor, Any]:
        """Reads prompts (B, T) of one length -> log p (B, V) of the word after them, and the state to go on with."""
        before = prompt.new_zeros(len(prompt), self.order - 1)
        return self._next(torch.cat([before, prompt + 1], 1))

    def step(self, tokens: Tensor, state: Any) -> tuple[Tensor, Any]:
        """tokens (B,) and the state before them -> log p (B, V) of the word after them, and the state."""
        return self._next(torch.cat([state[0], tokens.unsqueeze(1) + 1], 1))

    def _next(self, words: Tensor) -> tuple[Tensor, Any]:
        context = words[:, words.shape[1] - (self.order - 1) :]
        return self._distributions(self._restarted(context)).log_(), (context,)

    def _distributions(self, context: Tensor) -> Tensor:
        return tables.distributions(self.levels, tables.numbered(self.levels, context, self.size), self.size)

    def _contexts(self, batch: Batch, counting: bool = False) -> Tensor:
        """(B, T, n - 1) int64: the words before each label, the oldest first, from 1; 0 before a text begins."""
        words, fresh = batch["source"].long() + 1, batch.get("fresh")
        if self.order == 1:
            return words.new_zeros(*words.shape, 0)
        past = words.new_zeros(len(words), self.order - 2)
        if fresh is not None:
            held = self.carry.read(words, fresh, self.training or counting)
            past = past if held is None else held[0]
        words = torch.cat([past, words], 1)
        if fresh is not None:
            self.carry.leave((words[:, words.shape[1] - past.shape[1] :],), self.training or counting)
        return self._restarted(words.unfold(1, self.order - 1, 1))

    def _restarted(self, context: Tensor) -> Tensor:
        """Nothing older than the newest ``restart``."""
        if self.restart is None:
            return context
        ends = (context == self.restart + 1).long()
        newer = ends.flip(-1).cumsum(-1).flip(-1) - ends
        return context * (newer == 0)

    def _count(self, rows: Tensor) -> None:
        """Adds rows to those that wait; these are counted when they are as many as the distinct ones so far."""
        self._settle(len(rows))
        first = int(self.used)
        self.waiting[first : first + len(rows)] = rows
        self.used += len(rows)

    def _settle(self, coming: int) -> None:
        """Counts the waiting rows where there is no room for those that come, or none come; makes room for them."""
        first = int(self.used)
        if coming and first + coming <= len(self.waiting):
            return
        rows, counts = self.waiting[:first], torch.ones(first, dtype=torch.int64, device=self.counts.device)
        self.rows, self.counts = tables.compact(
            torch.cat([self.rows, rows]), torch.cat([self.counts, counts]), self.size
        )
        room = max(WAITING, len(self.rows), coming) if coming else 0
        self.waiting = self.rows.new_zeros(room, self.order)
        self.used.zero_()

    def _load_from_state_dict(
        self,
        state_dict: Mapping[str, Any],
        prefix: str,
        local_metadata: Any,
        strict: bool,
        missing_keys: list[str],
        unexpected_keys: list[str],
        error_msgs: list[str],
    ) -> None:
        """Tables are as long as they were when they were saved."""
        for name, held in list(self.named_buffers(recurse=False)):
            saved = state_dict.get(prefix + name)
            if saved is not None and saved.shape != held.shape:
                setattr(self, name, held.new_zeros(saved.shape))
        super()._load_from_state_dict(
            state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs
        )


def _number(token: str, names: tuple[str, ...]) -> int:
    if token not in names:
        raise ConfigError(f"model.restart={token} is no token of this data; leave it out, or name one as it has it")
    return names.index(token)

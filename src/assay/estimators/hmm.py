"""Hidden Markov model of sentences: counted where words are tagged, by Baum-Welch where they are not."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from assay.contracts import Batch, Chain, DataSpec, Output, Term
from assay.errors import ConfigError
from assay.layers import crf
from assay.layers.constraints import constraints as forbidden
from assay.layers.outputs import Constraints

UNKNOWN = 1  # the id of a word that training did not hold


class HMM(nn.Module):
    """p(w, s) = π[s_1] Π_t A[s_{t-1}, s_t] Π_t B[s_t, w_t]: a chain whose logits are log B, transitions log A, start
    log π.

    Rabiner, "A Tutorial on Hidden Markov Models", 1989; sums and best sequences are those of
    :mod:`assay.layers.crf`. Each epoch sums counts n and ends with a row's n + k over their total, k the smoothing
    (additive, Lidstone 1920; of counts expected under the parameters before, the mode under a Dirichlet prior 1 + k).
    There is no distribution of last states, as in Rabiner.

    Supervised, states are tags, and the counts of one epoch are the fit: more of them change nothing. What may not
    follow by the names of the tags has no probability and is not counted.

    Otherwise states are hidden, and an epoch is a round of Baum-Welch (Baum et al. 1970; Rabiner, section III.C) from a
    seeded random start: π, A and B uniform over all distributions. The likelihood of the words, times the prior, never
    falls. A state answers with the tags it was seen with in training, under the parameters that the round began with:
    p(y_t = c) = Σ_s p(s_t = s | w) p(c | s); where the state is certain, with the commonest of them (many-to-one).
    Differs from a CRF's answer: each tag by itself, and what may not follow is obeyed as output=softmax does.

    Args:
        supervised: whether tags are the states.
        smoothing: k, of π, A and B; of 0, what training does not hold is impossible.
        hapax: words that training has once count for the unknown word as well: what is new resembles what is rare
            (Baayen and Sproat 1996). Without it all that is known of an unknown word is k. None: where supervised.
        num_states: hidden ones; None: as many as tags. Not supervised alone.
        constraints: of the tags, see :func:`assay.layers.constraints.constraints`.
        spec: of the data, ``source`` words and ``label`` tags.
    Shape:
        batch["source"] (B, T) int64, batch["label"] (B, T), -1 where padded -> Output with logits (B, T, C), a chain
    Raises:
        ConfigError: smoothing is negative, there are no states, or hapax is asked of hidden ones.
    """

    start: Tensor
    transitions: Tensor
    emissions: Tensor
    tags_of: Tensor
    starts_seen: Tensor
    steps_seen: Tensor
    words_seen: Tensor
    tags_seen: Tensor

    def __init__(
        self,
        supervised: bool,
        smoothing: float,
        hapax: bool | None,
        num_states: int | None,
        constraints: Constraints,
        *,
        spec: DataSpec,
    ) -> None:
        super().__init__()
        names, words = spec.label.names, int(spec.source.size or 0)
        if not smoothing >= 0:
            raise ConfigError(f"model.smoothing={smoothing:g} is below 0: use model.smoothing=0.1")
        states = len(names) if supervised or num_states is None else num_states
        if states < 1:
            raise ConfigError(f"model.num_states={num_states} is not a positive number")
        if hapax and not supervised:
            raise ConfigError("model.hapax=true counts tagged words: use model.supervised=true, or leave it out")
        self.supervised, self.smoothing, self.hapax = supervised, smoothing, supervised if hapax is None else hapax
        self.padding_id = spec.source.padding_id
        self.barred = forbidden(names, constraints)
        make = _even if supervised else _random
        for name, shape in {"start": (states,), "transitions": (states, states), "emissions": (states, words)}.items():
            self.register_buffer(name, make(self._allowed(name, shape)))
        self.register_buffer("tags_of", _even(torch.ones(states, len(names), dtype=torch.float64)))
        counted = {
            "starts": (states,),
            "steps": (states, states),
            "words": (words, states),
            "tags": (states, len(names)),
        }
        for name, shape in counted.items():
            self.register_buffer(f"{name}_seen", torch.zeros(shape, dtype=torch.float64))

    def forward(self, batch: Batch) -> Output:
        words, mask, chain = self._read(batch)
        logits = F.embedding(words, self.emissions.t()).log()  # (B, T, S)
        if self.supervised:
            return Output(logits, partial(crf.marginals, logits, mask, chain), mask, chain=chain)
        states = crf.expectations(logits, mask, chain)[1]
        tags = (states @ self.tags_of).clamp_min(torch.finfo(states.dtype).tiny).log()  # (B, T, C)
        tags = tags.masked_fill(~mask.unsqueeze(2), 0).log_softmax(2)
        free = Chain(*(tags.new_zeros(shape) for shape in ((tags.shape[2],) * 2, tags.shape[2:], tags.shape[2:])))
        return Output(tags, tags, mask, chain=None if self.barred is None else self._bar(free))

    def accumulate(self, batch: Batch) -> Term:
        """Counts a batch; -log p(words, tags), or -log p(words), by the word, under the parameters as they are."""
        words, mask, chain = self._read(batch)
        logits, label = F.embedding(words, self.emissions.t()).log(), batch["label"].long()
        if self.supervised:
            states = F.one_hot(label.clamp(min=0), logits.shape[2]).to(logits.dtype) * mask.unsqueeze(2)
            pairs = (states[:, :-1].flatten(0, 1).t()) @ states[:, 1:].flatten(0, 1)  # (S, S)
            log_p = crf.score(logits, mask, chain, label)
        else:
            log_p, states, pairs = crf.expectations(logits, mask, chain)
            tags = F.one_hot(label.clamp(min=0), self.tags_seen.shape[1]).to(states.dtype) * (label >= 0).unsqueeze(2)
            self.tags_seen += states.flatten(0, 1).t() @ tags.flatten(0, 1)
        self.starts_seen += states[:, 0].sum(0)
        self.steps_seen += pairs
        self.words_seen.index_add_(0, words.flatten(), states.flatten(0, 1))
        return Term(-log_p.sum(), mask.sum())

    def maximize(self) -> None:
        """Parameters from the counts, which start anew."""
        words = self.words_seen.t().clone()  # (S, V)
        if self.hapax:
            words[:, UNKNOWN] += words[:, self.words_seen.sum(1) == 1].sum(1)
        for name, counts in {"start": self.starts_seen, "transitions": self.steps_seen, "emissions": words}.items():
            allowed = self._allowed(name, counts.shape).to(counts.device)
            getattr(self, name).copy_(_share((counts + self.smoothing) * allowed, allowed))
        if not self.supervised:
            self.tags_of.copy_(_share(self.tags_seen, torch.ones_like(self.tags_seen)))
        for seen in (self.starts_seen, self.steps_seen, self.words_seen, self.tags_seen):
            seen.zero_()

    def _read(self, batch: Batch) -> tuple[Tensor, Tensor, Chain]:
        words = batch["source"].long()
        end = self.start.new_zeros(len(self.start))
        if self.supervised and self.barred is not None:
            end = end.masked_fill(self.barred.end.to(end.device), -torch.inf)
        mask = torch.ones_like(words, dtype=torch.bool) if self.padding_id is None else words.ne(self.padding_id)
        return words, mask, Chain(self.transitions.log(), self.start.log(), end)

    def _bar(self, chain: Chain) -> Chain:
        assert self.barred is not None
        return Chain(
            *(part.masked_fill(bar.to(part.device), -torch.inf) for part, bar in zip(chain, self.barred, strict=True))
        )

    def _allowed(self, name: str, shape: tuple[int, ...]) -> Tensor:
        """1 where a parameter may be, 0 where not: no state emits padding, and tags obey their constraints."""
        allowed = torch.ones(shape, dtype=torch.float64)
        if name == "emissions":
            if self.padding_id is not None:
                allowed[:, self.padding_id] = 0
        elif self.supervised and self.barred is not None:
            allowed.masked_fill_(getattr(self.barred, name), 0)
        return allowed


def _even(allowed: Tensor) -> Tensor:
    """Each row's distribution that prefers nothing."""
    return allowed / allowed.sum(-1, keepdim=True)


def _random(allowed: Tensor) -> Tensor:
    """Each row a distribution, all of them as likely: exponential draws over their sum."""
    return _even(-torch.rand_like(allowed).clamp_min(1e-300).log() * allowed)


def _share(counts: Tensor, allowed: Tensor) -> Tensor:
    """Each row over its total; where nothing was counted, no preference."""
    total = counts.sum(-1, keepdim=True)
    return torch.where(total > 0, counts / total.clamp_min(1e-300), _even(allowed))

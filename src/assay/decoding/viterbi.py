"""The best sequence of tags under a chain, and the n best.

Viterbi 1967, as Rabiner 1989, section III.B; the n best by Forney's list of survivors at each state (Seshadri and
Sundberg, "List Viterbi Decoding Algorithms", 1994, the parallel one). Scores are those of :mod:`assay.layers.crf`;
a forbidden step is -inf and is taken only where nothing else is left. Of equals the lowest tag wins.
"""

from __future__ import annotations

import torch
from torch import Tensor

from assay.contracts import Chain, Output
from assay.layers.crf import log_likelihood, log_partition


@torch.no_grad()
def best(output: Output) -> tuple[Tensor, Tensor]:
    """The likeliest tags (B, T), -1 where padded, and their log-probability (B,): of the whole sequence, among those
    that the chain allows."""
    if output.chain is not None:
        tags = viterbi(output.logits, output.mask, output.chain)
        return tags, log_likelihood(output.logits, output.mask, output.chain, tags)
    most = output.logits.log_softmax(-1).max(-1)
    if output.mask is None:
        return most.indices, most.values.sum(1)
    return most.indices.masked_fill(~output.mask, -1), torch.where(output.mask, most.values, 0).sum(1)


@torch.no_grad()
def several(output: Output, number: int) -> tuple[Tensor, Tensor]:
    """The ``number`` likeliest (B, n, T), -1 where padded, and their log-probabilities (B, n), -inf where there are
    fewer; the first are :func:`best`'s."""
    chain = output.chain
    if chain is None:
        none = output.logits.new_zeros(output.logits.shape[-1])
        chain = Chain(none.new_zeros(len(none), len(none)), none, none)
    tags, scores = n_best(output.logits, output.mask, chain, number)
    return tags, scores - log_partition(output.logits, output.mask, chain).unsqueeze(1)


@torch.no_grad()
def viterbi(logits: Tensor, mask: Tensor | None, chain: Chain) -> Tensor:
    """The best tags.

    The way forward keeps the largest values alone; which tag each came from is asked again along the best path, of one
    column instead of all. Rows go from long to short, so that a step has the sequences that reach it and no others:
    lengths are read, once.

    Shape:
        logits (B, T, C), anything where padded; mask (B, T) bool, the valid positions first, or None
        -> (B, T) int64, -1 where padded
    """
    size, length, tags = logits.shape
    x, chain = _wide(logits, chain)
    lengths = _lengths(mask, logits)
    order = lengths.argsort(descending=True)
    active = (lengths[order] > torch.arange(length, device=x.device).unsqueeze(1)).sum(1).tolist()
    x = x.transpose(0, 1).index_select(1, order)  # (T, B, C)
    into = chain.transitions.t().contiguous()  # (C, C), [to, from]
    through = x.new_empty(tags, size, tags)  # from, row, to
    best = torch.empty_like(x)
    best[0] = chain.start + x[0]
    for t in range(1, length):
        n = active[t]
        torch.add(best[t - 1, :n].t().unsqueeze(2), chain.transitions.unsqueeze(1), out=through[:, :n])
        torch.add(_largest(through[:, :n]), x[t, :n], out=best[t, :n])
    answer = torch.full((length, size), -1, device=x.device)
    tag = torch.zeros(size, dtype=torch.long, device=x.device)
    for t in range(length - 1, -1, -1):
        n, later = active[t], active[t + 1] if t + 1 < length else 0
        if later < n:  # these end here
            tag[later:n] = (best[t, later:n] + chain.end).argmax(1)
        if later:
            tag[:later] = (best[t, :later] + into[tag[:later]]).argmax(1)
        answer[t, :n] = tag[:n]
    return answer.t()[order.argsort()]


@torch.no_grad()
def n_best(logits: Tensor, mask: Tensor | None, chain: Chain, number: int) -> tuple[Tensor, Tensor]:
    """The ``number`` best sequences and their scores s(y), the best first; p(y) = e^{s(y)} / Z.

    Shape:
        as :func:`viterbi`'s -> (B, n, T) int64, -1 where padded, and (B, n), where there are fewer sequences -1
        throughout and -inf
    """
    size, length, tags = logits.shape
    x, chain = _wide(logits, chain)
    lengths = _lengths(mask, logits)
    value = x.new_full((size, tags, number), -torch.inf)  # of the best that end in each tag
    value[:, :, 0] = chain.start + x[:, 0]
    still = torch.arange(tags * number, device=x.device).view(tags, number)  # each goes on as itself
    pointers = []
    for t in range(1, length):
        through = value.unsqueeze(3) + chain.transitions.unsqueeze(1)  # (B, from, n, to)
        most, source = through.flatten(1, 2).topk(number, 1)  # (B, n, to)
        runs = (lengths > t).view(-1, 1, 1)
        value = torch.where(runs, most.transpose(1, 2) + x[:, t].unsqueeze(2), value)
        pointers.append(torch.where(runs, source.transpose(1, 2), still))
    scores, place = (value + chain.end.unsqueeze(1)).flatten(1).topk(number, 1)  # (B, n)
    places = [place]
    for pointer in reversed(pointers):
        places.append(pointer.flatten(1).gather(1, places[-1]))
    found = torch.stack(places[::-1], 2).div(number, rounding_mode="floor")  # (B, n, T)
    empty = (lengths == 0).unsqueeze(1)
    scores = torch.where(empty, _only(scores), scores)
    outside = torch.arange(length, device=x.device) >= lengths.view(-1, 1, 1)
    return found.masked_fill(outside | (scores == -torch.inf).unsqueeze(2), -1), scores


def _largest(values: Tensor) -> Tensor:
    """(K, B, C) -> (B, C), overwriting the values. On the CPU by halves, which is vectorised, and ``amax`` is not."""
    if values.device.type != "cpu":
        return values.amax(0)
    count = len(values)
    while count > 1:
        half = count // 2
        torch.maximum(values[:half], values[count - half : count], out=values[:half])
        count -= half
    return values[0]


def _only(scores: Tensor) -> Tensor:
    """(n,): of the one sequence there is without positions."""
    return torch.cat([scores.new_zeros(1), scores.new_full((scores.shape[1] - 1,), -torch.inf)])


def _wide(logits: Tensor, chain: Chain) -> tuple[Tensor, Chain]:
    """In float32 at least, and all of one type."""
    kind = torch.promote_types(torch.promote_types(logits.dtype, chain.transitions.dtype), torch.float32)
    return logits.to(kind), Chain(*(part.to(kind) for part in chain))


def _lengths(mask: Tensor | None, logits: Tensor) -> Tensor:
    return torch.full(logits.shape[:1], logits.shape[1], device=logits.device) if mask is None else mask.sum(1)

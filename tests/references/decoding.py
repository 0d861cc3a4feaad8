"""Texts enumerated, and the tokens that sampling keeps, in NumPy: one text, one token at a time."""

from __future__ import annotations

import itertools

import numpy as np


def texts(log_probs, num_tokens, length, end=None, forbidden=()):
    """Every text with its log-probability: those that end where they first have ``end``, and those of ``length``
    tokens.

    Args:
        log_probs: beginning, as a tuple -> (V,).
    """
    found = {}
    for text in itertools.product(range(num_tokens), repeat=length):
        if end is not None and end in text:
            text = text[: text.index(end) + 1]
        if text in found or set(text) & set(forbidden):
            continue
        found[text] = sum(float(log_probs(text[:i])[token]) for i, token in enumerate(text))
    return found


def best(found, count, alpha):
    """(score, log-probability, text), best first."""
    scored = [(log_prob / ((5 + len(text)) / 6) ** alpha, log_prob, text) for text, log_prob in found.items()]
    return sorted(scored, key=lambda one: -one[0])[:count]


def kept(logits, temperature, top_k, top_p):
    """(V,) probabilities: temperature, then the k likeliest, then the nucleus of what is left."""
    scores = np.asarray(logits, dtype=np.float64) / temperature
    probabilities = np.exp(scores - scores.max())
    order = sorted(range(len(scores)), key=lambda token: (-scores[token], token))
    chosen = order if top_k is None else order[:top_k]
    total = sum(probabilities[token] for token in chosen)
    nucleus, mass = [], 0.0
    for token in chosen:
        nucleus.append(token)
        mass += probabilities[token] / total
        if mass >= top_p:
            break
    result = np.zeros(len(scores))
    result[nucleus] = probabilities[nucleus] / probabilities[nucleus].sum()
    return result

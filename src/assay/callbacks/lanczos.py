"""Extreme eigenvalues of a symmetric matrix that is known by its products alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor


class Ritz(NamedTuple):
    """What the Krylov space of some products shows of the spectrum.

    values: (k,) in ascending order; the first is at least the smallest eigenvalue, the last at most the largest.
    weights: (k,) the squared part of the start vector along each: a quadrature of the spectral density.
    error: how far, at most, an eigenvalue lies from the first, and one from the last.
    converged: whether that is within the tolerance.
    """

    values: np.ndarray
    weights: np.ndarray
    error: float
    converged: bool


def lanczos(product: Callable[[Tensor], Tensor], start: Tensor, steps: int, tolerance: float) -> Ritz:
    """Lanczos 1950, "An Iteration Method for the Solution of the Eigenvalue Problem of Linear Differential and Integral
    Operators", each new vector made orthogonal to all before it, twice (Parlett 1980, "The Symmetric Eigenvalue
    Problem", section 6.9: twice is enough), so that no eigenvalue appears again as a ghost.

    The error bound is the residual |β_k s_k| of a Ritz pair (same book, section 13.2).

    Args:
        product: v -> A v.
        start: (n,), of the precision in which everything here is computed; not zero.
        steps: products at most; as many vectors of n numbers are held.
        tolerance: of both ends, relative to the eigenvalue of largest modulus.
    """
    basis = [start / torch.linalg.vector_norm(start)]
    diagonal: list[float] = []
    beside: list[float] = []
    while True:
        new = product(basis[-1])
        diagonal.append(float(new @ basis[-1]))
        for _ in range(2):
            for vector in basis:
                new = new - (new @ vector) * vector
        norm = float(torch.linalg.vector_norm(new))
        matrix = np.diag(diagonal) + np.diag(beside, 1) + np.diag(beside, -1)
        if not (np.isfinite(matrix).all() and np.isfinite(norm)):
            return Ritz(np.full(len(matrix), np.nan), np.ones(len(matrix)) / len(matrix), float("nan"), False)
        values, vectors = np.linalg.eigh(matrix)
        size = float(np.abs(values).max())
        exhausted = norm <= 1e-12 * size or len(basis) == len(start)  # the space holds all that the start reaches
        error = 0.0 if exhausted else norm * float(np.abs(vectors[-1, [0, -1]]).max())
        if exhausted or error <= tolerance * size or len(basis) >= steps:
            return Ritz(values, vectors[0] ** 2, error, error <= tolerance * size)
        beside.append(norm)
        basis.append(new / norm)

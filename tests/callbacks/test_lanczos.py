"""Lanczos against NumPy's dense eigenvalues."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from assay.callbacks.lanczos import lanczos


def matrix(spectrum, seed=0):
    """A symmetric matrix with the given eigenvalues."""
    generator = torch.Generator().manual_seed(seed)
    size = len(spectrum)
    q, _ = torch.linalg.qr(torch.randn(size, size, generator=generator, dtype=torch.float64))
    return q @ torch.diag(torch.as_tensor(spectrum, dtype=torch.float64)) @ q.T


def start(size, seed=1):
    return torch.randn(size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


SPECTRA = {
    "minimum": np.linspace(0.1, 5, 60),
    "maximum": -np.linspace(0.1, 5, 60),
    "saddle": np.concatenate([np.linspace(-0.7, -0.1, 10), np.linspace(0.1, 9, 50)]),
    "one large": np.concatenate([np.full(99, 1e-6) * np.arange(99), [40.0]]),
}


@pytest.mark.parametrize("name", SPECTRA)
def test_the_ends_are_numpys(name):
    dense = matrix(SPECTRA[name])
    found = lanczos(lambda v: dense @ v, start(len(dense)), steps=len(dense), tolerance=1e-10)
    expected = np.linalg.eigvalsh(dense.numpy())
    size = np.abs(expected).max()
    assert found.converged
    np.testing.assert_allclose(found.values[[0, -1]], expected[[0, -1]], atol=1e-9 * size)


def test_all_steps_give_the_whole_spectrum_without_ghosts():
    dense = matrix(np.concatenate([np.linspace(1, 2, 30), [1e4]]))  # plain Lanczos would find 1e4 again and again
    found = lanczos(lambda v: dense @ v, start(31), steps=31, tolerance=1e-300)
    np.testing.assert_allclose(found.values, np.linalg.eigvalsh(dense.numpy()), rtol=1e-9)
    assert found.weights.sum() == pytest.approx(1)


def test_the_error_is_a_bound_and_the_ends_lie_inside_the_spectrum():
    rng = np.random.default_rng(0)
    for seed in range(20):
        dense = matrix(np.sort(rng.normal(size=80)), seed)
        expected = np.linalg.eigvalsh(dense.numpy())
        found = lanczos(
            lambda v, dense=dense: dense @ v, start(80, seed), steps=int(rng.integers(2, 20)), tolerance=1e-9
        )
        assert not found.converged
        assert expected[0] <= found.values[0] + 1e-12
        assert found.values[-1] <= expected[-1] + 1e-12
        for end in found.values[[0, -1]]:
            assert np.abs(expected - end).min() <= found.error + 1e-12


def test_it_stops_as_soon_as_both_ends_stand():
    calls = []
    dense = torch.diag(torch.cat([torch.linspace(-1e-3, 1e-3, 500), torch.tensor([-3.0, 5.0])])).double()

    def product(vector):
        calls.append(1)
        return dense @ vector

    found = lanczos(product, start(502), steps=200, tolerance=1e-3)
    assert found.converged
    assert len(calls) < 12
    np.testing.assert_allclose(found.values[[0, -1]], [-3, 5], rtol=1e-3)


def test_a_matrix_of_zeros_and_one_that_is_not_finite():
    none = lanczos(torch.zeros_like, start(9), steps=5, tolerance=1e-3)
    assert (none.values.tolist(), none.converged) == ([0.0], True)
    broken = lanczos(lambda v: v * float("nan"), start(9), steps=5, tolerance=1e-3)
    assert np.isnan(broken.values).all()
    assert not broken.converged

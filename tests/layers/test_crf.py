"""The random field against enumeration, a NumPy loop and pytorch-crf; where probabilities leave the range of floats."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from assay.contracts import Chain
from assay.layers import chain_in_logs, chain_scaled, crf
from tests.references import crf as reference

INF = float("inf")
LENGTHS = [4, 1, 3, 0, 4]


def made(lengths=LENGTHS, size=3, dtype=torch.float64, seed=0, spread=1.0, forbidden=()):
    """Logits, nan where padded, a mask, a chain and tags, -1 where padded."""
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape):
        return torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype)

    total = max(lengths)
    mask = torch.arange(total) < torch.tensor(lengths).unsqueeze(1)
    logits = (draw(len(lengths), total, size) * spread).masked_fill(~mask.unsqueeze(2), float("nan"))
    chain = Chain(draw(size, size), draw(size), draw(size))
    for i, j in forbidden:
        chain.transitions[i, j] = -INF
    tags = torch.randint(size, mask.shape, generator=generator).masked_fill(~mask, -1)
    return logits, mask, chain, tags


def arrays(logits, chain, length):
    return (logits[:length].double().numpy(), *(part.double().numpy() for part in chain))


FORBIDDEN = ((), ((0, 1),), ((0, 1), (1, 1), (2, 0)))


@pytest.mark.parametrize("forbidden", FORBIDDEN)
def test_sums_are_those_of_all_sequences(forbidden):
    logits, mask, chain, tags = made(forbidden=forbidden)
    chain.start[2], chain.end[1] = -INF, -INF
    log_z = crf.log_partition(logits, mask, chain)
    likelihood = crf.log_likelihood(logits, mask, chain, tags)
    expected_z, probabilities, pairs = crf.expectations(logits, mask, chain)
    log_marginals = crf.marginals(logits, mask, chain)
    total = np.zeros((3, 3))
    for b, length in enumerate(LENGTHS):
        assert not probabilities[b, length:].any()
        if length == 0:
            assert log_z[b] == likelihood[b] == expected_z[b] == 0
            continue
        one = arrays(logits[b], chain, length)
        want = reference.log_sum(reference.every(*one).values())
        sequence = tuple(tags[b, :length].tolist())
        np.testing.assert_allclose(log_z[b], want, atol=1e-12)
        np.testing.assert_allclose(expected_z[b], want, atol=1e-12)
        np.testing.assert_allclose(likelihood[b], reference.score(*one, sequence) - want, atol=1e-12)
        single, double = reference.marginals(*one)
        np.testing.assert_allclose(probabilities[b, :length], single, atol=1e-12)
        np.testing.assert_allclose(log_marginals[b, :length].exp(), single, atol=1e-12)
        total += double
    np.testing.assert_allclose(pairs, total, atol=1e-12)
    assert torch.isfinite(log_marginals).all()


@pytest.mark.parametrize("size", [5, 70, 80])  # more than 64 are padded to whole registers
@pytest.mark.parametrize("forbidden", FORBIDDEN)
def test_both_ways_of_adding_up_agree(forbidden, size):
    logits, mask, chain, _ = made([7, 2, 6, 7], size=size, forbidden=forbidden)
    top, _, centred = crf._centred(logits.nan_to_num(), chain)
    weight = torch.rand(4, dtype=torch.float64)
    scaled = chain_scaled.forward_backward(logits, top, mask, centred)
    x = (logits - top.unsqueeze(2)).masked_fill(~mask.unsqueeze(2), 0)
    logs = chain_in_logs.forward_backward(x, mask, centred)
    assert not scaled.unsure.any()
    torch.testing.assert_close(scaled.log_z, logs.log_z)
    torch.testing.assert_close(scaled.tags(), logs.tags())
    torch.testing.assert_close(scaled.pairs(weight), logs.pairs(weight))
    rows = dataclasses.replace(scaled, unsure=torch.tensor([False, True, False, True]))
    torch.testing.assert_close(rows.pairs(weight), logs.pairs(weight * ~rows.unsure))


@pytest.mark.parametrize("unsure", [False, True])
@pytest.mark.parametrize("forbidden", FORBIDDEN[:2])
def test_gradients(forbidden, unsure, monkeypatch):
    """Of both ways, and of a batch some rows of which go the other."""
    if unsure:
        monkeypatch.setattr(chain_scaled, "_FLOORS", {torch.float64: 1e-16})  # any little conflict makes a row unsure
    logits, mask, chain, tags = made([3, 0, 2], forbidden=forbidden, seed=3)
    logits = logits.nan_to_num().requires_grad_()
    parts = [part.nan_to_num(neginf=0.0).requires_grad_() for part in chain]
    barred = chain.transitions == -INF
    odds = []

    def partition(x, *parts):
        return crf.log_partition(x, mask, Chain(parts[0].masked_fill(barred, -INF), *parts[1:]))

    def likelihood(x, *parts):
        odds.append(crf.log_odds(x, mask, Chain(parts[0].masked_fill(barred, -INF), *parts[1:]), tags))
        return odds[-1]

    assert torch.autograd.gradcheck(partition, (logits, *parts))
    assert torch.autograd.gradcheck(likelihood, (logits, *parts))
    marginal = lambda x, *parts: crf.marginals(x, mask, Chain(*parts))[mask]  # noqa: E731
    assert torch.autograd.gradcheck(marginal, (logits, *parts))


def test_second_derivatives():
    logits, mask, chain, tags = made([3, 2])
    logits = logits.nan_to_num().requires_grad_()
    parts = [part.requires_grad_() for part in chain]
    assert torch.autograd.gradgradcheck(lambda x, *parts: crf.log_odds(x, mask, Chain(*parts), tags), (logits, *parts))


def test_padding_and_company_change_nothing():
    logits, mask, chain, tags = made([5, 3, 4], size=4, dtype=torch.float32)
    logits.requires_grad_()
    together = crf.log_likelihood(logits, mask, chain, tags)
    (gradient,) = torch.autograd.grad(together.sum(), logits)
    assert not gradient[~mask].any()
    for b, length in enumerate([5, 3, 4]):
        row = logits.detach()[b : b + 1, :length].requires_grad_()
        alone = crf.log_likelihood(row, None, chain, tags[b : b + 1, :length])
        torch.testing.assert_close(together[b], alone[0])
        (single,) = torch.autograd.grad(alone.sum(), row)
        torch.testing.assert_close(gradient[b, :length], single[0])
        log_marginals = crf.marginals(logits, mask, chain)[b, :length]
        torch.testing.assert_close(log_marginals, crf.marginals(row, None, chain)[0], atol=1e-5, rtol=1e-5)


def test_a_thousand_positions_keep_their_digits():
    """float32 against float64, and that against the loop."""
    logits, mask, chain, tags = made([1000, 400], size=6, spread=30)
    double = crf.log_likelihood(logits, mask, chain, tags)
    single = crf.log_likelihood(logits.float(), mask, Chain(*(part.float() for part in chain)), tags)
    torch.testing.assert_close(single.double(), double, rtol=1e-6, atol=1e-3)
    for b, length in enumerate([1000, 400]):
        one = arrays(logits[b], chain, length)
        want = reference.score(*one, tags[b, :length].tolist()) - reference.forward(*one)
        np.testing.assert_allclose(double[b], want, rtol=1e-10)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("spread", [100.0, 1000.0])
def test_emissions_of_any_spread(dtype, spread):
    """Large emissions with forbidden steps: what is improbable now is all that is possible later."""
    logits, mask, chain, _ = made(
        [6] * 20, size=3, dtype=dtype, spread=spread, forbidden=((0, 1), (1, 1), (2, 1), (2, 2))
    )
    chain.start[1] = -INF
    logits.requires_grad_()
    log_z = crf.log_partition(logits, mask, chain)
    (gradient,) = torch.autograd.grad(log_z.sum(), logits)
    for b in range(20):
        one = arrays(logits[b].detach(), chain, 6)
        want = reference.log_sum(reference.every(*one).values())
        digits = 1e-6 if dtype is torch.float32 else 1e-14
        np.testing.assert_allclose(log_z[b].detach(), want, rtol=digits, atol=6 * spread * digits)
        np.testing.assert_allclose(gradient[b], reference.marginals(*one)[0], atol=10 * spread * digits)


def test_a_conflict_goes_to_log_space_and_a_large_emission_does_not():
    """Position 1 makes tag 1 improbable by e⁻¹⁰⁰, position 2 needs it; float32 alone would answer with the floor."""
    chain = Chain(torch.tensor([[0.0, -INF, 0], [0, 0, 0], [0, -INF, 0]]), torch.zeros(3), torch.zeros(3))
    conflict = torch.tensor([[[0.0, -100, 0], [-300, 0, -300]]])
    calm = torch.tensor([[[0.0, -100, 0], [0, -300, -300]]])
    for logits, unsure in ((conflict, True), (calm, False)):
        top, _, centred = crf._centred(logits, chain)
        assert chain_scaled.forward_backward(logits, top, None, centred).unsure.tolist() == [unsure]
        want = reference.log_sum(reference.every(*arrays(logits[0], chain, 2)).values())
        np.testing.assert_allclose(crf.log_partition(logits, None, chain)[0], want, atol=1e-4)


def test_lost_twice_is_not_lost():
    """A path that the forward sums lose at one position and the backward sums at another is still found: the sums
    that check are lifted, not cut."""
    chain = Chain(torch.tensor([[0.0, -INF], [-INF, 0.0]]), torch.zeros(2), torch.zeros(2))  # two paths that never meet
    rise, fall = 95.0, 92.0
    logits = torch.tensor([[[0.0, -rise], [-rise, 0], [-rise, 0], [0, -rise], [0, -fall]]])
    want = reference.log_sum(reference.every(*arrays(logits[0], chain, 5)).values())
    np.testing.assert_allclose(crf.log_partition(logits, None, chain)[0], want, atol=1e-4)


def test_transitions_of_any_spread():
    logits, mask, chain, _ = made([5] * 6, size=3, dtype=torch.float32)
    wide = chain._replace(transitions=chain.transitions * 200, start=chain.start * 200, end=chain.end * 200)
    log_z = crf.log_partition(logits, mask, wide)
    for b in range(6):
        one = arrays(logits[b], wide, 5)
        np.testing.assert_allclose(log_z[b], reference.log_sum(reference.every(*one).values()), rtol=2e-6)


def test_what_is_impossible():
    logits, mask, chain, tags = made([3, 2])
    chain.transitions[0, 1] = -INF
    tags[0] = torch.tensor([2, 0, 1])
    tags[1, :2] = torch.tensor([1, 1])
    assert crf.possible(mask, chain, tags).tolist() == [False, True]
    likelihood = crf.log_likelihood(logits, mask, chain, tags)
    assert likelihood[0] == -INF
    assert torch.isfinite(likelihood[1])
    odds = crf.log_odds(logits, mask, chain, tags)
    zero = chain._replace(transitions=chain.transitions.nan_to_num(neginf=0.0))
    left_out = crf.log_odds(logits, mask, zero, tags) + crf.log_partition(logits, mask, zero)
    torch.testing.assert_close(odds[0], (left_out - crf.log_partition(logits, mask, chain))[0])
    nothing = chain._replace(start=torch.full((3,), -INF, dtype=torch.float64))
    assert (crf.log_partition(logits, mask, nothing) == -INF).all()
    assert (crf.expectations(logits, mask, nothing)[1] == 0).all()


def test_emissions_may_be_forbidden_too():
    """As those of a hidden Markov model without smoothing are."""
    logits, mask, chain, _ = made([4, 3])
    logits[0, 1, 0] = logits[1, 0, 2] = -INF
    for b, length in enumerate([4, 3]):
        one = arrays(logits[b], chain, length)
        want = reference.log_sum(reference.every(*one).values())
        np.testing.assert_allclose(crf.log_partition(logits, mask, chain)[b], want, atol=1e-12)
    logits[0, 2] = -INF
    assert crf.log_partition(logits, mask, chain)[0] == -INF


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_summed_in_float32(dtype):
    logits, mask, chain, tags = made([9, 5], size=5, dtype=dtype)
    logits = logits.nan_to_num().requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        likelihood = crf.log_likelihood(logits, mask, chain, tags)
        likelihood.sum().backward()
    assert likelihood.dtype == torch.float32
    want = crf.log_likelihood(logits.detach().float(), mask, Chain(*(part.float() for part in chain)), tags)
    torch.testing.assert_close(likelihood, want)
    assert logits.grad.dtype == dtype


def test_against_pytorch_crf():
    """Large and ragged."""
    torchcrf = pytest.importorskip("torchcrf", reason="pytorch-crf is a test oracle: pip install pytorch-crf")
    logits, mask, _, tags = made([50, 31, 44, 27, 50, 38], size=127, dtype=torch.float32)
    logits, tags = logits.nan_to_num().requires_grad_(), tags.clamp(min=0)
    theirs = torchcrf.CRF(127, batch_first=True)
    chain = Chain(theirs.transitions, theirs.start_transitions, theirs.end_transitions)
    leaves = [logits, *chain]
    want = theirs(logits, tags, mask=mask, reduction="none")
    found = crf.log_likelihood(logits, mask, chain, tags)
    torch.testing.assert_close(found, want, rtol=1e-5, atol=1e-3)
    for ours, other in zip(
        torch.autograd.grad(found.sum(), leaves), torch.autograd.grad(want.sum(), leaves), strict=True
    ):
        torch.testing.assert_close(ours, other, rtol=1e-4, atol=1e-4)

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats

from assay.contracts import Field, Output
from assay.data.augment.mixing import Beta, beta_table, blend, mixed_targets, partners
from assay.losses.cross_entropy import CrossEntropy
from assay.losses.focal import Focal
from assay.losses.mse import MeanSquaredError

SHARE = torch.tensor([0.9, 0.35, 0.0, 1.0, 0.5], dtype=torch.float64)
PARTNER = torch.tensor([1, 0, 4, 2, 3])


@pytest.mark.parametrize("alpha", [0.05, 0.2, 0.5, 1.0, 2.0, 30.0])
def test_quantiles_follow_the_beta_distribution(alpha):
    root, cdf, power = beta_table(alpha)
    np.testing.assert_allclose(cdf.numpy(), stats.beta.cdf((root**power / 2).numpy(), alpha, alpha), atol=2e-5)
    u = (torch.arange(20_000, dtype=torch.float64) + 0.5) / 20_000
    found = Beta(alpha)(u).numpy()
    assert (np.diff(found) >= 0).all()
    np.testing.assert_allclose(stats.beta.cdf(found, alpha, alpha)[:10_000], u.numpy()[:10_000], atol=2e-5)
    np.testing.assert_allclose(found, 1 - found[::-1], atol=1e-12)


def test_partners_are_a_keyed_permutation():
    index = torch.arange(64) * 3
    found = partners(0, 1, index, "x")
    assert found.sort().values.tolist() == list(range(64))
    assert torch.equal(found, partners(0, 1, index, "x"))
    assert not torch.equal(found, partners(0, 2, index, "x"))


def test_an_earlier_mixture_is_mixed_as_it_is():
    """augment=[mixup,cutmix]: the second gets distributions."""
    field = Field("class", size=3)
    once = mixed_targets({"label": torch.tensor([0, 1, 2, 0, 1])}, PARTNER, SHARE, field)
    twice = mixed_targets({**once}, PARTNER, SHARE, field)["label"]
    expected = blend(once["label"], once["label"][PARTNER], SHARE)
    torch.testing.assert_close(twice, expected)
    torch.testing.assert_close(twice.sum(1), torch.ones(5))


def parts(kind):
    """A label field, labels, what a network says of five examples, and losses of it."""
    generator = torch.Generator().manual_seed(1)
    z = torch.randn(5, 3, generator=generator, requires_grad=True)
    if kind == "class":
        return z, Field("class", size=3), torch.tensor([0, 1, 2, 0, 1]), [CrossEntropy(), CrossEntropy(0.2), Focal()]
    if kind == "labels":
        label = (torch.rand(5, 3, generator=generator) > 0.5).float()
        return z, Field("labels", size=3), label, [CrossEntropy(), Focal(1.5)]
    return z, Field("number"), torch.linspace(-1, 3, 5), [MeanSquaredError()]


def output(kind, z):
    if kind == "class":
        return Output(z, z.log_softmax(-1))
    if kind == "labels":
        return Output(z, torch.stack([(-z).sigmoid().log(), z.sigmoid().log()], -1))
    return Output(z[:, 0])


@pytest.mark.parametrize("kind", ["class", "labels", "number"])
@pytest.mark.parametrize("weighted", [False, True])
def test_the_gradient_is_that_of_both_examples_by_their_shares_and_weights(kind, weighted):
    """Σ_i λ w_i ℓ(z_i, y_i) + (1 - λ) w_j ℓ(z_i, y_j), written out; for cross-entropy the loss itself too."""
    z, field, label, losses = parts(kind)
    weight = torch.tensor([2.0, 0.25, 0.0, 1.0, 0.0]) if weighted else None
    batch = {"label": label} if weight is None else {"label": label, "weight": weight}
    mixed = mixed_targets(batch, PARTNER, SHARE, field)
    for loss in losses:
        found = next(iter(loss(output(kind, z), mixed).values()))
        total, count = 0.0, 0.0
        for i in range(5):
            j, share = int(PARTNER[i]), float(SHARE[i])
            w, v = (1.0, 1.0) if weight is None else (float(weight[i]), float(weight[j]))
            for one, much in ((i, share * w), (j, (1 - share) * v)):
                own = {"label": label[one : one + 1]}
                alone = next(iter(loss(output(kind, z[i : i + 1]), own).values()))
                total, count = total + much * alone.total, count + much * float(alone.weight)
        (gradient,) = torch.autograd.grad(total, z)
        (ours,) = torch.autograd.grad(found.total, z)
        torch.testing.assert_close(ours, gradient, rtol=1e-4, atol=1e-6)
        assert float(found.weight) == pytest.approx(count, rel=1e-6)
        if kind != "number":
            assert float(found.total.detach()) == pytest.approx(float(total.detach()), rel=1e-5)


def test_examples_without_weight_stay_finite():
    batch = {"label": torch.tensor([0, 1]), "weight": torch.zeros(2)}
    mixed = mixed_targets(batch, torch.tensor([1, 0]), torch.tensor([0.3, 0.6]).double(), Field("class", size=2))
    assert mixed["label"].isfinite().all()
    assert mixed["weight"].tolist() == [0, 0]
    assert mixed["weight"].dtype == torch.float32

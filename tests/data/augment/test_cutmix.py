from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import stats

from assay.data.augment.cutmix import CutMix
from assay.data.augment.draws import uniforms
from assay.data.augment.mixing import partners
from assay.errors import ConfigError
from tests.data.augment.pictures import batch_of_images, images
from tests.references.cutmix import box, cutmix


def test_against_a_loop():
    given, augment = batch_of_images(40, height=9, width=14), CutMix(images(), seed=4, alpha=0.7, p=0.8)
    mixed = augment(given, 2)
    u = uniforms(4, 2, given["index"], "cutmix", 4).numpy()
    shares = augment._beta(torch.from_numpy(u[:, 0])).numpy()
    boxes = [
        box(9, 14, share if chosen < 0.8 else 1.0, math.floor(row * 9), math.floor(column * 14))
        for share, (_, row, column, chosen) in zip(shares, u, strict=True)
    ]
    partner = partners(4, 2, given["index"], "cutmix partner").numpy()
    source, label = cutmix(given["source"].numpy(), np.eye(3)[given["label"].numpy()], partner, boxes)
    np.testing.assert_array_equal(mixed["source"].numpy(), source)
    np.testing.assert_allclose(mixed["label"].numpy(), label, rtol=1e-6, atol=1e-7)
    assert len({tuple(one) for one in boxes}) > 10


def test_against_torchvision():
    """v2.CutMix mixes an example with the one before it: a batch of two is an example and its partner."""
    v2 = pytest.importorskip("torchvision.transforms.v2")
    given, augment = batch_of_images(12), CutMix(images(), seed=0)
    mixed = augment(given, 0)
    partner = partners(0, 0, given["index"], "cutmix partner")
    transform = v2.CutMix(num_classes=3)
    for i, (top, left, bottom, right) in enumerate(torch.stack(augment.boxes(0, given["index"], 9, 7), 1).tolist()):
        pair = given["source"][[i, int(partner[i])]]
        labels = given["label"][[i, int(partner[i])]]
        kept = 1 - (bottom - top) * (right - left) / 63
        params = {"box": (left, top, right, bottom), "lam_adjusted": kept, "batch_size": 2, "labels": labels}
        assert torch.equal(transform.transform(pair, params)[0], mixed["source"][i])
        torch.testing.assert_close(transform.transform(labels, params)[0], mixed["label"][i])


def test_boxes_are_functions_of_the_example():
    augment, index = CutMix(images(), seed=0), torch.arange(30) * 3
    whole = torch.stack(augment.boxes(1, index, 9, 7), 1)
    assert torch.equal(torch.stack(augment.boxes(1, index[10:], 9, 7), 1), whole[10:])
    assert not torch.equal(torch.stack(augment.boxes(2, index, 9, 7), 1), whole)


def test_areas_follow_the_distribution():
    """With α = 1, a rectangle that is not cut off has the area of a uniform number; p says how many there are."""
    augment = CutMix(images(), seed=0, p=0.6)
    top, left, bottom, right = augment.boxes(0, torch.arange(20_000), 1000, 1000)
    assert abs(((bottom > top).double().mean()) - 0.6) < 0.015
    inner = (top > 0) & (left > 0) & (bottom < 1000) & (right < 1000) & (bottom > top)
    area = ((bottom - top) * (right - left)).double()[inner] / 1e6
    # centres are uniform, so a rectangle of sides s is not cut off with probability (1 - s)², s² its area
    density = stats.rv_histogram(np.histogram(area.numpy(), bins=40, range=(0, 1)))
    expected = lambda a: 6 * (a - 4 / 3 * a**1.5 + a**2 / 2)  # noqa: E731
    found = density.cdf(np.linspace(0.05, 0.95, 10))
    np.testing.assert_allclose(found, expected(np.linspace(0.05, 0.95, 10)), atol=0.02)


def test_weights_of_examples_are_mixed_by_the_area():
    given = {**batch_of_images(), "weight": torch.tensor([2.0, 0, 1, 1, 0.5, 3])}
    augment = CutMix(images(), seed=0)
    top, left, bottom, right = augment.boxes(0, given["index"], 9, 7)
    kept = 1 - ((bottom - top) * (right - left)).double() / 63
    other = given["weight"][partners(0, 0, given["index"], "cutmix partner")]
    torch.testing.assert_close(augment(given, 0)["weight"], (kept * given["weight"] + (1 - kept) * other).float())


def test_refusals():
    with pytest.raises(ConfigError, match=r"augment\.cutmix\.alpha=0 is not positive"):
        CutMix(images(), seed=0, alpha=0)
    with pytest.raises(ConfigError, match=r"augment\.cutmix\.p=2 is not in \[0, 1\]"):
        CutMix(images(), seed=0, p=2)

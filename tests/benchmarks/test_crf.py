"""Both sides of the bench do the same work."""

from __future__ import annotations

import pytest
import torch

from assay.benchmarks import crf


@pytest.fixture(params=["by hand", "pytorch-crf"])
def reference(request, monkeypatch):
    if request.param == "by hand":
        monkeypatch.setattr(crf, "find_spec", lambda name: None)
    else:
        pytest.importorskip("torchcrf", reason="pytorch-crf is a test oracle: pip install pytorch-crf")
    monkeypatch.setattr(crf, "SENTENCES", 5)
    monkeypatch.setattr(crf, "LENGTH", 12)
    crf.sentences.cache_clear()
    yield request.param
    crf.sentences.cache_clear()


def test_both_find_the_same(reference):
    torch.testing.assert_close(crf.likelihood(), crf.their_likelihood(), rtol=1e-5, atol=1e-3)
    assert crf.decoded() == crf.their_decoded()
    leaves = (crf.sentences()[1], *crf.chain())
    crf.with_gradients(crf.likelihood)
    ours = [leaf.grad.clone() for leaf in leaves]
    crf.with_gradients(crf.their_likelihood)
    for leaf, own in zip(leaves, ours, strict=True):
        torch.testing.assert_close(own, leaf.grad, rtol=1e-4, atol=1e-4)
    for comparison in crf.comparisons():
        assert ("by hand" in comparison.work) == (reference == "by hand")
        assert comparison.ours() > 0

"""Layers rewritten for the tracer compute what they compute in training; afterwards they are themselves again."""

from __future__ import annotations

import pytest
import torch

from assay.export.traceable import traceable
from assay.export.whole import Whole, example
from tests.export.built import built

CASES = [  # recurrent ones are loops that only a tracer runs: see test_program.py and test_onnx_file.py
    ("image", "model=textcnn"),
    ("ids", "model=textcnn", "model.pool=kmax", "model.k=3", "model.widths=[2,5]"),
    ("ids", "model=textcnn", "model.pool=average"),
    ("ids", "model=transformer", "model.positions=sinusoidal"),
    ("ids", "model=transformer", "model.positions=rotary", "model.causal=true", "model.query_key_norm=true"),
    ("tags", "model=transformer", "output=crf", "characters=cnn", "model.positions=none"),
    ("ids", "model=bag", "model.ngrams=3", "model.buckets=50"),
]


@pytest.mark.parametrize("case", CASES, ids="-".join)
def test_the_numbers_are_the_same_and_nothing_stays_behind(case):
    artifact = built(*case)
    whole = Whole(artifact).eval()
    before = {name: list(vars(module)) for name, module in whole.named_modules()}
    with torch.no_grad():
        for batch, time in ((4, 9), (3, 2), (1, 1), (2, 40)):
            source = example(artifact, batch, time, seed=time)
            expected = whole(*source)
            with traceable(whole, onnx=False):
                torch.testing.assert_close(whole(*source), expected, rtol=1e-5, atol=1e-6)
            assert torch.equal(whole(*source), expected)
    assert {name: list(vars(module)) for name, module in whole.named_modules()} == before


def test_an_input_of_zeros_is_rounded_to_zeros():
    artifact = built("image", "model=cnn", quantization="dynamic")
    whole = Whole(artifact).eval()
    source = (torch.zeros(2, 1, 12, 12),)
    with torch.no_grad():
        expected = whole(*source)
        with traceable(whole):
            assert torch.equal(whole(*source), expected)

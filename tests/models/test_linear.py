"""A linear model has no hidden layer: its encoder is the identity."""

from __future__ import annotations

import torch

from assay.models.linear import Linear


def test_the_encoder_hands_its_input_on():
    x = torch.randn(3, 5)
    encoder = Linear((5,))
    assert encoder(x).last is x
    assert encoder.output_size == 5
    assert not list(encoder.parameters())

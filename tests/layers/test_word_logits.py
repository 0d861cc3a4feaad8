"""Scores of words by their own vectors; tests/tasks/test_lm.py has the gradients."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from assay.layers.word_logits import WordLogits


def test_each_word_by_its_vector_as_a_loop():
    table = nn.Embedding(5, 3)
    layer = WordLogits(table, bias=True)
    with torch.no_grad():
        layer.bias.copy_(torch.arange(5.0))
    h = torch.randn(2, 4, 3)
    found = layer(h).detach().numpy()
    for b in range(2):
        for t in range(4):
            for v in range(5):
                expected = float(np.dot(table.weight[v].detach().numpy(), h[b, t].numpy())) + v
                np.testing.assert_allclose(found[b, t, v], expected, rtol=1e-4, atol=1e-5)


def test_the_table_has_one_name():
    model = nn.ModuleList([table := nn.Embedding(5, 3), WordLogits(table, bias=False)])
    assert list(model.state_dict()) == ["0.weight"]
    assert len(list(model.parameters())) == 1

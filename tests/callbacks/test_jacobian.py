"""Jacobians of recurrent layers against the formula and finite differences; spectra against a product of matrices."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn

from assay.callbacks.diagnostic import Moment
from assay.callbacks.jacobian import Jacobian, jacobians, places, singular
from assay.layers.lstm_cell import KernelLSTM
from assay.layers.rnn_cell import KernelRNN
from tests.callbacks.sights import dense, texts
from tests.layers.test_recurrent_steps import CELLS
from tests.options import option
from tests.references.diagnostics import lstm_jacobian, rnn_jacobian

T, D, H = 6, 4, 5


def cell_of(make):
    torch.manual_seed(0)
    cell = make().double()
    for parameter in cell.parameters():
        nn.init.normal_(parameter, std=0.5)
    return cell, torch.randn(T, D, dtype=torch.float64)


def arrays(cell):
    return [p.detach().numpy() for p in cell.kernel.parameters()]


def test_tanh_net_is_the_formula():
    cell, x = cell_of(lambda: KernelRNN(D, H, "tanh"))
    _, u, _, _ = arrays(cell)
    states = cell(x.unsqueeze(0))[0][0].detach().numpy()
    for found, h in zip(jacobians(cell, x), states, strict=True):
        np.testing.assert_allclose(found.numpy(), rnn_jacobian(u, h), rtol=1e-12, atol=1e-14)


def test_lstm_is_the_product_rule():
    cell, x = cell_of(lambda: KernelLSTM(D, H))
    w, u, b, d = arrays(cell)
    h, c = np.zeros(H), np.zeros(H)
    for found, now in zip(jacobians(cell, x), x.numpy(), strict=True):
        expected, h, c = lstm_jacobian(w, u, b + d, now, h, c)
        np.testing.assert_allclose(found.numpy(), expected, rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize("name", CELLS)
def test_every_cell_against_finite_differences_of_the_layer(name):
    """Of the layer itself, run for one step from a state that is moved: not of its readable step."""
    cell, x = cell_of(CELLS[name])
    found = jacobians(cell, x)
    state = cell.zeros(x[:1])
    for t in range(T):
        widths = [part.shape[1] for part in state]
        flat, moved = torch.cat(state, 1), 1e-6

        def after(flat, t=t, widths=widths):
            parts = flat.split(widths, 1)
            return torch.cat(cell(x[t].view(1, 1, -1), None, tuple(p.contiguous() for p in parts))[1], 1)[0].detach()

        for j in range(flat.shape[1]):
            step = torch.zeros_like(flat)
            step[0, j] = moved
            column = (after(flat + step) - after(flat - step)) / (2 * moved)
            error = 1e-7 * max(1.0, float(found[t].abs().max()))  # LN of a state near 0 is steep
            np.testing.assert_allclose(found[t][:, j].numpy(), column.numpy(), rtol=1e-6, atol=error)
        state = tuple(after(flat).unsqueeze(0).split(widths, 1))


def sight_of(model, *overrides, moment=Moment.END):
    torch.manual_seed(2)
    return dense(option("model", model, "model.hidden_size=4", *overrides)(input_size=(T, D)), (T, D), moment=moment)


def test_spectra_are_those_of_the_matrices_and_their_product():
    sight = sight_of("rnn")
    callback = Jacobian(examples=3, positions=99, every=0)
    found = callback.measured(sight)
    layer = sight.network.encoder.ahead[0]
    batch = sight.sample("val", 3, sight.network)["source"]
    steps, ends = [], []
    largest = {t: [] for t in range(2, T + 1)}
    for x in batch:
        _, u, _, _ = arrays(layer)
        states = layer(x.unsqueeze(0))[0][0].detach().numpy()
        product = np.eye(4)
        for t in range(1, T):
            matrix = rnn_jacobian(u, states[t])
            product = matrix @ product
            steps.append(np.linalg.svd(matrix)[1])
            largest[t + 1].append(np.linalg.svd(product)[1][0])
        ends.append(largest[T][-1])
    name = "jacobian/encoder.ahead.0"
    assert found[f"{name}/max"] == pytest.approx(np.max(steps))
    assert found[f"{name}/median"] == pytest.approx(np.median(steps))
    assert found[f"{name}/min"] == pytest.approx(np.min(steps))
    assert found[f"{name}/product"] == pytest.approx(math.exp(np.log(ends).mean()))
    spectra = callback.last["layers"]["encoder.ahead.0"]
    assert spectra["t"] == list(range(2, T + 1))
    assert spectra["over_time"]["max"] == pytest.approx([max(largest[t]) for t in spectra["t"]])


def test_a_linear_net_vanishes_as_its_matrix_does():
    """U = ½ with ReLU kept open: every singular value of a step is ½, of the product ½^(T-1)."""
    sight = sight_of("rnn", "model.nonlinearity=relu")
    kernel = sight.network.encoder.ahead[0].kernel
    with torch.no_grad():
        kernel.weight_hh_l0.copy_(0.5 * torch.eye(4))
        kernel.bias_ih_l0.fill_(100.0)
    found = Jacobian(2, 99, 0).measured(sight)
    for end in ("max", "median", "min"):
        assert found[f"jacobian/encoder.ahead.0/{end}"] == pytest.approx(0.5)
    assert found["jacobian/encoder.ahead.0/product"] == pytest.approx(0.5 ** (T - 1))


@pytest.mark.parametrize("bidirectional", ["true", "false"])
def test_padding_is_never_read_and_each_direction_is_a_layer(bidirectional):
    encoder = option("model", "lstm", "model.hidden_size=3", f"model.bidirectional={bidirectional}")
    torch.manual_seed(0)
    encoder = encoder(input_size=(None, 4))
    ragged = texts(encoder, 4, [5, 3, 2, 1])
    callback = Jacobian(4, 99, 0)
    callback.measured(ragged)
    names = ["encoder.ahead.0"] + (["encoder.back.0"] if bidirectional == "true" else [])
    assert list(callback.last["layers"]) == names
    for name in names:
        assert callback.last["layers"][name]["t"] == [2, 3, 4, 5]
    alone = texts(encoder, 4, [5])
    single = Jacobian(4, 99, 0)
    single.measured(alone)
    for name in names:  # only the longest example, the same in both, reaches the last position
        for key in ("step", "over_time"):
            expected = single.last["layers"][name][key]["max"][-1]
            assert callback.last["layers"][name][key]["max"][-1] == pytest.approx(expected, rel=1e-9)


def test_sequences_of_one_position_have_no_spectrum():
    encoder = option("model", "gru", "model.hidden_size=3")(input_size=(None, 4))
    found = Jacobian(4, 9, 0).measured(texts(encoder, 4, [1, 1]))
    assert all(math.isnan(value) for value in found.values())


def test_moments_and_places():
    assert Jacobian(2, 9, 0).measured(sight_of("rnn", moment=Moment.START)) != {}
    assert Jacobian(2, 9, 0).measured(sight_of("rnn", moment=Moment.VALIDATION)) == {}
    assert Jacobian(2, 9, 2).measured(sight_of("rnn", moment=Moment.VALIDATION)) != {}
    assert places(1, 9) == set()
    assert places(4, 9) == {1, 2, 3}
    assert places(101, 5) == {1, 26, 50, 75, 100}


def test_singular_values_end_at_the_rounding_and_survive_infinity():
    values = singular(np.diag([1.0, 1e-40]))
    assert values.tolist() == [1.0, np.finfo(float).eps]
    assert np.isnan(singular(np.full((2, 2), np.inf))).all()

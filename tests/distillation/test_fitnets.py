"""Hints: the formula, the regressor's place, and which layers are compared."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from assay.contracts import DataSpec, Encoded, Field, Output
from assay.distillation import seams
from assay.distillation.fitnets import FitNets
from assay.errors import ConfigError
from assay.losses.cross_entropy import CrossEntropy
from tests.distillation.teachers import Fixed, loss, of_classes
from tests.distillation.test_kd import drawn
from tests.references import distillation as reference

LABEL = torch.tensor([0, 1, 2, 0])


class Net(nn.Module):
    """Maps of 4 and of 2 pixels a side, the mean of which is the summary."""

    def __init__(self):
        super().__init__()
        self.encoder = nn.Module()
        self.encoder.first = nn.Conv2d(1, 3, 3, padding=1)
        self.encoder.pool = nn.MaxPool2d(2)
        self.encoder.second = nn.Conv2d(3, 2, 3, padding=1)
        self.encoder.forward = self.encode
        self.head = nn.Linear(2, 3)

    def encode(self, x):
        return Encoded(None, self.encoder.second(self.encoder.pool(self.encoder.first(x))).mean((2, 3)))

    def forward(self, batch):
        return of_classes(self.head(self.encoder(batch["source"]).last))


def made(features, hint="h", guided="g", beta=2.0, alpha=0.25, temperature=3.0):
    teacher = drawn(4, 3, seed=1)
    fixed = Fixed(teacher, teacher.log_softmax(-1), features)
    return FitNets(CrossEntropy(), fixed, hint, guided, beta, alpha, temperature)


def output(guided):
    z = drawn(4, 3)
    return Output(z, z.log_softmax(-1), features={"g": guided})


@pytest.mark.parametrize("sides", [(4, 4), (8, 4), (2, 4)])
def test_equals_the_formula_in_numpy(sides):
    hint, guided = drawn(4, 5, sides[0], sides[0], seed=2), drawn(4, 3, sides[1], sides[1], seed=3)
    objective = made({"h": hint})
    objective.regressor = nn.Conv2d(3, 5, 1).double()
    weight = torch.tensor([1.0, 2.0, 0.0, 1.0], dtype=torch.float64)
    found = loss(objective(output(guided), {"label": LABEL, "weight": weight}))
    w, b = (p.detach().numpy() for p in (objective.regressor.weight[:, :, 0, 0], objective.regressor.bias))
    z, t, counts = drawn(4, 3).numpy(), drawn(4, 3, seed=1).numpy(), weight.numpy()
    ce = np.array([-np.log(reference.softmax(row)[y]) for row, y in zip(z, LABEL.tolist(), strict=True)])
    each = 0.75 * ce + 0.25 * reference.hinton(t, z, 3.0) + 2 * reference.hint(hint.numpy(), guided.numpy(), w, b)
    assert found == pytest.approx((each * counts).sum() / counts.sum(), rel=1e-9)


def test_vectors_and_states_have_a_linear_regressor():
    for shape in ((4, 6), (4, 7, 6)):
        hint, guided = drawn(*shape[:-1], 5, seed=2), drawn(*shape, seed=3)
        objective = made({"h": hint}, alpha=0.0, beta=1.0)
        objective.regressor = nn.Linear(6, 5).double()
        term = objective(output(guided), {"label": LABEL})["hint"]
        expected = 0.5 * (hint - objective.regressor(guided)).square().flatten(1).mean(1).sum()
        torch.testing.assert_close(term.total, expected)


def test_it_meets_a_network_and_trains_a_regressor_of_its_own():
    network, batch = Net(), {"source": torch.randn(5, 1, 4, 4), "label": LABEL}
    objective = made({"h": torch.randn(2, 7, 2, 2)}, guided="encoder.second")
    assert not list(objective.parameters())
    state = torch.get_rng_state()
    seams.meet(objective, network, batch, 3)
    assert torch.equal(torch.get_rng_state(), state)  # the global generator is not touched
    assert objective.regressor.weight.shape == (7, 2, 1, 1)
    assert {name for name, _ in objective.named_parameters()} == {"regressor.weight", "regressor.bias"}
    assert objective.features == ("encoder.second",)
    assert network.training
    again, other = (made({"h": torch.randn(2, 7, 2, 2)}, guided="encoder.second") for _ in range(2))
    seams.meet(again, network, batch, 3)
    seams.meet(other, network, batch, 4)
    assert torch.equal(again.regressor.weight, objective.regressor.weight)
    assert not torch.equal(other.regressor.weight, objective.regressor.weight)


def test_layers_that_nobody_names_are_the_middle_ones_or_the_summary():
    network, batch = Net(), {"source": torch.randn(5, 1, 4, 4)}
    maps = {"encoder.a": torch.randn(2, 7, 4, 4), "encoder.b": torch.randn(2, 7, 2, 2)}
    objective = made(maps, hint=None, guided=None)
    seams.meet(objective, network, batch, 0)
    assert (objective.hint, objective.guided) == ("encoder.b", "encoder.second")
    vectors = {"encoder": torch.randn(2, 7)}
    objective = made(vectors, hint=None, guided=None)
    seams.meet(objective, network, batch, 0)
    assert (objective.hint, objective.guided) == ("encoder", "encoder")
    assert objective.regressor.weight.shape == (7, 2)


@pytest.mark.parametrize(
    ("hint", "guided", "padded", "said"),
    [
        (drawn(2, 7), "encoder.second", False, "h gives a vector, .*encoder.second maps: name two layers of one kind"),
        (drawn(2, 7, 2, 2), "encoder", False, "h gives maps, .*encoder a vector"),
        (drawn(2, 7, 2, 2), "encoder.secnod", False, "the nearest are encoder.second"),
    ],
)
def test_layers_that_do_not_compare_are_refused(hint, guided, padded, said):
    objective = made({"h": hint}, guided=guided)
    with pytest.raises(ConfigError, match=said):
        seams.meet(objective, Net(), {"source": torch.randn(5, 1, 4, 4)}, 0)


def test_positions_that_may_be_padding_are_refused():
    class Words(nn.Module):
        def __init__(self):
            super().__init__()
            self.encoder = nn.Linear(3, 5)

        def forward(self, batch):
            return of_classes(self.encoder(batch["source"])[:, -1])

    def objective_of(length):
        objective = made({"h": torch.randn(2, 6, 4)}, guided="encoder")
        seams.fit(objective, DataSpec({"source": Field("sequence", (length, 3))}), None)
        return objective

    batch = {"source": torch.randn(2, 6, 3)}
    seams.meet(objective_of(6), Words(), batch, 0)
    with pytest.raises(ConfigError, match="some of which are padding here"):
        seams.meet(objective_of(None), Words(), batch, 0)
    with pytest.raises(ConfigError, match=r"has 6 positions, distillation\.guided=encoder 9"):
        seams.meet(objective_of(6), Words(), {"source": torch.randn(2, 9, 3)}, 0)


def test_without_hints_and_answers_it_is_plain_training():
    objective = made({}, beta=0.0, alpha=0.0)
    seams.meet(objective, Net(), {"source": torch.randn(5, 1, 4, 4)}, 0)
    assert objective.features == ()
    assert list(objective.parameters()) == []
    terms, plain = (one(output(drawn(4, 3)), {"label": LABEL}) for one in (objective, CrossEntropy()))
    assert {k: float(v.total) for k, v in terms.items()} == {k: float(v.total) for k, v in plain.items()}
    assert objective.listener.teacher.asked == 0


def test_weights_outside_their_range_are_refused():
    for wrong in ({"alpha": 1.5}, {"beta": -1.0}):
        with pytest.raises(ConfigError, match=r"distillation\.beta="):
            made({}, **wrong)

"""Where the teacher looks: equation 2 of Zagoruyko and Komodakis 2017."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from assay.contracts import Output
from assay.distillation import seams
from assay.distillation.attention_transfer import AttentionTransfer
from assay.errors import ConfigError
from assay.losses.cross_entropy import CrossEntropy
from tests.distillation.teachers import Fixed, loss, of_classes
from tests.distillation.test_fitnets import LABEL, Net
from tests.distillation.test_kd import drawn
from tests.references import distillation as reference


def made(features, theirs=None, ours=None, beta=1000.0, alpha=0.0):
    teacher = drawn(4, 3, seed=1)
    fixed = Fixed(teacher, teacher.log_softmax(-1), features)
    return AttentionTransfer(CrossEntropy(), fixed, theirs, ours, beta, alpha, 4.0)


@pytest.mark.parametrize("alpha", [0.0, 0.5])
def test_equals_the_formula_in_numpy(alpha):
    a, b = drawn(4, 5, 4, 4, seed=2), drawn(4, 6, 8, 8, seed=3)
    own, other = drawn(4, 2, 4, 4, seed=4), drawn(4, 3, 2, 2, seed=5)
    objective = made({"a": a, "b": b}, ["a", "b"], ["own", "other"], alpha=alpha)
    z = drawn(4, 3)
    output = Output(z, z.log_softmax(-1), features={"own": own, "other": other})
    weight = torch.tensor([1.0, 2.0, 0.0, 1.0], dtype=torch.float64)
    found = loss(objective(output, {"label": LABEL, "weight": weight}))
    counts, logits = weight.numpy(), z.numpy()
    each = (1 - alpha) * np.array([-np.log(reference.softmax(row)[y]) for row, y in zip(logits, LABEL, strict=True)])
    each += alpha * reference.hinton(drawn(4, 3, seed=1).numpy(), logits, 4.0)
    for theirs, mine in ((a, own), (b, other)):
        each += 500 * reference.attention(theirs.numpy(), mine.numpy())
    assert found == pytest.approx((each * counts).sum() / counts.sum(), rel=1e-9)


def test_states_are_looked_at_position_by_position():
    states, own = drawn(4, 6, 5, seed=2), drawn(4, 6, 3, seed=3)
    objective = made({"a": states}, ["a"], ["own"], beta=2.0)
    z = drawn(4, 3)
    term = objective(Output(z, z.log_softmax(-1), features={"own": own}), {"label": LABEL})["attention"]
    as_maps = (x.transpose(1, 2).unsqueeze(-1).numpy() for x in (states, own))
    assert float(term.total) == pytest.approx(reference.attention(*as_maps).sum(), rel=1e-9)


def test_it_is_blind_to_scale_and_to_the_order_of_maps():
    maps = drawn(4, 5, 4, 4, seed=2)
    objective = made({"a": maps}, ["a"], ["own"])
    z = drawn(4, 3)
    output = Output(z, z.log_softmax(-1), features={"own": -3 * maps.flip(1)})
    assert float(objective(output, {"label": LABEL})["attention"].total) == pytest.approx(0, abs=1e-12)


def test_layers_that_nobody_names_are_paired_by_their_size():
    network, batch = Net(), {"source": torch.randn(5, 1, 4, 4)}
    theirs = {"encoder.a": drawn(2, 7, 8, 8), "encoder.b": drawn(2, 7, 4, 4), "encoder.c": drawn(2, 7, 2, 2)}
    objective = made(theirs)
    seams.meet(objective, network, batch, 0)
    assert objective.pairs == [("encoder.b", "encoder.first"), ("encoder.c", "encoder.second")]
    assert objective.features == ("encoder.first", "encoder.second")
    objective = made({"encoder.a": drawn(2, 7, 9, 9), "encoder.b": drawn(2, 7, 3, 3)})  # of no common size
    seams.meet(objective, network, batch, 0)
    assert objective.pairs == [("encoder.a", "encoder.first"), ("encoder.b", "encoder.second")]


def test_networks_without_places_are_refused():
    batch = {"source": torch.randn(5, 1, 4, 4)}
    with pytest.raises(ConfigError, match="have no maps of pixels, or states of positions, both"):
        seams.meet(made({"encoder": drawn(2, 7)}), Net(), batch, 0)
    with pytest.raises(ConfigError, match="gives a vector"):
        seams.meet(made({"a": drawn(2, 7)}, ["a"], ["encoder.first"]), Net(), batch, 0)
    with pytest.raises(ConfigError, match="attention is over"):
        seams.meet(made({"a": drawn(2, 7)}, ["a"], ["encoder"]), Net(), batch, 0)


def test_lists_that_do_not_pair_are_refused():
    with pytest.raises(ConfigError, match="are pairs"):
        made({}, ["a"], None)


def test_without_attention_and_answers_it_is_plain_training():
    objective = made({}, ["a"], ["own"], beta=0.0)
    seams.meet(objective, nn.Identity(), {}, 0)
    assert objective.features == ()
    z = drawn(4, 3)
    terms, plain = (one(of_classes(z), {"label": LABEL}) for one in (objective, CrossEntropy()))
    assert {k: float(v.total) for k, v in terms.items()} == {k: float(v.total) for k, v in plain.items()}
    assert objective.listener.teacher.asked == 0

from __future__ import annotations

import numpy as np
import pytest
import torch

from assay.contracts import DataSpec, Field
from assay.data.augment.mixup import Mixup
from assay.errors import ConfigError
from assay.layers.random import example_uniform
from tests.references.mixup import mixup


def spec(label: Field, kind: str = "image") -> DataSpec:
    return DataSpec({"source": Field(kind, (1, 2, 2)), "label": label})


CLASS = spec(Field("class", size=3))


def batch(count=6):
    generator = torch.Generator().manual_seed(0)
    return {
        "source": torch.rand(count, 1, 2, 2, generator=generator),
        "label": torch.arange(count) % 3,
        "index": torch.arange(count) * 7 + 2,
    }


@pytest.mark.parametrize("kind", ["class", "labels", "number"])
def test_against_a_loop(kind):
    given = batch()
    if kind == "labels":
        given["label"] = (torch.rand(6, 4, generator=torch.Generator().manual_seed(1)) > 0.5).float()
    elif kind == "number":
        given["label"] = torch.linspace(-1, 3, 6)
    augment = Mixup(spec(Field(kind, size=3 if kind == "class" else None)), seed=4, alpha=0.7)
    mixed = augment(given, epoch=2)
    weight = augment.weights(2, given["index"]).numpy()
    partner = np.argsort(example_uniform(4, 2, given["index"], "mixup partner").numpy(), kind="stable")
    label = np.eye(3)[given["label"].numpy()] if kind == "class" else given["label"].numpy()
    source, label = mixup(given["source"].numpy(), label, partner, weight)
    np.testing.assert_allclose(mixed["source"].numpy(), source, rtol=1e-6)
    np.testing.assert_allclose(mixed["label"].numpy(), label, rtol=1e-6, atol=1e-7)
    assert torch.equal(mixed["index"], given["index"])
    assert mixed["label"].dtype == torch.float32


def test_class_labels_stay_distributions():
    torch.testing.assert_close(Mixup(CLASS, seed=0)(batch(), 0)["label"].sum(1), torch.ones(6))


def test_shares_are_keyed_by_seed_epoch_and_example_alone():
    augment, index = Mixup(CLASS, seed=0, alpha=1.0), batch()["index"]
    assert torch.equal(augment.weights(3, index)[2:], augment.weights(3, index[2:]))  # whatever else is in the batch
    assert not torch.equal(augment.weights(3, index), augment.weights(4, index))
    assert not torch.equal(augment.weights(3, index), Mixup(CLASS, seed=1, alpha=1.0).weights(3, index))


def test_partners_are_a_permutation():
    count = 64
    given = {
        "source": torch.arange(count, dtype=torch.float64)[:, None],
        "label": torch.zeros(count),
        "index": torch.arange(count),
    }
    augment = Mixup(spec(Field("number"), "vector"), seed=0, alpha=5.0)
    weight = augment.weights(1, given["index"])[:, None]
    partner = (augment(given, 1)["source"] - weight * given["source"]) / (1 - weight)
    assert partner.round().flatten().sort().values.tolist() == list(range(count))
    assert not torch.equal(partner.round(), given["source"])


def test_weights_of_examples_are_mixed():
    given = {**batch(), "weight": torch.tensor([2.0, 0, 1, 1, 0.5, 3])}
    augment = Mixup(CLASS, seed=0, alpha=1.0)
    partner = example_uniform(0, 0, given["index"], "mixup partner").argsort(stable=True)
    share = augment.weights(0, given["index"])
    expected = share * given["weight"] + (1 - share) * given["weight"][partner]
    torch.testing.assert_close(augment(given, 0)["weight"], expected.float())


def test_what_cannot_be_mixed_is_refused():
    with pytest.raises(ConfigError, match="augment=mixup mixes numbers, and this data holds ids"):
        Mixup(spec(Field("class", size=3), "ids"), seed=0)
    with pytest.raises(ConfigError, match=r"augment\.mixup\.alpha=0 is not positive"):
        Mixup(CLASS, seed=0, alpha=0)

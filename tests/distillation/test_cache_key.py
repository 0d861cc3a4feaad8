"""What a teacher's answers depend on: each of it changes its own field, and nothing else does."""

from __future__ import annotations

import copy
from types import SimpleNamespace

import pytest
import torch

from assay import artifacts
from assay.data.digits import Digits
from assay.data.examples import Dense
from assay.distillation.cache_key import FIELDS, difference, fields, fingerprint
from assay.folder import find_artifact


@pytest.fixture
def teacher(digits_run):
    return SimpleNamespace(artifacts=[artifacts.load(find_artifact(str(digits_run.folder)))])


def digits(**keys):
    data = Digits(**keys)
    data.setup()
    return data


def changed(before, teacher, data=None, dtype="float32"):
    after = fields(teacher, digits() if data is None else data, dtype)
    assert list(after) == list(FIELDS)
    assert (fingerprint(after) == fingerprint(before)) == (after == before)
    return {name for name in FIELDS if before[name] != after[name]}


def test_the_same_has_the_same_key(teacher):
    key = fields(teacher, digits(), "float32")
    assert changed(key, teacher, digits(batch_size=7, epochs=3)) == set()
    assert difference(key, key) is None
    assert len(fingerprint(key)) == 16


def test_weights_network_and_combination(teacher):
    key = fields(teacher, digits(), "float32")
    (artifact,) = teacher.artifacts
    other = copy.deepcopy(artifact)
    with torch.no_grad():
        next(other.network.parameters()).flatten()[3] += 1e-6
    assert changed(key, SimpleNamespace(artifacts=[other])) == {"teacher"}
    tanh = copy.deepcopy(artifact)
    tanh.config["model"]["activation"] = {"_target_": "torch.nn.Tanh", "_partial_": True}
    assert changed(key, SimpleNamespace(artifacts=[tanh])) == {"network"}
    seeded = copy.deepcopy(artifact)
    seeded.config["seed"] = 99
    assert changed(key, SimpleNamespace(artifacts=[seeded])) == set()
    both = SimpleNamespace(artifacts=[artifact, other], combination="mean of logits")
    pair = fields(both, digits(), "float32")
    assert changed(pair, SimpleNamespace(artifacts=[other, artifact], combination="mean of logits")) == {"teacher"}
    assert changed(pair, SimpleNamespace(artifacts=both.artifacts, combination="median")) == {"combination"}


def test_data_split_inputs_and_type(teacher):
    key = fields(teacher, digits(), "float32")
    assert changed(key, teacher, digits(split_seed=1)) >= {"split"}
    assert changed(key, teacher, digits(folds=5, fold=2)) >= {"split"}
    assert changed(key, teacher, dtype="float16") == {"dtype"}
    other = digits()
    other.digest = "0" * 64
    assert changed(key, teacher, other) == {"data"}
    scaled = digits()
    train = scaled.splits["train"]
    train.columns["source"] = Dense(train.columns["source"].tensor * 2)
    assert changed(key, teacher, scaled) == {"inputs"}
    inverted = digits()
    inverted.preprocessing.background_ = 0.9
    assert changed(key, teacher, inverted) == {"inputs"}


def test_a_difference_is_named_in_order_and_in_short():
    ours = dict.fromkeys(FIELDS, "a" * 64)
    theirs = {**ours, "data": "b" * 64, "split": "10 of 12 examples, " + "c" * 64}
    assert difference(theirs, ours) == f"other data: data {'b' * 12} there, {'a' * 12} here"
    assert difference({**ours, "split": theirs["split"]}, ours) == (
        f"{FIELDS['split']}: split 10 of 12 examples, {'c' * 12} there, {'a' * 12} here"
    )
    assert "unknown there" in str(difference({}, ours))

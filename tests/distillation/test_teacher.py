"""Trained teachers: units, precision, means of several, and what they refuse."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

import assay
from assay.contracts import DataSpec, Field
from assay.distillation.kd import KnowledgeDistillation
from assay.distillation.teacher import Checkpoint, Ensemble
from assay.errors import ConfigError
from assay.losses.cross_entropy import CrossEntropy


@pytest.fixture(scope="module")
def numbers(tmp_path_factory):
    """Two runs on diabetes."""
    outputs = tmp_path_factory.mktemp("numbers")
    words = ["data=diabetes", "trainer=cpu", "logger=none", "trainer.max_steps=20", f"outputs={outputs}"]
    return [assay.train("model=mlp", *words, f"seed={seed}").folder for seed in (0, 1)]


@pytest.fixture(scope="module")
def pair(tmp_path_factory, digits_run):
    outputs = tmp_path_factory.mktemp("pair")
    words = ["trainer=cpu", "logger=none", "trainer.max_steps=20", f"outputs={outputs}"]
    return [digits_run.folder, assay.train("model=linear", *words).folder]


def digits(count=7):
    return {"source": torch.rand(count, 1, 8, 8), "index": torch.arange(count)}


def spec_and_preprocessing(run):
    artifact = assay.load(run).artifact
    return artifact.spec, artifact.preprocessing


def test_it_answers_as_the_run_did_frozen_and_in_eval_mode(pair):
    teacher, batch = Checkpoint(str(pair[0])), digits()
    teacher.fit(*spec_and_preprocessing(pair[0]))
    expected = assay.load(pair[0]).artifact.network(batch)
    assert torch.equal(teacher(batch).log_probs, expected.log_probs)
    assert not teacher(batch).log_probs.requires_grad
    assert not any(module.training for module in teacher.network.modules())
    double = teacher({**batch, "source": batch["source"].double()})
    torch.testing.assert_close(double.log_probs, expected.log_probs.detach())


def test_hidden_layers_come_with_the_answer(pair):
    teacher, batch = Checkpoint(str(pair[0])), digits()
    output = teacher.hidden(batch, ("encoder",))
    assert torch.equal(output.log_probs, teacher(batch).log_probs)
    assert tuple(output.features["encoder"].shape) == teacher.shapes(batch)["encoder"]
    with pytest.raises(ConfigError, match="the nearest are encoder"):
        teacher.hidden(batch, ("encodr",))


def test_a_number_is_in_the_student_s_units(numbers):
    teacher = Checkpoint(str(numbers[0]))
    spec, preprocessing = spec_and_preprocessing(numbers[0])
    batch = {"source": torch.randn(5, *spec.source.shape), "index": torch.arange(5)}
    raw = teacher.network(batch).logits.double() * spec.label.scale + spec.label.center
    label = replace(spec.label, center=100.0, scale=8.0)
    teacher.fit(DataSpec({**spec.fields, "label": label}), preprocessing)
    torch.testing.assert_close(teacher(batch).logits.double() * 8 + 100, raw, rtol=1e-5, atol=1e-3)
    teacher.fit(spec, preprocessing)
    assert torch.equal(teacher(batch).logits, teacher.network(batch).logits)


def test_an_ensemble_is_the_softmax_of_the_mean_logits(pair):
    batch = digits()
    ensemble = Ensemble([str(run) for run in pair])
    ensemble.fit(*spec_and_preprocessing(pair[0]))
    logits = torch.stack([assay.load(run).artifact.network(batch).logits for run in pair]).mean(0)
    for temperature in (1.0, 20.0):
        found = (ensemble(batch).log_probs / temperature).softmax(-1)
        torch.testing.assert_close(found, (logits / temperature).softmax(-1))
    with pytest.raises(ConfigError, match="several networks"):
        ensemble.hidden(batch, ("encoder",))
    with pytest.raises(ConfigError, match="is no teacher"):
        Ensemble([])


def test_an_ensemble_of_numbers_is_their_mean(numbers):
    spec, preprocessing = spec_and_preprocessing(numbers[0])
    batch = {"source": torch.randn(5, *spec.source.shape), "index": torch.arange(5)}
    ensemble = Ensemble([str(run) for run in numbers])
    ensemble.fit(spec, preprocessing)
    each = torch.stack([assay.load(run).artifact.network(batch).logits for run in numbers])
    torch.testing.assert_close(ensemble(batch).logits, each.mean(0))
    assert ensemble(batch).log_probs is None


def changed(spec, name, **values):
    return DataSpec({**spec.fields, name: replace(spec.fields[name], **values)})


@pytest.mark.parametrize(
    ("name", "values", "said"),
    [
        ("source", {"kind": "ids", "shape": (None,), "size": 10}, "trained on source image 1x8x8, this data has ids"),
        ("source", {"shape": (1, 9, 9)}, "trained on source image 1x8x8, this data has image 1x9x9"),
        ("label", {"size": 7}, "label class of 10, this data has class of 7"),
        ("label", {"names": tuple("0123456798")}, "other names .8 where this data has 9.: name a run on the same data"),
    ],
)
def test_data_it_was_not_trained_on_are_refused(pair, name, values, said):
    spec, preprocessing = spec_and_preprocessing(pair[0])
    with pytest.raises(ConfigError, match=said):
        Checkpoint(str(pair[0])).fit(changed(spec, name, **values), preprocessing)


def test_inputs_that_were_prepared_otherwise_are_refused(tmp_path, numbers):
    words = ["data=diabetes", "model=linear", "trainer=cpu", "logger=none", f"outputs={tmp_path / 'outputs'}"]
    words += ["distillation=kd", f"distillation.teacher.run={numbers[0]}", "trainer.max_steps=3"]
    assert assay.train(*words).summary["status"] == "done"
    with pytest.raises(ConfigError, match=r"prepared otherwise \(scaling\): use the teacher's settings"):
        assay.train(*words, "scaling=minmax")


def test_other_tokens_are_refused():
    class Stub(Checkpoint):
        def __init__(self):
            self.named = "distillation.teacher.run=A"
            spec = DataSpec({"source": Field("ids", (None,), 2, names=("a", "b")), "label": Field("class", size=2)})
            self.artifact = type("Artifact", (), {"spec": spec})()

    spec = DataSpec({"source": Field("ids", (None,), 2, names=("a", "c")), "label": Field("class", size=2)})
    with pytest.raises(ConfigError, match=r"other tokens \(b where this data has c\).* the same tokenizer"):
        Stub().fit(spec, None)


def test_the_teacher_is_neither_counted_nor_saved(pair):
    kd = KnowledgeDistillation(CrossEntropy(), Checkpoint(str(pair[0])), 0.5, 2.0)
    assert list(kd.parameters()) == []
    assert kd.state_dict() == {}

"""The training split as class_weights, shift, sampling and curriculum have it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from assay.contracts import DataSpec, Field
from assay.data import training as module
from assay.data.dataset import cut
from assay.data.difficulty import kept
from assay.data.examples import Dense
from assay.data.module import DataModule
from assay.data.samplers.curriculum import Curriculum
from assay.data.samplers.plain import Shuffled
from assay.data.training import Training
from assay.data.weights import balanced
from assay.data.weights.weighed import Weighed
from assay.errors import ConfigError
from assay.layers.random import order
from assay.preflight import compose
from tests.interruptions import Interrupted, Moment, at, bits, interrupted, leave, train


class Small:
    """Forty examples, thirty of class "a", each of its own value."""

    batch_size, epochs, workers = 8, 4, 0

    def __init__(self) -> None:
        label = torch.tensor([0, 0, 0, 1] * 10)
        columns = {"source": Dense(torch.arange(40.0)[:, None] / 40), "label": Dense(label)}
        chosen = {"train": torch.arange(39, 11, -1), "val": torch.arange(6), "test": torch.arange(6, 12)}
        self.splits, self.notes, self.digest = cut(columns, chosen), [], "small"
        field = Field("class", (), size=2, names=("a", "b"))
        self.spec = DataSpec({"source": Field("vector", (1,)), "label": field})

    def setup(self) -> None:
        pass


TRAINER = {"max_epochs": 4, "max_steps": -1}


def made(*words: str, where: Path = Path("nowhere"), trainer: dict = TRAINER, **arguments) -> Training:
    config = compose([*words, "data=digits", "data.batch_size=8"]).config
    return Training(config, trainer, Small(), where, **arguments)  # ty: ignore


def test_without_switches_nothing_changes():
    training = made("seed=3")
    assert torch.equal(training.examples.index, Small().splits["train"].index)
    assert "weight" not in training.examples.columns
    assert torch.equal(training.sampler.positions(2), order(3, 2, 28))
    assert (training.notes, training.chosen) == ([], {})


def test_weights_multiply_and_have_a_mean_of_one(monkeypatch):
    label = Small().splits["train"].column("label")
    first = balanced.balanced(label, Small().spec).each
    second = torch.linspace(0.1, 2, 28, dtype=torch.float64)
    training = made("class_weights=balanced")
    assert torch.allclose(training.examples.column("weight").double(), first, atol=1e-6)
    training = _with_shift(monkeypatch, "class_weights=balanced", second)
    expected = first * second / (first * second).mean()
    assert torch.allclose(training.examples.column("weight").double(), expected, atol=1e-6)
    assert training.examples.column("weight").dtype == torch.float32
    assert training.notes == ["class_weights=balanced: a 0.667, b 2", "shift=importance: a note"]


def _with_shift(monkeypatch, words: str, weight: torch.Tensor) -> Training:
    build = module.build

    def fake(node, *arguments):
        if "importance" in node["_target_"]:
            return lambda splits, spec: Weighed(weight, "a note")
        return build(node, *arguments)

    monkeypatch.setattr(module, "build", fake)
    return made(*words.split(), "shift=importance")


def test_examples_of_weight_zero_are_left_out_before_anything_is_drawn(monkeypatch):
    train = Small().splits["train"]
    weight = (train.column("label") == 1).double()  # none of class "a" counts
    weight[train.column("label") == 0] = torch.tensor([1.0] + [0.0] * 20, dtype=torch.float64)
    training = _with_shift(monkeypatch, "sampling=oversample", weight)
    assert len(training.examples) == 8
    assert sorted(training.examples.column("label").tolist()) == [0] + [1] * 7
    assert len(training.sampler) == 14
    assert torch.allclose(training.examples.column("weight"), torch.ones(8))


def test_only_training_batches_have_weights(monkeypatch):
    weight = torch.linspace(0.1, 2, 28, dtype=torch.float64)
    dataset = Small()
    training = _with_shift(monkeypatch, "sampling=weighted", weight)
    module = DataModule(dataset, seed=0, training=training)  # ty: ignore
    by_number = dict(zip(Small().splits["train"].index.tolist(), (weight / weight.mean()).tolist(), strict=True))
    for (batch,) in module.train_dataloader():
        assert batch["weight"].tolist() == pytest.approx([by_number[number] for number in batch["index"].tolist()])
    for loader in (module.val_dataloader(), module.test_dataloader()):
        assert all("weight" not in batch for batch in loader)
    drawn = torch.cat([batch["index"] for (batch,) in module.train_dataloader()])
    assert len(drawn) > len(drawn.unique())


def test_a_curriculum_keeps_its_difficulties_and_its_length(tmp_path):
    (tmp_path / "hard.csv").write_text("id,difficulty\n" + "".join(f"{n},{-n}\n" for n in range(40)))
    words = ["curriculum=custom", f"curriculum.path={tmp_path / 'hard.csv'}", "sampling=undersample"]
    training = made(*words, where=tmp_path)
    assert training.chosen == {"curriculum_epochs": 4.0}
    line = "curriculum=custom: from the easiest 0.01 of the examples to all of them over the first 2 of 4 epochs"
    assert training.notes[-1] == line
    assert kept.read(tmp_path, training.examples).tolist() == (-training.examples.index).tolist()
    (tmp_path / "hard.csv").write_text("id,difficulty\n" + "".join(f"{n},{n % 5}\n" for n in range(40)))
    longer = made(*words, where=tmp_path, trainer={**TRAINER, "max_epochs": 9}, begun=training.chosen)
    assert isinstance(longer.sampler, Curriculum)
    for epoch in range(4):
        assert torch.equal(longer.sampler.positions(epoch), training.sampler.positions(epoch))
    (tmp_path / kept.NAME).unlink()
    with pytest.raises(ConfigError, match="cannot be read"):
        made(*words, where=tmp_path, begun=training.chosen)


def test_a_run_of_so_many_steps_has_a_curriculum_of_so_many_epochs(tmp_path):
    (tmp_path / "hard.csv").write_text("id,difficulty\n" + "".join(f"{n},{-n}\n" for n in range(40)))
    words = ["curriculum=custom", f"curriculum.path={tmp_path / 'hard.csv'}"]
    for limit, epochs in ((6, 1.5), (100, 4.0)):  # 28 examples in batches of 8: 4 steps an epoch
        training = made(*words, where=tmp_path, trainer={"max_epochs": 4, "max_steps": limit})
        assert training.chosen == {"curriculum_epochs": epochs}


def test_a_run_is_resumed_though_its_teacher_has_gone(tmp_path, digits_run):
    words = ["model=linear", "curriculum=loss", "logger=none", "trainer.max_epochs=2", "checkpoint.every=3steps"]
    words += [f"outputs={tmp_path / 'outputs'}", "+trainer.limit_train_batches=5", "class_weights=effective"]
    (tmp_path / "teacher").symlink_to(digits_run.folder, target_is_directory=True)
    point = compose([*words, f"curriculum.run={tmp_path / 'teacher'}"])
    train(point, tmp_path / "whole")
    assert interrupted(point, tmp_path / "cut", [Moment("step", 4)]) == 1
    assert bits(tmp_path / "whole", tmp_path / "cut") == {}
    with at(Moment("step", 7), leave), pytest.raises(Interrupted):
        train(point, tmp_path / "orphan")
    (tmp_path / "teacher").unlink()
    train(point, tmp_path / "orphan", resume=True)
    assert bits(tmp_path / "whole", tmp_path / "orphan") == {}
    assert json.loads((tmp_path / "orphan" / "environment.json").read_text())["chosen"]["curriculum_epochs"] == 2.0
    notes = json.loads((tmp_path / "orphan" / "data.json").read_text())["notes"]
    assert [note.partition(":")[0] for note in notes] == ["class_weights=effective", "curriculum=loss"]


def test_label_shift_draws_its_halves_by_the_seed_of_the_run(monkeypatch):
    seeds = []

    def watched(splits, spec, seed, target, c):
        seeds.append((seed, target, c, sorted(splits)))
        return Weighed(torch.ones(28, dtype=torch.float64), "")

    monkeypatch.setattr("assay.targets.locate", lambda target, allowed: watched)
    made("shift=label_shift", "shift.target=val", "seed=5")
    assert seeds == [(5, "val", 1.0, ["test", "train", "val"])]


def test_a_plain_sampler_stays_plain():
    assert isinstance(made().sampler, Shuffled)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["sampling=oversample"], "sampling=oversample draws by class, and an example of this data has no single one"),
        (["sampling=undersample"], "sampling=undersample draws by class"),
        (["sampling=weighted"], "sampling=weighted draws by class"),
        (["class_weights=balanced"], "class_weights=balanced weighs classes"),
        (["class_weights=effective"], "class_weights=effective weighs classes"),
        (["class_weights=given", "class_weights.weights=[a:1]"], "class_weights=given weighs classes"),
        (["shift=label_shift"], "shift=label_shift weighs classes, .*: use shift=importance"),
        (["curriculum=length"], "curriculum=length orders by the tokens of a text, which this data has not"),
    ],
)
def test_numbers_have_no_classes_and_tables_no_tokens(words, said):
    with pytest.raises(ConfigError, match=said):
        compose(["data=diabetes", *words])
    assert compose(["data=diabetes", "shift=importance"])


def test_class_names_are_typed_as_they_are():
    words = "class_weights.weights=[>50K:3,'a, b:2',it's:0.5]"
    config = compose(["class_weights=given", words]).config
    assert config["class_weights"]["weights"] == [">50K:3", "a, b:2", "it's:0.5"]

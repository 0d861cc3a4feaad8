"""Tagging: what is scored, against plain arithmetic and the published rules of spans; a step over ragged sentences."""

from __future__ import annotations

import math
from functools import partial

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from assay.compression.groups import groups_of
from assay.compression.narrow import narrow
from assay.contracts import DataSpec, Encoded, Field
from assay.data.examples import Examples, Ragged
from assay.layers.outputs import CRF, Softmax
from assay.layers.random import KeyedStreams
from assay.losses.cross_entropy import CrossEntropy
from assay.losses.focal import Focal
from assay.models.lstm import LSTM
from assay.tasks.joint import Joint
from assay.tasks.tagging import Tagging
from tests.references import conlleval

NAMES = ("O", "B-NP", "I-NP", "B-VP", "I-VP")


class Stem(nn.Module):
    """Ids as one-hot vectors."""

    def forward(self, x):
        return F.one_hot(x, 12).float(), x != 0


class Encoder(nn.Module):
    output_size = 7

    def __init__(self):
        super().__init__()
        self.inner = nn.Linear(12, 7)

    def forward(self, x, mask=None, state=None):
        states = self.inner(x).tanh() * mask.unsqueeze(-1)
        return Encoded(states, states.sum(1))


def spec(names=NAMES):
    fields = {
        "source": Field("ids", (None,), 12, 0),
        "label": Field("tags", (None,), len(names), -1, names=names),
        "intent": Field("class", (), 3, names=("fare", "flight", "city")),
    }
    return DataSpec(fields)


def batch(sentences=6, longest=9, size=5, seed=0):
    generator = torch.Generator().manual_seed(seed)
    lengths = torch.randint(1, longest + 1, (sentences,), generator=generator)
    lengths[0] = longest
    valid = torch.arange(longest) < lengths[:, None]
    return {
        "source": torch.randint(1, 12, valid.shape, generator=generator).masked_fill(~valid, 0),
        "label": torch.randint(0, size, valid.shape, generator=generator).masked_fill(~valid, -1),
        "intent": torch.randint(0, 3, (sentences,), generator=generator),
        "index": torch.arange(sentences),
    }


def part(whole, rows):
    cut = {name: value[rows] for name, value in whole.items()}
    longest = int((cut["source"] != 0).sum(1).max())
    return {name: value[:, :longest] if value.dim() == 2 else value for name, value in cut.items()}


def made(output=Softmax, loss=None, names=NAMES, kind=Tagging, **more):
    torch.manual_seed(0)
    task = kind(spec(names), CrossEntropy() if loss is None else loss, output, **more)
    return task, task.network(Stem(), Encoder())


def read(task, network, given):
    with torch.inference_mode():
        return task.readings(network(given), given)


FREE = partial(Softmax, constraints="none")
"""Each tag by itself, whatever follows whatever."""


def test_scores_are_those_of_the_published_rules():
    task, network = made(FREE)
    given = batch(40)
    readings = read(task, network, given)
    scores = task.scores(readings)
    targets, answers = (
        [[NAMES[tag] for tag in row if tag >= 0] for row in readings[name].tolist()] for name in ("label", "prediction")
    )
    counts = conlleval.count(targets, answers).values()
    there, found, right = (sum(one[place] for one in counts) for place in range(3))
    assert scores["precision"] == pytest.approx(right / found)
    assert scores["recall"] == pytest.approx(right / there)
    assert scores["f1"] == pytest.approx(2 * right / (there + found))
    every = [
        (t, p) for target, answer in zip(targets, answers, strict=True) for t, p in zip(target, answer, strict=True)
    ]
    assert scores["accuracy"] == pytest.approx(sum(t == p for t, p in every) / len(every))
    whole = [target == answer for target, answer in zip(targets, answers, strict=True)]
    assert scores["sentence_accuracy"] == pytest.approx(sum(whole) / len(whole))
    with torch.inference_mode():
        log_probs = network(given).log_probs
    held = given["label"] >= 0
    assert scores["log_loss"] == pytest.approx(float(F.nll_loss(log_probs[held], given["label"][held])), rel=1e-5)
    assert (task.monitor, task.monitor_mode) == ("val/f1", "max")


def test_parts_of_speech_have_an_accuracy_and_no_f1():
    task, network = made(names=("NN", "VB", "I", ".", ","))
    assert task.monitor == "val/accuracy"
    assert list(task.scores(read(task, network, batch()))) == ["accuracy", "sentence_accuracy", "log_loss"]


@pytest.mark.parametrize("output", [Softmax, CRF])
def test_what_is_answered_is_legal(output):
    """I-NP follows B-NP or I-NP alone, from whatever weights."""
    task, network = made(output)
    prediction = read(task, network, batch(50))["prediction"]
    before = torch.cat([torch.zeros(50, 1, dtype=torch.long), prediction[:, :-1]], 1)
    for inside, allowed in ((2, (1, 2)), (4, (3, 4))):
        assert torch.isin(before[prediction == inside], torch.tensor(allowed)).all()


@pytest.mark.parametrize("output", [Softmax, CRF])
def test_what_pads_is_never_read(output):
    """A sentence has the same readings alone as beside a longer one."""
    task, network = made(output)
    given = batch(5)
    together = read(task, network, given)
    for row in range(5):
        alone = read(task, network, part(given, slice(row, row + 1)))
        length = alone["label"].shape[1]
        assert torch.equal(alone["prediction"][0], together["prediction"][row, :length])
        assert (together["prediction"][row, length:] == -1).all()
        for name in ("loss", "probability"):
            torch.testing.assert_close(alone[name][0], together[name][row])


@pytest.mark.parametrize("loss", [CrossEntropy(), CrossEntropy(0.1), Focal()])
def test_a_step_in_parts_is_the_mean_over_all_tags(loss):
    """Ragged parts: totals and weights, not means, are what is added."""
    task, network = made(loss=loss)
    given = batch(8)
    (whole,) = task.terms(network, given, KeyedStreams(0)).values()
    assert float(whole.weight) == (given["label"] >= 0).sum()
    parts = [task.terms(network, part(given, rows), KeyedStreams(0)) for rows in (slice(0, 3), slice(3, 8))]
    total = sum(term.total for terms in parts for term in terms.values())
    weight = sum(term.weight for terms in parts for term in terms.values())
    torch.testing.assert_close(total / weight, whole.total / whole.weight)


def test_ten_sentences_are_memorised():
    task, network = made(FREE)
    given = batch(10, size=5)
    given["label"] = torch.where(given["source"] > 0, given["source"] % 5, -1)
    optimizer = torch.optim.Adam(network.parameters(), 0.05)
    for _ in range(150):
        (term,) = task.terms(network, given, KeyedStreams(0)).values()
        optimizer.zero_grad()
        (term.total / term.weight).backward()
        optimizer.step()
    assert task.scores(read(task, network, given))["sentence_accuracy"] == 1


def test_the_probability_of_a_sentence_is_that_of_all_its_tags():
    task, network = made(FREE)
    given = batch(4)
    readings = read(task, network, given)
    with torch.inference_mode():
        answers = task.answers(network(given), given)
    for row in range(4):
        held = given["label"][row] >= 0
        assert float(readings["probability"][row]) == pytest.approx(float(answers["each"][row][held].prod()), rel=1e-4)
    assert torch.equal(answers["prediction"], readings["prediction"])


def train():
    words = [[2, 3, 4], [2, 3]]
    columns = {
        "source": Ragged.join(words, 0),
        "label": Ragged.join([[1, 2, 0], [1, 2]], -1),
        "intent": Ragged.join([[1], [1]], -1),
    }
    return Examples(columns, torch.arange(2))


def test_the_baseline_answers_the_commonest_tag_of_each_word():
    task, network = made()
    given = {
        "source": torch.tensor([[2, 3, 4], [2, 2, 0]]),
        "label": torch.tensor([[1, 2, 0], [1, 0, -1]]),
        "index": torch.arange(2),
    }
    name, scores = task.baseline(train(), read(task, network, given))
    assert name == "word's tag"  # B-NP I-NP O, and B-NP B-NP where B-NP O was right
    assert scores == {
        "f1": pytest.approx(4 / 5),
        "precision": pytest.approx(2 / 3),
        "recall": 1.0,
        "accuracy": pytest.approx(4 / 5),
        "sentence_accuracy": 0.5,
    }


def test_tags_as_text():
    task, _ = made()
    assert task.target_names(torch.tensor([[1, 2, -1], [0, -1, -1]])) == ["B-NP I-NP", "O"]


def joint(**more):
    task, network = made(kind=Joint, **more)
    return task, network


def test_joint_adds_the_intents_cross_entropy():
    task, network = joint(intent_weight=0.5)
    given = batch(7)
    terms = task.terms(network, given, KeyedStreams(0))
    assert list(terms) == ["cross_entropy", "intent"]
    logits = network(given).beside["intent"].logits
    torch.testing.assert_close(terms["intent"].total, 0.5 * F.cross_entropy(logits, given["intent"], reduction="sum"))
    assert terms["intent"].weight == 7
    alone, _ = made()
    (tags,) = alone.terms(network, given, KeyedStreams(0)).values()
    torch.testing.assert_close(terms["cross_entropy"].total, tags.total)


def test_joint_scores_both_answers_and_both_together():
    task, network = joint(output=FREE)
    given = batch(30)
    readings = read(task, network, given)
    readings["prediction"] = torch.where(torch.arange(30)[:, None] % 2 == 0, readings["label"], readings["prediction"])
    scores = task.scores(readings)
    intent = readings["intent"] == readings["intent_prediction"]
    whole = (readings["label"] == readings["prediction"]).all(1)
    assert scores["intent_accuracy"] == pytest.approx(float(intent.double().mean()))
    assert scores["joint_accuracy"] == pytest.approx(float((intent & whole).double().mean()))
    assert scores["sentence_accuracy"] == pytest.approx(float(whole.double().mean()))
    with torch.inference_mode():
        log_probs = network(given).log_probs  # of tags alone
    held = given["label"] >= 0
    nll = float(F.nll_loss(log_probs[held], given["label"][held]))
    assert scores["log_loss"] == pytest.approx(nll, rel=1e-5)


def test_joint_baseline_answers_the_commonest_intent():
    class Train:
        def __init__(self, examples):
            self.examples = examples

        def __len__(self):
            return len(self.examples)

        def select(self, positions):
            return self.examples.select(positions)

        def column(self, name):
            return self.examples.column(name)[:, 0] if name == "intent" else self.examples.column(name)

    task, network = joint()
    readings = read(task, network, batch(20))
    scores = task.baseline(Train(train()), readings)[1]
    assert scores["intent_accuracy"] == pytest.approx(float((readings["intent"] == 1).double().mean()))


def test_joint_learns_both():
    task, network = joint(output=FREE)
    given = batch(10)
    given["label"] = torch.where(given["source"] > 0, given["source"] % 5, -1)
    optimizer = torch.optim.Adam(network.parameters(), 0.05)
    for _ in range(250):
        loss = sum(term.total / term.weight for term in task.terms(network, given, KeyedStreams(0)).values())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert task.scores(read(task, network, given))["joint_accuracy"] == 1


def test_joint_without_intents_is_refused_in_one_line():
    from assay.errors import ConfigError

    with pytest.raises(ConfigError, match="task=tagging"):
        Joint(DataSpec({"source": Field("ids"), "label": Field("tags", names=NAMES)}), CrossEntropy(), Softmax)
    with pytest.raises(ConfigError, match=r"task.intent_weight=0"):
        Joint(spec(), CrossEntropy(), Softmax, intent_weight=0.0)


def test_log_loss_is_finite_where_nothing_is_certain():
    task, network = made()
    assert math.isfinite(task.scores(read(task, network, batch()))["log_loss"])


@pytest.mark.parametrize("kind", [Tagging, Joint])
def test_units_of_the_encoder_leave_all_that_reads_them(kind):
    """What is left computes what the whole network did with the readers of those units at zero."""
    torch.manual_seed(0)
    task = kind(spec(), CrossEntropy(), CRF)
    encoder = LSTM((None, 12), 6, 1, True, 0.0, lambda *a, **k: nn.Identity())
    network = task.network(Stem(), encoder)
    groups = groups_of(network)
    kept = {group.name: list(range(0, group.size, 2)) for group in groups}
    muted = network.state_dict()
    for group in groups:
        for one in group.consumers:
            gone = [entry for unit in range(1, group.size, 2) for entry in one.entries(unit, group.size)]
            muted[one.name] = muted[one.name].index_fill(one.dim, torch.tensor(gone), 0.0)
    network.load_state_dict(muted)
    given = batch(4)
    with torch.inference_mode():
        whole = network(given)
    narrow(network, kept)
    with torch.inference_mode():
        less = network(given)
    assert network.head.linear.weight.shape == (5, 6)
    torch.testing.assert_close(less.logits, whole.logits)
    if kind is Joint:
        torch.testing.assert_close(less.beside["intent"].logits, whole.beside["intent"].logits)

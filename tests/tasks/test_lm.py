"""Language models: what is predicted, what it is scored by, and what goes on from window to window."""

from __future__ import annotations

import copy
import json
import math
from collections import Counter

import pytest
import torch
from torch import nn

from assay import predictions
from assay.contracts import DataSpec, Field, Output
from assay.data.examples import Dense, Examples
from assay.engines.step import Step
from assay.errors import ConfigError
from assay.layers import normalization
from assay.layers.random import KeyedStreams, name_layers
from assay.layers.stems.embedding import Embedding
from assay.losses.cross_entropy import CrossEntropy
from assay.models.gru import GRU
from assay.models.lstm import LSTM
from assay.models.transformer import Transformer
from assay.readings import join
from assay.tasks.lm import LanguageModeling

V, H, ROWS, T = 7, 6, 3, 4
NAMES = ("<pad>", "<unk>", "a", "b", "c", "d", "e")


def spec(names=NAMES):
    return DataSpec(
        {
            "source": Field("ids", (None,), len(names), padding_id=0, names=names),
            "label": Field("tokens", (None,), len(names), padding_id=-1, names=names),
        }
    )


def lstm(width, dropout=0.0):
    return LSTM((None, width), H, 2, False, dropout, normalization.none)


def transformer(width):
    return Transformer((None, width), H, 2, 2, False, 12, "learned", 16, True, True, nn.ReLU, normalization.layer, 0.0)


ENCODERS = {"lstm": lstm, "gru": lambda width: GRU((None, width), H, 1, False, "after", 0.0, normalization.none)}
ENCODERS["transformer"] = transformer


def made(encoder=lstm, width=H, loss=None, **keys):
    torch.manual_seed(0)
    task = LanguageModeling(spec(), loss or CrossEntropy(), **keys)
    network = task.network(Embedding(spec().source, width), encoder(width)).double()
    name_layers(network)
    return task, network


def stream(windows, seed=0):
    """ROWS texts of ``windows`` windows each, as batches that go on from one another."""
    text = torch.randint(2, V, (ROWS, windows * T + 1), generator=torch.Generator().manual_seed(seed))
    cuts = [slice(i * T, (i + 1) * T) for i in range(windows)]
    return text, [
        {
            "source": text[:, cut],
            "label": text[:, 1:][:, cut].clone(),
            "fresh": torch.full((ROWS,), number == 0),
            "index": torch.arange(number * ROWS, (number + 1) * ROWS),
        }
        for number, cut in enumerate(cuts)
    ]


def stepped(task, network, lr=0.1):
    optimizer = torch.optim.SGD([*network.parameters()], lr=lr)
    return Step(task, network, optimizer, streams=KeyedStreams(0))


@torch.no_grad()
def evaluated(task, network, batches):
    network.eval()
    return join([task.readings(network(batch), batch) for batch in batches])


@pytest.mark.parametrize("encoder", ["lstm", "gru"])
@pytest.mark.parametrize("training", [True, False])
def test_windows_give_what_the_whole_text_gives(encoder, training):
    _, network = made(ENCODERS[encoder])
    network.train(training)
    text, batches = stream(3)
    whole = network({"source": text[:, :-1], "label": text[:, 1:]}).logits
    pieces = []
    for batch in batches:
        pieces.append(network(batch).logits)
    torch.testing.assert_close(torch.cat(pieces, 1), whole)
    again = network(batches[0]).logits  # fresh: where a text begins, nothing is left of the one before
    torch.testing.assert_close(again, whole[:, :T])


def test_each_window_alone_where_nothing_is_carried():
    _, alone = made(carry=False)
    _, carried = made()
    _, batches = stream(2)
    assert alone.carry is None
    for batch in batches:
        expected = carried({**batch, "fresh": torch.ones(ROWS, dtype=torch.bool)}).logits
        torch.testing.assert_close(alone(batch).logits, expected)


@pytest.mark.parametrize("encoder", ENCODERS)
def test_no_logit_sees_what_comes_after_it(encoder):
    _, network = made(ENCODERS[encoder])
    text, _ = stream(2)
    changed = text.clone()
    changed[:, 5] = (text[:, 5] - 1) % 5 + 2
    one, other = (network({"source": x}).logits for x in (text, changed))
    assert torch.equal(one[:, :5], other[:, :5])
    assert not torch.allclose(one[:, 5], other[:, 5])


@pytest.mark.parametrize("encoder", ENCODERS)
@pytest.mark.parametrize("tied", [False, True])
def test_a_prompt_and_token_by_token_give_what_the_whole_gives(encoder, tied):
    _, network = made(ENCODERS[encoder], tied=tied)
    network.eval()
    text, _ = stream(2)
    whole = network({"source": text}).logits
    logits, state = network.start(text[:, :3])
    torch.testing.assert_close(logits, whole[:, 2])
    for position in range(3, text.shape[1]):
        logits, state = network.step(text[:, position], state)
        torch.testing.assert_close(logits, whole[:, position])


def test_gradients_end_where_the_window_begins():
    """Truncated: those of the second window alone, its first state given as numbers."""
    task, network = made()
    _, (first, second) = stream(2)
    network(first)
    (term,) = task.terms(network, second, KeyedStreams(0).at(0)).values()
    term.total.backward()
    ours = {name: p.grad.clone() for name, p in network.named_parameters()}
    network.zero_grad()
    with torch.no_grad():
        state = network.encoder(network.stem(first["source"])[0]).state
    states = network.encoder(network.stem(second["source"])[0], None, state).states
    logits = network.head(states)
    nn.functional.cross_entropy(logits.flatten(0, 1), second["label"].flatten(), reduction="sum").backward()
    for name, p in network.named_parameters():
        torch.testing.assert_close(ours[name], p.grad)


def test_tied_gradient_is_the_sum_over_both_uses():
    task, tied = made(tied=True)
    _, untied = made()
    untied.load_state_dict({**tied.state_dict(), "head.weight": tied.stem.embedding.weight.detach()}, strict=True)
    batch = stream(1)[1][0]
    for network in (tied, untied):
        (term,) = task.terms(network, batch, KeyedStreams(0).at(0)).values()
        term.total.backward()
    both = untied.head.weight.grad + untied.stem.embedding.weight.grad
    torch.testing.assert_close(tied.stem.embedding.weight.grad, both)
    assert "head.weight" not in tied.state_dict()
    assert sum(p.numel() for p in untied.parameters()) - sum(p.numel() for p in tied.parameters()) == V * H
    twin = copy.deepcopy(tied)  # scores by its own vectors
    with torch.no_grad():
        twin.stem.embedding.weight.zero_()
    assert (twin(batch).logits == twin.head.bias).all()
    assert not (tied(batch).logits == tied.head.bias).all()


def test_bias_is_left_out():
    for tied in (False, True):
        names = made(tied=tied, bias=False)[1].state_dict()
        assert "head.bias" not in names


def test_tied_vectors_must_be_as_wide_as_the_states():
    with pytest.raises(ConfigError, match=r"stem.sequence.size=5 is not 6; set it, or model.hidden_size"):
        made(width=5, tied=True)
    task = LanguageModeling(spec(), CrossEntropy(), tied=True)
    with pytest.raises(ConfigError, match="this model's input has none"):
        task.network(nn.Identity(), lstm(H))


def test_terms_count_what_is_asked_for_and_micro_batches_add_up():
    """Two windows as micro-batches have the gradient of the mean over all their tokens, and go on from one another."""
    task, network = made()
    text, (first, second) = stream(2)
    first["label"] = first["label"].masked_fill(torch.tensor([[True, True, False, False]] * ROWS), -1)
    _, twin = made()
    whole = twin({"source": text[:, :-1]}).logits
    logits = torch.cat([whole[:, :T].detach(), whole[:, T:].detach()], 1)
    label = torch.cat([first["label"], second["label"]], 1)
    expected = nn.functional.cross_entropy(logits.flatten(0, 1), label.flatten(), ignore_index=-1)
    loss = stepped(task, network)([first, second], 0, 0)
    torch.testing.assert_close(loss, expected)
    assert float(task.terms(twin, first, KeyedStreams(0).at(0))["cross_entropy"].weight) == ROWS * 2


def test_scores_are_those_of_every_token_however_windows_are_batched():
    task, network = made()
    _, batches = stream(3)
    batches[2] = {name: value[:, :2] if value.dim() > 1 else value for name, value in batches[2].items()}  # shorter
    batches[1]["label"][:, :3] = -1  # context
    readings = evaluated(task, network, batches)
    assert readings["label"].shape == (3 * ROWS, T)
    losses, tokens = [], 0
    network.eval()
    for batch in batches:
        probs = network(batch).logits.softmax(-1)
        for row in range(ROWS):
            for t, label in enumerate(batch["label"][row].tolist()):
                if label >= 0:
                    losses.append(-math.log(float(probs[row, t, label].detach())))
                    tokens += 1
    scores = task.scores(readings)
    assert readings["tokens"].sum() == tokens == ROWS * (4 + 1 + 2)
    assert scores["log_loss"] == pytest.approx(sum(losses) / tokens)
    assert scores["perplexity"] == pytest.approx(math.exp(sum(losses) / tokens))
    assert scores["bits_per_character"] == pytest.approx(sum(losses) / tokens / math.log(2))
    assert task.monitor.removeprefix("val/") in scores


def test_a_text_is_scored_by_its_own_tokens():
    """What `assay predict` shows."""
    task, network = made()
    network.eval()
    batch = stream(1)[1][0]
    batch["label"][0, 2:] = -1
    rows = task.rows(task.answers(network(batch), batch))
    alone = [
        task.scores({name: value[i : i + 1] for name, value in evaluated(task, network, [batch]).items()})
        for i in (0, 1)
    ]
    assert [row.pop("tokens") for row in rows] == [2, 4, 4]
    assert rows[:2] == [pytest.approx(scores) for scores in alone]


def test_windows_as_a_file_and_the_hardest_as_text(tmp_path):
    task, network = made()
    text, batches = stream(2)
    columns = {"source": Dense(text[:, :T]), "label": Dense(text[:, 1 : T + 1])}
    readings = evaluated(task, network, batches[:1])
    predictions.write(tmp_path / "test.csv", task, readings)
    header, *rows = (tmp_path / "test.csv").read_text().splitlines()
    assert header == "id,tokens,perplexity,loss"
    for row, loss in zip(rows, (readings["loss"] / T).tolist(), strict=True):
        assert float(row.split(",")[2]) == pytest.approx(math.exp(loss), rel=1e-5)

    class Shown:
        def show(self, value):
            return "".join(NAMES[i] for i in value.tolist())

        def to_json(self):
            return {}

    examples = Examples(columns, torch.arange(ROWS))
    predictions.write_hardest(tmp_path / "hardest.json", task, readings, examples, spec().source, Shown())
    hardest = json.loads((tmp_path / "hardest.json").read_text())["examples"]
    assert [one["id"] for one in hardest] == readings["loss"].argsort(descending=True).tolist()
    first = hardest[0]
    assert first["text"][1:] == first["target"][:-1]  # what comes next


def test_words_have_bits_per_token():
    words = LanguageModeling(spec(("<pad>", "<unk>", "the", "a", "<eos>")), CrossEntropy())
    readings = {"loss": torch.tensor([2.0]), "tokens": torch.tensor([1])}
    assert list(words.scores(readings)) == ["perplexity", "log_loss", "bits_per_token"]
    assert words.scores({**readings, "loss": torch.tensor([1e6])})["perplexity"] == math.inf


def test_the_unigram_of_the_training_split(monkeypatch):
    monkeypatch.setattr("assay.tasks.lm.CHUNK", 2)  # counted in pieces
    task = LanguageModeling(spec(), CrossEntropy())
    train = torch.tensor([[2, 2, 3], [2, 4, -1], [5, 2, 3]])
    test = torch.tensor([[2, 3, -1], [6, -1, -1]])
    counts = Counter(x for row in train.tolist() for x in row if x >= 0)
    total = sum(counts.values()) + V
    expected = [-math.log((counts[x] + 1) / total) for x in (2, 3, 6)]
    name, scores = task.baseline(Examples({"label": Dense(train)}, torch.arange(3)), {"label": test.int()})
    assert name == "unigram"
    assert scores["log_loss"] == pytest.approx(sum(expected) / 3)


def test_targets_as_text_leave_out_what_is_not_asked_for():
    task = LanguageModeling(spec(), CrossEntropy())
    assert task.target_names(torch.tensor([[-1, 2, 3], [4, -1, -1]])) == ["ab", "c"]


@pytest.mark.parametrize("number", range(1, 6))
def test_a_step_that_is_resumed_after_any_step_loses_no_bit(number):
    """Weights and carried states, from a state that went through a file's plain tensors."""
    _, batches = stream(3)
    task, network = made(lambda width: lstm(width, 0.5))
    step = stepped(task, network)
    for i in range(6):
        if i == number:
            saved = {name: value.clone() for name, value in step.capture().items()}
        step([batches[i % 3]], i // 3, i)
    task, other = made(lambda width: lstm(width, 0.5))
    again = stepped(task, other)
    other.carry.leave((torch.ones(1, 1, 1), torch.ones(1, 1, 1)), True)  # of a look that belongs to no step
    again.restore(saved)
    for i in range(number, 6):
        again([batches[i % 3]], i // 3, i)
    expected = step.capture()
    assert {"carry.0", "carry.1"} < set(expected)
    assert all(torch.equal(value, expected[name]) for name, value in again.capture().items())


def test_validation_between_steps_moves_nothing():
    _, batches = stream(3)
    found = []
    for look in (False, True):
        task, network = made()
        step = stepped(task, network)
        for i, batch in enumerate(batches):
            step([batch], 0, i)
            if look:
                network.eval()
                with torch.inference_mode():
                    for other in stream(2, seed=9)[1]:
                        network(other)
                network.train()
        found.append(step.capture())
    assert all(torch.equal(value, found[1][name]) for name, value in found[0].items())


def test_an_evaluation_begins_anew():
    """Whatever the last one ended with, where the first batch is not said to be fresh (a sample of windows)."""
    _, network = made()
    _, (_, second) = stream(2)
    network.eval()
    first = network(second).logits
    network.eval()
    assert torch.equal(network(second).logits, first)
    assert not torch.equal(network(second).logits, first)  # of one evaluation: goes on


def test_ten_windows_are_memorised():
    task, network = made(lambda width: LSTM((None, width), 32, 1, False, 0.0, normalization.none), width=16)
    network.float()
    _, batches = stream(4)
    optimizer = torch.optim.Adam([*network.parameters()], lr=0.02)
    step = Step(task, network, optimizer, streams=KeyedStreams(0))
    for i in range(240):
        step([batches[i % 4]], i // 4, i)
    assert task.scores(evaluated(task, network, batches))["perplexity"] < 1.3


def test_readings_come_from_the_output_alone():
    """A network that counts has no head: its log-probabilities are all that is asked of it."""
    task = LanguageModeling(spec(), CrossEntropy())
    log_probs = torch.randn(2, 3, V).log_softmax(-1)
    label = torch.tensor([[2, 3, -1], [4, 5, 6]])
    readings = task.readings(Output(log_probs, log_probs), {"label": label, "index": torch.arange(2)})
    assert readings["loss"][0].item() == pytest.approx(-float(log_probs[0, 0, 2] + log_probs[0, 1, 3]), rel=1e-5)

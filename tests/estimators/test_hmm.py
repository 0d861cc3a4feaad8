"""The hidden Markov model: counts by hand, enumeration of states, hmmlearn; what Baum-Welch promises."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch

from assay.contracts import DataSpec, Estimator, Field
from assay.decoding.viterbi import best
from assay.errors import ConfigError
from assay.estimators.hmm import HMM
from assay.estimators.hmm_switch import check
from assay.losses.sequence_likelihood import negative_log_likelihood
from tests.references import hmm as reference

SENTENCES = [([2, 3, 4], [0, 1, 2]), ([3, 3], [1, 0]), ([5, 4, 2, 2], [2, 0, 0, 1])]


def spec(tags=("X", "Y", "Z"), words=6):
    source = Field("ids", (None,), size=words, padding_id=0)
    return DataSpec({"source": source, "label": Field("tags", (None,), size=len(tags), padding_id=-1, names=tags)})


def batch_of(sentences):
    length = max(len(words) for words, _ in sentences)
    return {
        "source": torch.tensor([words + [0] * (length - len(words)) for words, _ in sentences]),
        "label": torch.tensor([tags + [-1] * (length - len(tags)) for _, tags in sentences]),
        "index": torch.arange(len(sentences)),
    }


def made(supervised=True, smoothing=0.5, hapax=False, num_states=None, constraints="auto", seed=0, **facts):
    torch.manual_seed(seed)
    return HMM(supervised, smoothing, hapax, num_states, constraints, spec=spec(**facts))


def parameters(model):
    """π, A and B without padding."""
    return model.start.numpy(), model.transitions.numpy(), model.emissions[:, 1:].numpy()


def shifted(sentences):
    return [[word - 1 for word in words] for words, _ in sentences]


def test_tagged_words_are_counted():
    model = made()
    assert isinstance(model, Estimator)
    total, weight = model.accumulate(batch_of(SENTENCES[:2]))
    assert weight == 5
    np.testing.assert_allclose(total, -(5 * np.log(1 / 5) + 5 * np.log(1 / 3)))  # no preference at first
    model.accumulate(batch_of(SENTENCES[2:]))
    model.maximize()
    start, transitions, emissions = parameters(model)
    np.testing.assert_allclose(start, np.array([1.5, 1.5, 1.5]) / 4.5)
    steps = np.array([[1, 2, 0], [1, 0, 1], [1, 0, 0]]) + 0.5  # 0→1 1→2, 1→0, 2→0 0→0 0→1
    np.testing.assert_allclose(transitions, steps / steps.sum(1, keepdims=True))
    seen = np.array([[0, 2, 1, 1, 0], [0, 1, 2, 0, 0], [0, 0, 0, 1, 1]]) + 0.5
    np.testing.assert_allclose(emissions, seen / seen.sum(1, keepdims=True))
    assert not model.emissions[:, 0].any()
    before = [part.copy() for part in parameters(model)]
    loss = model.accumulate(batch_of(SENTENCES))
    want = sum(
        np.log(reference.joint(words, tags, *before))
        for words, (_, tags) in zip(shifted(SENTENCES), SENTENCES, strict=True)
    )
    np.testing.assert_allclose(loss.total, -want)
    model.maximize()  # the same again: counts started anew
    for one, other in zip(before, parameters(model), strict=True):
        np.testing.assert_allclose(one, other)


@pytest.mark.parametrize("supervised", [True, False])
def test_answers_are_those_of_enumeration(supervised):
    model = made(supervised, num_states=None if supervised else 4)
    batch = batch_of(SENTENCES)
    for _ in range(2):
        model.accumulate(batch)
        model.maximize()
    output = model(batch)
    tags, log_prob = best(output)
    for b, (words, (_, target)) in enumerate(zip(shifted(SENTENCES), SENTENCES, strict=True)):
        every = reference.paths(words, *parameters(model))
        z, size = sum(every.values()), len(model.start)
        share = np.array(
            [
                [sum(p for states, p in every.items() if states[t] == s) / z for s in range(size)]
                for t in range(len(words))
            ]
        )
        if supervised:
            want = max(every, key=every.get)
            assert tuple(tags[b, : len(words)].tolist()) == want
            np.testing.assert_allclose(log_prob[b], np.log(every[want] / z))
            np.testing.assert_allclose(
                negative_log_likelihood(output, batch["label"])[b], -np.log(every[tuple(target)] / z)
            )
        else:
            share = share @ model.tags_of.numpy()
            np.testing.assert_array_equal(tags[b, : len(words)], share.argmax(1))
        np.testing.assert_allclose(output.log_probs[b, : len(words)].exp(), share, atol=1e-12)


@pytest.mark.parametrize("smoothing", [0.0, 0.3])
def test_baum_welch_is_that_of_enumeration(smoothing):
    model = made(False, smoothing, num_states=2, seed=3)
    start, transitions, emissions = (part.copy() for part in parameters(model))
    for _ in range(3):
        (start, transitions, emissions), likelihood = reference.baum_welch(
            shifted(SENTENCES), start, transitions, emissions, smoothing
        )
        total = sum(float(model.accumulate(batch_of([one])).total) for one in SENTENCES)
        model.maximize()
        np.testing.assert_allclose(-total, likelihood, rtol=1e-10)
        for found, want in zip(parameters(model), (start, transitions, emissions), strict=True):
            np.testing.assert_allclose(found, want, rtol=1e-9, atol=1e-15)


def corpus(seed=0):
    generator = np.random.default_rng(seed)
    sentences = []
    for _ in range(40):
        length = int(generator.integers(1, 12))
        tags = [int(generator.integers(3))]
        while len(tags) < length:
            tags.append(int((tags[-1] + generator.choice([0, 1], p=[0.2, 0.8])) % 3))
        sentences.append(([int(generator.choice([2, 3], p=[0.9, 0.1]) + tag) for tag in tags], tags))
    return sentences


@pytest.mark.parametrize("smoothing", [0.0, 1.0])
def test_the_likelihood_times_the_prior_never_falls(smoothing):
    model = made(False, smoothing, num_states=5, seed=1)
    batch = batch_of(corpus())
    values = []
    for _ in range(30):
        prior = smoothing * sum(np.log(part).sum() for part in parameters(model)) if smoothing else 0.0
        values.append(prior - float(model.accumulate(batch).total))
        model.maximize()
    assert all(later >= earlier - 1e-9 for earlier, later in pairwise(values))
    assert values[-1] > values[0] + 1


def test_hidden_states_find_the_tags_of_a_chain():
    """Of the data above, whose words say little without their neighbours."""
    model = made(False, 0.01, num_states=3, seed=2)
    batch = batch_of(corpus())
    for _ in range(60):
        model.accumulate(batch)
        model.maximize()
    tags, _ = best(model(batch))
    right = (tags == batch["label"])[batch["label"] >= 0].double().mean()
    assert right > 0.85


def test_the_start_is_drawn_from_the_seed():
    one, same, other = made(False, seed=4), made(False, seed=4), made(False, seed=5)
    assert torch.equal(one.transitions, same.transitions)
    assert not torch.equal(one.transitions, other.transitions)
    for part in parameters(one):
        np.testing.assert_allclose(part.sum(-1), 1)


def test_what_may_not_follow_has_no_probability():
    tags = ("O", "B-a", "I-a")
    model = made(tags=tags)
    model.accumulate(batch_of([([2, 3, 4], [0, 1, 2]), ([3, 4], [0, 2])]))  # the second breaks the rule
    model.maximize()
    assert model.transitions[0, 2] == 0
    assert model.start[2] == 0
    output = model(batch_of([([4, 4], [0, 2])]))
    assert best(output)[0][0, 0] != 2
    assert torch.isfinite(negative_log_likelihood(output, torch.tensor([[0, 2]]))).all()
    assert made(tags=tags, constraints="none").transitions[0, 2] > 0
    hidden = made(False, tags=tags, num_states=2)
    assert hidden(batch_of([([4, 4], [0, 2])])).chain.transitions[0, 2] == -torch.inf


def test_words_seen_once_tell_what_unknown_words_are():
    sentences = [([2, 3, 3, 4, 4], [0, 1, 1, 2, 2]), ([5, 3], [0, 1])]
    found = {}
    for hapax in (True, False):
        model = made(hapax=hapax, smoothing=0.1)
        model.accumulate(batch_of(sentences))
        model.maximize()
        found[hapax] = model.emissions[:, 1].tolist()
    assert found[True][0] == pytest.approx((2 + 0.1) / (4 + 0.5))
    assert found[False] == pytest.approx([0.1 / 2.5, 0.1 / 3.5, 0.1 / 2.5])


def test_the_state_is_all_there_is_to_a_fit():
    batches = [batch_of(corpus(seed)) for seed in range(3)]
    whole = made(False, num_states=4)
    for _ in range(2):
        for one in batches:
            whole.accumulate(one)
        whole.maximize()
    first = made(False, num_states=4)
    for one in batches:
        first.accumulate(one)
    first.maximize()
    first.accumulate(batches[0])
    resumed = made(False, num_states=4, seed=9)
    resumed.load_state_dict(first.state_dict())
    for one in batches[1:]:
        resumed.accumulate(one)
    resumed.maximize()
    for name, tensor in whole.state_dict().items():
        assert torch.equal(tensor, resumed.state_dict()[name]), name
        assert torch.isfinite(tensor).all()


def test_refusals():
    with pytest.raises(ConfigError, match="smoothing=-1 is below 0"):
        made(smoothing=-1)
    with pytest.raises(ConfigError, match="num_states=0 is not a positive number"):
        made(False, num_states=0)
    for node in ({"supervised": False, "hapax": True, "num_states": 3},):
        with pytest.raises(ConfigError, match="hapax=true counts tagged words"):
            check(node)
        with pytest.raises(ConfigError, match="hapax=true counts tagged words"):
            made(**node)
    with pytest.raises(ConfigError, match=r"num_states=3 is of hidden states, .* write model.supervised=false"):
        check({"supervised": True, "hapax": None, "num_states": 3})
    assert check({"supervised": False, "hapax": None, "num_states": 3}) == set()


def test_against_hmmlearn():
    """Scores, best states and fits of its categorical model."""
    hmmlearn = pytest.importorskip("hmmlearn.hmm", reason="hmmlearn is a test oracle: pip install hmmlearn")
    sentences = corpus()
    words = [np.array(one) for one in shifted(sentences)]
    lengths = [len(one) for one in words]
    column = np.concatenate(words).reshape(-1, 1)
    model = made(False, 0.0, num_states=3, seed=6)
    theirs = hmmlearn.CategoricalHMM(3, init_params="", n_iter=20, tol=-np.inf, n_features=5)
    theirs.startprob_, theirs.transmat_, theirs.emissionprob_ = (part.copy() for part in parameters(model))
    batch = batch_of(sentences)
    np.testing.assert_allclose(-float(model.accumulate(batch).total), theirs.score(column, lengths))
    model.maximize()
    for _ in range(19):
        model.accumulate(batch)
        model.maximize()
    theirs.fit(column, lengths)
    for found, want in zip(parameters(model), (theirs.startprob_, theirs.transmat_, theirs.emissionprob_), strict=True):
        np.testing.assert_allclose(found, want, rtol=1e-5, atol=1e-8)
    tagged = made(smoothing=0.2)
    tagged.accumulate(batch)
    tagged.maximize()
    theirs.startprob_, theirs.transmat_, theirs.emissionprob_ = parameters(tagged)
    states = iter(theirs.decode(column, lengths)[1])
    tags, _ = best(tagged(batch))
    for row, length in zip(tags, lengths, strict=True):
        assert row[:length].tolist() == [int(next(states)) for _ in range(length)]

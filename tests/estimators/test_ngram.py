"""N-gram models against dictionaries in plain Python; what is carried, saved and generated."""

from __future__ import annotations

import itertools
import random

import pytest
import torch

from assay.contracts import DataSpec, Estimator, Field
from assay.decoding.greedy import greedy
from assay.decoding.steps import decode
from assay.engines.estimating import Estimating
from assay.errors import ConfigError
from assay.estimators import ngram as module
from assay.estimators.ngram import NGram
from assay.optim.none import Nothing
from assay.preflight import compose
from tests.references import kneser_ney as reference

V, START = 7, 2
NAMES = ("<pad>", "<unk>", "</s>", "a", "b", "c", "d")
SPEC = DataSpec(
    {"source": Field("ids", (None,), V, 0, NAMES), "label": Field("tokens", (None,), V, -1, NAMES)},
)
generator = random.Random(0)
TRACKS = [[generator.choice((2, 3, 3, 3, 4, 4, 5)) for _ in range(60)] for _ in range(3)]
"""Three texts of words 2 to 5: word 6 never comes."""


def make(order=3, smoothing="modified_kneser_ney", k=0.5, discount: str | float = "auto", restart=None) -> NGram:
    return NGram(order, smoothing, k, discount, restart, spec=SPEC).eval()


def windows(tracks, length, start=START):
    """Batches of windows that follow one another, as task=lm has them: ``start`` is read before a text."""
    inputs, labels = torch.tensor([[start, *text[:-1]] for text in tracks]), torch.tensor(tracks)
    for first in range(0, labels.shape[1], length):
        part = slice(first, first + length)
        count = len(tracks)
        yield {
            "source": inputs[:, part],
            "label": labels[:, part],
            "fresh": torch.full((count,), first == 0),
            "index": torch.arange(count),
        }


def fit(model: NGram, length=8, tracks=TRACKS) -> NGram:
    step = Estimating(object(), model.train(), Nothing())
    for number, batch in enumerate(windows(tracks, length)):
        step([batch], 0, number)
    step.visited()
    return model.eval()


def whole(tracks):
    """What a model has read: the token before a text as well, which nothing asks for."""
    return [[START, *text] for text in tracks]


def expected(texts, order, smoothing, k=0.5, discount: str | float = "auto", start=None):
    """p(word, context) by the reference; the token before a text is context, and is not counted itself."""
    grams = [one for text in texts for one in reference.ngrams(text, order, start)[1:]]
    if smoothing == "additive":
        return reference.additive(grams, order, k, V)
    fixed = None if discount == "auto" else discount
    return reference.kneser_ney(grams, order, 1 if smoothing == "kneser_ney" else 3, V, fixed)


CASES = [
    *itertools.product((1, 2, 3, 5), ("additive", "kneser_ney", "modified_kneser_ney"), ("auto",), (None,)),
    (3, "kneser_ney", 0.7, None),
    (4, "modified_kneser_ney", 0.3, None),
    (4, "modified_kneser_ney", "auto", "</s>"),
    (2, "kneser_ney", "auto", "</s>"),
]


@pytest.mark.parametrize(("order", "smoothing", "discount", "restart"), CASES)
def test_against_dictionaries(order, smoothing, discount, restart):
    model = fit(make(order, smoothing, discount=discount, restart=restart))
    start = None if restart is None else START
    p = expected(whole(TRACKS), order, smoothing, discount=discount, start=start)
    others = [[generator.choice((2, 3, 4, 5, 6)) for _ in range(16)] for _ in range(2)]  # among them unseen n-grams
    for tracks in (TRACKS, others):
        found = torch.cat([model(batch).log_probs for batch in windows(tracks, 5)], 1)  # (B, T, V)
        assert torch.allclose(found.exp().sum(-1), torch.ones(1), rtol=0, atol=1e-6)
        for row, text in zip(found, whole(tracks), strict=True):
            for position, (context, _) in enumerate(reference.ngrams(text, order, start)[1:]):
                theirs = torch.tensor([p(word, context) for word in range(V)])
                torch.testing.assert_close(row[position].exp(), theirs, rtol=1e-5, atol=1e-8)


def test_kneser_ney_by_hand():
    """Chen and Goodman's idea in six words: c follows two different words, b three times one."""
    text = [[3, 4, 3, 4, 3, 4, 5, 3, 5]]
    model = fit(make(2, "kneser_ney", discount=0.5), tracks=text)
    # read: </s> a b a b a b c a c: bigrams </s>a ab ba bc ca ac: a after 3 words, b after 1, c after 2
    base = {3: (3 - 0.5) / 6, 4: (1 - 0.5) / 6, 5: (2 - 0.5) / 6}
    left = 1.5 / 6 / V
    after_b = model.start(torch.tensor([[4]]))[0].exp()[0]  # ba twice, bc once
    assert float(after_b[3]) == pytest.approx(1.5 / 3 + 1 / 3 * (base[3] + left))
    assert float(after_b[5]) == pytest.approx(0.5 / 3 + 1 / 3 * (base[5] + left))
    assert float(after_b[4]) == pytest.approx(1 / 3 * (base[4] + left))
    assert float(after_b[6]) == pytest.approx(1 / 3 * left)


def test_before_the_first_epoch_all_words_are_alike():
    model = make().train()
    batch = next(windows(TRACKS, 8))
    total, weight = model.accumulate(batch)
    assert float(total / weight) == pytest.approx(torch.tensor(float(V)).log().item())
    torch.testing.assert_close(model.eval()(batch).log_probs.exp(), torch.full((3, 8, V), 1 / V))


@pytest.mark.parametrize("smoothing", ["additive", "kneser_ney", "modified_kneser_ney"])
def test_the_loss_of_an_epoch_is_that_of_the_distributions(smoothing):
    model = fit(make(4, smoothing))
    for batch in windows(TRACKS, 9):
        model.carry.begin()
        total, weight = model.accumulate(batch)
        model.carry.advance()
        label = batch["label"].unsqueeze(-1)
        theirs = -model(batch).log_probs.gather(-1, label).sum()
        torch.testing.assert_close(total, theirs, rtol=1e-5, atol=0)
        assert weight == label.numel()


def tables(model: NGram) -> dict[str, torch.Tensor]:
    return {name: value for name, value in model.state_dict().items() if name not in ("waiting", "used")}


def same(a: NGram, b: NGram) -> bool:
    return all(torch.equal(one, tables(b)[name]) for name, one in tables(a).items())


@pytest.mark.parametrize("length", [1, 7, 60])
def test_windows_change_nothing(length):
    assert same(fit(make(), length), fit(make(), 8))


def test_rows_that_are_counted_in_parts_are_counted_once(monkeypatch):
    monkeypatch.setattr(module, "WAITING", 16)
    few = fit(make(), 4)
    monkeypatch.undo()
    assert same(few, fit(make(), 4))


def test_what_is_not_asked_for_is_not_counted():
    model, other = make().train(), make().train()
    (batch,) = windows(TRACKS, 60)
    hidden = {**batch, "label": batch["label"].where(torch.arange(60) < 40, -1)}
    assert model.accumulate(hidden).weight == 120
    other.accumulate({name: value[:, :40] if value.dim() == 2 else value for name, value in batch.items()})
    model.maximize(), other.maximize()
    assert same(model, other)
    assert model.eval()(hidden).mask.sum() == 120


def test_a_second_epoch_counts_anew():
    model = fit(make())
    again = fit(fit(make()))
    assert same(model, again)
    assert len(again.rows) == 0


def test_a_fit_goes_on_where_it_was_stopped():
    straight, first = fit(make()), Estimating(object(), make().train(), Nothing())
    batches = list(windows(TRACKS, 8))
    for number, batch in enumerate(batches[:3]):
        first([batch], 0, number)
    second = Estimating(object(), make().train(), Nothing())
    second.restore(first.capture())
    for number, batch in enumerate(batches[3:], 3):
        second([batch], 0, number)
    second.visited()
    assert same(second.network, straight)


def test_a_state_dict_brings_the_tables_back():
    model, other = fit(make()), make()
    other.load_state_dict(model.state_dict())
    (batch,) = windows(TRACKS, 60)
    assert torch.equal(other(batch).log_probs, model(batch).log_probs)
    with pytest.raises(RuntimeError, match="Missing key"):
        make(4).load_state_dict(model.state_dict())


def test_a_prompt_and_steps_are_the_text_that_they_make():
    model = fit(make(4))
    (batch,) = windows(TRACKS, 60)
    text = batch["source"]
    logits, state = model.start(text[:, :2])
    found = [logits]
    for tokens in text[:, 2:].unbind(1):
        logits, state = model.step(tokens, state)
        found.append(logits)
    assert all(part.shape[0] == 3 for part in state)
    torch.testing.assert_close(torch.stack(found, 1), model(batch).log_probs[:, 1:], rtol=0, atol=1e-6)


def test_decoding_goes_on_with_a_text():
    model = fit(make(3), tracks=[[3, 4, 5] * 20])
    logits, state = model.start(torch.tensor([[3, 4]]))
    tokens = [int(one) for one in decode(model, logits, state, greedy, 6)]
    assert tokens == [5, 3, 4, 5, 3, 4]


def test_it_is_an_estimator():
    assert isinstance(make(), Estimator)


def test_refusals():
    with pytest.raises(ConfigError, match=r"model\.smoothing=katz is not one of additive, kneser_ney, modified"):
        make(smoothing="katz")
    for discount in ("half", 0, 1.0):
        with pytest.raises(ConfigError, match=rf"model\.discount={discount} is neither auto nor a number between"):
            make(discount=discount)
    with pytest.raises(ConfigError, match=r"model\.restart=<s> is no token of this data"):
        make(restart="<s>")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["data=char_contains"], "model=ngram predicts the next word of a text: use data=ptb"),
        (["data=corpus", "data.path=text.txt", "optim=adam"], "model=ngram is counted, and no optimiser trains it"),
        (["data=corpus", "data.path=text.txt", "model.k=0"], r"model\.k=0"),
    ],
)
def test_what_it_does_not_go_with_is_refused_before_anything_is_made(words, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text.txt").write_text("one two three\n" * 40)
    with pytest.raises(ConfigError, match=said):
        compose(["model=ngram", *words])

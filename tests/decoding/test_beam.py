"""Beam search against the enumeration of every text."""

from __future__ import annotations

import pytest
import torch

from assay.decoding.beam import NOTHING, Beam
from assay.decoding.greedy import greedy
from assay.decoding.steps import decode
from assay.errors import ConfigError
from tests.decoding.tabled import Tabled
from tests.references import decoding as reference

V, T, ROWS, END = 4, 4, 3, 2


def said(found, row):
    """[(score, log-probability, text)], best first."""
    return [
        (float(score), float(log_prob), tuple(tokens[: int(length)].tolist()))
        for score, log_prob, tokens, length in zip(
            found.scores[row], found.log_probs[row], found.tokens[row], found.lengths[row], strict=True
        )
    ]


def close(ours, expected):
    assert [text for _, _, text in ours] == [text for _, _, text in expected]
    for one, other in zip(ours, expected, strict=True):
        assert one[:2] == pytest.approx(other[:2], rel=1e-12)


@pytest.mark.parametrize("alpha", [0.0, 0.6, 1.0])
@pytest.mark.parametrize("end", [None, END])
@pytest.mark.parametrize("forbidden", [(), (0,)])
def test_a_beam_of_all_beginnings_finds_the_best_texts_of_all(alpha, end, forbidden):
    decoder = Tabled(ROWS, V, T)
    found = Beam(V**T, alpha, 5).search(decoder, *decoder.start(), T, end, forbidden)
    for row in range(ROWS):
        every = reference.texts(decoder.log_probs(row), V, T, end, forbidden)
        close(said(found, row), reference.best(every, 5, alpha))


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("end", [None, END])
def test_a_beam_of_one_is_greedy(seed, end):
    decoder = Tabled(ROWS, V, T, seed=seed)
    found = Beam(1).search(decoder, *decoder.start(), T, end)
    steps = torch.stack(list(decode(decoder, *decoder.start(), greedy, T, end)), 1)
    for row in range(ROWS):
        text = steps[row].tolist()
        text = text if end is None or end not in text else text[: text.index(end) + 1]
        assert said(found, row)[0][2] == tuple(text)


@pytest.mark.parametrize("width", [2, 3])
def test_every_score_is_the_texts_own_and_wider_is_no_worse(width):
    decoder = Tabled(ROWS, V, T, seed=3)
    narrow = Beam(1).search(decoder, *decoder.start(), T, END)
    found = Beam(width, 0.0, width).search(decoder, *decoder.start(), T, END)
    for row in range(ROWS):
        every = reference.texts(decoder.log_probs(row), V, T, END)
        each = said(found, row)
        assert len({text for _, _, text in each}) == width
        for score, log_prob, text in each:
            assert score == log_prob == pytest.approx(every[text], rel=1e-12)
        assert each[0][0] >= float(narrow.scores[row, 0])


def test_a_row_of_a_batch_is_a_batch_of_one():
    decoder = Tabled(ROWS, V, T, seed=5)
    together = Beam(3, 0.6, 2).search(decoder, *decoder.start(), T, END)
    for row in range(ROWS):
        alone = Tabled(ROWS, V, T, seed=5)
        alone.rows, alone.table = 1, alone.table[row : row + 1]
        found = Beam(3, 0.6, 2).search(alone, *alone.start(), T, END)
        assert said(found, 0) == said(together, row)


def test_the_penalty_prefers_longer_texts():
    """Ending at once is likelier than any longer text; a penalty that divides by the length turns that round."""

    class Even:
        def step(self, tokens, state):
            return torch.tensor([[0.0, 5.0]]).expand(len(tokens), -1), state

    logits = torch.tensor([[1.0, 0.0]])  # 0 ends
    lengths = [int(Beam(2, alpha).search(Even(), logits, None, 6, end=0).lengths[0, 0]) for alpha in (0.0, 3.0)]
    assert lengths == [1, 6]


def test_it_stops_when_nothing_better_can_come():
    decoder = Tabled(1, 3, 8, spread=0.01)
    decoder.table[..., 2] += 20  # the end, nearly surely
    found = Beam(3, 0.0, 1).search(decoder, *decoder.start(), 8, end=2)
    assert found.tokens[0, 0].tolist() == [2] + [NOTHING] * 7
    assert decoder.steps == 0
    Beam(3, 0.0, 3).search(decoder, *decoder.start(), 8, end=2)
    assert 0 < decoder.steps < 7


def test_fewer_texts_than_asked_for():
    decoder = Tabled(1, 2, 1)
    found = Beam(5, 0.0, 5).search(decoder, *decoder.start(), 1)
    assert found.lengths.tolist() == [[1, 1, 0, 0, 0]]
    assert found.log_probs.isfinite().tolist() == [[True, True, False, False, False]]
    assert (found.tokens[0, 2:] == NOTHING).all()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"width": 0}, "a beam of 0 keeps no beginning"),
        ({"width": 2, "length_penalty": -1.0}, r"length_penalty=-1 is not 0 or more"),
        ({"width": 2, "num_best": 3}, "a beam of 2 has no 3 best: ask for 1 to 2, or widen it"),
    ],
)
def test_refusals(settings, message):
    with pytest.raises(ConfigError, match=message):
        Beam(**settings)

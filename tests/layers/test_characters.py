"""Encoders of characters against NumPy loops; padding and neighbours change nothing; every character is learnt."""

from __future__ import annotations

import pytest
import torch

from assay.contracts import Field
from assay.errors import ConfigError
from assay.layers.characters import CharacterCNN, CharacterLSTM, NoCharacters, distinct
from tests.references import characters as reference

FIELD = Field("characters", (None, None), size=9, padding_id=0)
WORDS = [[2, 3, 4, 5, 6], [7], [3, 2], [2, 3, 4, 5, 6], [8, 8, 8, 1], [7, 3, 2, 2, 2, 2, 5]]


def batch(sentences):
    """Lists of lists of words -> (B, T, L)."""
    words = max(map(len, sentences))
    letters = max(len(word) for sentence in sentences for word in sentence)
    x = torch.zeros(len(sentences), words, letters, dtype=torch.int64)
    for row, sentence in zip(x, sentences, strict=True):
        for place, word in zip(row, sentence, strict=False):
            place[: len(word)] = torch.tensor(word)
    return x


X = batch([WORDS[:4], WORDS[4:]])


def made(name, **keys):
    torch.manual_seed(0)
    kind = {"cnn": CharacterCNN, "lstm": CharacterLSTM}[name]
    return kind(FIELD, **keys).double()


@pytest.mark.parametrize("width", [1, 2, 3, 4, 9])
def test_convolution_against_a_loop(width):
    encoder = made("cnn", size=4, maps=5, width=width)
    with torch.no_grad():
        encoder.bias.normal_()
    found = encoder(X).detach()
    vectors, weight = encoder.vectors.weight.detach().numpy(), encoder.weight.detach().numpy()
    for place, word in enumerate(WORDS):
        expected = reference.convolution(word, vectors, weight, encoder.bias.detach().numpy())
        assert torch.allclose(found[place // 4, place % 4], torch.from_numpy(expected), atol=1e-12)
    assert found.shape == (2, 4, 5)
    assert found[1, 2:].abs().max() == 0  # padded words


def test_recurrent_net_against_a_loop():
    encoder = made("lstm", size=4, hidden_size=3)
    found = encoder(X).detach()

    def gates(layer):
        w, u, wb, ub = (p.detach().numpy() for p in layer.kernel.parameters())
        split = {name: slice(3 * place, 3 * place + 3) for place, name in enumerate("ifgo")}
        return ({g: w[s] for g, s in split.items()}, {g: u[s] for g, s in split.items()}), {
            g: wb[s] + ub[s] for g, s in split.items()
        }

    (ahead, ahead_bias), (back, back_bias) = gates(encoder.ahead[0]), gates(encoder.back[0])
    vectors = encoder.vectors.weight.detach().numpy()
    for place, word in enumerate(WORDS):
        expected = reference.both_ways(word, vectors, (*ahead, ahead_bias), (*back, back_bias))
        assert torch.allclose(found[place // 4, place % 4], torch.from_numpy(expected), atol=1e-12)
    assert found.shape == (2, 4, 6)
    assert found[1, 2:].abs().max() == 0


@pytest.mark.parametrize("name", ["cnn", "lstm"])
def test_padding_and_other_words_change_nothing(name):
    encoder = made(name)
    whole = encoder(X)
    wider = torch.nn.functional.pad(X, (0, 6, 0, 3))  # longer words and sentences beside these
    assert torch.equal(encoder(wider)[:, :4], whole)
    assert encoder(wider)[:, 4:].abs().max() == 0
    for place, word in enumerate(WORDS):
        alone = encoder(batch([[word]]))[0, 0]
        assert torch.allclose(alone, whole[place // 4, place % 4], atol=1e-15)


@pytest.mark.parametrize("name", ["cnn", "lstm"])
def test_the_same_spelling_has_the_same_vector_and_others_have_others(name):
    found = made(name)(X)
    assert torch.equal(found[0, 0], found[0, 3])
    different = torch.cat([found[0, :3], found[1, :2]])
    assert len(torch.unique(different, dim=0)) == 5


@pytest.mark.parametrize("name", ["cnn", "lstm"])
def test_gradients(name):
    """By finite differences, and none for padding; each word counts as often as it stands there."""
    encoder = made(name, size=3, **({"maps": 4} if name == "cnn" else {"hidden_size": 2}))
    names = [key for key, _ in encoder.named_parameters()]
    leaves = [p.detach().clone().requires_grad_() for p in encoder.parameters()]
    weight = torch.rand(encoder(X).shape, dtype=torch.float64)

    def loss(*values):
        return (torch.func.functional_call(encoder, dict(zip(names, values, strict=True)), (X,)) * weight).sum()

    # padding's row has no gradient by design, so it is left out of the numerical one
    def without_padding(vectors, *others):
        return loss(torch.cat([leaves[0][:1].detach(), vectors]), *others)

    assert torch.autograd.gradcheck(without_padding, (leaves[0][1:].detach().requires_grad_(), *leaves[1:]))
    encoder(X).mul(weight).sum().backward()
    assert encoder.vectors.weight.grad[0].abs().max() == 0
    assert encoder.vectors.weight.grad[1:].abs().sum(1).min() > 0
    assert all(p.grad.abs().max() > 0 for p in encoder.parameters())


def test_distinct_rows_put_back_are_the_rows():
    generator = torch.Generator().manual_seed(0)
    for size in ((1, 1, 1), (4, 7, 3), (16, 50, 20)):
        x = torch.randint(0, 3, size, generator=generator)
        rows, place = distinct(x)
        assert torch.equal(rows[place], x)
        assert len(rows) == len(torch.unique(x.flatten(0, 1), dim=0))


def test_unknown_characters_start_as_nothing():
    for name in ("cnn", "lstm"):
        encoder = made(name)
        assert encoder.vectors.weight[:2].abs().max() == 0
        torch.nn.init.ones_(encoder.vectors.weight)
        encoder.settle()
        assert encoder.vectors.weight[1].abs().max() == 0


def test_words_without_characters():
    assert NoCharacters(None).output_size == 0
    assert list(NoCharacters(FIELD).parameters()) == []


@pytest.mark.parametrize(
    ("kind", "keys", "line"),
    [
        (CharacterCNN, {"field": None}, "characters=cnn reads the characters of words; this data has none"),
        (CharacterLSTM, {"field": None}, "characters=lstm reads the characters of words; this data has none"),
        (CharacterCNN, {"field": FIELD, "maps": 0}, "characters.maps=0 is not a positive number"),
        (CharacterCNN, {"field": FIELD, "width": 0}, "characters.width=0 is not a positive number"),
        (CharacterCNN, {"field": FIELD, "size": 0}, "characters.size=0 is not a positive number"),
        (CharacterLSTM, {"field": FIELD, "hidden_size": 0}, "characters.hidden_size=0 is not a positive number"),
    ],
)
def test_refusals(kind, keys, line):
    with pytest.raises(ConfigError, match=line):
        kind(**keys)

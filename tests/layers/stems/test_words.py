"""Words with their characters and features, and their ids side by side, against plain loops."""

from __future__ import annotations

from functools import partial

import pytest
import torch

from assay.contracts import DataSpec, Field
from assay.errors import ConfigError
from assay.layers.characters import CharacterCNN, CharacterLSTM, NoCharacters
from assay.layers.random import KeyedStreams
from assay.layers.stems import read
from assay.layers.stems.tokens import Tokens
from assay.layers.stems.words import Words

SOURCE = Field("ids", (None,), size=7, padding_id=0)
LETTERS = Field("characters", (None, None), size=5, padding_id=0)
POS = Field("feature", (None,), size=4, padding_id=0)
TYPE = Field("feature", (None,), size=3, padding_id=0)
TAGS = Field("tags", (None,), size=3, padding_id=-1)
PLAIN = DataSpec({"source": SOURCE, "label": TAGS})
FULL = DataSpec({"source": SOURCE, "label": TAGS, "characters": LETTERS, "pos": POS, "type": TYPE})
BATCH = {
    "source": torch.tensor([[2, 3, 1, 6], [4, 5, 0, 0]]),
    "pos": torch.tensor([[2, 3, 1, 2], [3, 3, 0, 0]]),
    "type": torch.tensor([[2, 2, 1, 2], [2, 2, 0, 0]]),
    "characters": torch.tensor(
        [[[2, 3, 0], [4, 0, 0], [2, 2, 2], [3, 4, 0]], [[4, 4, 0], [3, 0, 0], [0, 0, 0], [0, 0, 0]]]
    ),
    "label": torch.zeros(2, 4, dtype=torch.int64),
}


def words(spec=FULL, characters=None, **keys):
    torch.manual_seed(0)
    made = characters or partial(CharacterCNN, size=3, maps=4, width=2)
    return Words(SOURCE, spec, **{"size": 5, "characters": made, "dropout": 0.0, **keys})


def test_words_alone_are_an_embedding():
    stem = words(PLAIN, NoCharacters)
    assert stem.fields == ()
    assert stem.output_shape == (None, 5)
    x, mask = read(stem, BATCH)
    assert torch.equal(x, stem.embedding.weight[BATCH["source"]])
    assert mask.tolist() == [[True] * 4, [True, True, False, False]]


@pytest.mark.parametrize("feature_size", [0, 6])
def test_parts_stand_side_by_side(feature_size):
    stem = words(feature_size=feature_size)
    assert stem.fields == ("characters", "pos", "type")
    width = 5 + 4 + (2 * feature_size or 3 + 2)
    assert stem.output_shape == (None, width)
    x, _ = read(stem, BATCH)
    assert x.shape == (2, 4, width)
    letters = stem.characters(BATCH["characters"])
    for row in range(2):
        for t in range(4):
            parts = [stem.embedding.weight[BATCH["source"][row, t]], letters[row, t]]
            for number, name in enumerate(("pos", "type")):
                value = int(BATCH[name][row, t])
                if feature_size:
                    parts.append(stem.features[number].weight[value])
                else:
                    parts.append(torch.eye((3, 2)[number] + 1)[value, 1:])
            assert torch.equal(x[row, t], torch.cat(parts))
    assert x[1, 2:].abs().max() == 0  # padding is nothing at all


@pytest.mark.parametrize("letters", [CharacterCNN, CharacterLSTM, NoCharacters])
@pytest.mark.parametrize("feature_size", [0, 3])
def test_padding_changes_nothing(letters, feature_size):
    stem = words(characters=letters, feature_size=feature_size).eval()
    x, mask = read(stem, BATCH)
    wide = {name: torch.nn.functional.pad(value, (0, 2)) for name, value in BATCH.items() if name != "characters"}
    wide["characters"] = torch.nn.functional.pad(BATCH["characters"], (0, 3, 0, 2))
    y, wide_mask = read(stem, wide)
    assert torch.equal(y[:, :4], x)
    assert torch.equal(wide_mask[:, :4], mask)
    assert not wide_mask[:, 4:].any()
    assert y[:, 4:].abs().max() == 0
    for row in range(2):
        alone, _ = read(stem, {name: value[row : row + 1] for name, value in BATCH.items()})
        assert torch.allclose(alone[0], x[row], atol=1e-7)


@pytest.mark.parametrize("letters", [CharacterCNN, CharacterLSTM])
def test_gradient_reaches_all(letters):
    stem = words(characters=letters, feature_size=3)
    x, _ = read(stem, BATCH)
    (x * torch.rand_like(x)).sum().backward()
    for name, parameter in stem.named_parameters():
        assert parameter.grad.abs().max() > 0, name
    assert stem.embedding.weight.grad[0].abs().max() == 0


def test_dropout_falls_on_all_parts_and_only_in_training():
    stem = words(feature_size=4, dropout=0.5)
    with KeyedStreams(0).at(1):
        x, _ = read(stem, BATCH)
    stem.eval()
    whole, _ = read(stem, BATCH)
    kept = x != 0
    assert torch.allclose(x[kept], 2 * whole[kept])
    lost = (whole != 0) & ~kept
    for part in (slice(0, 5), slice(5, 9), slice(9, 13)):
        assert lost[..., part].any()
        assert kept[..., part].any()


def test_unknown_words_and_values_start_as_nothing_after_any_initialisation():
    stem = words(feature_size=3)
    for table in (stem.embedding, *stem.features):
        assert table.weight[:2].abs().max() == 0
        assert table.weight[2:].abs().max() > 0
        torch.nn.init.ones_(table.weight)
    stem.settle()
    assert all(table.weight[1].abs().max() == 0 for table in (stem.embedding, *stem.features))


def test_ids_side_by_side():
    stem = Tokens(SOURCE, FULL)
    assert (stem.fields, stem.sizes, stem.output_shape) == (("pos", "type"), (7, 4, 3), (None, 3))
    x, mask = read(stem, BATCH)
    assert x.dtype == torch.int64
    for place, name in enumerate(("source", "pos", "type")):
        assert torch.equal(x[..., place], BATCH[name])
    assert torch.equal(mask, BATCH["source"] != 0)
    alone, _ = read(Tokens(SOURCE, PLAIN), BATCH)
    assert torch.equal(alone, BATCH["source"].unsqueeze(-1))


@pytest.mark.parametrize(
    ("keys", "line"),
    [
        ({"size": 0}, "stem.sequence.size=0 is not a positive number"),
        ({"feature_size": -1}, "stem.sequence.feature_size=-1 is below 0"),
        ({"spec": PLAIN}, "characters=cnn reads the characters of words; this data has none"),
    ],
)
def test_refusals(keys, line):
    with pytest.raises(ConfigError, match=line):
        words(**keys)


def test_a_batch_without_what_is_read_is_our_mistake():
    with pytest.raises(AssertionError, match="characters"):
        words()(BATCH["source"])

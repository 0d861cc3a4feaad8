"""Each stem against its definition in plain loops; every stem of conf/ announces the shape it gives."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from assay.contracts import DataSpec, Field
from assay.errors import ConfigError
from assay.layers.random import KeyedStreams
from assay.layers.stems import read
from assay.layers.stems.bag_of_words import BagOfWords
from assay.layers.stems.columns import Columns
from assay.layers.stems.embedding import Embedding
from assay.layers.stems.flatten import Flatten
from assay.layers.stems.identity import Identity
from assay.layers.stems.rows import Rows
from assay.targets import accepted
from tests.options import option, options

IMAGE = Field("image", (2, 3, 4))
TEXT = Field("ids", (None,), size=6, padding_id=0)
TABLE = Field("table", (4,), cardinalities=(0, 3, 0, 4))
EXAMPLES = {
    "image": (IMAGE, torch.randn(5, 2, 3, 4)),
    "text": (TEXT, torch.tensor([[2, 3, 2, 0], [5, 0, 0, 0], [1, 2, 3, 4], [0, 0, 0, 0]])),
    "sequence": (Field("sequence", (3, 2)), torch.randn(5, 3, 2)),
    "table": (TABLE, torch.tensor([[0.5, 1, -2.0, 3], [1.5, 0, 4.0, 2]])),
    "tagged": (TEXT, torch.tensor([[2, 3, 2, 0], [5, 0, 0, 0], [1, 2, 3, 4], [0, 0, 0, 0]])),
}
POS = Field("feature", (None,), size=4, padding_id=0)
SPEC = DataSpec({"source": TEXT, "label": Field("tags", (None,), size=3, padding_id=-1), "pos": POS})
STEMS = [(name, kind) for name in options("stem") for kind in option("stem", name)]


@pytest.mark.parametrize(("name", "kind"), STEMS)
def test_every_stem_announces_its_shape(name, kind):
    field, x = EXAMPLES[name]
    make = option("stem", name)[kind]
    stem = make(field, **accepted(make, spec=SPEC))
    batch = {"source": x, "pos": x % 4}
    y, mask = read(stem, batch)
    assert len(stem.output_shape) == y.dim() - 1
    assert all(said in (None, size) for said, size in zip(stem.output_shape, y.shape[1:], strict=True))
    assert (mask is None) == (name not in ("text", "tagged") or kind == "vector")
    assert mask is None or torch.equal(mask, x != 0)
    assert torch.equal(read(stem.double(), batch)[0].double(), read(stem, batch)[0].double())


@pytest.mark.parametrize("kind", option("stem", "image"))
@pytest.mark.parametrize("space", options("color_space"))
def test_an_image_is_converted_before_it_is_laid_out(space, kind):
    x = torch.rand(5, 3, 3, 4)
    field = Field("image", (3, 3, 4))
    converted = option("color_space", space)(field)(x)
    layout = {"image": Identity, "sequence": Rows, "vector": Flatten}[kind](replace(field, shape=converted.shape[1:]))
    stem = option("stem", "image", f"color_space={space}")[kind](field)
    assert torch.equal(stem(x)[0], layout(converted)[0])
    assert stem.output_shape == layout.output_shape == stem(x)[0].shape[1:]


def test_identity():
    field, x = EXAMPLES["text"]
    y, mask = Identity(field)(x)
    assert y is x
    assert mask.tolist()[0] == [True, True, True, False]
    image = EXAMPLES["image"][1]
    assert Identity(IMAGE)(image) == (image, None)


def test_rows_stand_one_below_the_other_with_channels_side_by_side():
    x = EXAMPLES["image"][1]
    y, _ = Rows(IMAGE)(x)
    for row in range(3):
        expected = [x[1, channel, row, column] for channel in range(2) for column in range(4)]
        assert y[1, row].tolist() == [float(v) for v in expected]


def test_vectors_start_within_their_bound_and_padding_at_zero():
    weight = Embedding(Field("ids", (None,), size=2000, padding_id=3), size=20, bound=0.25).embedding.weight
    assert weight[3].abs().max() == 0
    others = torch.cat([weight[:3], weight[4:]])
    assert others.abs().max() <= 0.25
    assert others.std().item() == pytest.approx(0.25 / 3**0.5, rel=0.02)


def test_flatten_keeps_every_number():
    x = EXAMPLES["image"][1]
    y, _ = Flatten(IMAGE)(x)
    assert torch.equal(y.view_as(x), x)


@pytest.mark.parametrize(("stem", "shape"), [(Rows, (1, 8, None)), (Flatten, (1, None, 8))])
def test_images_of_varying_size_are_refused(stem, shape):
    with pytest.raises(ConfigError, match="varying"):
        stem(Field("image", shape))


def test_embedding_looks_up_and_leaves_padding_at_zero():
    field, x = EXAMPLES["text"]
    stem = Embedding(field, size=3, dropout=0.0)
    y, _ = stem(x)
    for b in range(len(x)):
        for t in range(x.shape[1]):
            expected = [0.0] * 3 if x[b, t] == 0 else stem.embedding.weight[x[b, t]].tolist()
            assert y[b, t].tolist() == expected
    y.sum().backward()
    assert not stem.embedding.weight.grad[0].any()
    assert stem.embedding.weight.grad[2].tolist() == [3.0] * 3


def test_embedding_drops_entries_in_training():
    field, x = EXAMPLES["text"]
    stem = Embedding(field, size=50, dropout=0.5).train()
    with KeyedStreams(0).at(0):
        y, _ = stem(x)
    assert 0.3 < (y[2] == 0).float().mean() < 0.7


def test_bag_of_words_counts_shares():
    field, x = EXAMPLES["text"]
    y, _ = BagOfWords(field)(x)
    for row, text in zip(y, x, strict=True):
        tokens = [token for token in text.tolist() if token != 0]
        for word in range(6):
            share = tokens.count(word) / len(tokens) if tokens and word != 0 else 0.0
            assert float(row[word]) == pytest.approx(share)


def test_columns_puts_numbers_first_and_gives_each_category_its_own_vector():
    stem = Columns(TABLE, size=3)
    vectors = stem.embedding.weight.detach()
    assert len(vectors) == 3 + 4
    y, _ = stem(EXAMPLES["table"][1])
    first = [0.5, -2.0, *vectors[1].tolist(), *vectors[3 + 3].tolist()]
    second = [1.5, 4.0, 0.0, 0.0, 0.0, *vectors[3 + 2].tolist()]  # code 0 starts as the zero vector
    assert y.tolist() == [pytest.approx(first), pytest.approx(second)]


def test_columns_of_numbers_alone_are_the_table():
    x = torch.randn(3, 2)
    stem = Columns(Field("table", (2,), cardinalities=(0, 0)), size=8)
    assert stem(x)[0] is x
    assert stem.output_shape == (2,)


def test_columns_learn_what_an_empty_cell_means():
    stem = Columns(TABLE, size=3)
    stem(EXAMPLES["table"][1])[0].sum().backward()
    assert stem.embedding.weight.grad[0].tolist() == [1.0] * 3


def test_a_category_needs_a_vector():
    with pytest.raises(ConfigError, match=r"stem\.vector\.size=0 is not a positive number"):
        Columns(TABLE, size=0)

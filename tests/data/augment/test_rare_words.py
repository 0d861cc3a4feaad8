from __future__ import annotations

import pytest
import torch

from assay.contracts import DataSpec, Field
from assay.data.augment.draws import uniforms
from assay.data.augment.rare_words import RareWords
from assay.data.examples import Examples, Ragged
from assay.errors import ConfigError
from tests.data.augment.pictures import CLASS, images

SENTENCES = [[2, 3, 4], [2, 5, 3, 2], [6], [7, 7]]
SPEC = DataSpec({"source": Field("ids", (None,), size=9, padding_id=0), "label": CLASS})


def splits(sentences=SENTENCES, train=(0, 1, 2)):
    return {"train": Examples({"source": Ragged.join(sentences, 0)}, torch.tensor(train))}


def batch(sentences=SENTENCES):
    index = torch.arange(len(sentences))
    return {"source": Ragged.join(sentences, 0).gather(index), "index": index * 3 + 1}


def test_rare_is_what_the_training_split_holds_once():
    """3 stands twice there; 7 not at all, so that there is nothing to learn from its place; 8 is nowhere."""
    assert RareWords(SPEC, 0, splits()).rare.nonzero()[:, 0].tolist() == [4, 5, 6]
    assert RareWords(SPEC, 0, splits(), count=2).rare.nonzero()[:, 0].tolist() == [3, 4, 5, 6]


def test_against_a_loop():
    given = batch()
    augment = RareWords(SPEC, 5, splits(), p=0.6)
    for epoch in range(8):
        found = augment(given, epoch)["source"].tolist()
        draws = uniforms(5, epoch, given["index"], "rare_words", 4).tolist()
        for row, old, u in zip(found, given["source"].tolist(), draws, strict=True):
            assert row == [1 if word in (4, 5, 6) and draw < 0.6 else word for word, draw in zip(old, u, strict=True)]


def test_the_share_is_p_and_the_rest_stays():
    sentences = [[2, 2, 3 + number] for number in range(400)]
    spec = DataSpec({"source": Field("ids", (None,), size=403, padding_id=0), "label": CLASS})
    given = {**batch(sentences), "characters": torch.ones(400, 3, 2), "label": torch.zeros(400, 3)}
    found = RareWords(spec, 0, splits(sentences, list(range(400))), p=0.3)(given, 0)
    assert (found["source"][:, :2] == 2).all()
    assert abs((found["source"][:, 2] == 1).double().mean() - 0.3) < 0.05
    assert found["characters"] is given["characters"]
    assert found["label"] is given["label"]


@pytest.mark.parametrize(
    ("keys", "line"),
    [
        ({"p": 0}, r"augment\.rare_words\.p=0 is not in \(0, 1\]"),
        ({"p": 1.5}, r"augment\.rare_words\.p=1.5 is not in \(0, 1\]"),
        ({"count": 0}, r"augment\.rare_words\.count=0 is below 1"),
        ({"spec": images()}, "augment=rare_words changes texts, and this data holds image"),
        ({"splits": splits([[2, 2]], [0])}, "no word of the vocabulary stands 1 times or fewer in training"),
    ],
)
def test_refusals(keys, line):
    with pytest.raises(ConfigError, match=line):
        RareWords(**{"spec": SPEC, "seed": 0, "splits": splits(), **keys})

from __future__ import annotations

import pytest
import torch

from assay.data.augment.draws import uniforms
from assay.data.augment.word_dropout import WordDropout
from assay.errors import ConfigError
from tests.data.augment.pictures import batch_of_texts, texts, tokens
from tests.references import text_edits


@pytest.mark.parametrize("becomes", ["unknown", "nothing"])
@pytest.mark.parametrize("p", [0.1, 0.9])
def test_against_a_loop(becomes, p):
    given = batch_of_texts((6, 1, 11, 3, 2, 8, 40))
    found = WordDropout(texts(), seed=3, p=p, becomes=becomes)(given, 2)["source"]
    u = uniforms(3, 2, given["index"], "word_dropout", 40).tolist()
    for row, old, draws in zip(tokens(found), tokens(given["source"]), u, strict=True):
        if becomes == "unknown":
            assert row == text_edits.forget(old, p, draws, 1)
        else:
            assert row == text_edits.delete(old, p, draws)


def test_the_share_that_is_dropped_is_p():
    given = {"source": torch.full((500, 40), 7), "index": torch.arange(500)}
    found = WordDropout(texts(), 0, p=0.3)(given, 0)["source"]
    assert abs((found == 1).double().mean() - 0.3) < 0.01


def test_refusals():
    with pytest.raises(ConfigError, match=r"augment\.word_dropout\.p=1 is not in \[0, 1\)"):
        WordDropout(texts(), 0, p=1)
    with pytest.raises(ConfigError, match=r"augment\.word_dropout\.becomes=mask is not one of unknown, nothing"):
        WordDropout(texts(), 0, becomes="mask")

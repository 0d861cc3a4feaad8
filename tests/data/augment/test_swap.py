from __future__ import annotations

import pytest

from assay.data.augment.draws import uniforms
from assay.data.augment.swap import Swap
from assay.errors import ConfigError
from tests.data.augment.pictures import batch_of_texts, texts, tokens
from tests.references import text_edits


@pytest.mark.parametrize("adjacent", [False, True])
def test_against_a_loop(adjacent):
    given = batch_of_texts((6, 1, 11, 3, 2, 8, 40))
    found = Swap(texts(), seed=3, share=0.2, adjacent=adjacent)(given, 2)["source"]
    u = uniforms(3, 2, given["index"], "swap", 16).view(7, 8, 2).tolist()
    for row, old, draws in zip(tokens(found), tokens(given["source"]), u, strict=True):
        assert row == text_edits.swap(old, 0.2, draws, adjacent)


def test_refusals():
    with pytest.raises(ConfigError, match=r"augment\.swap\.share=2 is not in \[0, 1\]"):
        Swap(texts(), 0, share=2)

"""What reads forwards only, by its settings alone; and that task=lm asks for it."""

from __future__ import annotations

import pytest

from assay.composition.causal import check
from assay.errors import ConfigError
from assay.preflight import compose


@pytest.mark.parametrize(
    ("node", "causal"),
    [
        ({"hidden_size": 3, "bidirectional": False}, True),
        ({"bidirectional": True}, False),
        ({"causal": False}, False),
        ({"causal": True}, True),
    ],
)
def test_by_its_settings(node, causal):
    assert check(node) == ({"causal"} if causal else set())


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (
            ["model=transformer"],
            "task=lm predicts what comes next, and this model would have read it: write model.causal",
        ),
        (["model=gru", "model.bidirectional=true"], "task=lm predicts what comes next"),
        (
            ["model=textcnn"],
            "task=lm predicts a token from the state before it, and this model has one for a whole text",
        ),
        (["augment=swap"], "augment=swap changes what is read"),
        (["curriculum=length"], "curriculum=length orders examples"),
    ],
)
def test_a_language_model_refuses_what_it_cannot_be(tmp_path, words, line):
    (tmp_path / "text.txt").write_text("a b c d e f g h\n" * 90)
    with pytest.raises(ConfigError, match=f"^{line}"):
        compose(["data=corpus", f"data.path={tmp_path / 'text.txt'}", *words])


def test_a_causal_transformer_may_be_one(tmp_path):
    (tmp_path / "text.txt").write_text("a b c d e f g h\n" * 90)
    words = ["model=transformer", "model.causal=true", "trainer=ddp"]
    assert compose(["data=corpus", f"data.path={tmp_path / 'text.txt'}", *words])

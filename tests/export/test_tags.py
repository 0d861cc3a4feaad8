"""Tags in an export: what is beside the file, and what cannot be exported."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from assay.decoding.viterbi import best
from assay.errors import ConfigError
from assay.export import tags
from assay.export.whole import example, fields
from tests.export.built import built


@pytest.mark.parametrize(
    ("words", "together"),
    [(["output=crf"], True), (["output=softmax"], False), (["output=softmax", "output.constraints=none"], False)],
)
def test_scores_and_chain_answer_as_the_network(words, together, tmp_path):
    """The scores are a constant of each word away from the network's: no sequence is the likelier for it."""
    artifact = built("tags", "model=lstm", "model.hidden_size=8", "characters=cnn", *words)
    with torch.no_grad():
        for parameter in artifact.network.head.parameters():
            parameter.normal_(generator=torch.Generator().manual_seed(3))
        batch = dict(zip(fields(artifact), example(artifact, 6, 9), strict=True))
        expected = artifact.network(batch)
        assert tags.write(artifact, tmp_path) == ("output.constraints=none" not in words)
        assert tags.is_together(artifact) == together
        scores = expected.logits.log_softmax(-1)
        found = tags.Chained(tmp_path, together).output(scores, batch["source"] != 0)
        (one, p), (other, q) = best(found), best(expected)
        assert torch.equal(one, other)
        torch.testing.assert_close(p, q, rtol=1e-5, atol=1e-5)
        held = batch["source"] != 0
        torch.testing.assert_close(found.log_probs[held], expected.log_probs[held], rtol=1e-4, atol=1e-4)


def test_a_chain_that_cannot_be_read_costs_a_line(tmp_path):
    with pytest.raises(ConfigError, match="is not there, without which no sequence is found"):
        tags.Chained(tmp_path, together=True)
    for content in (b"", b"PK\x03\x04 half a file", b"\x80\x04."):
        (tmp_path / tags.NAME).write_bytes(content)
        with pytest.raises(ConfigError, match="cannot be read") as caught:
            tags.Chained(tmp_path, together=True)
        assert "\n" not in str(caught.value)
    np.savez(tmp_path / tags.NAME, transitions=np.zeros((2, 2)))
    with pytest.raises(ConfigError, match="cannot be read"):
        tags.Chained(tmp_path, together=False)


def test_two_answers_are_refused():
    artifact = built("tags", "model=lstm", "output=crf")
    tags.refuse(artifact, "RUN")
    artifact.task.intents = ("flight", "fare")
    with pytest.raises(ConfigError, match=r"^RUN answers tags and an intent, of which a file would give one"):
        tags.refuse(artifact, "RUN")

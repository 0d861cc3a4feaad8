from __future__ import annotations

import json

import pytest

from assay.data.tagger_files import check
from assay.errors import ConfigError


def artifact(folder, text):
    folder.mkdir()
    (folder / "artifact.json").write_text(text)
    return str(folder)


def test_a_run_that_tags_words_makes_a_feature(tmp_path):
    assert check(None) == set()
    assert check(artifact(tmp_path / "tagger", json.dumps({"spec": {"label": {"kind": "tags"}}}))) == {"features"}


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (
            json.dumps({"spec": {"label": {"kind": "class"}}}),
            "predicts class, no tags of words: name a run of task=tagging",
        ),
        ("{}", "cannot be read"),
        ("no json", "cannot be read"),
    ],
)
def test_others_are_refused(tmp_path, text, line):
    with pytest.raises(ConfigError, match=line) as caught:
        check(artifact(tmp_path / "other", text))
    assert "data.tagger=" in str(caught.value)


def test_a_run_that_is_not_there(tmp_path):
    with pytest.raises(ConfigError, match="nowhere is not a run folder or artifact"):
        check(str(tmp_path / "nowhere"))

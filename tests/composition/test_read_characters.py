from __future__ import annotations

import pytest

from assay.composition.read_characters import check
from assay.errors import ConfigError

STEM = {"sequence": {"size": 3, "characters": {}}, "ids": {}, "tokens": {}}


def config(characters, *reads, stem=STEM):
    return {"switches": {"characters": characters, "model": "some"}, "stem": stem, "reads": list(reads)}


@pytest.mark.parametrize(
    "given",
    [
        config("cnn", "sequence"),
        config("cnn", "vector", "sequence", "ids"),
        config("none", "ids"),
        config("cnn", "ids", stem={"ids": {}}),  # another rule's: no stem takes them
        config("cnn"),
    ],
)
def test_what_is_read_or_not_asked_for_passes(given):
    assert check(given) == set()


@pytest.mark.parametrize("reads", [("ids",), ("tokens", "ids"), ("ids", "sequence")])
def test_characters_that_nothing_would_read_are_refused(reads):
    with pytest.raises(ConfigError, match="characters=lstm goes beside the vector of each word, and model=some reads"):
        check(config("lstm", *reads))

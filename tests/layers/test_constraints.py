"""What names forbid, against all sequences that make sense as spans."""

from __future__ import annotations

from itertools import pairwise, product

import pytest

from assay.errors import ConfigError
from assay.layers.constraints import constraints, scheme_of

IOB2 = ("B-a", "I-a", "B-b", "I-b", "O")
IOBES = ("B-a", "I-a", "E-a", "S-a", "B-b", "I-b", "E-b", "S-b", "O")


def written(spans, length, scheme):
    """The tags of spans (kind, first, last)."""
    tags = ["O"] * length
    for kind, first, last in spans:
        for t in range(first, last + 1):
            tags[t] = f"{'B' if t == first else 'I'}-{kind}"
        if scheme == "iobes":
            tags[last] = f"{'S' if first == last else 'E'}-{kind}"
    return tuple(tags)


def sensible(length, scheme, kinds="ab", first=0):
    """Every way to place spans that do not overlap, as tags."""
    if first >= length:
        yield []
        return
    yield from sensible(length, scheme, kinds, first + 1)
    for last in range(first, length):
        for kind in kinds:
            for rest in sensible(length, scheme, kinds, last + 1):
                yield [(kind, first, last), *rest]


@pytest.mark.parametrize(("names", "scheme"), [(IOB2, "iob2"), (IOBES, "iobes")])
@pytest.mark.parametrize("asked", ["auto", "own"])
def test_exactly_the_sequences_that_spans_give(names, scheme, asked):
    chain = constraints(names, "auto" if asked == "auto" else scheme)
    for length in (1, 2, 3):
        allowed = {
            tuple(names[i] for i in tags)
            for tags in product(range(len(names)), repeat=length)
            if not chain.start[tags[0]]
            and not chain.end[tags[-1]]
            and not any(chain.transitions[i, j] for i, j in pairwise(tags))
        }
        assert allowed == {written(spans, length, scheme) for spans in sensible(length, scheme)}


@pytest.mark.parametrize(
    ("names", "scheme"),
    [
        (IOB2, "iob2"),
        (("O", "B-a"), "iob2"),
        (IOBES, "iobes"),
        (("O", "S-a"), "iobes"),
        (("NN", "VB", "O"), None),
        (("O",), None),
        (("O", "I-a", "I-b"), None),  # IOB1 would look like this
        (("B-a", "X-a"), None),
        (("U-a", "L-a"), None),
    ],
)
def test_schemes(names, scheme):
    assert scheme_of(names) == scheme
    assert (constraints(names, "auto") is None) == (scheme is None)
    assert constraints(names, "none") is None


def test_every_tag_can_be_answered():
    """Kinds that the names never begin, or never end."""
    chain = constraints(("O", "B-a", "I-a", "I-b"), "auto")
    assert chain.transitions[:, 3].tolist() == [False] * 4
    assert chain.start.tolist() == [False, False, True, False]
    names = ("O", "B-a", "B-b", "I-b", "S-c", "E-d")
    chain = constraints(names, "iobes")
    assert chain.transitions[1].tolist() == [False, False, False, True, False, False]  # nothing goes on with B-a
    assert not chain.end[1]
    assert not chain.transitions[2].any()  # B-b never ends
    assert not chain.transitions[:, 5].any()


def test_refusals():
    with pytest.raises(ConfigError, match=r"output.constraints=iob2 needs tags B-…, I-… and O, and has 'NN'"):
        constraints(("NN", "O"), "iob2")
    with pytest.raises(ConfigError, match="possible are auto, iob2, iobes, none"):
        constraints(IOB2, "bilou")

"""What an artifact holds of a quantised network, and what it refuses."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from assay.compression.quantize import Int4, Int8
from assay.compression.stored import decode, encode

X = torch.randn(8, 12, generator=torch.Generator().manual_seed(0))


def kept(quantizer):
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(12, 6), nn.ReLU(), nn.Linear(6, 5))
    found = quantizer(net, lambda: [X])
    return encode(net.state_dict(), {name for name, _ in net.named_parameters()}, found)


STATIC = kept(Int8("static", "max", "mse", 99.9, 8))
FOUR = kept(Int4(8, "mse"))


def test_integers_scales_and_grids_are_what_is_stored():
    stored, fact = STATIC
    assert {name: value.dtype for name, value in stored.items() if "0" in name} == {
        "0.weight": torch.int8, "0.weight/scale": torch.float32, "0.bias": torch.float32,
        "0/input/scale": torch.float32, "0/input/zero_point": torch.uint8,
    }  # fmt: skip
    assert fact["weights"]["0.weight"] == {"bits": 8, "axis": 0, "group_size": None, "shape": [6, 12]}
    stored, fact = FOUR
    assert stored["0.weight"].dtype == torch.uint8
    assert stored["0.weight"].shape == (36,)
    assert stored["0.weight/scale"].dtype == torch.bfloat16
    assert stored["0.weight/scale"].shape == (6, 2)
    assert fact["inputs"] == []


def change(name, value):
    def changed(stored, fact):
        stored[name] = value(stored[name])

    return changed


def say(**new):
    def changed(stored, fact):
        fact["weights"]["0.weight"] |= new

    return changed


@pytest.mark.parametrize(
    ("source", "forge", "words"),
    [
        (STATIC, lambda s, f: f.update(kind="int3"), "no quantization=int3"),
        (STATIC, lambda s, f: f.update(mode="sometimes"), "of mode sometimes"),
        (STATIC, lambda s, f: f.update(mode="dynamic"), "mode dynamic has no grids of inputs"),
        (STATIC, change("0.weight", lambda w: w.float()), "does not hold 72 integers of 8 bits"),
        (STATIC, change("0.weight/scale", lambda s: s[:-1]), "with their scales"),
        (STATIC, change("0.weight/scale", lambda s: -s), "not a positive number"),
        (STATIC, change("0.weight/scale", lambda s: s * torch.inf), "not a positive number"),
        (STATIC, change("0/input/scale", lambda s: s * 0), "has no grid of one scale"),
        (STATIC, change("0/input/zero_point", lambda z: z.float()), "has no grid of one scale"),
        (STATIC, say(axis=7), "channels at 7"),
        (STATIC, say(axis="0"), "channels at 0"),
        (STATIC, say(bits=16), "16 bits"),
        (FOUR, say(bits=8), "does not hold"),
        (FOUR, say(shape=[6, 13]), "does not hold 78 integers"),
        (FOUR, say(group_size=0), "groups of 0"),
        (FOUR, say(group_size="8"), "groups of 8"),
        (FOUR, change("0.weight", lambda w: w[:-1]), "integers of 4 bits"),
    ],
)
def test_forged_facts_are_refused(source, forge, words):
    stored, fact = copy.deepcopy(source)
    forge(stored, fact)
    with pytest.raises(ValueError, match=words):
        decode(stored, fact)


@pytest.mark.parametrize("lost", ["0.weight", "0.weight/scale", "0/input/scale"])
def test_what_is_missing_is_refused(lost):
    stored, fact = copy.deepcopy(STATIC)
    del stored[lost]
    with pytest.raises(KeyError):
        decode(stored, fact)

"""Stem and model together, every pair that conf/ allows, built as ``assay.assemble`` does: a new one joins by itself.

The battery of test_contract.py goes through models alone; here the field of the data goes in at one end, with the
padding that a loader adds, and a gradient comes back at the other.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from assay.assemble import assemble, stem_kind
from assay.contracts import DataSpec, Encoded, Field
from assay.layers.random import KeyedStreams
from assay.losses.cross_entropy import CrossEntropy
from tests.options import encoders, header, node, options

PADDING = 0
LENGTHS = torch.tensor([6, 1, 4, 3, 6, 2, 5, 6, 3, 4])
LABEL = Field("class", (), 3, names=("a", "b", "c"))

# What each stem of conf/ is given. No image is square, so that no side passes for another.
FIELDS = {
    "image": Field("image", (1, 6, 5)),
    "text": Field("ids", (None,), size=11, padding_id=PADDING),
    "tagged": Field("ids", (None,), size=11, padding_id=PADDING),
    "table": Field("table", (4,), cardinalities=(0, 3, 0, 5)),
    "sequence": Field("sequence", (6, 2)),
}


@dataclass(frozen=True)
class Case:
    model: str
    stem: str
    kind: str
    space: str = "rgb"

    @property
    def field(self) -> Field:
        field = FIELDS[self.stem]
        return field if self.space == "rgb" else replace(field, shape=(3, *field.shape[1:]))

    def __str__(self) -> str:
        return "-".join([self.model, self.stem, self.kind, *([self.space] if self.space != "rgb" else [])])


@cache
def cases() -> list[Case]:
    found = [
        Case(model, stem, kind)
        for model in encoders()
        for stem in options("stem")
        for kind in header("model", model)["reads"]
        if kind in node("stem", stem)
    ]
    layouts = {case.kind: case for case in reversed(found) if case.stem == "image"}  # one model of each
    spaces = [space for space in options("color_space") if space != "rgb"]
    return found + [replace(case, space=space) for case in layouts.values() for space in spaces]


def network(case: Case, seed: int = 0, *overrides: str) -> nn.Module:
    config = {
        "seed": seed,
        "reads": [case.kind],
        "model": node("model", case.model, *overrides),
        "init": node("init", "default"),
        "task": node("task", "classification"),
        "stem": node("stem", case.stem, f"color_space={case.space}"),
    }
    spec = DataSpec({"source": case.field, "label": LABEL})
    return assemble(config, spec, CrossEntropy())[1].eval()


def encode(net: nn.Module, x: Tensor) -> Encoded:
    return net.encoder(*net.stem(x))


def source(case: Case, dtype: torch.dtype = torch.float64) -> Tensor:
    """Ten examples; texts are padded to the longest."""
    torch.manual_seed(1)
    field = case.field
    if field.kind == "ids":
        ids = torch.randint(1, int(field.size or 0), (len(LENGTHS), int(LENGTHS.max())))
        return ids.where(torch.arange(ids.shape[1]) < LENGTHS[:, None], PADDING)
    draw = torch.randn if case.space == "rgb" else torch.rand  # colours lie in [0, 1]
    x = draw(len(LENGTHS), *(int(size or 0) for size in field.shape), dtype=dtype)
    for place, codes in enumerate(field.cardinalities):
        if codes:
            x[:, place] = torch.randint(0, codes, (len(x),)).to(dtype)
    return x


def same(ours: Encoded, theirs: Encoded) -> None:
    torch.testing.assert_close(ours.last, theirs.last, rtol=1e-9, atol=1e-12)
    assert (ours.states is None) == (theirs.states is None)
    if ours.states is not None:
        torch.testing.assert_close(ours.states, theirs.states, rtol=1e-9, atol=1e-12)


EVERY = pytest.mark.parametrize("case", cases(), ids=str)
TEXT = pytest.mark.parametrize("case", [case for case in cases() if case.stem == "text"], ids=str)


def test_every_model_and_every_stem_is_in_the_battery():
    assert {case.model for case in cases()} == set(encoders())
    assert set(FIELDS) == set(options("stem"))


def test_the_kind_a_model_prefers_is_chosen():
    stem = node("stem", "text")
    assert stem_kind(stem, ["image", "sequence", "ids"]) == "sequence"
    assert stem_kind(stem, ["ids", "sequence"]) == "ids"


@TEXT
@torch.no_grad()
def test_columns_of_padding_change_nothing(case):
    net, x = network(case).double(), source(case)
    few, many = encode(net, x), encode(net, F.pad(x, (0, 5), value=PADDING))
    same(few, Encoded(None if many.states is None else many.states[:, : x.shape[1]], many.last))
    for row, length in enumerate(LENGTHS.tolist()):
        own = slice(row, row + 1)
        states = None if few.states is None else few.states[own, :length]
        same(encode(net, x[own, :length]), Encoded(states, few.last[own]))
    if many.states is not None:
        padded = F.pad(x, (0, 5), value=PADDING) == PADDING
        assert not many.states[padded].any()
        assert many.states[~padded].any(-1).all()


@EVERY
@torch.no_grad()
def test_a_batch_of_one_is_its_row_of_a_batch_of_many(case):
    net, x = network(case).double(), source(case)
    together = encode(net, x)
    for row in range(len(x)):
        alone = encode(net, x[row : row + 1])
        states = None if together.states is None else together.states[row : row + 1]
        same(alone, Encoded(states, together.last[row : row + 1]))
    assert (together.last[0] - together.last[2]).abs().max() > 1e-6  # two inputs are told apart


@TEXT
def test_a_text_without_tokens_gives_numbers_and_finite_gradients(case):
    net, x = network(case).train(), source(case)
    x[2] = PADDING
    with KeyedStreams(0):
        output = net({"source": x})
    assert output.logits.isfinite().all()
    output.log_probs[:, 0].sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in net.parameters())


@EVERY
def test_gradients_reach_every_parameter_of_stem_model_and_head(case):
    net, x = network(case).double().train(), source(case)
    with KeyedStreams(0):
        (net({"source": x}).logits * torch.randn(len(x), 3, dtype=torch.float64)).sum().backward()
    for name, parameter in net.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().max() > 1e-9, name  # one that cancels is about 1e-17 in float64


@EVERY
@torch.no_grad()
def test_single_precision_gives_the_same_less_exactly(case):
    net = network(case)
    single = net({"source": source(case, torch.float32)}).log_probs
    double = net.double()(
        {"source": source(case, torch.float32).double() if case.field.kind != "ids" else source(case)}
    )
    assert double.log_probs.dtype == torch.float64
    torch.testing.assert_close(single.double(), double.log_probs, rtol=0, atol=1e-4)


@EVERY
@torch.no_grad()
def test_the_seed_makes_the_network_and_a_state_dict_brings_it_back(case):
    x = source(case, torch.float32)
    torch.manual_seed(5)
    state = torch.get_rng_state()
    first, again, other = network(case, 0), network(case, 0), network(case, 1)
    assert torch.equal(torch.get_rng_state(), state)  # the global generator is not touched
    out = first({"source": x}).logits
    assert torch.equal(again({"source": x}).logits, out)
    assert not torch.equal(other({"source": x}).logits, out)
    other.load_state_dict(first.state_dict())
    assert torch.equal(other({"source": x}).logits, out)


@pytest.mark.parametrize("case", [case for case in cases() if "dropout" in node("model", case.model)], ids=str)
def test_no_two_drawing_layers_share_a_key(case):
    net = network(case, 0, "model.dropout=0.5")
    keys = [module.key for module in net.modules() if isinstance(getattr(module, "key", None), int)]
    assert len(keys) == len(set(keys)) > 0
    assert 0 not in keys


@pytest.mark.parametrize("case", [case for case in cases() if case.kind == "sequence"], ids=str)
def test_mixed_precision_learns_about_the_same(case):
    net, x = network(case).train(), source(case, torch.float32)

    def gradient() -> Tensor:
        net.zero_grad()
        with KeyedStreams(0):
            loss = net({"source": x}).logits.square().mean()
        loss.backward()
        return torch.cat([p.grad.flatten() for p in net.parameters() if p.grad is not None])

    exact = gradient()
    with torch.autocast("cpu", torch.bfloat16):
        mixed = gradient()
    assert F.cosine_similarity(exact, mixed, 0) > 0.98

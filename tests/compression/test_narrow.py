"""The narrow network computes what the wide one does with those units zeroed: for every model of conf/, in every form
that its yaml offers, before any fine-tuning."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from assay.compression.groups import groups_of
from assay.compression.narrow import narrow
from assay.compression.refit import refit
from assay.contracts import Field
from assay.layers.channels import OUTPUT, Group
from assay.layers.stems.embedding import Embedding
from assay.tasks.classification import Classifier
from assay.tasks.regression import Regressor
from tests.models.encoders import Case, batch, cases
from tests.options import encoders

C = 3
HEAVY = [
    *(Case("torchvision", "image", (f"model.name={name}", "model.size=48")) for name in ("vgg11_bn", "mobilenet_v2")),
    Case("torchvision", "image", ("model.name=resnet50", "model.size=32")),
]
MORE = [
    Case("transformer", "sequence", ("normalization=none", "model.positions=learned")),
    Case("transformer", "sequence", ("normalization=none", "model.positions=rotary", "model.query_key_norm=true")),
    Case("resnet", "image", ("model.shortcut=projection", "model.depth=14")),
    Case("cnn", "image", ("model.convolutions=2", "model.kernel_size=2", "normalization=batch")),
    Case("mlp", "vector", ("model.hidden_sizes=[9,7,5]", "normalization=batch", "activation=prelu")),
]


def forms(quick):
    """Every form; those that take more than a second wait for -m slow."""
    every = [*cases(), *MORE, *HEAVY]
    return [case if quick(case) else pytest.param(case, marks=pytest.mark.slow) for case in every]


MIXING = {"LayerNorm", "GroupNorm", "RMSNorm", "ImageRMS", "GroupedFeatures"}  # normalisations of units together


class Read(nn.Module):
    """A stem for a batch that is read already."""

    def forward(self, source):
        return source


def network(case, seed=0):
    made = Classifier(Read(), case.build(seed), "class", C).double()
    name_slopes(made)
    return made


@torch.no_grad()
def name_slopes(made):
    """Scales, shifts, biases and running statistics of their own for every unit: all of 1 and 0 would hide a mix-up."""
    generator = torch.Generator().manual_seed(5)
    for p in made.parameters():
        if p.dim() == 1:
            p.copy_(0.3 + 0.5 * torch.rand(p.shape, generator=generator, dtype=p.dtype))
    for name, buffer in made.named_buffers():
        if name.endswith(("running_mean", "running_var")):
            buffer.copy_(0.5 + torch.rand(buffer.shape, generator=generator, dtype=buffer.dtype))


def given(case):
    x, mask = batch(case)
    return {"source": (x if case.counted else x.double(), mask)}


def chosen(groups, share=0.6, seed=3):
    """Some units of each group, drawn."""
    generator = torch.Generator().manual_seed(seed)
    return {
        one.name: sorted(torch.randperm(one.size, generator=generator)[: max(1, int(share * one.size))].tolist())
        for one in groups
    }


@torch.no_grad()
def zeroed(wide, groups, kept):
    """What reads the units that leave, at zero."""
    made = copy.deepcopy(wide)
    state = made.state_dict()
    for group in groups:
        for unit in set(range(group.size)) - set(kept[group.name]):
            for reader in group.consumers:
                state[reader.name].index_fill_(reader.dim, torch.tensor(reader.entries(unit, group.size)), 0)
    return made


@pytest.mark.parametrize("case", forms(lambda case: case not in HEAVY), ids=str)
def test_the_narrow_network_is_the_wide_one_with_those_units_zeroed(case):
    wide = network(case).eval()
    groups = groups_of(wide)
    kept = chosen(groups)
    slim = copy.deepcopy(wide)
    narrow(slim, kept)
    with torch.no_grad():
        expected = zeroed(wide, groups, kept)(given(case)).logits
        found = slim(given(case)).logits
        assert (found - expected).abs().max() < 1e-9
    if groups:
        assert not torch.allclose(expected, wide(given(case)).logits, atol=1e-6)  # what left was heard before
        assert sum(p.numel() for p in slim.parameters()) < sum(p.numel() for p in wide.parameters())
    again = network(case, seed=1)
    refit(again, {name: tensor.shape for name, tensor in slim.state_dict().items()})
    again.load_state_dict(slim.state_dict())
    with torch.no_grad():
        assert torch.equal(again.eval()(given(case)).logits, found)
    assert getattr(again, "narrowed", {}) == (slim.narrowed if groups else {})


@pytest.mark.parametrize("case", forms(lambda case: case.name != "torchvision"), ids=str)
def test_nothing_else_hears_of_the_units_that_leave(case):
    """With their readers at zero what makes them has no gradient: the list of readers is whole."""
    wide = network(case).eval()
    groups = groups_of(wide)
    kept = chosen(groups)
    made = zeroed(wide, groups, kept)
    (made(given(case)).logits ** 2).sum().backward()
    parameters = dict(made.named_parameters())
    for group in groups:
        gone = set(range(group.size)) - set(kept[group.name])
        for maker in [one for one in group.producers if one.name in parameters]:
            own = parameters[maker.name].grad
            for unit in gone:
                places = torch.tensor(maker.entries(unit, group.size))
                assert not own.index_select(maker.dim, places).any(), (group.name, maker)


@pytest.mark.parametrize("case", forms(lambda case: not case.overrides and case.name != "torchvision"), ids=str)
def test_a_narrow_network_trains_and_is_narrowed_again(case):
    slim = network(case)
    if not groups_of(slim):
        return
    narrow(slim, chosen(groups_of(slim)))
    first = copy.deepcopy(slim.narrowed)
    kept = chosen(groups_of(slim), share=0.5, seed=4)
    expected = zeroed(slim.eval(), groups_of(slim), kept)(given(case)).logits
    narrow(slim, kept)
    assert (slim(given(case)).logits - expected).abs().max() < 1e-9
    assert {name: (len(kept[name]), of) for name, (_, of) in first.items()} == slim.narrowed
    parameters = list(slim.parameters())
    slim.double()
    slim(given(case)).logits.square().sum().backward()
    assert all(p.grad is None or p.grad.shape == p.shape for p in parameters)
    assert slim.encoder.output_size == slim.head.in_features == slim.head.weight.shape[1]
    for module in slim.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            assert str(len(module.weight)) in repr(module)
        if isinstance(module, nn.Conv2d):
            assert module.weight.shape[:2] == (module.out_channels, module.in_channels // module.groups)


@pytest.mark.parametrize("name", encoders())
def test_every_model_says_what_can_leave(name):
    """Found by listing conf/: all but linear have units; a normalisation over units takes away what passes it."""
    found = {case: groups_of(network(case)) for case in cases() if case.name == name}
    plain = next(iter(found.values()))
    assert bool(plain) == (name not in ("linear",))
    for case, groups in found.items():
        net = network(case)
        mixing = {
            f"{place}.{own}"
            for place, module in net.named_modules()
            for own, p in module.named_parameters(recurse=False)
            if p.dim() == 1 and type(module).__name__ in MIXING
        }
        assert not {one.name for group in groups for one in group.slices} & mixing
        if "normalization=batch" in case.overrides:
            assert all(group.scales for group in groups if not group.name.startswith("encoder.hidden"))
    assert all(isinstance(group, Group) and group.size > 0 for group in plain)
    assert all(one.name != OUTPUT for group in plain for one in group.slices)


def outputs_of(net, layer, gone, source):
    """The network's logits with channels of a layer's output at zero, by a hook: no slices asked."""

    def shut(module, inputs, output):
        made = output.clone()
        made[:, gone] = 0
        return made

    handle = net.get_submodule(layer).register_forward_hook(shut)
    try:
        return net(source).logits
    finally:
        handle.remove()


@pytest.mark.parametrize(
    ("case", "group", "activation"),
    [
        (Case("mlp", "vector", ("model.hidden_sizes=[9,7]", "normalization=batch")), "layers.0", "layers.2"),
        (Case("cnn", "image", ("normalization=batch",)), "blocks.0", "blocks.2"),
        (Case("cnn", "image", ()), "blocks.4", "blocks.6"),
        (Case("vgg16", "image", ()), "layers.3", "layers.5"),
        (Case("student", "image", ()), "blocks.0.3", "blocks.1.2"),
        (Case("resnet", "image", ()), "blocks.1.body.0", "blocks.1.body.2"),
        (Case("transformer", "sequence", ()), "blocks.0.feedforward.0", None),
    ],
    ids=str,
)
def test_against_channels_shut_by_a_hook(case, group, activation):
    """The activation that follows gives zero for the channels that leave: an oracle that knows nothing of slices."""
    wide = network(case).eval()
    (one,) = [made for made in groups_of(wide) if made.name == f"encoder.{group}"]
    gone = [0, one.size // 2, one.size - 1]
    if activation is None:  # features last
        wide_shut = copy.deepcopy(wide)
        inner = wide_shut.get_submodule("encoder.blocks.0.feedforward.1")
        keep = torch.ones(one.size, dtype=torch.float64)
        keep[gone] = 0
        inner.register_forward_hook(lambda module, inputs, output: output * keep)
        expected = wide_shut(given(case)).logits
    else:
        expected = outputs_of(wide, f"encoder.{activation}", gone, given(case))
    narrow(wide, {one.name: [unit for unit in range(one.size) if unit not in gone]})
    assert (wide(given(case)).logits - expected).abs().max() < 1e-9


@pytest.mark.parametrize("model", ["lstm", "textcnn", "transformer"])
def test_entries_of_word_vectors_leave_with_what_reads_them(model):
    case = Case(model, "sequence", ())
    torch.manual_seed(0)
    stem = Embedding(Field("ids", (None,), size=30, padding_id=0), 5)
    wide = Classifier(stem, case.build(), "class", C).double().eval()
    (group,) = [one for one in groups_of(wide) if one.name == "stem"]
    assert group.size == 5
    source = {"source": torch.randint(1, 30, (4, 6))}
    kept = {"stem": [0, 3, 4]}
    expected = copy.deepcopy(wide)
    with torch.no_grad():
        expected.stem.embedding.weight[:, [1, 2]] = 0
    narrow(wide, kept)
    torch.testing.assert_close(wide(source).logits, expected(source).logits, rtol=0, atol=1e-9)
    assert stem.output_shape == (None, 3)
    assert stem.embedding.embedding_dim == 3


def test_a_head_of_one_number_and_what_the_data_fix_stay():
    case = Case("mlp", "vector", ())
    wide = Regressor(Read(), case.build()).double().eval()
    groups = groups_of(wide)
    assert {one.name for one in groups} == {"encoder.layers.0"}
    narrow(wide, {"encoder.layers.0": [1, 5]})
    assert wide.head.weight.shape == (1, 2)
    assert wide.encoder.layers[0].weight.shape == (2, 16)
    assert not groups_of(Regressor(Read(), Case("linear", "vector", ()).build()))

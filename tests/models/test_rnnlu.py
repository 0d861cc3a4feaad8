"""RNNLU against a NumPy loop of the paper's equations; what each switch reads, and what it leaves alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from assay.callbacks.kinds import of_rnn
from assay.composition.causal import check_rnnlu
from assay.contracts import DataSpec, Field
from assay.errors import ConfigError
from assay.layers.random import KeyedStreams, name_layers
from assay.layers.recurrent import Steps
from assay.models.rnnlu import RNNLU
from assay.preflight import compose
from tests.references import rnnlu as reference

V, E, H, T = 12, 3, 5, 7
SIZES = {"entity": 4, "pos": 6}
SPEC = DataSpec({name: Field("feature", (None,), size, 0) for name, size in SIZES.items()})
PLAIN = {
    "hidden_size": H, "lookahead": 0, "bag": 0, "window": 3, "vector_size": E, "centered": True, "features": "none",
    "feature_window": 1, "direct": True, "nonlinearity": "sigmoid", "dropout": 0.0,
}  # fmt: skip
SWITCHED = [
    {},
    {"nonlinearity": "tanh"},
    {"nonlinearity": "relu"},
    {"lookahead": 2},
    {"bag": 3},
    {"bag": 4, "centered": False},
    {"window": 0},
    {"window": 4},
    {"window": 5, "centered": False, "lookahead": 1},
    {"features": "all", "feature_window": 3},
    {"features": ["pos"], "feature_window": 2, "centered": False},
    {"features": "entity", "window": 0, "direct": False},
]
NAMED = pytest.mark.parametrize("said", SWITCHED, ids=lambda said: "-".join(f"{k}={v}" for k, v in said.items()))


def make(columns: int = 2, seed: int = 0, **said) -> RNNLU:
    torch.manual_seed(seed)
    size = (None, 1 + columns) if columns else (None,)
    model = RNNLU(size, **{**PLAIN, **said}, vocabulary_size=V, spec=SPEC if columns else None).double().eval()
    name_layers(model)
    return model


def sentence(length: int = T, seed: int = 1) -> torch.Tensor:
    """(1, T, 3): few words, so that some come twice in a window."""
    generator = torch.Generator().manual_seed(seed)
    columns = [torch.randint(1, size, (length,), generator=generator) for size in (5, *SIZES.values())]
    return torch.stack(columns, -1).unsqueeze(0)


def reach(size, centered):
    return None if not size else (size // 2, (size - 1) // 2) if centered else (size - 1, 0)


def by_hand(model: RNNLU, x: torch.Tensor, said: dict, start=None) -> np.ndarray:
    """[s_t ; f_t] of one sentence, from the weights of the model."""
    told = {**PLAIN, **said}
    weights = {name: value.numpy() for name, value in model.state_dict().items()}
    words = [tuple(row) for row in x[0].tolist()]
    names = {"all": list(SIZES), "none": [], "entity": ["entity"]}.get(str(told["features"]), told["features"])
    sizes = {1 + list(SIZES).index(name): SIZES[name] for name in names}
    windows = reach(told["window"], told["centered"]), reach(told["feature_window"], told["centered"])
    vectors, outside = weights.get("vectors.weight"), weights.get("outside")
    fs = [reference.context(words, t, windows[0], vectors, outside, windows[1], sizes) for t in range(len(words))]
    if told["bag"]:
        xs = [reference.bag(words, t, *reach(told["bag"], told["centered"]), V) for t in range(len(words))]
    else:
        xs = [reference.n_hot(words, t, told["lookahead"], V) for t in range(len(words))]
    u, w, b = weights["words.weight"].T, weights["recurrence.weight_h"], weights["recurrence.bias"]
    start = np.zeros(H) if start is None else start
    s = reference.states(xs, fs, u, w, weights.get("context.weight"), b, told["nonlinearity"], start)
    return np.concatenate([s, np.array(fs)], 1) if told["direct"] else s


@NAMED
def test_against_the_equations(said):
    model, x = make(**said), sentence()
    encoded = model(x)
    expected = torch.from_numpy(by_hand(model, x, said))
    assert model.output_size == expected.shape[1]
    torch.testing.assert_close(encoded.states[0], expected, rtol=0, atol=1e-13)
    torch.testing.assert_close(encoded.last[0], expected[-1], rtol=0, atol=1e-13)


@NAMED
def test_padding_changes_nothing(said):
    model, short, long = make(**said), sentence(3), sentence(T, seed=2)
    x = torch.cat([torch.cat([short, sentence(T - 3, seed=3)], 1), long])  # what is padded is full of words
    mask = torch.arange(T) < torch.tensor([3, T]).unsqueeze(1)
    encoded = model(x, mask)
    for row, alone in enumerate((short, long)):
        expected = torch.from_numpy(by_hand(model, alone, said))
        torch.testing.assert_close(encoded.states[row, : len(expected)], expected, rtol=0, atol=1e-13)
        torch.testing.assert_close(encoded.last[row], expected[-1], rtol=0, atol=1e-13)
    assert not encoded.states[0, 3:].any()


@pytest.mark.parametrize("nonlinearity", ["sigmoid", "tanh", "relu"])
def test_the_kernel_is_its_own_steps_and_so_are_its_gradients(nonlinearity):
    layer = make(nonlinearity=nonlinearity).recurrence
    assert isinstance(layer, Steps)
    a = torch.randn(2, 4, H, dtype=torch.float64, requires_grad=True)
    states, (last,) = layer(a)
    along = torch.randn_like(states)
    whole = torch.autograd.grad((states * along).sum(), [a, *layer.parameters()])
    state, stepped = layer.zeros(a[:, 0]), []
    for now in a.unbind(1):
        state, units = layer.step(now, state)
        assert units["state"][0] == nonlinearity
        stepped.append(state[0])
    torch.testing.assert_close(torch.stack(stepped, 1), states, rtol=0, atol=1e-14)
    torch.testing.assert_close(last, stepped[-1], rtol=0, atol=1e-14)
    by_steps = torch.autograd.grad((torch.stack(stepped, 1) * along).sum(), [a, *layer.parameters()])
    for ours, theirs in zip(whole, by_steps, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-12)


def changed_by(model: RNNLU, place: int, column: int = 0) -> list[int]:
    """The positions of a sentence whose states another word (or feature) at ``place`` changes."""
    x = sentence()
    other = x.clone()
    other[0, place, column] = x[0, place, column] % 3 + 1
    differs = (model(x).states != model(other).states).any(-1)[0]
    return differs.nonzero().flatten().tolist()


@pytest.mark.parametrize(
    ("said", "first"),
    [
        ({"window": 0}, 4),
        ({"window": 0, "lookahead": 2}, 2),
        ({"window": 0, "bag": 3}, 3),
        ({"window": 5}, 2),
        ({"window": 4}, 3),
        ({"window": 5, "bag": 7, "centered": False}, 4),
    ],
)
def test_how_far_ahead_a_word_is_seen(said, first):
    assert changed_by(make(**said), 4) == list(range(first, T))


@pytest.mark.parametrize(("features", "seen"), [("none", []), (["entity"], [1]), (["pos"], [2]), ("all", [1, 2])])
def test_which_features_are_seen(features, seen):
    model = make(features=features, feature_window=3)
    for column in (1, 2):
        assert changed_by(model, 4, column) == (list(range(3, T)) if column in seen else [])


def test_the_order_of_a_bag_is_lost_and_that_of_a_window_is_not():
    x = sentence()
    swapped = x[:, [0, 1, 4, 3, 2, 5, 6]]
    assert not torch.equal(x, swapped)
    bag = make(bag=5, window=0)
    torch.testing.assert_close(bag._hot(x[..., 0] + 1)[0, 1], bag._hot(swapped[..., 0] + 1)[0, 1], rtol=0, atol=1e-14)
    window = make(window=5)
    assert not torch.allclose(window(x).states[0, 3, H:], window(swapped).states[0, 3, H:])


def test_plain_ids_are_tokens_without_features():
    x = sentence()
    plain, known = make(columns=0, lookahead=1), make(lookahead=1)
    assert torch.equal(plain(x[..., 0]).states, known(x).states)


def test_without_direct_connections_the_head_sees_the_state_alone():
    x = sentence()
    assert torch.equal(make(direct=False)(x).states, make()(x).states[..., :H])


def test_what_was_read_is_carried_on():
    said = {"window": 4, "bag": 3, "centered": False, "features": "all", "feature_window": 2}
    model, x = make(**said), torch.cat([sentence(), sentence(seed=5)])
    whole, state, parts = model(x), None, []
    for cut in (x[:, :1], x[:, 1:5], x[:, 5:]):
        encoded = model(cut, None, state)
        state = encoded.state
        parts.append(encoded.states)
    torch.testing.assert_close(torch.cat(parts, 1), whole.states, rtol=0, atol=1e-14)
    assert torch.equal(state[1], whole.state[1])
    zeros = tuple(torch.zeros_like(part) for part in whole.state)
    assert torch.equal(model(x, None, zeros).states, whole.states)  # zeros are the start of a text


def test_dropout_is_one_for_both_readers_of_a_context_and_another_before_the_head():
    model = make(dropout=0.5).train()
    for weight in (model.words.weight, model.recurrence.weight_h):
        torch.nn.init.zeros_(weight)
    with KeyedStreams(0).at(3):
        dropped = model(sentence()).states[..., :H]
    model.drop_states.p = 0.0
    with KeyedStreams(0).at(3):
        states = model(sentence()).states
    f = states[..., H:]
    assert 0 < int((f == 0).sum()) < f.numel()
    driven = torch.nn.functional.linear(f, model.context.weight, model.recurrence.bias)
    torch.testing.assert_close(states[..., :H], driven.sigmoid(), rtol=0, atol=1e-14)
    assert 0 < int((dropped == 0).sum()) < dropped.numel()
    torch.testing.assert_close(dropped, torch.where(dropped == 0, 0, 2 * states[..., :H]), rtol=0, atol=1e-14)


def test_refusals():
    with pytest.raises(
        ConfigError, match=r"model\.features names verb, no word feature of this data, which has entity"
    ):
        make(features=["verb"])
    with pytest.raises(ConfigError, match="which has none: write all, none or names"):
        make(columns=0, features="entity")
    with pytest.raises(ConfigError, match=r"model\.lookahead=1 and model\.bag=3 are two kinds of x_t"):
        make(lookahead=1, bag=3)
    with pytest.raises(ConfigError, match="cannot carry a state on"):
        make()(sentence(), None, (torch.zeros(1, H), torch.zeros(1, 1, 3)))
    with pytest.raises(ConfigError, match=r"model\.nonlinearity=gelu is not one of sigmoid, tanh, relu"):
        make(nonlinearity="gelu")


def test_two_kinds_of_x_are_refused_before_anything_is_made():
    with pytest.raises(ConfigError, match="has one kind of x_t, n-hot or a bag"):
        compose(["model=rnnlu", "data=char_contains", "model.lookahead=1", "model.bag=3"])


@pytest.mark.parametrize("said", [*SWITCHED, {"window": 2}, {"centered": False}, {"features": "all", "window": 0}])
def test_what_reads_ahead_is_known_before_torch_is(said):
    model = make(**said)
    assert check_rnnlu({**PLAIN, **said}) == (set() if model.after else {"causal"})
    assert (model(sentence()).state is None) == bool(model.after)


def test_its_units_are_known_before_torch_is():
    assert of_rnn({"nonlinearity": "sigmoid"}) == {"squashed"}

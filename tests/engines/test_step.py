"""The step contract: one arithmetic, several callers."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn
from torch.func import functional_call, grad, stack_module_state, vmap

from assay.contracts import DataSpec, Field, Output, Term
from assay.data.examples import Dense, Examples
from assay.data.loaders import MemoryLoader
from assay.engines.eager import Eager
from assay.engines.step import Step, divide
from assay.layers.random import Dropout, KeyedStreams, name_layers
from assay.losses.cross_entropy import CrossEntropy
from assay.tasks.classification import Classification

SPEC = DataSpec({"source": Field("vector", (6,)), "label": Field("class", (), 3, names=("a", "b", "c"))})


class Encoder(nn.Module):
    output_size = 8

    def __init__(self, dropout: float = 0.0) -> None:
        super().__init__()
        self.hidden = nn.Linear(6, 8)
        self.dropout = Dropout(dropout)

    def forward(self, x, mask=None, state=None):
        from assay.contracts import Encoded

        return Encoded(None, self.dropout(torch.tanh(self.hidden(x))))


class Stem(nn.Module):
    output_shape = (6,)

    def forward(self, x):
        return x, None


def network(task: Classification, seed: int, dropout: float = 0.0) -> nn.Module:
    torch.manual_seed(seed)
    made = task.network(Stem(), Encoder(dropout)).double()
    name_layers(made)
    return made


def examples(count: int = 40) -> Examples:
    generator = torch.Generator().manual_seed(3)
    columns = {
        "source": Dense(torch.randn(count, 6, generator=generator, dtype=torch.float64)),
        "label": Dense(torch.randint(0, 3, (count,), generator=generator)),
    }
    return Examples(columns, torch.arange(count))


class Silent:
    def started(self, step):
        pass

    def between(self, step):
        pass

    def logged(self, step, epoch, values):
        pass

    def validated(self, step, epoch, scores):
        return False

    def epoch_ended(self, epoch):
        pass


def lightning_run(seed: int, lr: float, epochs: int, folder) -> dict[str, torch.Tensor]:
    import pytorch_lightning as pl

    task = Classification(SPEC, CrossEntropy())
    net = network(task, seed)

    def make_step() -> Step:
        optimizer = torch.optim.Adam(net.parameters(), lr=lr)
        return Step(task, net, optimizer, streams=KeyedStreams(seed))

    module = Eager(task, net, make_step, Silent(), log_every=10)
    trainer = pl.Trainer(
        max_epochs=epochs, accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, use_distributed_sampler=False, default_root_dir=folder, barebones=False,
    )  # fmt: skip
    trainer.fit(module, MemoryLoader(examples(), 16, seed=seed, accumulate=1))
    assert trainer.global_step == epochs * 3
    return {name: value.detach().clone() for name, value in net.state_dict().items()}


@pytest.mark.filterwarnings("ignore:You defined a `validation_step`")
def test_lightning_equals_a_bare_stacked_loop_of_two_members(tmp_path):
    """Two members of other seeds and rates, stacked and trained by vmap and a written-out Adam, against Lightning."""
    seeds, rates, epochs = (1, 2), (1e-2, 3e-3), 4
    solo = [lightning_run(seed, lr, epochs, tmp_path) for seed, lr in zip(seeds, rates, strict=True)]

    task = Classification(SPEC, CrossEntropy())
    members = [network(task, seed) for seed in seeds]
    stacked, _ = stack_module_state(members)
    skeleton = copy.deepcopy(members[0]).to("meta")

    def loss(parameters, batch):
        model = lambda b: functional_call(skeleton, parameters, (b,))  # noqa: E731
        return divide(task.terms(model, batch, KeyedStreams(0)))

    gradient = vmap(grad(loss))
    lr = torch.tensor(rates, dtype=torch.float64)
    moments = {name: (torch.zeros_like(p), torch.zeros_like(p)) for name, p in stacked.items()}
    stacked = {name: p.detach() for name, p in stacked.items()}
    loaders = [MemoryLoader(examples(), 16, seed=seed, accumulate=1) for seed in seeds]
    t = 0
    for epoch in range(epochs):
        for loader in loaders:
            loader.set_epoch(epoch)
        for micro in zip(*loaders, strict=True):
            t += 1
            batch = {key: torch.stack([m[0][key] for m in micro]) for key in ("source", "label", "index")}
            for name, g in gradient(stacked, batch).items():
                m, v = moments[name]
                m = 0.9 * m + 0.1 * g
                v = 0.999 * v + 0.001 * g * g
                moments[name] = (m, v)
                rate = lr.reshape(-1, *[1] * (g.dim() - 1))
                step = (m / (1 - 0.9**t)) / ((v / (1 - 0.999**t)).sqrt() + 1e-8)
                stacked[name] = stacked[name] - rate * step
    for k, weights in enumerate(solo):
        for name, value in weights.items():
            torch.testing.assert_close(stacked[name][k], value, rtol=0, atol=1e-12)


def step_of(task, net, **parts) -> Step:
    return Step(task, net, torch.optim.SGD(net.parameters(), lr=0.1), streams=KeyedStreams(0), **parts)


@pytest.mark.parametrize("sizes", [(40,), (16, 16, 8), (1, 39)])
def test_accumulation_has_the_gradient_of_one_batch(sizes):
    data = examples().gather(torch.arange(40))
    pieces = torch.arange(40).split(list(sizes))
    task = Classification(SPEC, CrossEntropy(label_smoothing=0.1))
    whole, parts = network(task, 1), network(task, 1)
    one = step_of(task, whole)([data], 0, 0)
    many = step_of(task, parts)([{key: value[p] for key, value in data.items()} for p in pieces], 0, 0)
    torch.testing.assert_close(many, one, rtol=0, atol=1e-14)
    for a, b in zip(whole.parameters(), parts.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-14)


class TwoTerms(nn.Module):
    """Terms whose weights differ from batch to batch: only dividing each by its own sum is right."""

    features = ()

    def forward(self, output: Output, batch):
        chosen = batch["label"] == 0
        return {
            "all": Term(-output.log_probs[:, 1].sum(), float(len(chosen))),
            "some": Term(-(output.log_probs[:, 2] * chosen).sum(), chosen.sum()),
        }


def test_accumulation_divides_each_term_by_its_own_weight():
    data = examples().gather(torch.arange(40))
    task = Classification(SPEC, TwoTerms())
    whole, parts = network(task, 1), network(task, 1)
    step_of(task, whole)([data], 0, 0)
    step_of(task, parts)([{k: v[p] for k, v in data.items()} for p in torch.arange(40).split([5, 30, 5])], 0, 0)
    for a, b in zip(whole.parameters(), parts.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-14)


def test_a_step_is_a_function_of_its_number_and_not_of_what_ran_before():
    data = examples().gather(torch.arange(40))
    task = Classification(SPEC, CrossEntropy())
    fresh, used = network(task, 1, 0.5), network(task, 1, 0.5)
    step = step_of(task, used)
    state = step.capture()
    for number in range(5):
        step([data], 0, number)
    step.restore(state)
    a, b = step_of(task, fresh)([data], 0, 7), step([data], 0, 7)
    assert torch.equal(a, b)
    assert all(torch.equal(x, y) for x, y in zip(fresh.parameters(), used.parameters(), strict=True))
    assert not torch.equal(step([data], 0, 8), b)


def test_micro_batches_draw_their_own_numbers():
    data = examples().gather(torch.arange(4))
    task = Classification(SPEC, CrossEntropy())
    net = network(task, 1, 0.5)
    seen = []
    net.encoder.dropout.register_forward_hook(lambda m, i, out: seen.append(out == 0))
    step_of(task, net)([data, data], 0, 0)
    assert not torch.equal(seen[0], seen[1])


class Searching(torch.optim.SGD):
    """An optimiser that cannot do without a closure: it looks at the loss twice at one point, then at another."""

    def step(self, closure):
        self.losses = [closure(), closure()]
        super().step()
        self.losses.append(closure())


@pytest.mark.parametrize("sizes", [(40,), (16, 16, 8)])
def test_an_optimiser_that_searches_sees_one_function_whatever_the_pieces(sizes):
    data = examples().gather(torch.arange(40))
    batches = [{key: value[p] for key, value in data.items()} for p in torch.arange(40).split(list(sizes))]
    task = Classification(SPEC, CrossEntropy())
    plain, searched = network(task, 1, 0.5), network(task, 1, 0.5)
    optimizer = Searching(searched.parameters(), lr=0.1)
    clip = lambda parameters: nn.utils.clip_grad_norm_(parameters, 0.01)  # noqa: E731
    step = Step(task, searched, optimizer, streams=KeyedStreams(0), clip=clip)
    loss = step(batches, 0, 5)
    first, again, after = optimizer.losses
    assert torch.equal(first, again)  # dropout is a function of the step
    assert torch.equal(loss, first)
    assert after < first
    assert torch.equal(loss, step_of(task, plain, clip=clip)(batches, 0, 5))
    assert all(torch.equal(a, b) for a, b in zip(plain.parameters(), searched.parameters(), strict=True))
    assert float(torch.cat([p.grad.flatten() for p in searched.parameters()]).norm()) == pytest.approx(0.01, rel=1e-3)


@pytest.mark.parametrize("search", ["strong_wolfe", "null"])
def test_lbfgs_in_pieces_is_lbfgs_of_one_batch(search):
    from assay.optim.lbfgs import LBFGS

    data = examples().gather(torch.arange(40))
    task = Classification(SPEC, CrossEntropy())
    ends = []
    for sizes in ((40,), (16, 16, 8)):
        net = network(task, 1)
        optimizer = LBFGS(net.parameters(), 1.0, 5, None, 1e-7, 1e-9, 10, None if search == "null" else search, 0.0)
        step = Step(task, net, optimizer, streams=KeyedStreams(0))
        batches = [{key: value[p] for key, value in data.items()} for p in torch.arange(40).split(list(sizes))]
        losses = [float(step(batches, 0, number)) for number in range(4)]
        ends.append(losses)
    assert ends[0] == pytest.approx(ends[1], rel=1e-9)
    assert ends[0][-1] < 0.7 * ends[0][0]

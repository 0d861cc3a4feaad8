"""A fit by counting under the loop's own contract: sums over an epoch, parameters at its end, resumable in between."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from assay.contracts import Batch, Output, Scope, Term
from assay.engines.estimating import Estimating
from assay.engines.step import Step
from assay.layers.random import KeyedStreams
from assay.optim.none import Nothing


class Frequencies(nn.Module):
    """p(class) by counting, the inputs unread."""

    counts: Tensor
    probs: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("counts", torch.zeros(3))
        self.register_buffer("probs", torch.full((3,), 1 / 3))

    def forward(self, batch: Batch) -> Output:
        logits = self.probs.log().expand(len(batch["label"]), 3)
        return Output(logits, logits)

    def accumulate(self, batch: Batch) -> Term:
        self.counts += torch.bincount(batch["label"], minlength=3)
        return Term(-self.probs[batch["label"]].log().sum(), float(len(batch["label"])))

    def maximize(self) -> None:
        self.probs.copy_(self.counts / self.counts.sum())
        self.counts.zero_()


LABELS = torch.tensor([0, 0, 1, 2, 0, 0, 1, 0])
BATCHES = [{"label": part, "index": torch.arange(len(part))} for part in LABELS.split(3)]


def made() -> Estimating:
    return Estimating(object(), Frequencies(), Nothing())


def test_an_epoch_of_counts_gives_the_parameters():
    step = made()
    losses = [step([batch], 0, number) for number, batch in enumerate(BATCHES)]
    for loss in losses:
        torch.testing.assert_close(loss, torch.tensor(3.0).log())
    step.visited()
    assert step.network.probs.tolist() == [5 / 8, 2 / 8, 1 / 8]
    assert step.network.counts.sum() == 0


def test_micro_batches_count_as_one_batch():
    whole, parts = made(), made()
    whole([{"label": LABELS, "index": torch.arange(8)}], 0, 0)
    loss = parts(BATCHES, 0, 0)
    torch.testing.assert_close(loss, torch.tensor(3.0).log())
    assert torch.equal(whole.network.counts, parts.network.counts)


def test_it_goes_on_within_an_epoch():
    broken = made()
    broken(BATCHES[:1], 0, 0)
    later = made()
    later.restore(broken.capture())
    for number, batch in enumerate(BATCHES[1:], 1):
        later([batch], 0, number)
    later.visited()
    assert later.network.probs.tolist() == [5 / 8, 2 / 8, 1 / 8]


class Sum:
    """A carried state: the sum of all inputs so far."""

    scope = Scope.STEP

    def __init__(self) -> None:
        self.kept, self.next = torch.zeros(()), torch.zeros(())

    def begin(self) -> None:
        self.next = self.kept

    def advance(self) -> None:
        self.kept = self.next

    def state(self) -> dict[str, Tensor]:
        return {"kept": self.kept}

    def load_state(self, state: dict[str, Tensor]) -> None:
        self.kept = self.next = state["kept"]


class Reader(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.carry = Sum()
        self.weight = nn.Parameter(torch.ones(()))

    def forward(self, batch: Batch) -> Output:
        self.carry.next = self.carry.next + batch["x"].sum().detach()
        return Output(self.weight * self.carry.next)


class Reading:
    def __init__(self, objective: nn.Module) -> None:
        self.objective = objective

    def terms(self, model: nn.Module, batch: Batch, streams: KeyedStreams) -> dict[str, Term]:
        return {"loss": Term(model(batch).logits, 1.0)}


def test_what_is_carried_moves_with_steps_alone_and_is_restored():
    def step() -> Step:
        network = nn.ModuleDict({"member": Reader()})["member"]
        whole = nn.Module()
        whole.members = nn.ModuleList([network])
        whole.forward = network.forward
        optimizer = torch.optim.SGD(whole.parameters(), lr=0.1)
        return Step(Reading(nn.Identity()), whole, optimizer, streams=KeyedStreams(0))

    def batch(value: float) -> Batch:
        return {"x": torch.tensor([value]), "index": torch.arange(1)}

    one = step()
    assert [*one.carries] == ["members.0.carry"]
    one([batch(1.0)], 0, 0)
    one.network.forward(batch(100.0))  # of no step: it moves nothing
    one([batch(2.0), batch(4.0)], 0, 1)
    carry = one.carries["members.0.carry"]
    assert float(carry.kept) == 7.0
    other = step()
    other.restore(one.capture())
    other([batch(8.0)], 0, 2)
    assert float(other.carries["members.0.carry"].kept) == 15.0

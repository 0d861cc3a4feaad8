"""The TrainState: captured, put back, and nothing lost."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from assay.optim.schedule import Schedule
from assay.state import fill, flatten, load_optimizer_state, optimizer_state


def test_flatten_and_fill_are_inverse():
    nested = {"a": 1, "b": [0.5, float("inf")], "c": {"d": True, "name": "text", "none": None}}
    blank = {"a": 0, "b": [0.0, 0.0], "c": {"d": False, "name": "text", "none": None}}
    flat = flatten(nested)
    assert set(flat) == {"a", "b.0", "b.1", "c.d"}
    assert fill(blank, flat) == nested
    assert isinstance(fill(blank, flat)["c"]["d"], bool)


@pytest.mark.parametrize(
    "make",
    [
        lambda p: torch.optim.Adam(p, lr=0.01, fused=True),
        lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True),
        lambda p: torch.optim.Adagrad(p, lr=0.1),
        lambda p: torch.optim.RMSprop(p, lr=0.01, centered=True),
    ],
)
def test_an_optimizer_continues_bit_for_bit(make):
    def fresh():
        torch.manual_seed(0)
        return nn.Linear(3, 2)

    def advance(model, optimizer, start, stop):
        for i in range(start, stop):
            optimizer.zero_grad()
            (model(torch.ones(1, 3) * (i + 1)) ** 2).sum().backward()
            optimizer.step()

    whole = fresh()
    advance(whole, make(whole.parameters()), 0, 6)
    first = fresh()
    optimizer = make(first.parameters())
    advance(first, optimizer, 0, 3)
    saved = {key: value.clone() for key, value in optimizer_state(optimizer).items()}
    weights = {key: value.clone() for key, value in first.state_dict().items()}
    second = fresh()
    second.load_state_dict(weights)
    again = make(second.parameters())
    load_optimizer_state(again, saved)
    advance(second, again, 3, 6)
    assert torch.equal(whole.weight, second.weight)


@pytest.mark.parametrize("name", ["onecycle", "plateau", "step"])
def test_a_schedule_continues(name):
    from functools import partial

    from torch.optim import lr_scheduler as s

    make = {
        "onecycle": partial(s.OneCycleLR, max_lr=1.0, cycle_momentum=False),
        "plateau": partial(s.ReduceLROnPlateau, patience=0),
        "step": partial(s.StepLR, step_size=2),
    }[name]

    def fresh():
        optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
        return optimizer, Schedule(make, optimizer, total_steps=10, mode="min")

    def advance(schedule, optimizer, steps):
        for step in steps:
            optimizer.step()
            schedule.stepped()
            if step % 3 == 2:
                schedule.validated(1.0)
                schedule.epoch_ended()

    optimizer, schedule = fresh()
    advance(schedule, optimizer, range(5))
    state = schedule.state()
    rates = [group["lr"] for group in optimizer.param_groups]
    other, resumed = fresh()
    resumed.load_state(state)
    for group, rate in zip(other.param_groups, rates, strict=True):
        group["lr"] = rate  # the optimiser's own state carries the rate
    advance(schedule, optimizer, range(5, 9))
    advance(resumed, other, range(5, 9))
    assert other.param_groups[0]["lr"] == optimizer.param_groups[0]["lr"]
    assert optimizer.param_groups[0]["lr"] != 1.0


def test_plateau_follows_the_monitored_direction():
    from functools import partial

    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    schedule = Schedule(
        partial(torch.optim.lr_scheduler.ReduceLROnPlateau, patience=0, factor=0.5),
        optimizer,
        total_steps=9,
        mode="max",
    )
    for score in (0.1, 0.2, 0.3):
        schedule.validated(score)
    assert optimizer.param_groups[0]["lr"] == 1.0
    schedule.validated(0.2)
    assert optimizer.param_groups[0]["lr"] == 0.5

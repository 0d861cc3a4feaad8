"""Every schedule of conf/ at its moments of a run, its rates against the formula, and where it goes on after a stop."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from assay.contracts import Scope, Stateful
from assay.errors import ConfigError
from assay.optim.schedule import Schedule
from tests.options import option, options

MAX = 0.4
SCHEDULES = [name for name in options("scheduler") if name != "none"]


def optimizer():
    weight = torch.ones(2, requires_grad=True)
    weight.grad = torch.ones(2)
    return torch.optim.SGD([weight], lr=MAX)


def schedule(name, steps=20, mode="max", *overrides):
    made = optimizer()
    return made, Schedule(option("scheduler", name, f"optim.lr={MAX}", *overrides), made, total_steps=steps, mode=mode)


def rates(made, plan, steps):
    """The rate of each of the next optimiser steps."""
    seen = []
    for _ in range(steps):
        seen.append(made.param_groups[0]["lr"])
        made.step()
        plan.stepped()
    return seen


def one_cycle(steps, share):
    """Smith and Topin 2018 in torch's two cosine phases: MAX / 25 up to MAX, then down to MAX / 25 / 10000."""
    top = share * steps - 1
    start, end = MAX / 25, MAX / 25 / 1e4
    found = []
    for step in range(steps):
        low, high, part = (start, MAX, step / top) if step <= top else (end, MAX, 1 - (step - top) / (steps - 1 - top))
        found.append(low + (high - low) * (1 - math.cos(math.pi * part)) / 2)
    return found


@pytest.mark.parametrize(("steps", "share"), [(20, 0.3), (100, 0.5), (7, 0.3), (4, 0.9)])
def test_one_cycle_is_its_formula_from_the_first_step_to_the_last(steps, share):
    made, plan = schedule("onecycle", steps, "max", f"scheduler.pct_start={share}")
    assert plan.scope is Scope.STEP
    assert rates(made, plan, steps) == pytest.approx(one_cycle(steps, share), rel=1e-9)
    plan.epoch_ended()
    plan.validated(0.0)
    plan.stepped()  # a step more than was announced keeps the last rate
    assert made.param_groups[0]["lr"] == pytest.approx(MAX / 25 / 1e4)


def test_one_cycle_of_a_single_step():
    made, plan = schedule("onecycle", 1)
    assert len(rates(made, plan, 1)) == 1


def test_a_rise_of_exactly_one_step_is_refused_in_words():
    with pytest.raises(ConfigError, match=r"^this scheduler cannot divide a run of 4 steps: train longer, or use sch"):
        schedule("onecycle", 4, "max", "scheduler.pct_start=0.25")


@pytest.mark.parametrize("steps", [1, 7, 100])
@pytest.mark.parametrize("floor", [0.0, 0.25])
def test_cosine_is_its_formula(steps, floor):
    """Loshchilov and Hutter 2017, eq. 5: η_min + (η_max - η_min) (1 + cos(T_cur π / T_i)) / 2."""
    made, plan = schedule("cosine", steps, "max", f"scheduler.floor={floor}")
    assert plan.scope is Scope.STEP
    low = floor * MAX
    expected = [low + 0.5 * (MAX - low) * (1 + math.cos(t * math.pi / steps)) for t in range(steps)]
    assert rates(made, plan, steps) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(("steps", "warmup", "rising"), [(100, 0.1, 10), (40, 0.05, 2), (7, 0.99, 6), (1, 0.5, 0)])
def test_warmup_cosine_rises_evenly_and_falls_as_a_cosine(steps, warmup, rising):
    made, plan = schedule("warmup_cosine", steps, "max", f"scheduler.warmup={warmup}", "scheduler.floor=0.1")
    seen = rates(made, plan, steps)
    line = [MAX * (t + 1) / (rising + 1) for t in range(rising)]
    left = steps - rising
    fall = [0.1 * MAX + 0.9 * MAX * 0.5 * (1 + math.cos(math.pi * u / left)) for u in range(left)]
    assert seen == pytest.approx(line + fall, rel=1e-12)
    assert seen.index(max(seen)) == rising


@pytest.mark.parametrize("halving", [False, True])
@pytest.mark.parametrize(("steps", "cycles"), [(80, 4), (12, 3), (30, 4), (5, 1)])
def test_cyclical_is_the_papers_program(halving, steps, cycles):
    """Smith 2017, 3.1: cycle = floor(1 + t / (2 stepsize)), x = |t / stepsize - 2 cycle + 1|,
    lr = base + (max - base) max(0, 1 - x), the difference halved at the end of each cycle in triangular2."""
    made, plan = schedule("cyclical", steps, "max", f"scheduler.cycles={cycles}", f"scheduler.halving={halving}")
    base, stepsize = 0.1 * MAX, steps / (2 * cycles)
    expected = []
    for t in range(steps):
        cycle = math.floor(1 + t / (2 * stepsize) + 1e-12)
        x = abs(t / stepsize - 2 * cycle + 1)
        height = max(0.0, 1 - x) / (2 ** (cycle - 1) if halving else 1)
        expected.append(base + (MAX - base) * height)
    assert rates(made, plan, steps) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(("steps", "warmup"), [(100, 0.04), (100, 0.5), (3, 0.04)])
def test_noam_is_the_papers_up_to_its_peak(steps, warmup):
    """Vaswani et al. 2017, eq. 3: d_model^-0.5 min(step^-0.5, step warmup_steps^-1.5), over its value at the peak."""
    made, plan = schedule("noam", steps, "max", f"scheduler.warmup={warmup}")
    rising = max(1, int(warmup * steps))

    def paper(step):
        return 512**-0.5 * min(step**-0.5, step * rising**-1.5)

    expected = [MAX * paper(s) / paper(rising) for s in range(1, steps + 1)]
    assert rates(made, plan, steps) == pytest.approx(expected, rel=1e-12)


def test_step_falls_every_so_many_epochs():
    made, plan = schedule("step", 100, "max", "scheduler.step_size=3", "scheduler.gamma=0.1")
    assert plan.scope is Scope.EPOCH
    assert travel(made, plan, range(9)) == pytest.approx([MAX * 0.1 ** ((e + 1) // 3) for e in range(9)])


@pytest.mark.parametrize(
    ("size", "after", "gamma"), [(1, 3, 0.5), (1, 5, 1 / 1.2), (3, 2, 0.1), (2, 0, 0.5), (1, 40, 0.5)]
)
def test_step_may_begin_later(size, after, gamma):
    """Against the rate multiplied epoch by epoch; (1, 3, 0.5): Zaremba et al. 2014, halved in each after the fourth."""
    made, plan = schedule(
        "step", 100, "max", f"scheduler.step_size={size}", f"scheduler.gamma={gamma}", f"scheduler.after={after}"
    )
    seen = [MAX, *travel(made, plan, range(14))]
    steps = np.arange(15) > after
    steps &= (np.arange(15) - after) % size == 0
    np.testing.assert_allclose(seen, MAX * np.cumprod(np.where(steps, gamma, 1.0)), rtol=1e-12)
    if (size, after) == (1, 3):
        np.testing.assert_allclose(seen[:6], [MAX] * 4 + [MAX / 2, MAX / 4])


@pytest.mark.parametrize("name", SCHEDULES)
def test_every_schedule_keeps_the_ratio_of_two_rates(name):
    """Layers with rates of their own move together."""
    weights = [torch.ones(2, requires_grad=True) for _ in range(2)]
    made = torch.optim.SGD([{"params": weights[:1], "lr": MAX}, {"params": weights[1:], "lr": MAX / 4}], lr=MAX)
    plan = Schedule(option("scheduler", name, f"optim.lr={MAX}"), made, total_steps=20, mode="max")
    travel(made, plan, range(13))
    first, second = (group["lr"] for group in made.param_groups)
    assert second == pytest.approx(first / 4)
    assert first != pytest.approx(MAX)


@pytest.mark.parametrize(("mode", "better"), [("max", 1), ("min", -1)])
def test_plateau_falls_after_its_patience_without_improvement(mode, better):
    made, plan = schedule("plateau", 100, mode, "scheduler.patience=2", "scheduler.factor=0.1")
    assert plan.scope is Scope.EPOCH
    seen = []
    for score in [1, 2, 1, 1, 1, 3, 1, 1, 1]:
        made.step()
        plan.stepped()
        plan.epoch_ended()
        plan.validated(better * score)
        seen.append(round(made.param_groups[0]["lr"] / MAX, 9))
    assert seen == [1, 1, 1, 1, 0.1, 0.1, 0.1, 0.1, 0.01]


def test_any_other_moves_each_epoch():
    from functools import partial

    made = optimizer()
    plan = Schedule(partial(torch.optim.lr_scheduler.StepLR, step_size=2, gamma=0.5), made, total_steps=9, mode="min")
    assert plan.scope is Scope.EPOCH
    seen = []
    for _ in range(5):
        made.step()
        plan.stepped()
        plan.epoch_ended()
        seen.append(made.param_groups[0]["lr"] / MAX)
    assert seen == [1, 0.5, 0.5, 0.25, 0.25]


def travel(made, plan, moments):
    seen = []
    for moment in moments:
        made.step()
        plan.stepped()
        plan.epoch_ended()
        plan.validated(math.sin(moment))
        seen.append(made.param_groups[0]["lr"])
    return seen


@pytest.mark.parametrize("name", SCHEDULES)
def test_every_schedule_goes_on_where_it_stopped(name):
    made, plan = schedule(name, 20)
    assert isinstance(plan, Stateful)
    whole = travel(made, plan, range(20))
    first, before = schedule(name, 20)
    start = travel(first, before, range(9))
    state = {key: value.clone() for key, value in before.state().items()}
    assert all(isinstance(value, torch.Tensor) for value in state.values())
    second, after = schedule(name, 20)
    second.load_state_dict(first.state_dict())
    after.load_state(state)
    assert start + travel(second, after, range(9, 20)) == whole
    assert len(set(whole)) > 1


def test_a_step_before_the_last_leaves_room_for_all():
    made, plan = schedule("onecycle", 3)
    state = plan.state()
    assert int(state["left"]) == 2
    rates(made, plan, 3)
    assert int(plan.state()["left"]) == 0


def test_one_cycle_raises_each_group_to_its_own_rate():
    weights = [torch.ones(2, requires_grad=True) for _ in range(2)]
    groups = [{"params": [weight], "lr": MAX * share} for weight, share in zip(weights, (1, 0.1), strict=True)]
    made = torch.optim.SGD(groups, lr=MAX)
    plan = Schedule(option("scheduler", "onecycle", f"optim.lr={MAX}"), made, total_steps=20, mode="max")
    seen = []
    for _ in range(20):
        seen.append([group["lr"] for group in made.param_groups])
        made.step()
        plan.stepped()
    first, second = zip(*seen, strict=True)
    assert first == pytest.approx(one_cycle(20, 0.3), rel=1e-9)
    assert second == pytest.approx([rate / 10 for rate in first], rel=1e-9)


def test_a_mode_that_is_no_direction_stays_the_schedulers_own():
    """CyclicLR's mode is the shape of its triangles; plateau's, where it is written out, wins."""
    from functools import partial

    lr_scheduler = torch.optim.lr_scheduler
    cyclic = partial(lr_scheduler.CyclicLR, base_lr=0.1, max_lr=0.4, cycle_momentum=False)
    assert Schedule(cyclic, optimizer(), total_steps=9, mode="max").scheduler.mode == "triangular"
    written = partial(cyclic, mode="triangular2")
    assert Schedule(written, optimizer(), total_steps=9, mode="max").scheduler.mode == "triangular2"
    plateau = partial(lr_scheduler.ReduceLROnPlateau)
    assert Schedule(plateau, optimizer(), total_steps=9, mode="max").scheduler.mode == "max"
    own = partial(plateau, mode="min")
    assert Schedule(own, optimizer(), total_steps=9, mode="max").scheduler.mode == "min"

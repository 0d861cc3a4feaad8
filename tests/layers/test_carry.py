"""Truncated back-propagation: states go on from window to window, and only steps move them."""

from __future__ import annotations

import copy

import torch

from assay.contracts import Carried
from assay.layers.carry import Carry

OLD, NEW = torch.tensor([False, False]), torch.tensor([True, True])


def passed(carry, x, fresh=OLD, training=True):
    """A pass of a net whose state is the running sum of what it reads: h' = h + x; (B,) -> h'."""
    state = carry.read(x, fresh, training)
    h = x.view(-1, 1, 1) if state is None else state[0] + x.view(-1, 1, 1)
    carry.leave((h,), training)
    return h.view(-1)


def test_it_is_what_a_step_begins_advances_and_keeps():
    assert isinstance(Carry(), Carried)


def test_windows_go_on_from_one_another_and_begin_at_zero_where_a_text_does():
    carry = Carry()
    seen = []
    for x, fresh in (([1.0, 2.0], NEW), ([10.0, 20.0], OLD), ([5.0, 7.0], torch.tensor([False, True]))):
        carry.begin()
        seen.append(passed(carry, torch.tensor(x), fresh).tolist())
        carry.advance()
    assert seen == [[1, 2], [11, 22], [16, 7]]


def test_a_fresh_row_forgets_even_what_is_not_finite():
    carry = Carry()
    carry.leave((torch.tensor([float("nan"), 1.0]).view(2, 1, 1),), True)
    assert passed(carry, torch.zeros(2), torch.tensor([True, False])).tolist() == [0, 1]


def test_only_a_step_moves_it():
    """Passes that belong to no step, in training mode or in evaluation, leave the next step where it was."""
    carry = Carry()
    carry.begin()
    passed(carry, torch.tensor([1.0, 2.0]), NEW)
    carry.advance()
    passed(carry, torch.tensor([100.0, 100.0]))  # a look in training mode
    passed(carry, torch.tensor([100.0, 100.0, 100.0]), torch.tensor([True] * 3), training=False)
    carry.begin()
    assert passed(carry, torch.tensor([1.0, 1.0])).tolist() == [2, 3]


def test_a_search_sees_one_function_and_micro_batches_go_on():
    carry = Carry()
    carry.leave((torch.ones(2, 1, 1),), True)
    carry.advance()
    for _ in range(3):  # a closure that is asked three times
        carry.begin()
        passed(carry, torch.tensor([1.0, 2.0]))
        assert passed(carry, torch.tensor([1.0, 2.0])).tolist() == [3, 5]
    carry.advance()
    assert carry.state()["0"].view(-1).tolist() == [3, 5]


def test_evaluation_has_a_state_of_its_own_that_goes_on_from_batch_to_batch():
    carry = Carry()
    passed(carry, torch.tensor([1.0, 2.0]))
    passed(carry, torch.tensor([5.0, 5.0, 5.0]), torch.tensor([True] * 3), training=False)
    assert passed(carry, torch.tensor([1.0, 1.0, 1.0]), torch.tensor([False] * 3), training=False).tolist() == [6] * 3
    assert passed(carry, torch.tensor([1.0, 1.0])).tolist() == [2, 3]


def test_an_evaluation_does_not_go_on_from_the_one_before():
    carry = Carry()
    passed(carry, torch.tensor([1.0, 2.0]))
    passed(carry, torch.tensor([5.0, 5.0]), training=False)
    carry.forget_evaluation()
    assert passed(carry, torch.tensor([1.0, 1.0]), training=False).tolist() == [1, 1]
    assert passed(carry, torch.tensor([1.0, 1.0])).tolist() == [2, 3]


def test_rows_that_come_begin_at_zero_and_rows_that_go_are_the_last():
    carry = Carry()
    passed(carry, torch.tensor([1.0, 2.0]))
    assert passed(carry, torch.tensor([0.0]), torch.tensor([False])).tolist() == [1]
    assert passed(carry, torch.zeros(3), torch.tensor([False] * 3)).tolist() == [1, 0, 0]


def test_no_gradient_crosses_a_window():
    carry = Carry()
    weight = torch.tensor([1.0, 2.0], requires_grad=True)
    passed(carry, weight)
    h = passed(carry, weight)
    h.sum().backward()
    assert h.tolist() == [2, 4]
    assert weight.grad is not None
    assert weight.grad.tolist() == [1, 1]  # not 2


def test_what_is_kept_comes_back_bit_for_bit():
    carry, other = Carry(), Carry()
    assert carry.state() == {}
    carry.leave((torch.randn(2, 1, 3), torch.randn(2, 1, 3)), True)
    carry.advance()
    passed(carry, torch.zeros(2))  # after the step: not part of it
    other.load_state(carry.state())
    for name, part in other.state().items():
        assert torch.equal(part, carry.state()[name])
    other.load_state({})
    assert other.read(torch.zeros(2), OLD, True) is None


def test_a_copy_begins_where_the_next_step_does_and_moves_by_itself():
    carry = Carry()
    passed(carry, torch.tensor([1.0, 2.0]))
    carry.advance()
    with torch.inference_mode():
        passed(carry, torch.tensor([9.0, 9.0]), training=False)
    twin = copy.deepcopy(carry)
    assert passed(twin, torch.tensor([1.0, 1.0])).tolist() == [2, 3]
    twin.advance()
    carry.begin()
    assert passed(carry, torch.tensor([2.0, 2.0])).tolist() == [3, 4]
    assert passed(twin, torch.tensor([1.0, 1.0]), training=False).tolist() == [1, 1]


def test_what_inference_left_can_be_differentiated_past():
    carry = Carry()
    with torch.inference_mode():
        passed(carry, torch.tensor([1.0, 2.0]), training=False)
    weight = torch.ones(2, requires_grad=True)
    state = carry.read(weight, OLD, False)
    assert state is not None
    (state[0].view(-1) * weight).sum().backward()
    assert weight.grad is not None
    assert weight.grad.tolist() == [1, 2]


def test_of_a_teacher_the_passes_are_those_of_the_students_steps():
    carry = Carry()
    carry.asked_in_steps = True
    carry.begin()
    passed(carry, torch.tensor([1.0, 2.0]), training=False)
    carry.advance()
    passed(carry, torch.tensor([100.0, 100.0]), training=False)
    carry.begin()
    assert passed(carry, torch.tensor([1.0, 1.0]), training=False).tolist() == [2, 3]


def test_a_search_among_rows_begins_where_the_batch_did():
    carry = Carry()
    passed(carry, torch.tensor([1.0, 2.0, 3.0]), torch.tensor([True] * 3))
    passed(carry, torch.zeros(3), torch.tensor([False] * 3))
    again = carry.again()
    for rows, expected in (([2], [3.0]), ([0, 1], [1.0, 2.0]), ([1, 1], [2.0, 2.0])):
        again(torch.tensor(rows))
        assert passed(carry, torch.zeros(len(rows)), torch.tensor([False] * len(rows))).tolist() == expected

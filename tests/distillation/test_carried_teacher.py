"""A teacher with a carried state, which lives outside the module tree: it moves with the student's steps alone."""

from __future__ import annotations

import copy
from types import SimpleNamespace

import pytest
import torch

from assay.distillation.kd import KnowledgeDistillation
from assay.engines.step import Step
from assay.layers.random import KeyedStreams
from assay.losses.cross_entropy import CrossEntropy
from tests.tasks.test_lm import lstm, made, stream


class Taught:
    """As a trained run: its network, frozen and in eval mode. Keeps what it answered."""

    def __init__(self) -> None:
        network = made()[1].requires_grad_(False).eval()
        with torch.no_grad():
            for weight in network.parameters():
                weight.mul_(2)
        self.artifacts = [SimpleNamespace(network=network)]
        self.said: list[torch.Tensor] = []

    def __call__(self, batch):
        output = self.artifacts[0].network(batch)
        self.said.append(output.logits)
        return output


def distilled():
    teacher = Taught()
    task, student = made(lambda width: lstm(width, 0.3), loss=KnowledgeDistillation(CrossEntropy(), teacher, 0.5, 2.0))
    optimizer = torch.optim.SGD([*student.parameters()], lr=0.1)
    return teacher, Step(task, student, optimizer, streams=KeyedStreams(0))


def alone(teacher, text):
    """What it answers to the whole text."""
    twin = copy.deepcopy(teacher.artifacts[0].network)
    return twin({"source": text}).logits


@pytest.mark.parametrize("together", [1, 2])
def test_it_reads_the_text_on_with_the_student(together):
    """Windows of one step, as micro-batches, and of many."""
    teacher, step = distilled()
    text, batches = stream(4)
    for number in range(0, 4, together):
        step(batches[number : number + together], 0, number)
    torch.testing.assert_close(torch.cat(teacher.said, 1), alone(teacher, text[:, :-1]))


def test_what_is_asked_outside_of_steps_moves_nothing():
    teacher, step = distilled()
    text, batches = stream(3)
    for number, batch in enumerate(batches):
        step([batch], 0, number)
        teacher(batches[0])  # a look
        teacher.said.pop()
    torch.testing.assert_close(torch.cat(teacher.said, 1), alone(teacher, text[:, :-1]))


@pytest.mark.parametrize("number", [1, 2, 4])
def test_a_step_that_is_resumed_loses_no_bit_of_student_and_teacher(number):
    _, batches = stream(3)
    _, step = distilled()
    for i in range(6):
        if i == number:
            saved = {name: value.clone() for name, value in step.capture().items()}
        step([batches[i % 3]], i // 3, i)
    expected = step.capture()
    assert {"carry.0", "carry.1", "taught.listener.carry.0.0", "taught.listener.carry.0.1"} < set(expected)
    _, again = distilled()
    again.restore(saved)
    for i in range(number, 6):
        again([batches[i % 3]], i // 3, i)
    assert all(torch.equal(value, expected[name]) for name, value in again.capture().items())


def test_a_copy_of_task_and_network_has_a_teacher_of_its_own():
    """The range test of a rate, and diagnostics, take steps of copies."""
    teacher, step = distilled()
    text, batches = stream(2)
    step([batches[0]], 0, 0)
    task, network = copy.deepcopy((step.task, step.network))
    Step(task, network, torch.optim.SGD([*network.parameters()], lr=1.0), streams=KeyedStreams(0))([batches[0]], 0, 0)
    step([batches[1]], 0, 1)
    torch.testing.assert_close(torch.cat(teacher.said, 1), alone(teacher, text[:, :-1]))

"""Schedules in closed form: the rate of optimiser step t, counted from 0, of a run of T is optim.lr times a factor.
One that asks for no T counts epochs.

All depend on t and configuration alone, so a scheduler's state is its count. torch's own of these names count epochs,
or want a length in steps that a run knows only once its data are read; here lengths are shares of the run.
"""

from __future__ import annotations

import math

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR


def stairs(optimizer: Optimizer, step_size: int, gamma: float, after: int = 0) -> LambdaLR:
    """γ^⌊max(e - after, 0) / step_size⌋ in epoch e, counted from 0: torch's StepLR, which may begin later.

    Zaremba, Sutskever and Vinyals, "Recurrent Neural Network Regularization", 2014, arXiv:1409.2329, section 4.1, halve
    the rate in each epoch after the fourth: step_size 1, after 3.

    Args:
        optimizer: whose rates move.
        step_size: epochs of a step.
        gamma: γ.
        after: epochs before the first step begins.
    """
    return LambdaLR(optimizer, lambda epoch: gamma ** (max(epoch - after, 0) // step_size))


def cosine(optimizer: Optimizer, total_steps: int, floor: float) -> LambdaLR:
    """floor + (1 - floor) (1 + cos(π t / T)) / 2.

    Loshchilov and Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts", 2017, arXiv:1608.03983, eq. 5 with
    one period, the run.

    Args:
        optimizer: whose rates move.
        total_steps: T.
        floor: the share of the rate that it falls to, η_min / η_max.
    """
    return warmup_cosine(optimizer, total_steps, 0.0, floor)


def warmup_cosine(optimizer: Optimizer, total_steps: int, warmup: float, floor: float) -> LambdaLR:
    """(t + 1) / (W + 1) for t < W = ⌊warmup T⌋, then :func:`cosine` over the T - W steps left.

    Goyal et al., "Accurate, Large Minibatch SGD", 2017, arXiv:1706.02677, 2.2 (gradual warm-up). Differs from the
    paper: it begins one step above 0, where the paper begins at the rate of one worker.

    Args:
        optimizer: whose rates move.
        total_steps: T.
        warmup: the share of the steps that rise.
        floor: the share of the rate that it falls to.
    """
    rising = int(warmup * total_steps)

    def factor(step: int) -> float:
        if step < rising:
            return (step + 1) / (rising + 1)
        part = (step - rising) / (total_steps - rising)
        return floor + (1 - floor) * (1 + math.cos(math.pi * part)) / 2

    return LambdaLR(optimizer, factor)


def cyclical(optimizer: Optimizer, total_steps: int, cycles: int, floor: float, halving: bool) -> LambdaLR:
    """floor + (1 - floor) (1 - |2 (x - ⌊x⌋) - 1|) h, x = cycles t / T; h = 1, or 2^-⌊x⌋ if halving.

    Smith, "Cyclical Learning Rates for Training Neural Networks", 2017, arXiv:1506.01186, 3.1. Differs from the paper:
    the half cycle (stepsize) is T / (2 cycles) steps, so that a run ends at the foot of a triangle.

    Args:
        optimizer: whose rates move.
        total_steps: T.
        cycles: triangles in the run.
        floor: base_lr / max_lr.
        halving: each triangle half as high as the one before, the paper's triangular2.
    """

    def factor(step: int) -> float:
        done, part = divmod(cycles * step, total_steps)  # whole numbers: a triangle's foot is exact
        height = 1 - abs(2 * part / total_steps - 1)
        return floor + (1 - floor) * height * (0.5**done if halving else 1.0)

    return LambdaLR(optimizer, factor)


def noam(optimizer: Optimizer, total_steps: int, warmup: float) -> LambdaLR:
    """min(s / W, √(W / s)), s = t + 1, W = max(1, ⌊warmup T⌋).

    Vaswani et al., "Attention Is All You Need", 2017, arXiv:1706.03762, eq. 3. Differs from the paper: divided by its
    peak (d_model W)^-0.5, so that optim.lr is the peak whatever the model; warm-up is a share of the run.

    Args:
        optimizer: whose rates move.
        total_steps: T.
        warmup: the share of the steps that rise.
    """
    rising = max(1, int(warmup * total_steps))
    return LambdaLR(optimizer, lambda step: min((step + 1) / rising, math.sqrt(rising / (step + 1))))

"""Random over-sampling: examples of the smaller classes come again."""

from __future__ import annotations

import torch
from torch import Tensor

from assay.data.samplers.classes import drawn, members
from assay.errors import ConfigError
from assay.layers.random import example_uniform, order


class Oversample:
    """Every example once, and those of the smaller classes again until each has ⌊ratio · largest⌋ examples.

    Random over-sampling as in Batista, Prati and Monard, "A Study of the Behavior of Several Methods for Balancing
    Machine Learning Training Data", 2004, section 3. Differs: repeats are spread evenly, so that an example comes at
    most once more often than another of its class; which ones do is drawn anew each epoch. Theirs are drawn once, with
    replacement. The copies of an example in one epoch meet one augmentation, which is keyed by (seed, epoch, example).

    Args:
        label: of the training examples, (N,) int64.
        seed: of the run.
        ratio: what each class is brought up to, as a share of the largest; larger classes stay whole.
    Raises:
        ConfigError: ratio is outside (0, 1].
    """

    def __init__(self, label: Tensor, seed: int, ratio: float = 1.0) -> None:
        if not 0 < ratio <= 1:
            raise ConfigError(f"sampling.ratio={ratio:g} is not a share of the largest class, in (0, 1]")
        self.seed, self.count = seed, len(label)
        classes = members(label)
        target = int(ratio * max(map(len, classes)))
        always, self._some = [torch.arange(len(label))], []
        for positions in classes:
            times, rest = divmod(max(target - len(positions), 0), len(positions))
            always.append(positions.repeat(times))
            if rest:
                self._some.append((positions, rest))
        self._always = torch.cat(always)
        self._length = len(self._always) + sum(rest for _, rest in self._some)
        self.note = f"{self._length:,} examples an epoch, of {self.count:,}"

    def __len__(self) -> int:
        return self._length

    def positions(self, epoch: int) -> Tensor:
        draws = example_uniform(self.seed, epoch, torch.arange(self.count), "oversample")
        again = [drawn(positions, draws, rest) for positions, rest in self._some]
        return torch.cat([self._always, *again])[order(self.seed, epoch, self._length)]

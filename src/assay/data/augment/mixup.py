"""Mixup: training on convex mixtures of examples and labels."""

from __future__ import annotations

from torch import Tensor

from assay.contracts import Batch, DataSpec
from assay.data.augment.mixing import Beta, blend, mixed_targets, partners
from assay.errors import ConfigError
from assay.layers.random import example_uniform


class Mixup:
    """x̃ = λ x_i + (1 - λ) x_j, ỹ = λ y_i + (1 - λ) y_j, with λ ~ Beta(α, α).

    Zhang, Cissé, Dauphin and Lopez-Paz, "mixup: Beyond Empirical Risk Minimization", ICLR 2018, arXiv:1710.09412, eq. 1
    and figure 1a. Partners j are a random permutation of the batch, as there.
    Differs: λ is drawn for each example, where the paper's code draws one for a batch; so that λ is a function of
    (seed, epoch, example) and a replayed batch mixes alike. The permutation orders the batch by such numbers. Weights
    of examples are mixed too (see :func:`~assay.data.augment.mixing.mixed_targets`).

    Args:
        spec: of the data; the source must be numbers.
        seed: of the run.
        alpha: of the Beta distribution; small values leave most examples nearly as they are.
    Shape:
        batch -> the same; a class label (B,) int64 becomes a distribution (B, C) float32
    Raises:
        ConfigError: alpha is not positive, or the source holds token ids or categories.
    """

    mixes = True  # examples of a batch with each other: to be given whole batches

    def __init__(self, spec: DataSpec, seed: int, alpha: float = 0.2) -> None:
        if not alpha > 0:
            raise ConfigError(f"augment.mixup.alpha={alpha:g} is not positive")
        if spec.source.kind not in ("image", "sequence", "vector"):
            raise ConfigError(f"augment=mixup mixes numbers, and this data holds {spec.source.kind}: use augment=[]")
        self.seed, self.label = seed, spec.label
        self._beta = Beta(alpha)

    def __call__(self, batch: Batch, epoch: int) -> Batch:
        index = batch["index"]
        partner = partners(self.seed, epoch, index, "mixup partner")
        share = self.weights(epoch, index)  # (B,) float64
        source = blend(batch["source"], batch["source"][partner], share)
        return {**batch, "source": source, **mixed_targets(batch, partner, share, self.label)}

    def weights(self, epoch: int, index: Tensor) -> Tensor:
        """λ of each example (B,) float64."""
        return self._beta(example_uniform(self.seed, epoch, index, "mixup weight"))

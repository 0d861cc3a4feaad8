"""Normalisations as factories: ``make(num_features, spatial_dims) -> nn.Module``.

``spatial_dims`` says where the features stand: 0 for (B, C), 1 for sequences (B, T, C), features last, 2 for images
(B, C, H, W).
"""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

from assay.errors import ConfigError

Normalization = Callable[..., nn.Module]


def none(num_features: int, spatial_dims: int = 0) -> nn.Module:
    """The identity."""
    return nn.Identity()


class BatchNorm(nn.Module):
    """(x - mean) / √(variance + ε) · γ + β with the batch's statistics per feature, or per channel for images; the
    running ones at prediction time.

    Ioffe and Szegedy, "Batch Normalization", 2015, arXiv:1502.03167, algorithms 1 and 2. Differs from the paper: running
    statistics are an exponential average (momentum 0.1), as in torch.

    Args:
        num_features: C.
        spatial_dims: see the module's docstring.
    Raises:
        ConfigError: in training, a batch has one value per channel.
    """

    def __init__(self, num_features: int, spatial_dims: int = 0) -> None:
        super().__init__()
        self.features_last = spatial_dims == 1
        self.norm = (nn.BatchNorm2d if spatial_dims == 2 else nn.BatchNorm1d)(num_features)

    def forward(self, x: Tensor) -> Tensor:
        if self.training and x.numel() == x.shape[-1 if self.features_last or x.dim() == 2 else 1]:
            raise ConfigError(
                "normalization=batch has no statistics in a training batch of one value per channel; "
                "use normalization=layer or a larger data.batch_size"
            )
        if self.features_last:
            return self.norm(x.transpose(1, 2)).transpose(1, 2)
        return self.norm(x)


def batch(num_features: int, spatial_dims: int = 0) -> nn.Module:
    """:class:`BatchNorm`."""
    return BatchNorm(num_features, spatial_dims)


def layer(num_features: int, spatial_dims: int = 0) -> nn.Module:
    """(x - mean) / √(variance + ε) · γ + β with the statistics of each example (and position) over its features.

    Ba, Kiros and Hinton, "Layer Normalization", 2016, arXiv:1607.06450, equation 4. For an image the statistics are
    taken over channels, height and width together, and γ, β are per channel: a group norm of one group.
    """
    return nn.GroupNorm(1, num_features) if spatial_dims == 2 else nn.LayerNorm(num_features)

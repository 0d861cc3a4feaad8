"""Residual net for small images, and the plain net beside it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F

from assay.contracts import Encoded
from assay.errors import ConfigError
from assay.layers.channels import OUTPUT, Group, Slice, columns, rows, scales, separate
from assay.layers.normalization import has_shift
from assay.layers.random import Dropout
from assay.layers.rates import rates


class Pad(nn.Module):
    """The shortcut without parameters, option A: every stride-th pixel, zeros for the maps that are new.

    Shape:
        x (B, C, H, W) -> (B, C + more, ⌈H/stride⌉, ⌈W/stride⌉)
    """

    def __init__(self, more: int, stride: int) -> None:
        super().__init__()
        self.more, self.stride = more, stride

    def forward(self, x: Tensor) -> Tensor:
        return F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, 0, self.more))


class Block(nn.Module):
    """y = f(F(x) + shortcut(x)), F two 3x3 convolutions, each normalised, f between them; without shortcut f(F(x)).

    Dropout stands between the convolutions, as in Zagoruyko and Komodakis, "Wide Residual Networks", 2016,
    arXiv:1605.07146, section 2.4.

    Shape:
        x (B, C, H, W) -> (B, size, ⌈H/stride⌉, ⌈W/stride⌉)
    """

    def __init__(
        self,
        width: int,
        size: int,
        stride: int,
        shortcut: nn.Module | None,
        activation: Callable[[], nn.Module],
        normalization: Callable[..., nn.Module],
        dropout: float,
    ) -> None:
        super().__init__()
        self.body = nn.Sequential(
            *convolution(width, size, 3, stride, normalization),
            activation(),
            *([Dropout(dropout)] if dropout else []),
            *convolution(size, size, 3, 1, normalization),
        )
        self.shortcut = shortcut
        self.activation = activation()

    def forward(self, x: Tensor) -> Tensor:
        y = self.body(x)
        return self.activation(y if self.shortcut is None else y + self.shortcut(x))

    @property
    def layers(self) -> list[tuple[str, Any, str, nn.Module]]:
        """The two convolutions and their normalisations, by name."""
        end = len(self.body)
        places = ((0, 1), (end - 2, end - 1))
        return [(f"body.{a}", self.body[a], f"body.{b}", self.body[b]) for a, b in places]

    def refit(self) -> None:
        """After maps left its convolutions."""
        if isinstance(self.shortcut, Pad):
            (_, first, *_), (_, second, *_) = self.layers
            self.shortcut.more = second.out_channels - first.in_channels


class ResNet(nn.Module):
    """A 3x3 convolution, three stages of n blocks (twice the maps and half the side from stage to stage), global mean.

    He, Zhang, Ren and Sun, "Deep Residual Learning for Image Recognition", 2016, arXiv:1512.03385, section 4.2: depth
    6n + 2, counting the head. Weights start as there, He et al. 2015, arXiv:1502.01852 (N(0, 2/fan_out)). Shortcuts
    where the maps change: ``pad`` is option A, as the paper's on CIFAR-10, ``projection`` (a 1x1 convolution,
    normalised) option B. Differs from the paper: activation and normalisation are parts; where the latter adds no
    shift, convolutions have a bias; dropout may stand before the head.

    Args:
        input_size: (C, H or None, W or None) of an example.
        depth: 6n + 2.
        width: maps of the first stage; 2 and 4 times as many in the others.
        residual: false leaves the shortcuts out, which is the plain net.
        shortcut: ``pad`` or ``projection``.
        activation: makes an activation.
        normalization: makes a convolution's normalisation.
        dropout: probability that an entry is dropped, before the head; a list has one within the blocks of each of the
            three stages, then that.
    Shape:
        x (B, C, H, W) -> last (B, 4·width)
    Raises:
        ConfigError: depth is not 6n + 2, shortcut is something else, one is chosen where there is none, there are not
            four rates, or the number of channels varies.
    """

    def __init__(
        self,
        input_size: tuple[int | None, ...],
        depth: int,
        width: int,
        residual: bool,
        shortcut: str,
        activation: Callable[[], nn.Module],
        normalization: Callable[..., nn.Module],
        dropout: float | list[float],
    ) -> None:
        super().__init__()
        channels = input_size[0]
        if channels is None:
            raise ConfigError("model=resnet needs images of one number of channels")
        blocks, odd = divmod(depth - 2, 6)
        if odd or blocks < 1:
            raise ConfigError(f"model.depth={depth} is not 6n + 2: write 8, 14, 20, 32, 44, 56 or 110")
        if shortcut not in ("pad", "projection"):
            raise ConfigError(f"model.shortcut={shortcut} is not one of pad, projection")
        if not residual and shortcut != "pad":
            raise ConfigError(f"model.residual=false has no shortcuts: leave out model.shortcut={shortcut}")

        def around(width: int, size: int, stride: int) -> nn.Module | None:
            if not residual:
                return None
            if width == size:
                return nn.Identity()
            if shortcut == "projection":
                return nn.Sequential(*convolution(width, size, 1, stride, normalization))
            return Pad(size - width, stride)

        self.first = nn.Sequential(*convolution(channels, width, 3, 1, normalization), activation())
        stages: list[nn.Module] = []
        before = width
        *dropped, last = rates(dropout, [False] * 3 + [True])
        for size, rate in zip((width, 2 * width, 4 * width), dropped, strict=True):
            for _ in range(blocks):
                stride = 1 if before == size else 2
                beside = around(before, size, stride)
                stages.append(Block(before, size, stride, beside, activation, normalization, rate))
                before = size
        self.blocks = nn.Sequential(*stages)
        self.dropout = Dropout(last)
        self.output_size = before

    def forward(self, x: Tensor, mask: Tensor | None = None, state: None = None) -> Encoded:
        assert mask is None, "an image has no padded positions"
        return Encoded(None, self.dropout(self.blocks(self.first(x)).mean((2, 3))))

    def channel_groups(self) -> list[Group]:
        """Maps between the convolutions of a block; and those that shortcuts join, which leave all that they join.

        A projection ends what a shortcut carries on, so each stage has maps of its own. Padding carries every map on
        into all later stages, which add maps beside it: the first stage's leave with the same of the second and third,
        those that the second adds with the same of the third. Without shortcuts nothing is joined.
        """
        if not all(separate(module) for name, module in self._norms()):
            return []
        blocks: list[Any] = list(self.blocks)
        found, streams = [], [_Stream(len(self.get_parameter("first.0.weight")), [("first.0", "first.1")], [])]
        for name, block in ((f"blocks.{i}", block) for i, block in enumerate(blocks)):
            (one, conv, norm, gamma), (two, last, after, _) = block.layers
            inner = (*rows(f"{name}.{one}", conv), *rows(f"{name}.{norm}", gamma))
            reader = (columns(f"{name}.{two}"),)
            found.append(
                Group(f"{name}.{one}", len(conv.weight), inner, reader, tuple(scales(f"{name}.{norm}", gamma)))
            )
            writer, size = (f"{name}.{two}", f"{name}.{after}"), len(last.weight)
            streams[-1].readers.append(f"{name}.{one}")
            if isinstance(block.shortcut, nn.Sequential):
                streams[-1].readers.append(f"{name}.shortcut.0")
                streams.append(_Stream(size, [writer, (f"{name}.shortcut.0", f"{name}.shortcut.1")], []))
            elif block.shortcut is None or isinstance(block.shortcut, Pad):
                streams.append(_Stream(size, [writer], [], carried=block.shortcut is not None))
            else:
                streams[-1].writers.append(writer)
        return found + self._joined(streams)

    def _norms(self) -> list[tuple[str, nn.Module]]:
        found, blocks = [("first.1", self.first[1])], list[Any](self.blocks)
        for i, block in enumerate(blocks):
            found += [(f"blocks.{i}.{name}", norm) for _, _, name, norm in block.layers]
            if isinstance(block.shortcut, nn.Sequential):
                found.append((f"blocks.{i}.shortcut.1", block.shortcut[1]))
        return found

    def _joined(self, streams: list[_Stream]) -> list[Group]:
        """For each stream the maps that are new in it, with the same of those that carry it on."""
        norms, found = dict(self._norms()), []
        for number, stream in enumerate(streams):
            start = streams[number - 1].size if stream.carried else 0
            along = [stream]
            for later in streams[number + 1 :]:
                if not later.carried:
                    break
                along.append(later)
            writers = [writer for one in along for writer in one.writers]
            making = [
                one
                for conv, norm in writers
                for name in (conv, norm)
                for one in rows(name, self.get_submodule(name), start)
            ]
            reading = [columns(name, start) for one in along for name in one.readers]
            if along[-1] is streams[-1]:
                reading.append(Slice(OUTPUT, start=start))
            gammas = tuple(one for _, norm in writers for one in scales(norm, norms[norm], start))
            found.append(Group(writers[0][0], stream.size - start, tuple(making), tuple(reading), gammas))
        return found


@dataclass
class _Stream:
    """Maps of one size that blocks hand on to one another.

    Attributes:
        size: how many.
        writers: convolution and normalisation of each layer whose outputs are added up.
        readers: the convolutions that read the sum.
        carried: its first maps are those of the stream before.
    """

    size: int
    writers: list[tuple[str, str]]
    readers: list[str]
    carried: bool = False


def convolution(
    width: int, size: int, kernel_size: int, stride: int, normalization: Callable[..., nn.Module]
) -> list[nn.Module]:
    """A convolution with zeros around, as large as its input at stride 1, and its normalisation."""
    norm = normalization(size, spatial_dims=2)
    layer = nn.Conv2d(width, size, kernel_size, stride, kernel_size // 2, bias=not has_shift(norm))
    nn.init.kaiming_normal_(layer.weight, mode="fan_out")
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return [layer, norm]

"""What recurrent nets share, whatever their cell: layers above each other, one direction or two, ragged batches.

A layer is ``layer(x, mask, state) -> (states, state)``: x (B, T, D), mask (B, T) bool with the valid positions first,
state a tuple of (B, H), that after the last valid position. States at padded positions are undefined; :func:`encode`
clears them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol, runtime_checkable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from assay.contracts import Encoded
from assay.errors import ConfigError
from assay.layers.channels import INPUT, OUTPUT, Group, Slice, separate

Carried = tuple[Tensor, ...]


class Stepped(NamedTuple):
    """One step of a layer, readable: what torch's kernels compute without showing it.

    state: of (B, H) each, as the layer carries it.
    units: name -> its function (``sigmoid``, ``tanh`` or ``relu``) and its output (B, H): gates, candidates, states.
    """

    state: Carried
    units: dict[str, tuple[str, Tensor]]


@runtime_checkable
class Steps(Protocol):
    """A layer that can also be taken one step at a time, for diagnostics: x (B, D), ``state`` of (B, H) each. Iterated
    from :meth:`zeros` it gives the layer's own states, and can be differentiated twice on every device."""

    def step(self, x: Tensor, state: Carried) -> Stepped: ...
    def zeros(self, x: Tensor) -> Carried: ...


def directions(
    layer: Callable[[int], nn.Module], width: int, hidden_size: int, num_layers: int, bidirectional: bool
) -> tuple[nn.ModuleList, nn.ModuleList]:
    """The layers that read forwards, and those that read backwards, none where there is one direction.

    Args:
        layer: makes a layer for a width of its input.
        width: of the input of the first.
        hidden_size: of each layer, per direction.
    """
    widths = [width] + [hidden_size * (1 + bidirectional)] * (num_layers - 1)
    ahead = nn.ModuleList([layer(size) for size in widths])
    return ahead, nn.ModuleList([layer(size) for size in widths] if bidirectional else [])


def encode(
    ahead: nn.ModuleList,
    back: nn.ModuleList,
    dropout: nn.ModuleList,
    x: Tensor,
    mask: Tensor | None,
    state: Carried | None,
) -> Encoded:
    """Layer after layer, each followed by its dropout.

    Each layer is a call of its own, so that the dropout between layers is ours; without a mask one layer of torch's
    kernel is exactly one call of it.

    Shape:
        x (B, T, D), mask (B, T), state of (B, layers, H) each -> states (B, T, H or 2H), last (B, H or 2H), state;
        where layers were narrowed to different widths H is the widest, and zeros fill the others up
    Raises:
        ConfigError: a state is given to two directions, of which the backward one starts at the end.
    """
    if len(back):
        if state is not None:
            raise ConfigError("model.bidirectional=true cannot carry a state on: use model.bidirectional=false")
        return _both(ahead, back, dropout, x, mask)
    carried: list[Carried] = []
    for i, layer in enumerate(ahead):
        start = None if state is None else _of_layer(layer, i, x, state)
        x, end = layer(x, mask, start)
        x = dropout[i](x)  # (B, T, H)
        carried.append(end)
    state = tuple(torch.stack(_equal(parts), 1) for parts in zip(*carried, strict=True))  # (B, layers, H) each
    if mask is None:
        return Encoded(x, x[:, -1], state)
    return Encoded(x * mask.unsqueeze(-1), last_valid(x, mask), state)


def _of_layer(layer: nn.Module, number: int, x: Tensor, state: Carried) -> Carried:
    width = layer.zeros(x)[0].shape[1] if isinstance(layer, Steps) else state[0].shape[2]
    return tuple(part[:, number, :width].contiguous() for part in state)


def _equal(parts: Sequence[Tensor]) -> list[Tensor]:
    """(B, H) each, as wide as the widest: zeros beside the others."""
    widest = max(part.shape[1] for part in parts)
    return [part if part.shape[1] == widest else F.pad(part, (0, widest - part.shape[1])) for part in parts]


def unit_groups(ahead: nn.ModuleList, back: nn.ModuleList) -> list[Group]:
    """The hidden units of each layer in each direction: rows of all gates and columns of U together, and the columns of
    whatever reads the layer. None where the cell normalises them together."""
    found = []
    layers = list(zip(ahead, back, strict=True)) if len(back) else [(one,) for one in ahead]
    prefixes = ("ahead", "back")
    read_by = [[f"{prefixes[d]}.{i}.{_weights(one)[0]}" for d, one in enumerate(both)] for i, both in enumerate(layers)]
    width = layers[0][0].state_dict()[_weights(layers[0][0])[0]].shape[1]
    found.append(Group(INPUT, width, (), tuple(Slice(name, 1) for name in read_by[0])))
    for i, both in enumerate(layers):
        start = 0
        for prefix, layer in zip(prefixes, both, strict=False):
            tensors = {name: tensor for name, tensor in layer.state_dict().items() if tensor.dim()}
            recurrent = _weights(layer)[1]
            size = tensors[recurrent].shape[1]
            inner = [one for one in layer.modules() if one is not layer and not _holds(one)]
            if all(separate(norm) for norm in inner):
                name = f"{prefix}.{i}"
                making = tuple(Slice(f"{name}.{key}", blocks=len(t) // size) for key, t in tensors.items())
                above = [Slice(one, 1, start) for one in read_by[i + 1]] if i + 1 < len(layers) else []
                reading = (Slice(f"{name}.{recurrent}", 1), *(above or [Slice(OUTPUT, start=start)]))
                found.append(Group(name, size, making, reading))
            start += size
    return found


def _holds(module: nn.Module) -> bool:
    """Whether it is no normalisation of a cell: torch's kernel, or a list."""
    return isinstance(module, nn.RNNBase | nn.ModuleList)


def _weights(layer: nn.Module) -> tuple[str, str]:
    """W and U, as the layer's state_dict names them."""
    names = list(layer.state_dict())
    (w,) = [name for name in names if name in ("kernel.weight_ih_l0", "weight_x")]
    (u,) = [name for name in names if name in ("kernel.weight_hh_l0", "weight_h")]
    return w, u


def _both(ahead: nn.ModuleList, back: nn.ModuleList, dropout: nn.ModuleList, x: Tensor, mask: Tensor | None) -> Encoded:
    """``last`` joins the forward state at the last valid position and the backward state at the first."""
    index = None if mask is None else reversal(mask).unsqueeze(-1)  # (B, T, 1)

    def reverse(x: Tensor) -> Tensor:
        return x.flip(1) if index is None else x.gather(1, index.expand_as(x))

    for forwards, backwards, drop in zip(ahead, back, dropout, strict=True):
        # The padded end of either direction is never read, so no mask is needed to hold a state there.
        first = forwards(x)[0]
        x = drop(torch.cat([first, reverse(backwards(reverse(x))[0])], -1))  # (B, T, 2H)
    if mask is None:
        forward, backward = x[:, -1], x[:, 0]
    else:
        x = x * mask.unsqueeze(-1)
        forward, backward = last_valid(x, mask), x[:, 0]
    half = first.shape[-1]
    return Encoded(x, torch.cat([forward[:, :half], backward[:, half:]], 1))


def last_valid(states: Tensor, mask: Tensor, start: Tensor | None = None) -> Tensor:
    """(B, H): the state at each example's last valid position; ``start``, or zero, where it has none."""
    length = mask.sum(1)  # (B,)
    index = (length - 1).clamp(min=0).view(-1, 1, 1).expand(-1, 1, states.shape[-1])
    found = states.gather(1, index).squeeze(1)
    return torch.where((length > 0).unsqueeze(1), found, torch.zeros_like(found) if start is None else start)


def reversal(mask: Tensor) -> Tensor:
    """(B, T) int64: where each position's content comes from when the valid positions, which stand first, are read
    backwards and the padded ones stay; its own inverse."""
    position = torch.arange(mask.shape[1], device=mask.device)  # (T,)
    return torch.where(mask, mask.sum(1, keepdim=True) - 1 - position, position)

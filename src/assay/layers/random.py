"""Keyed randomness: every draw is a function of what it is for, not of what was drawn before.

A forward pass draws from a stream keyed (seed, layer, step); augmentation from (seed, epoch, example); order from
(seed, epoch). So a resumed run, a replayed step, a member of a packed sweep and a run on other hardware make the same
draws without carrying generator states. This is the only module that draws during training: ``nn.Dropout``,
``F.dropout`` and the ``dropout=`` of torch's own layers are refused by the import test.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from contextvars import ContextVar, Token
from typing import Any

import torch
from torch import Tensor, nn

from assay.errors import ConfigError

Whole = Callable[[tuple[int, ...]], tuple[tuple[int, ...], slice] | None]
"""Shape of a tensor here -> the shape over the whole batch and the rows of it that are here; None: it is no batch."""

_MASK = (1 << 64) - 1
_active: ContextVar[Any] = ContextVar("streams", default=None)


def mix(*keys: int) -> int:
    """One 63-bit seed from any integers: splitmix64's finaliser folded over them (Steele, Lea and Flood 2014)."""
    state = 0x9E3779B97F4A7C15
    for key in keys:
        state = (state + (key & _MASK) * 0xD1342543DE82EF95 + 0x9E3779B97F4A7C15) & _MASK
        state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) & _MASK
        state ^= state >> 31
    return state >> 1


def name_key(name: str) -> int:
    """A layer's key: a checksum of its qualified name, the same on every machine."""
    return zlib.crc32(name.encode())


def order(seed: int, epoch: int, count: int) -> Tensor:
    """The permutation (count,) in which an epoch visits the examples."""
    return torch.randperm(count, generator=torch.Generator().manual_seed(mix(seed, name_key("order"), epoch)))


def example_uniform(seed: int, epoch: int, index: Tensor, salt: str) -> Tensor:
    """One number in [0, 1) per example, (B,) float64, keyed (seed, epoch, example, salt): splitmix64 on the device."""
    start = mix(seed, name_key(salt), epoch)

    def shifted(x: Tensor, bits: int) -> Tensor:  # logical shift: torch's >> keeps the sign
        return (x >> bits) & ((1 << (64 - bits)) - 1)

    def signed(value: int) -> int:
        return value - (1 << 64) if value >= 1 << 63 else value

    x = index * signed(0x9E3779B97F4A7C15) + signed(start)
    x = (x ^ shifted(x, 30)) * signed(0xBF58476D1CE4E5B9)
    x = (x ^ shifted(x, 27)) * signed(0x94D049BB133111EB)
    x = x ^ shifted(x, 31)
    return shifted(x, 11).to(torch.float64) / (1 << 53)


class KeyedStreams:
    """The streams of one run on one device.

    ``with streams.at(step): …`` makes them the ones that layers draw from. A layer used twice in one forward pass
    draws from (seed, layer, step, micro-batch, occurrence).

    Where several processes share a batch, a layer draws for the whole of it and uses its own rows, so that dropout does
    not depend on their number; drawing is the part of a step that is not divided among them.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.step = 0
        self.micro = 0
        self.whole: Whole | None = None
        self._occurrences: dict[int, int] = {}
        self._generators: dict[torch.device, torch.Generator] = {}
        self._tokens: list[Token[Any]] = []

    def at(self, step: int, micro: int = 0, whole: Whole | None = None) -> KeyedStreams:
        """The streams of one optimiser step, or of one of its accumulated micro-batches; ``whole`` where the tensors
        here are of a part of the batch."""
        self.step, self.micro, self.whole = step, micro, whole
        return self

    def uniform(self, key: int, like: Tensor) -> Tensor:
        """Uniform in [0, 1), of the shape and device of ``like``; of its type too, but float32 at least: half precision
        has so few numbers that entries would be dropped by a visibly wrong probability."""
        occurrence = self._occurrences.get(key, 0)
        self._occurrences[key] = occurrence + 1
        generator = self._generators.get(like.device)
        if generator is None:
            generator = self._generators[like.device] = torch.Generator(like.device)
        generator.manual_seed(mix(self.seed, key, self.step, self.micro, occurrence))
        dtype = torch.promote_types(like.dtype, torch.float32)
        shape: tuple[int, ...] = tuple(like.shape)
        found = None if self.whole is None else self.whole(shape)
        if found is None:
            return torch.rand(shape, generator=generator, dtype=dtype, device=like.device)
        shape, rows = found
        return torch.rand(shape, generator=generator, dtype=dtype, device=like.device)[rows]

    def __enter__(self) -> KeyedStreams:
        if not self._tokens:  # entered within itself, it goes on counting
            self._occurrences.clear()
        self._tokens.append(_active.set(self))
        return self

    def __exit__(self, *exception: object) -> None:
        _active.reset(self._tokens.pop())


def uniform(key: int, like: Tensor) -> Tensor:
    """A draw from the active streams; outside of any there is nothing to draw from, which is a bug of the caller."""
    streams = _active.get()
    if streams is None:
        raise RuntimeError("a layer drew outside of `with streams`: call the network through task.terms")
    return streams.uniform(key, like)


def current_step() -> int | None:
    """The number of the training step that is being taken; None where nothing is trained."""
    streams = _active.get()
    return None if streams is None else streams.step


class Dropout(nn.Module):
    """Inverted dropout: y = x ∘ m / (1 - p), m ~ Bernoulli(1 - p) while training; the identity otherwise.

    Srivastava et al., "Dropout", JMLR 15, 2014, section 4; the scaling is done in training, as usual today.
    Differs from ``nn.Dropout`` in where m comes from: the stream of this layer (see the module's docstring).

    Args:
        p: probability that an entry is dropped.
    Shape:
        x any float -> the same
    Raises:
        ConfigError: p is outside [0, 1).
    """

    key: int = 0

    def __init__(self, p: float) -> None:
        super().__init__()
        if not 0 <= p < 1:
            raise ConfigError(f"dropout={p:g} is not a probability in [0, 1)")
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.p == 0:
            return x
        keep = uniform(self.key, x) >= self.p
        return x * keep / (1 - self.p)

    def extra_repr(self) -> str:
        return f"p={self.p:g}"


def name_layers(network: nn.Module) -> None:
    """Gives every drawing layer its key, from its qualified name. Called once, when the network is complete."""
    for name, module in network.named_modules():
        if isinstance(getattr(module, "key", None), int):
            module.key = name_key(name)

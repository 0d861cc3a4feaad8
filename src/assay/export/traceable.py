"""The same functions written so that a tracer sees no length: what ``torch.export`` can follow for any batch and time.

A few layers look at the length of what they read and choose (fill up a short sentence, take a ready table, loop over
steps). A tracer would fix that choice, or unroll the loop. While :func:`traceable` is open their forward passes are
replaced by ones without a choice that compute the same numbers; tests hold each against its layer. Training never
sees them.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from assay.compression.rounding import DynamicInput, StaticInput
from assay.contracts import Encoded
from assay.layers.characters import CharacterCNN, CharacterLSTM
from assay.layers.driven_rnn import DrivenRNN
from assay.layers.ngrams import _BASIS, _LOW, _PRIME, _STEP, HashedNgrams
from assay.layers.positions import Rotary, Sinusoidal
from assay.layers.recurrent import Carried, Steps
from assay.models.textcnn import TextCNN, _windows


@contextmanager
def traceable(network: nn.Module, onnx: bool = True) -> Generator[None]:
    """Within it, every layer of the network can be traced with a batch and a length that vary.

    Args:
        onnx: torch's recurrent kernels become operators of ONNX, which can then only be written, not run; else loops.
    """
    changed = []
    for module in network.modules():
        forward = _replacement(module, onnx)
        if forward is not None:
            module.forward = partial(forward, module)  # on the instance: nn.Module.__call__ takes it from there
            changed.append(module)
    try:
        yield
    finally:
        for module in changed:
            del module.__dict__["forward"]


def afresh() -> None:
    """Forgets what earlier traces of this process left: torch asks a trace of any length whether it is the fixed one of
    an earlier loop, and then refuses it as the exception to its own rule (seen with torch 2.15)."""
    torch.compiler.reset()


def _replacement(module: nn.Module, onnx: bool) -> Callable[..., Any] | None:
    if isinstance(module, Steps):
        return _kernel if onnx and type(getattr(module, "kernel", None)) in _OPERATORS else _scanned
    if isinstance(module, TextCNN):
        return partial(_textcnn, onnx=onnx)
    if isinstance(module, StaticInput):
        return _static_input if onnx else None
    return next((forward for kind, forward in _FORWARDS.items() if isinstance(module, kind)), None)


def _kernel(layer: Any, x: Tensor, mask: Tensor | None = None, state: None = None) -> tuple[Tensor, Carried]:
    """torch's kernel as the operator of ONNX, over padded positions too: they stand last, and
    :func:`assay.layers.recurrent.encode` clears their states. No state after the end is given; none is read."""
    assert state is None, "an exported network starts from nothing"
    kernel = layer.kernel
    operator, order, attributes = _OPERATORS[type(kernel)]
    if isinstance(kernel, nn.RNN):
        attributes = {"activations": [{"tanh": "Tanh", "relu": "Relu"}[str(kernel.nonlinearity)]]}

    def arranged(weight: Tensor) -> Tensor:  # torch's gates, one above the other, in the order of ONNX
        return weight.unflatten(0, (len(order), -1))[list(order)].flatten(0, 1).unsqueeze(0)

    weight, recurrent, *biases = kernel.parameters()  # in torch's order
    size = recurrent.shape[1]
    inputs = [x.transpose(0, 1), arranged(weight), arranged(recurrent)]
    inputs.append(torch.cat([arranged(bias) for bias in biases], 1))
    states: Any = torch.onnx.ops.symbolic(
        operator,
        inputs,
        {"hidden_size": size, **attributes},
        dtype=x.dtype,
        shape=[x.shape[1], 1, x.shape[0], size],
        version=21,
    )
    states = states.squeeze(1).transpose(0, 1)  # (B, T, H)
    return states, (states[:, -1],) * len(layer.zeros(x[:, 0]))


_OPERATORS: dict[type, tuple[str, tuple[int, ...], dict[str, Any]]] = {
    nn.LSTM: ("LSTM", (0, 3, 1, 2), {}),  # i f g o -> i o f c
    nn.GRU: ("GRU", (1, 0, 2), {"linear_before_reset": 1}),  # r z n -> z r h
    nn.RNN: ("RNN", (0,), {}),
}


def _scanned(layer: Any, x: Tensor, mask: Tensor | None = None, state: None = None) -> tuple[Tensor, Carried]:
    """The layer's own step, by a loop that stays a loop (ONNX's Scan); padded positions as in :func:`_kernel`."""
    from torch._higher_order_ops.scan import scan

    assert state is None, "an exported network starts from nothing"

    def step(carried: list[Tensor], x: Tensor) -> tuple[list[Tensor], Tensor]:
        new = layer.step(x, tuple(carried)).state
        return list(new), new[0] * 1  # two outputs of a loop may not be one tensor

    start = [part.clone() for part in layer.zeros(x[:, 0])]
    end, states = scan(step, start, x.transpose(0, 1))
    return states.transpose(0, 1), tuple(end)


def _sinusoidal(layer: Sinusoidal, x: Tensor) -> Tensor:
    return x + layer._table(x.shape[1]).to(x)


def _rotary(layer: Rotary, x: Tensor) -> Tensor:
    cos, sin = layer._table(x.shape[2]).to(x)  # (T, hs/2) each
    even, odd = x[..., 0::2], x[..., 1::2]
    return torch.stack([even * cos - odd * sin, even * sin + odd * cos], -1).flatten(-2)


def _textcnn(
    model: TextCNN, x: Tensor, mask: Tensor | None = None, state: None = None, *, onnx: bool = False
) -> Encoded:
    """Every sentence filled up by a whole window, and ``k`` windows at least; what is added is masked."""
    mask = torch.ones_like(x[..., 0], dtype=torch.bool) if mask is None else mask
    x = (x * mask.unsqueeze(-1)).transpose(1, 2)  # (B, D, T)
    kept = model.pool.keywords["k"] if isinstance(model.pool, partial) else 0
    more = max(kept - 1, 0)
    pool = partial(_k_max, k=kept) if kept and onnx else model.pool
    pooled = []
    for size, convolution, activation in zip(model.widths, model.convolutions, model.activations, strict=True):
        maps = activation(convolution(F.pad(x, (0, size - 1 + more)))).transpose(1, 2)  # (B, T + more, M)
        pooled.append(pool(maps, _windows(mask, size, maps.shape[1])))
    return Encoded(None, torch.cat(pooled, 1))


def _k_max(states: Tensor, mask: Tensor, k: int) -> Tensor:
    """:func:`assay.layers.pooling.k_max_valid` of k positions at least. ONNX has no stable sort; of equal values its
    TopK takes the earlier one as well, which torch's does not promise."""
    valid = mask.unsqueeze(-1).expand_as(states)
    chosen = states.masked_fill(~valid, -torch.inf).topk(k, 1).indices.sort(1).values  # (B, k, H)
    return (states.gather(1, chosen) * valid.gather(1, chosen)).flatten(1)


def _ngrams(layer: HashedNgrams, x: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Filled up so that every length has its n-grams, those that reach over the end masked; hashes computed from the
    ids, where the table of them would be eight bytes a word in a file."""
    mask = torch.ones_like(x, dtype=torch.bool) if mask is None else mask
    x, mask = F.pad(x, (0, layer.ngrams - 1)), F.pad(mask, (0, layer.ngrams - 1))
    words = torch.full_like(x, _BASIS)
    for byte in range(4):
        words = (torch.bitwise_xor(words, x // 256**byte % 256) * _PRIME) & _LOW
    longer, valid, found, there = words, mask, [], []
    for n in range(2, layer.ngrams + 1):
        longer = (longer[:, :-1] * _STEP + words[:, n - 1 :]) & _LOW
        found.append(longer % layer.buckets)
        valid = valid[:, :-1] & mask[:, n - 1 :]
        there.append(valid)
    return torch.cat(found, 1), torch.cat(there, 1)


def _static_input(layer: StaticInput, x: Tensor) -> Tensor:
    """The pair of operators that onnxruntime recognises: a layer between such pairs computes with integers."""
    integers: Any = torch.onnx.ops.symbolic(
        "QuantizeLinear", [x, layer.scale, layer.zero_point], dtype=torch.uint8, shape=x.shape, version=21
    )
    real: Any = torch.onnx.ops.symbolic(
        "DequantizeLinear", [integers, layer.scale, layer.zero_point], dtype=x.dtype, shape=x.shape, version=21
    )
    return real


def _dynamic_input(layer: DynamicInput, x: Tensor) -> Tensor:
    """The same numbers by fewer operators: where all is zero, a tiny scale gives zeros as one of 1 does."""
    over = [-1] if layer.first == -1 else list(range(layer.first, x.dim()))
    scale = x.abs().amax(over, keepdim=True).clamp(min=1e-30) / 127.5
    return (x / scale).round().clamp(-128, 127) * scale


def _every_word(layer: CharacterCNN | CharacterLSTM, x: Tensor) -> Tensor:
    """Each word's spelling read by itself: how many different ones there are no graph of fixed shapes says."""
    return layer.spelling(x.flatten(0, 1)).unflatten(0, x.shape[:2])


_FORWARDS: dict[type, Callable[..., Any]] = {
    CharacterCNN: _every_word,
    CharacterLSTM: _every_word,
    Sinusoidal: _sinusoidal,
    Rotary: _rotary,
    HashedNgrams: _ngrams,
    DrivenRNN: _scanned,
    DynamicInput: _dynamic_input,
}

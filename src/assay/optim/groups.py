"""Rates of parts of a network: by depth, by name, and none at all where a part is frozen.

A name is that of a parameter or of anything above it, as ``state_dict`` writes them (``stem``, ``encoder.blocks.0``),
or a pattern with ``*`` and ``?``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import Any

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase

from assay.errors import ConfigError

_SHOWN = 12


def matches(pattern: str, name: str) -> bool:
    """Whether a parameter or module is named by the pattern, or lies below what is."""
    parts = name.split(".")
    return any(fnmatchcase(".".join(parts[:end]), pattern) for end in range(1, len(parts) + 1))


def layers(network: nn.Module) -> list[list[str]]:
    """The names of the parameters of each layer, from the first to the last.

    Layers come in the order in which their modules were made: the stem's, the encoder's, the head. Anything that holds
    modules is opened, down to the items of an ``nn.ModuleList`` or ``nn.Sequential`` and to what has weights of its
    own; an item that holds modules itself (a residual or transformer block) is one layer. What has no matrix (a
    normalisation, a slope) belongs to the layer before it, or to the first. A shared weight belongs to its first layer.
    """
    found: list[list[str]] = []
    seen: set[int] = set()
    waiting: list[str] = []  # vectors before the first matrix

    def add(module: nn.Module, prefix: str, recurse: bool) -> None:
        named = [(f"{prefix}{name}", p) for name, p in module.named_parameters(recurse=recurse) if id(p) not in seen]
        seen.update(id(p) for _, p in named)
        if not named:
            return
        names = [name for name, _ in named]
        if any(p.dim() > 1 for _, p in named):
            found.append([*waiting, *names])
            waiting.clear()
        else:
            (found[-1] if found else waiting).extend(names)

    def open_(module: nn.Module, prefix: str) -> None:
        add(module, prefix, recurse=False)
        items = isinstance(module, nn.ModuleList | nn.Sequential)
        for name, child in module.named_children():
            block = items and not isinstance(child, nn.ModuleList | nn.Sequential)
            if block or next(child.children(), None) is None:
                add(child, f"{prefix}{name}.", recurse=True)
            else:
                open_(child, f"{prefix}{name}.")

    open_(network, "")
    if waiting:
        found.append([*waiting])
    return found


def factors(network: nn.Module, layer_decay: float, groups: Sequence[str] | str) -> dict[str, float]:
    """{parameter: its rate over optim.lr}.

    ``layer_decay`` d gives the i-th of n layers d^(n-1-i): 1 for the head, least for the stem. Clark, Luong, Le and
    Manning, "ELECTRA", 2020, arXiv:2003.10555, appendix A; Bao et al., "BEiT", 2022, arXiv:2106.08254. Differs from
    them: what is a layer is read from the order of modules (:func:`layers`), where they know their own names. Objective
    parameters have the head's rate.

    Args:
        groups: ``NAME:FACTOR``, times that; where several name a parameter the last counts.
    Raises:
        ConfigError: a name is nobody's, or a factor no number above zero.
    """
    ordered = layers(network)
    depth = {name: len(ordered) - 1 - i for i, names in enumerate(ordered) for name in names}
    named = {name: 1.0 for name, _ in network.named_parameters()}
    for one in [groups] if isinstance(groups, str) else groups:
        pattern, _, number = one.rpartition(":")
        try:
            factor = float(number)
        except ValueError:
            factor = 0.0
        if not pattern or not 0 < factor < float("inf"):
            raise ConfigError(
                f"optim.groups={one} is not NAME:FACTOR with a factor above 0: write [stem:0.1]; freeze=[stem] keeps "
                "its weights"
            )
        for name in found_by(pattern, named, "optim.groups"):
            named[name] = factor
    return {name: factor * layer_decay ** depth.get(name, 0) for name, factor in named.items()}


def found_by(pattern: str, names: Iterable[str], key: str) -> list[str]:
    """The parameters that a pattern names.

    Raises:
        ConfigError: none; the possible names are listed.
    """
    names = list(names)
    found = [name for name in names if matches(pattern, name)]
    if not names:
        raise ConfigError(
            f"{key} names {pattern}, and a model that is counted has no weights to name: leave {key}= out"
        )
    if not found:
        above = {".".join(name.split(".")[:end]): None for name in names for end in range(1, name.count(".") + 1)}
        near = get_close_matches(pattern, above, 1)
        upper = sorted(above, key=lambda name: name.count("."))[:_SHOWN]
        listed = ", ".join(upper) + (", …" if len(above) > _SHOWN else "")
        hint = f"did you mean {near[0]}? " if near else ""
        raise ConfigError(f"{key} names {pattern}, which this network does not have: {hint}it has {listed}")
    return found


def parameter_groups(
    network: nn.Module, objective: nn.Module, lr: float, factor: Mapping[str, float]
) -> list[Tensor] | list[dict[str, Any]]:
    """What trains, for an optimiser: plain where all have one rate, else a group for each rate, the one nearest
    ``lr`` first, which is the one that the log shows."""
    rates: dict[float, list[Tensor]] = {}
    for name, p in network.named_parameters():
        if p.requires_grad:
            rates.setdefault(factor[name], []).append(p)
    own = {id(p) for p in network.parameters()}
    extra = [p for p in objective.parameters() if p.requires_grad and id(p) not in own]
    if extra:
        rates.setdefault(1.0, []).extend(extra)
    if set(rates) <= {1.0}:
        return rates.get(1.0, [])
    order = sorted(rates, key=lambda rate: (abs(rate - 1), rate))
    return [{"params": rates[rate], "lr": lr * rate} for rate in order]


def freeze(network: nn.Module, names: Sequence[str], batch_norm: str) -> None:
    """Keeps the weights of the named parts as they are: they have no gradient and are not in the optimiser.

    Args:
        network: changed in place.
        names: of parts, or patterns.
        batch_norm: of frozen parts. ``frozen``: its scale, shift and running statistics stay, and training uses those
            statistics, as evaluation does. ``trainable``: scale and shift train and the statistics move.
    Raises:
        ConfigError: a name is nobody's, or nothing is left to train.
    """
    parameters = dict(network.named_parameters())
    modules = {name: module for name, module in network.named_modules() if isinstance(module, _NormBase)}
    for pattern in names:
        found_by(pattern, parameters, "freeze")
    spared: set[str] = set()
    for name, module in modules.items():
        if any(matches(pattern, name) for pattern in names):
            if batch_norm == "trainable":
                spared |= {f"{name}.{inner}" for inner, _ in module.named_parameters()}
            elif module.track_running_stats:
                module.frozen = True
                module.register_forward_pre_hook(_evaluate, prepend=True)  # before a refusal of small batches
    for name, p in parameters.items():
        if name not in spared and any(matches(pattern, name) for pattern in names):
            p.requires_grad_(False)
    if names and not any(p.requires_grad for p in parameters.values()):
        raise ConfigError(f"freeze=[{','.join(names)}] leaves nothing to train: leave a part out")


def _evaluate(module: nn.Module, inputs: Any) -> None:
    """Whoever puts the whole network into training mode means those that train."""
    module.training = False

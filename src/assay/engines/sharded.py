"""A network whose parameters, gradients and moments are divided among processes: trainer=fsdp.

torch's ``fully_shard`` (Zhao et al., "PyTorch FSDP", 2023, arXiv:2304.11277; Rajbhandari et al., "ZeRO", 2020, stage
3): a process holds a slice of every parameter; a block's are gathered when it is used, and their gradients summed and
sliced as soon as they are there. A checkpoint holds whole tensors, as that of one process, and any number of processes
can go on from it.

This is the only file that knows torch's DTensor; what is plain passes through its functions as it is.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule, fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor
from torch.optim import Optimizer

from assay.contracts import TrainState


def shard(network: nn.Module, world: int) -> None:
    """Divides the parameters, in place: block by block, where a block is a layer of an ``nn.ModuleList``."""
    warnings.filterwarnings("ignore", ".*returned a view tensor.*", UserWarning)  # of in-place sums, which nobody does
    mesh = init_device_mesh(next(network.parameters()).device.type, (world,))
    for block in _blocks(network):
        fully_shard(block, mesh=mesh)
    fully_shard(network, mesh=mesh)
    for module in network.modules():
        if isinstance(module, FSDPModule):
            module.set_gradient_divide_factor(1.0)  # the step divides by weights
            module.set_force_sum_reduction_for_comms(True)  # gloo has no other


def unfused(optimizer: Optimizer) -> None:
    """The formula tensor by tensor: not every fused kernel knows slices."""
    for group in optimizer.param_groups:
        if "fused" in group:
            group["fused"] = False


def _blocks(module: nn.Module) -> list[nn.Module]:
    found: list[nn.Module] = []
    for child in module.children():
        if isinstance(module, nn.ModuleList) and next(child.parameters(), None) is not None:
            found.append(child)
        else:
            found += _blocks(child)
    return found


def is_sharded(tensor: Tensor) -> bool:
    return isinstance(tensor, DTensor)


def whole(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """All of every tensor. To be called by all processes; each is gathered in turn."""
    return {name: _whole(tensor) for name, tensor in tensors.items()}


def _whole(tensor: Tensor) -> Tensor:
    if not isinstance(tensor, DTensor):
        return tensor
    own: Any = tensor.to(tensor.device_mesh.device_type)  # once trained, Lightning moves it off
    return own.full_tensor().detach()


def divided(state: TrainState, network: nn.Module, parameters: Sequence[Tensor]) -> TrainState:
    """A whole state with this process's slices of what is sharded now.

    Args:
        parameters: in the optimiser's order, which is how its moments are numbered.
    """
    own: dict[str, Any] = {f"network.{name}": tensor for name, tensor in network.state_dict().items()}
    own |= {f"ema.average.{name}": parameter for name, parameter in network.named_parameters()}

    def like(key: str, value: Tensor) -> Tensor | None:
        if key in own:
            return own[key]
        words = key.split(".")
        if words[:2] == ["optimizer", "moment"] and parameters[int(words[2])].shape == value.shape:
            return parameters[int(words[2])]
        return None

    return {key: _slice(value, like(key, value)) for key, value in state.items()}


def _slice(value: Tensor, like: Tensor | None) -> Tensor:
    if not isinstance(like, DTensor):
        return value
    return distribute_tensor(value.to(like.device), like.device_mesh, like.placements, src_data_rank=None)

"""The extreme eigenvalues of the Hessian of the training loss: does the run end in a minimum, or on a saddle?"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from assay import folder
from assay.callbacks import drawing
from assay.callbacks.diagnostic import Sight, undisturbed
from assay.callbacks.kinds import curvature
from assay.callbacks.lanczos import Ritz, lanczos
from assay.engines.step import divide
from assay.layers.random import KeyedStreams, mix, name_key


class Hessian:
    """λ_max and λ_min of H = ∂²L/∂w², L the mean training loss of a fixed sample, w the parameters that are trained.

    By Lanczos on Hessian-vector products (Pearlmutter, "Fast Exact Multiplication by the Hessian", 1994; LeCun et al.,
    "Efficient BackProp", 1998, section 8): H is never formed. Products are taken in the network's precision, float32 at
    least, and everything else in float64. Both signs beyond ``tolerance`` of the larger modulus are a saddle's; one
    alone a minimum's or maximum's, as far as the curvature goes: ‖∂L/∂w‖, logged beside, says how nearly stationary the
    point is. Where all are positive their quotient is the condition; a network with flat directions has none.

    The objective is the whole one, with its penalties; ``weight_decay``, which belongs to the optimiser, is not in it.
    The network is in eval mode: no dropout, batch norm with its population statistics, no augmentation. A rectifier's
    second derivative is 0. Logged as ``hessian/max``, ``hessian/min``, ``hessian/gradient_norm`` and, where it exists,
    ``hessian/condition``. Cost: a copy of the network, one backward pass, and at most ``steps`` products of about twice
    its time each on ``examples``; memory for ``steps`` vectors of the parameters in float64.

    Args:
        examples: of the training split, drawn by the seed.
        steps: products at most; fewer where both ends are within the tolerance before.
        tolerance: relative to the eigenvalue of largest modulus.
        every: epochs between measurements; 0: after the last step alone.
    """

    def __init__(self, examples: int, steps: int, tolerance: float, every: int) -> None:
        self.examples = examples
        self.steps = steps
        self.tolerance = tolerance
        self.every = every
        self.last: dict[str, Any] = {}

    def measured(self, sight: Sight) -> dict[str, float]:
        if not sight.due(self.every):
            return {}
        with undisturbed(sight.device):
            task, network = sight.problem()
            batch = sight.sample("train", self.examples, network)
            parameters = [p for p in network.parameters() if p.requires_grad]
            with twice_differentiable(network):
                loss = divide(task.terms(network, batch, KeyedStreams(0)))
                ritz, gradient = spectrum(loss, parameters, sight.data.seed, self.steps, self.tolerance)
        low, high = float(ritz.values[0]), float(ritz.values[-1])
        found = {"max": high, "min": low, "gradient_norm": gradient}
        if low > self.tolerance * high:
            found["condition"] = high / low
        self.last = {
            "step": sight.step,
            "examples": len(batch["index"]),
            "parameters": sum(p.numel() for p in parameters),
            **found,
            "kind": curvature(low, high, self.tolerance),
            "error": ritz.error,
            "converged": ritz.converged,
            "values": ritz.values.tolist(),
            "weights": ritz.weights.tolist(),
        }
        return {f"hessian/{name}": value for name, value in found.items()}

    def draw(self, where: Path) -> None:
        folder.write_json(where / "figures" / "hessian.json", self.last)
        drawing.spectrum(self.last, drawing.read(where, "hessian/"), where / "figures" / "hessian.png")


def spectrum(loss: Tensor, parameters: Sequence[Tensor], seed: int, steps: int, tolerance: float) -> tuple[Ritz, float]:
    """Ritz values of the loss's Hessian, and the norm of its gradient.

    Args:
        loss: with its graph, all of it twice differentiable.
        seed: of the start vector, which is normal.
    """
    sizes = [p.numel() for p in parameters]
    gradients = torch.autograd.grad(loss, parameters, create_graph=True, allow_unused=True, materialize_grads=True)
    curved = [g for g in gradients if g.requires_grad]
    device = parameters[0].device
    home = torch.device("cpu") if device.type == "mps" else device  # which knows no float64

    def product(vector: Tensor) -> Tensor:
        pieces = [
            piece.to(p.device, p.dtype).view_as(p) for piece, p in zip(vector.split(sizes), parameters, strict=True)
        ]
        along = [piece for piece, g in zip(pieces, gradients, strict=True) if g.requires_grad]
        if not curved:
            return torch.zeros_like(vector)
        rows = torch.autograd.grad(
            curved, parameters, along, retain_graph=True, allow_unused=True, materialize_grads=True
        )
        return torch.cat([row.detach().flatten().to(home, torch.float64) for row in rows])

    generator = torch.Generator().manual_seed(mix(seed, name_key("hessian")))
    start = torch.randn(sum(sizes), generator=generator, dtype=torch.float64).to(home)
    norm = torch.stack([torch.linalg.vector_norm(g.detach()) for g in gradients]).norm()
    return lanczos(product, start, steps, tolerance), float(norm)


@contextmanager
def twice_differentiable(network: nn.Module) -> Generator[None]:
    """Attention by the formula, and on a GPU recurrent layers by torch's own kernels in the place of cuDNN's: the fused
    ones know their first derivative alone."""
    with ExitStack() as stack:
        stack.enter_context(sdpa_kernel(SDPBackend.MATH))
        if any(isinstance(module, nn.RNNBase) for module in network.modules()):
            stack.enter_context(torch.backends.cudnn.flags(enabled=False))
        yield

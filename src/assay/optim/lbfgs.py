"""L-BFGS: the step that a few past steps and gradients say the curvature asks for."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

from assay.errors import ConfigError

_HISTORY = {"old_dirs": "y", "old_stps": "s", "ro": "rho"}  # torch's lists -> their names here, stacked
_COUNTS = {"func_evals", "n_iter"}
_NUMBERS = {*_COUNTS, "t", "H_diag", "prev_loss"}  # plain ones give the same bits as tensors of no dimension
_LEAST_EVALUATIONS = 25
_VECTORS = {"d", "prev_flat_grad"}


class LBFGS(torch.optim.LBFGS):
    """w ← w - t H g, H the inverse Hessian that the last ``history_size`` pairs s = Δw, y = Δg build up from γ I.

    Nocedal and Wright, "Numerical Optimization", 2006, algorithms 7.4 and 7.5, γ = sᵀy / yᵀy (7.20), t by a search for
    a point that satisfies the strong Wolfe conditions (algorithm 3.5, with cubic interpolation); torch's code, which
    follows Schmidt's minFunc. Differs from the book: the first t is min(1, 1/|g|₁) lr and every further one begins at
    lr; pairs with yᵀs ≤ 1e-10 are left out; without a search t is lr. This class adds the weight decay, and keeps its
    history as three tensors in a checkpoint.

    One step asks for the gradient of its batch up to ``max_eval`` times, and always of the same function: dropout is a
    function of the step. A small batch gives y the noise of its own gradient, so that this is for whole data sets or
    large batches: data.batch_size=full.

    Args:
        params: all in one group: H is of all weights together.
        lr: where the search for t begins; 1 is the method's own.
        max_iter: of directions H g in one step.
        max_eval: gradients in one step; null: 1.25 max_iter as in torch, but 25 at least, so that a step of one
            direction can be searched.
        tolerance_grad: the largest entry of g at which a step ends.
        tolerance_change: the change of w or of the loss at which it ends.
        history_size: pairs.
        line_search_fn: ``strong_wolfe``, or null for t = lr.
        weight_decay: λ of λ‖w‖² / 2, added to the loss that is searched.
    Raises:
        ConfigError: there are several groups of parameters.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float,
        max_iter: int,
        max_eval: int | None,
        tolerance_grad: float,
        tolerance_change: float,
        history_size: int,
        line_search_fn: str | None,
        weight_decay: float,
    ) -> None:
        params = list(params)
        if params and isinstance(params[0], dict) and len(params) > 1:
            raise ConfigError(
                "optim=lbfgs has one rate for all weights: leave out optim.layer_decay and optim.groups, or use "
                "another optimiser"
            )
        if max_eval is None:
            max_eval = max(max_iter * 5 // 4, _LEAST_EVALUATIONS)
        super().__init__(params, lr, max_iter, max_eval, tolerance_grad, tolerance_change, history_size, line_search_fn)
        self.param_groups[0]["weight_decay"] = weight_decay

    def step(self, closure: Callable[[], Tensor]) -> Tensor:
        """Takes one step; ``closure`` computes the gradients and returns the loss, as often as it is called."""
        group = self.param_groups[0]
        decay = group["weight_decay"]

        def searched() -> Tensor:
            loss = closure()
            moved = [p for p in group["params"] if p.grad is not None]
            for p in moved:
                p.grad = p.grad.contiguous()  # torch's code takes views
            if not decay or not moved:
                return loss
            with torch.no_grad():
                for p in moved:
                    p.grad.add_(p, alpha=decay)
                return loss.detach() + decay / 2 * torch.stack([p.square().sum() for p in moved]).sum()

        return super().step(searched)

    def state_dict(self) -> dict[str, Any]:
        """The history stacked, pairs first; scratch space left out."""
        plain = super().state_dict()
        states = {number: self._stacked(state) for number, state in plain["state"].items()}
        return {**plain, "state": states}

    def _stacked(self, state: dict[str, Any]) -> dict[str, Any]:
        kept = {key: value for key, value in state.items() if key not in (*_HISTORY, "al") and value is not None}
        if state.get("old_dirs"):
            kept |= {name: torch.stack(state[key]) for key, name in _HISTORY.items()}
        return kept

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        super().load_state_dict({**state_dict, "state": {}})
        first = self.param_groups[0]["params"][0]  # it stands for all, as in torch
        for saved in state_dict["state"].values():
            state = {key: value for key, value in saved.items() if key not in _HISTORY.values()}
            for key in _NUMBERS & state.keys():
                state[key] = float(state[key]) if key not in _COUNTS else int(state[key])
            for key in _VECTORS & state.keys():
                state[key] = state[key].to(first.device, first.dtype)
            if "d" in state:  # a step was taken
                for key, name in _HISTORY.items():  # copies: a sum's last bits hang on where a vector begins
                    rows = saved[name].to(first.device, first.dtype).unbind() if name in saved else ()
                    state[key] = [row.clone() for row in rows]
            self.state[first] = state

"""The carried state of truncated back-propagation: where one window of a text ends, the next one begins.

Letters: B rows of a batch, each a stream of text cut into windows; S entries of a state.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from assay.contracts import Scope

State = tuple[Tensor, ...]
"""Of (B, …) each, as recurrent nets carry it; empty before the first window."""


class Carry:
    """The last states of a batch, as constants, for the batch that goes on from it.

    Williams and Peng, "An Efficient Gradient-Based Algorithm for On-Line Training of Recurrent Network Trajectories",
    1990: gradients go back to the beginning of the window, h and c to the beginning of the text. A row's state is zero
    where ``fresh`` says that a text begins there; nothing is asked of the host for it.

    While training it obeys :class:`assay.contracts.Carried`: passes read what was committed, and leave their last
    states aside until :meth:`advance`; the micro-batches of a step are windows that follow one another. In evaluation
    every pass moves a state of its own, which nothing keeps and :meth:`forget_evaluation` drops. A batch of fewer rows
    goes on with the first ones; rows that were not there before begin at zero.

    Attributes:
        asked_in_steps: of a network that only answers while another one trains (a teacher): its passes are those of
            the other's steps, though it is in eval mode.
    """

    scope = Scope.STEP

    def __init__(self) -> None:
        self._kept: State = ()  # where the next step begins
        self._left: State = ()  # where the last pass of a step ended
        self._evaluated: State = ()
        self._start: State = ()  # what the last pass of a step was given
        self.asked_in_steps = False

    def __deepcopy__(self, memo: dict[int, Any]) -> Carry:
        """Begins where the next step of this one does; evaluations are nobody else's."""
        made = memo[id(self)] = type(self)()
        made._kept = made._left = tuple(part.detach().clone() for part in self._kept)
        made.asked_in_steps = self.asked_in_steps
        return made

    # of a network's pass

    def read(self, x: Tensor, fresh: Tensor, training: bool) -> State | None:
        """The states that the rows of x go on from, on its device and in its precision; None where there are none.

        Args:
            x: (B, …), what is read.
            fresh: (B,) bool, True where a text begins.
            training: of the network, in whose training mode passes belong to steps.
        """
        if training or self.asked_in_steps:
            held = self._start = self._left
        else:
            held = self._evaluated
        if not held:
            return None
        begins = fresh.view(-1, *[1] * (held[0].dim() - 1))
        return tuple(_usable(_rows(_like(part, x), len(x))).masked_fill(begins, 0) for part in held)

    def leave(self, state: State, training: bool) -> None:
        """The states after the batch that was read."""
        ended = tuple(part.detach() for part in state)
        if training or self.asked_in_steps:
            self._left = ended
        else:
            self._evaluated = ended

    def forget_evaluation(self) -> None:
        """The next one begins where nothing was read."""
        self._evaluated = ()

    # of a step

    def begin(self) -> None:
        self._left = self._kept

    def advance(self) -> None:
        self._kept = self._left

    def again(self) -> Callable[[Tensor], None]:
        """``rows -> None``: lets the next pass begin where the last one did, with these of its rows only. For a search
        among the rows of a batch that is over."""
        start = self._start

        def of(rows: Tensor) -> None:
            self._left = tuple(part[rows] for part in start)

        return of

    def state(self) -> dict[str, Tensor]:
        return {str(number): part for number, part in enumerate(self._kept)}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        self._kept = self._left = tuple(state[str(number)] for number in range(len(state)))


class Carries:
    """Several as one: what the networks that are asked while another one trains carry on with."""

    scope = Scope.STEP

    def __init__(self, parts: Sequence[Carry]) -> None:
        self.parts = list(parts)

    def begin(self) -> None:
        for part in self.parts:
            part.begin()

    def advance(self) -> None:
        for part in self.parts:
            part.advance()

    def again(self) -> Callable[[Tensor], None]:
        each = [part.again() for part in self.parts]

        def of(rows: Tensor) -> None:
            for begin in each:
                begin(rows)

        return of

    def state(self) -> dict[str, Tensor]:
        return {f"{i}.{name}": tensor for i, part in enumerate(self.parts) for name, tensor in part.state().items()}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        for i, part in enumerate(self.parts):
            start = f"{i}."
            part.load_state({key.removeprefix(start): one for key, one in state.items() if key.startswith(start)})


def asked(networks: Iterable[nn.Module]) -> Carries | None:
    """Makes of these networks' passes those of another one's steps; what they carry, None where that is nothing."""
    found = [
        carry
        for one in networks
        for inner in one.modules()
        if isinstance(carry := getattr(inner, "carry", None), Carry)
    ]
    for carry in found:
        carry.asked_in_steps = True
    return Carries(found) if found else None


def _like(part: Tensor, x: Tensor) -> Tensor:
    """On the device of x, and of its type where both are numbers with fractions, or both ids."""
    return part.to(x) if part.is_floating_point() == x.is_floating_point() else part.to(x.device)


def _rows(part: Tensor, count: int) -> Tensor:
    """(B, …) -> (count, …): the first ones, and zeros for those that are new."""
    here = len(part)
    if here == count:
        return part
    return part[:count] if here > count else F.pad(part, (0, 0) * (part.dim() - 1) + (0, count - here))


def _usable(part: Tensor) -> Tensor:
    """One made in inference mode cannot be differentiated past; its copy can."""
    return part.clone() if part.is_inference() and not torch.is_inference_mode_enabled() else part

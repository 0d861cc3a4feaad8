"""The few shapes that parts agree on: what data publish, what models return, what a task computes, what a step changes.

Contracts are ``Protocol``s and frozen records, not base classes. Letters: B batch, T time steps, H hidden size,
D input size, V vocabulary, C classes or tags, L labels or letters of a word.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple, Protocol, runtime_checkable

from torch import Tensor, nn

Batch = dict[str, Tensor]
"""Field name -> tensor, batch first. ``index`` (B,) int64 is always there: the example's number in its data set."""

TrainState = dict[str, Tensor]
"""Everything a step changes, flat: ``network.…``, ``objective.…``, ``optimizer.…``, ``ema.…``, ``schedule.…`` and
``counter.…``.

Flat tensors and nothing else, so that a checkpoint is safe to open, two engines can be compared bit for bit, and K
members of a packed sweep are K rows of one stacked mapping (see :mod:`assay.state`)."""


BESIDE = ("feature", "characters")
"""Kinds of fields that an example has beside its source, as further input."""


class Scope(StrEnum):
    """How often a part changes its state: an engine may skip what a longer scope owns, never a shorter one's."""

    STEP = "step"  # every optimiser step: parameters, moments, EMA, per-step schedules
    EPOCH = "epoch"  # every validation: early stopping, plateau, the best score
    RUN = "run"  # once: fitted preprocessing, choices made by timing


@dataclass(frozen=True)
class Field:
    """One named field of an example.

    Args:
        kind: inputs are ``ids`` (T,), ``sequence`` (T, D), ``image`` (C, H, W), ``vector`` (D,), ``table`` (D,) or
            ``graph``; beside ``ids``, of the same positions, ``feature`` (T,) and ``characters`` (T, L), ids too;
            targets are ``class`` (), ``labels`` (L,), ``number`` (), ``tags`` (T,), or ``tokens`` (T,) that come next.
        shape: of one example; None is a length that varies and is padded within a batch.
        size: the number of classes, labels, tags or vocabulary entries.
        padding_id: of ids; of tags and tokens, -1: what is padded or not asked for.
        names: of the classes, labels, tags, vocabulary entries, or columns.
        cardinalities: of a ``table``: number of categories per column, 0 for a numeric one.
        center, scale: mean and deviation of a ``number`` on the training split.
    """

    kind: str
    shape: tuple[int | None, ...] = ()
    size: int | None = None
    padding_id: int | None = None
    names: tuple[str, ...] = ()
    cardinalities: tuple[int, ...] = ()
    center: float = 0.0
    scale: float = 1.0

    def to_json(self) -> dict[str, Any]:
        return {key: list(value) if isinstance(value, tuple) else value for key, value in vars(self).items()}

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> Field:
        values: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in plain.items()
        }
        return cls(**values)


@dataclass(frozen=True)
class DataSpec:
    """What is known of a data set after ``setup``; the only thing that passes from data to model.

    ``source`` names the input and ``label`` the target of single-input tasks; a task with more reads more fields.
    """

    fields: Mapping[str, Field]

    @property
    def source(self) -> Field:
        return self.fields["source"]

    @property
    def label(self) -> Field:
        return self.fields["label"]

    @property
    def inputs(self) -> dict[str, Field]:
        """What a stem may read beside the source."""
        return {name: field for name, field in self.fields.items() if field.kind in BESIDE}

    def to_json(self) -> dict[str, Any]:
        return {name: field.to_json() for name, field in self.fields.items()}

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> DataSpec:
        return cls({name: Field.from_json(value) for name, value in plain.items()})


class Encoded(NamedTuple):
    """What an encoder returns.

    states: (B, T, H), one per position, zero where padded; None where the model has none.
    last: (B, H), the summary of the whole input.
    state: what to carry on with (every tensor batch first); None where nothing is carried.
    """

    states: Tensor | None
    last: Tensor
    state: Any = None


class Term(NamedTuple):
    """One part of an objective before division: ``total`` summed over what it counts, and how much it counted.

    The loop divides by weights summed over micro-batches and ranks, so accumulation and several processes give the
    gradient of one large batch, ragged sequences included.
    """

    total: Tensor
    weight: Tensor | float


class Chain(NamedTuple):
    """What joins the tags of neighbouring positions: scores that are added to the logits of a sequence of tags.

    transitions: (C, C), from the row's tag to the column's.
    start, end: (C,), of the first tag and of the last.
    """

    transitions: Tensor
    start: Tensor
    end: Tensor


class _Made:
    """A field that holds a tensor, or a function that makes it when it is first asked for."""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, one: Any, owner: type | None = None) -> Any:
        if one is None:
            return None  # the field's default
        value = one.__dict__[self.name]
        if callable(value) and not isinstance(value, Tensor):
            value = one.__dict__[self.name] = value()
        return value

    def __set__(self, one: Any, value: Any) -> None:
        one.__dict__[self.name] = value


@dataclass(frozen=True)
class Output:
    """What a task's network returns.

    logits: (B, C) for classes, (B, L) for labels, (B,) for a number, (B, T, C) for tags, (B, T, V) for tokens: before
        any normalisation.
    log_probs: (…, C), normalised over the last dimension; labels are (B, L, 2), absent and present; of tags that a
        chain joins, each position's marginals. None for numbers. May be given as a function: not every reader needs it.
    mask: True where a position counts; None where all do.
    features: named hidden tensors, only those asked for (see :mod:`assay.layers.features`).
    peers: what the other members of a cohort answer while it trains (:mod:`assay.distillation.cohort`).
    chain: what joins neighbouring tags; None where each is answered by itself.
    beside: further answers, by the field that they are about.
    """

    logits: Tensor
    log_probs: Any = _Made()  # Tensor | Callable[[], Tensor] | None, read as Tensor | None
    mask: Tensor | None = None
    features: Mapping[str, Tensor] = field(default_factory=dict)
    peers: tuple[Output, ...] = ()
    chain: Chain | None = None
    beside: Mapping[str, Output] = field(default_factory=dict)


@runtime_checkable
class Encoder(Protocol):
    """``forward(x, mask, state) -> Encoded``: x as the model's declared kind, mask (B, T) bool, True where valid."""

    output_size: int

    def __call__(self, x: Tensor, mask: Tensor | None = None, state: Any = None) -> Encoded: ...


class Decoder(Protocol):
    """``step(tokens, state) -> (logits, state)``: tokens (B,), logits (B, V); every tensor of the state is batch first,
    so that a search reorders any decoder with one index."""

    def step(self, tokens: Tensor, state: Any) -> tuple[Tensor, Any]: ...


class Stem(Protocol):
    """Turns one field into the kind a model reads: ``forward(x) -> (x, mask)``; mask is None where all is valid.

    ``output_shape`` is the shape of one example after it, without the batch: the model's ``input_size``. One that reads
    more fields names them in ``fields``, and gets them by name (:func:`assay.layers.stems.read`).
    """

    output_shape: tuple[int | None, ...]

    def __call__(self, x: Tensor) -> tuple[Tensor, Tensor | None]: ...


class Objective(Protocol):
    """``objective(output, batch) -> {name: Term}``: an ``nn.Module``; it may wrap another and may own parameters.

    ``features`` names the hidden tensors it reads from ``output.features``.

    Any module within it may have these as well, and needs nothing of its wrappers (:mod:`assay.distillation.seams`):

    fit(spec, preprocessing): the data are known; what does not fit them is refused.
    assembled(network, make) -> nn.Module: what is trained in place of ``network``; ``make(k)`` makes more of its kind,
        with other first weights. Its ``deployed`` is what is tested and saved.
    meet(network, batch, seed): the network has its first weights, the optimiser is not made: here an objective takes
        the shapes of what it will read, makes parameters of its own, and has them trained and kept in checkpoints.
    stepped(network): after each step.
    """

    features: tuple[str, ...]

    def __call__(self, output: Output, batch: Batch) -> dict[str, Term]: ...


class Streams(Protocol):
    """Where every random number of a forward pass comes from; used as a context (see :mod:`assay.layers.random`)."""

    def uniform(self, key: int, like: Tensor) -> Tensor: ...
    def __enter__(self) -> Any: ...
    def __exit__(self, *exception: object) -> None: ...


class Columns(Protocol):
    """Examples, as far as a task looks at them: ``column(name)`` is one field of all of them, ``select(positions)`` are
    some of them, for what does not fit into memory at once."""

    def __len__(self) -> int: ...
    def column(self, name: str) -> Tensor: ...
    def select(self, positions: Tensor) -> Columns: ...


@runtime_checkable
class Estimator(Protocol):
    """A whole network that is fitted without gradients: by sums over the training split.

    Everything it knows and counts is in buffers, so that a fit resumes as a training does. It makes the same
    :class:`Output` of a batch as the networks of its task.

    accumulate: adds what a batch says to its sums, and gives the loss of the batch under the parameters as they are.
    maximize: parameters from the sums, which start anew: the end of each epoch.
    """

    def __call__(self, batch: Batch) -> Output: ...
    def accumulate(self, batch: Batch) -> Term: ...
    def maximize(self) -> None: ...


class Task(Protocol):
    """Pure functions of model and batch: a task never logs, steps or reads the trainer.

    terms: the objective's terms on one batch, randomness from ``streams`` alone.
    readings: what evaluation keeps of a batch: per-example tensors by name, see :mod:`assay.readings`.
    answers: what `assay predict` shows of a batch, per example: ``log_probs`` of classes, or ``prediction``.
    settle: what is chosen once training is over (thresholds), given a function -> readings of the validation split by
        the weights that are tested; the keys of the task's config with which an artifact makes the same choice.
    scores: metrics of all readings of a split together, by the names the logger shows.
    baseline: the trivial answer's name and what it scores on the same readings, given the examples of training.
    table: answers (log_probs, or predicted numbers) as text, with the probability of each.
    target_names: labels as text.
    """

    monitor: str
    monitor_mode: str
    objective: nn.Module

    def network(self, stem: nn.Module, encoder: nn.Module) -> nn.Module: ...
    def terms(self, model: Any, batch: Batch, streams: Streams) -> dict[str, Term]: ...
    def readings(self, output: Output, batch: Batch) -> dict[str, Tensor]: ...
    def answers(self, output: Output, batch: Batch) -> dict[str, Tensor]: ...
    def settle(self, validation: Callable[[], Mapping[str, Tensor]]) -> dict[str, Any]: ...
    def scores(self, readings: Mapping[str, Tensor]) -> dict[str, float]: ...
    def baseline(self, train: Columns, readings: Mapping[str, Tensor]) -> tuple[str, dict[str, float]]: ...
    def table(self, answers: Tensor) -> tuple[list[str], list[float]]: ...
    def target_names(self, label: Tensor) -> list[str]: ...


@runtime_checkable
class Stateful(Protocol):
    """A part whose state belongs to the :data:`TrainState`."""

    scope: Scope

    def state(self) -> dict[str, Tensor]: ...
    def load_state(self, state: Mapping[str, Tensor]) -> None: ...


@runtime_checkable
class Carried(Stateful, Protocol):
    """A network's ``carry``: hidden states that go on from batch to batch of a text, of scope ``step``.

    Passes in training mode read what was committed and leave their last states aside; :meth:`begin`, before each pass
    over the micro-batches of a step, drops what was left aside, so that a pass that belongs to no step moves nothing;
    :meth:`advance`, after the step, commits it. Micro-batches of one step go on from one another.
    """

    def begin(self) -> None: ...
    def advance(self) -> None: ...

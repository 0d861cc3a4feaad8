"""The recurrent net for language understanding: words that come, words around, and what is known of the words."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from assay.contracts import DataSpec, Encoded
from assay.errors import ConfigError
from assay.layers.channels import OUTPUT, Group, Slice
from assay.layers.driven_rnn import DrivenRNN
from assay.layers.random import Dropout
from assay.layers.recurrent import last_valid

State = tuple[Tensor, Tensor]


class Reach(NamedTuple):
    """How many words before and after t a window of ``size`` words covers; an even one has one more before."""

    before: int
    after: int

    @classmethod
    def of(cls, size: int, centered: bool) -> Reach:
        if not size:
            return cls(0, 0)
        return cls(size // 2, (size - 1) // 2) if centered else cls(size - 1, 0)


class RNNLU(nn.Module):
    """s_t = f(U x_t + W s_{t-1} + F f_t + b); with the task's head y_t = softmax(V s_t + G f_t).

    Yao, Zweig, Hwang, Shi and Yu, "Recurrent Neural Networks for Language Understanding", Interspeech 2013, section 2;
    f_t as Mikolov and Zweig, "Context Dependent Recurrent Neural Network Language Model", 2012, eq. 4-6.

    - x_t is one of: w_t as one-hot; n-hot of {w_t, …, w_{t+k}}, in which a word that comes twice is one
      (``lookahead``); counts of the words of a window, whose order is lost (``bag``).
    - f_t joins the vectors of the words of a window around t in their order (``window``), and one-hot the features of
      the words of another (``feature_window``): named-entity tags, syntactic labels, whatever the data have.
    - The head [V G] belongs to the task: ``states`` are [s_t ; f_t].

    Beyond the ends of a sentence x_t has no word and f_t no feature; the window shows a vector of its own there, which
    is learnt (Mesnil et al. 2013). Differs from the paper: there is b, W starts in ±1/√H, and dropout acts on f_t,
    which both layers read, and on s_t before the head, never on W s_{t-1}.

    What reads no word after t can be carried on: (s (B, 1, H), the words that windows still see (B, P, 1 + K), counted
    from 1, 0 where there is none); zeros are the start of a text.

    Args:
        input_size: (T or None,) of an example, or (T or None, 1 + K): word id, then one of each of K features.
        hidden_size: H.
        lookahead: k, words after w_t in x_t.
        bag: words of the bag's window; 0: x_t is no bag.
        window: words whose vectors f_t has; 0: none.
        vector_size: E, of a word's vector.
        centered: windows lie around t; false: they end with it.
        features: of the words, those that f_t has: ``all``, ``none`` or names.
        feature_window: words whose features f_t has.
        direct: f_t reaches the head (G); false: ``states`` are s_t.
        nonlinearity: f, ``sigmoid``, ``tanh`` or ``relu``.
        dropout: probability that an entry of f_t, and of s_t, is dropped.
        vocabulary_size: V.
        spec: of the data; its inputs of kind ``feature`` are the K features, in their order.
    Shape:
        x (B, T) or (B, T, 1 + K) int64, mask (B, T) with the valid positions first -> states (B, T, H + width of f_t),
        last (B, H + width of f_t)
    Raises:
        ConfigError: x_t would be both n-hot and a bag, a feature is not among the data's, or a state is given to a net
            that reads words after t.
    """

    def __init__(
        self,
        input_size: tuple[int | None, ...],
        hidden_size: int,
        lookahead: int,
        bag: int,
        window: int,
        vector_size: int,
        centered: bool,
        features: str | list[str],
        feature_window: int,
        direct: bool,
        nonlinearity: str,
        dropout: float,
        *,
        vocabulary_size: int,
        spec: DataSpec | None = None,
    ) -> None:
        super().__init__()
        if lookahead and bag:
            raise ConfigError(
                f"model.lookahead={lookahead} and model.bag={bag} are two kinds of x_t: set one of them to 0"
            )
        self.bag, self.window, self.feature_window, self.direct = bag, window, feature_window, direct
        self.hot = Reach.of(bag, centered) if bag else Reach(0, lookahead)
        self.around, self.beside = Reach.of(window, centered), Reach.of(feature_window, centered)
        self.columns = _chosen(features, input_size, spec)  # (place among the columns of x, ids of the feature)
        self.words = nn.Embedding(vocabulary_size, hidden_size)  # U, a row for each word
        width = window * vector_size + feature_window * sum(size for _, size in self.columns)
        if window:
            self.vectors = nn.Embedding(vocabulary_size, vector_size)
            self.outside = nn.Parameter(torch.empty(vector_size))  # the vector of no word
            nn.init.uniform_(self.vectors.weight, -0.25, 0.25)  # as those of stem=text
            nn.init.uniform_(self.outside, -0.25, 0.25)
        self.context = nn.Linear(width, hidden_size, bias=False) if width else None  # F
        self.recurrence = DrivenRNN(hidden_size, nonlinearity)
        self.drop_context, self.drop_states = Dropout(dropout), Dropout(dropout)
        self.output_size = hidden_size + (width if direct else 0)
        nn.init.uniform_(self.words.weight, -(hidden_size**-0.5), hidden_size**-0.5)

    @property
    def before(self) -> int:
        """Words before t that something here reads."""
        return max(self.hot.before, self.around.before, self.beside.before if self.columns else 0)

    @property
    def after(self) -> int:
        """Words after t that something here reads."""
        return max(self.hot.after, self.around.after, self.beside.after if self.columns else 0)

    def forward(self, x: Tensor, mask: Tensor | None = None, state: State | None = None) -> Encoded:
        if state is not None and self.after:
            raise ConfigError(
                "model=rnnlu cannot carry a state on where x_t or f_t has words after t: set model.lookahead=0 "
                "and model.centered=false"
            )
        codes = (x if x.dim() == 3 else x.unsqueeze(-1)) + 1  # (B, T, 1 + K), 0 where there is no word
        if mask is not None:
            codes = codes * mask.unsqueeze(-1)
        past = codes.new_zeros(x.shape[0], self.before, codes.shape[2]) if state is None else state[1]
        codes = torch.cat([past, F.pad(codes, (0, 0, 0, self.after))], 1)  # (B, before + T + after, 1 + K)
        f = self._context(codes)
        driven = (
            self._hot(codes[..., 0])
            if f is None or self.context is None
            else self._hot(codes[..., 0]) + self.context(f)
        )
        states, (s,) = self.recurrence(driven, mask, None if state is None else (state[0].squeeze(1),))
        states = self.drop_states(states)
        if f is not None and self.direct:
            states = torch.cat([states, f.to(states.dtype)], -1)  # (B, T, H + width)
        carried = None if self.after else (s.unsqueeze(1), self._seen(codes, mask))
        if mask is None:
            return Encoded(states, states[:, -1], carried)
        return Encoded(states * mask.unsqueeze(-1), last_valid(states, mask), carried)

    def _hot(self, codes: Tensor) -> Tensor:
        """U x_t (B, T, H)."""
        seen = self._views(codes, self.hot)  # of (B, T) each, in their order
        total = None
        for place, code in enumerate(seen):
            counts = code > 0
            if not self.bag:  # n-hot: a word is there or it is not
                for earlier in seen[:place]:
                    counts = counts & (code != earlier)
            part = self.words((code - 1).clamp(min=0)) * counts.unsqueeze(-1)
            total = part if total is None else total + part
        assert total is not None
        return total

    def _context(self, codes: Tensor) -> Tensor | None:
        """f_t (B, T, width); None where nothing was chosen for it."""
        parts = []
        if self.window:
            words = codes[..., 0]
            vectors = self.vectors((words - 1).clamp(min=0))
            vectors = torch.where((words > 0).unsqueeze(-1), vectors, self.outside)  # (B, before + T + after, E)
            parts += self._views(vectors, self.around)
        for place, size in self.columns if self.feature_window else ():
            hot = F.one_hot(codes[..., place], size + 1)[..., 1:]  # no word has no feature
            parts += self._views(hot.to(self.words.weight.dtype), self.beside)
        return self.drop_context(torch.cat(parts, -1)) if parts else None

    def _views(self, x: Tensor, reach: Reach) -> list[Tensor]:
        """x (B, before + T + after, …) as it is at t - reach.before, …, t + reach.after: (B, T, …) each."""
        length = x.shape[1] - self.before - self.after
        first = self.before - reach.before
        return [x[:, first + i : first + i + length] for i in range(reach.before + 1 + reach.after)]

    def _seen(self, codes: Tensor, mask: Tensor | None) -> Tensor:
        """(B, before, 1 + K): the last words, which the next ones will see."""
        if mask is None:
            return codes[:, codes.shape[1] - self.before :]
        places = mask.sum(1, keepdim=True) + torch.arange(self.before, device=codes.device)  # (B, before)
        return codes.gather(1, places.unsqueeze(-1).expand(-1, -1, codes.shape[2]))

    def channel_groups(self) -> list[Group]:
        hidden, found = self.words.weight.shape[1], []
        made = [Slice("words.weight", 1), Slice("recurrence.weight_h"), Slice("recurrence.bias")]
        if self.context is not None:
            made.append(Slice("context.weight"))
        read = (Slice("recurrence.weight_h", 1), Slice(OUTPUT))
        found.append(Group("recurrence", hidden, tuple(made), read))
        if self.window and self.context is not None:
            size = self.vectors.weight.shape[1]
            readers = [Slice("context.weight", 1, blocks=self.window)]
            readers += [Slice(OUTPUT, start=hidden, blocks=self.window)] if self.direct else []
            found.append(Group("vectors", size, (Slice("vectors.weight", 1), Slice("outside")), tuple(readers)))
        return found


def _chosen(
    features: str | list[str], input_size: tuple[int | None, ...], spec: DataSpec | None
) -> list[tuple[int, int]]:
    """The columns of x that f_t has, and how many ids each has.

    Raises:
        ConfigError: one is asked for that the data do not have.
    """
    inputs = {} if spec is None else spec.inputs
    held = [name for name, field in inputs.items() if field.kind == "feature"] if len(input_size) == 2 else []
    assert len(input_size) < 2 or input_size[1] == 1 + len(held), f"{input_size} for the features {held}"
    names = {"all": held, "none": []}.get(features, [features]) if isinstance(features, str) else features
    if absent := next((name for name in names if name not in held), None):
        known = f"has {', '.join(held)}" if held else "has none"
        raise ConfigError(
            f"model.features names {absent}, no word feature of this data, which {known}: write all, none or names"
        )
    return [(1 + held.index(name), int(inputs[name].size or 0)) for name in names]

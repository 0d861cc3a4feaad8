"""Language models: the next token, from those before it. Letters: B rows, T positions, V vocabulary."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from assay.contracts import Batch, Columns, DataSpec, Output, Streams, Term
from assay.errors import ConfigError
from assay.layers.carry import Carry
from assay.layers.features import observed
from assay.layers.stems import read
from assay.layers.word_logits import WordLogits

CHUNK = 1024  # windows whose tokens are counted at a time


class LanguageModel(nn.Module):
    """Stem, an encoder that reads forwards only, and the logits of each next token.

    Every position is read, padded ones too: they stand at a window's end, so that no state before them hangs on them,
    and a text begins after them. Where windows of a text follow one another (``batch["fresh"]``), an encoder that gives
    a state goes on from where the row's last window ended (:class:`assay.layers.carry.Carry`).

    It is also a :class:`assay.contracts.Decoder`: :meth:`start` reads a prompt, :meth:`step` one more token.

    Args:
        stem: of ``source``.
        encoder: gives one state per token.
        size: V.
        tied: the logits are made by the stem's word vectors.
        bias: of the logits.
        carry: whether states go on from window to window.
    Attributes:
        carry: the states between windows; None where nothing is carried.
    Shape:
        batch["source"] (B, T) -> Output with logits (B, T, V); mask (B, T), True where batch["label"] is a token
    Raises:
        ConfigError: the encoder has no state for each token, or tied vectors are not as wide as its states.
    """

    def __init__(self, stem: nn.Module, encoder: Any, size: int, tied: bool, bias: bool, carry: bool) -> None:
        super().__init__()
        self.stem = stem
        self.encoder = encoder
        self.head: nn.Module = self._tied(bias) if tied else nn.Linear(encoder.output_size, size, bias)
        self.carry = Carry() if carry else None

    def _tied(self, bias: bool) -> nn.Module:
        embedding, width = getattr(self.stem, "embedding", None), self.encoder.output_size
        if not isinstance(embedding, nn.Embedding):
            raise ConfigError("task.tied=true shares word vectors, and this model's input has none: use model=lstm")
        if embedding.embedding_dim != width:
            raise ConfigError(
                f"task.tied=true needs word vectors as wide as the states: stem.sequence.size={embedding.embedding_dim}"
                f" is not {width}; set it, or model.hidden_size (of a Transformer model.size), to the other"
            )
        return WordLogits(embedding, bias)

    def train(self, mode: bool = True) -> LanguageModel:
        """An evaluation begins with no text before it, whatever the last one ended with."""
        if self.carry is not None:
            self.carry.forget_evaluation()
        return super().train(mode)

    def forward(self, batch: Batch) -> Output:
        x, _ = read(self.stem, batch)
        label = batch.get("label")
        logits = self.head(self._states(x, batch.get("fresh")))  # (B, T, V)
        return Output(logits, partial(logits.log_softmax, -1), None if label is None else label >= 0)

    def _states(self, x: Tensor, fresh: Tensor | None) -> Tensor:
        """(B, T, H)."""
        if self.carry is None or fresh is None:
            return _needed(self.encoder(x, None, None).states)
        encoded = self.encoder(x, None, self.carry.read(x, fresh, self.training))
        if encoded.state is not None:  # a Transformer has none unless it is asked for one
            self.carry.leave(encoded.state, self.training)
        return _needed(encoded.states)

    def start(self, prompt: Tensor) -> tuple[Tensor, Any]:
        """Reads prompts of one length, each from the beginning of a text.

        Shape:
            prompt (B, T) int64 -> logits (B, V) of the token after it, and the state to go on with
        """
        start = getattr(self.encoder, "start", None)
        return self._next(prompt, None if start is None else start(len(prompt)))

    def step(self, tokens: Tensor, state: Any) -> tuple[Tensor, Any]:
        """tokens (B,) and the state before them -> logits (B, V) of the token after, and the state."""
        return self._next(tokens.unsqueeze(1), state)

    def _next(self, tokens: Tensor, state: Any) -> tuple[Tensor, Any]:
        encoded = self.encoder(read(self.stem, {"source": tokens})[0], None, state)
        return self.head(_needed(encoded.states)[:, -1]), encoded.state


def _needed(states: Tensor | None) -> Tensor:
    if states is None:
        raise ConfigError("task=lm needs one state per token, and this model gives none: use model=lstm, gru or rnn")
    return states


class LanguageModeling:
    """The task: terms from the objective, counted by the token; perplexity over the exact number of tokens.

    Readings have a row for each window: the sum of the losses of the tokens that are asked for there, their number and
    which they are. A token is asked for where its label is not negative: what pads a window is not, nor what a sliding
    window shows as context alone.

    Args:
        spec: of the data; ``label`` is the tokens that come next.
        objective: a loss, perhaps wrapped.
        tied: logits by the word vectors.
        bias: of the logits.
        carry: recurrent states go on from window to window of a text.
    """

    monitor = "val/perplexity"
    monitor_mode = "min"

    def __init__(
        self, spec: DataSpec, objective: nn.Module, tied: bool = False, bias: bool = True, carry: bool = True
    ) -> None:
        self.size = int(spec.label.size or 0)
        self.names = spec.label.names or spec.source.names
        self.objective = objective
        self.tied = tied
        self.bias = bias
        self.carry = carry
        self.unit = "character" if _are_characters(self.names) else "token"

    def network(self, stem: nn.Module, encoder: nn.Module) -> nn.Module:
        return LanguageModel(stem, encoder, self.size, self.tied, self.bias, self.carry)

    def terms(self, model: Any, batch: Batch, streams: Streams) -> dict[str, Term]:
        with streams:
            output = observed(model, batch, getattr(self.objective, "features", ()))
        return self.objective(output, batch)

    def readings(self, output: Output, batch: Batch) -> dict[str, Tensor]:
        """Per window: ``index`` (B,), ``loss`` (B,) the sum in nats, ``tokens`` (B,) their number, ``label`` (B, T)."""
        label = batch["label"]
        log_probs = output.log_probs
        assert log_probs is not None
        each = F.nll_loss(log_probs.flatten(0, 1), label.flatten(), ignore_index=-1, reduction="none")  # (B·T,)
        return {
            "index": batch["index"],
            "loss": each.view(label.shape).double().sum(1),
            "tokens": (label >= 0).sum(1),
            "label": label.int(),
        }

    def answers(self, output: Output, batch: Batch) -> dict[str, Tensor]:
        """How well each text was foretold: ``tokens`` (B,) their number, ``loss`` (B,) the sum of theirs."""
        read = self.readings(output, batch)
        return {"tokens": read["tokens"], "loss": read["loss"]}

    def rows(self, answers: Mapping[str, Tensor]) -> list[dict[str, Any]]:
        """What `assay predict` shows of each text: ``tokens``, and the scores of that text alone."""
        pairs = zip(answers["loss"].tolist(), answers["tokens"].tolist(), strict=True)
        return [{"tokens": tokens, **self._scores(loss, tokens)} for loss, tokens in pairs]

    def scores(self, readings: Mapping[str, Tensor]) -> dict[str, float]:
        return self._scores(float(readings["loss"].double().sum()), int(readings["tokens"].sum()))

    def _scores(self, loss: float, tokens: int) -> dict[str, float]:
        """``perplexity``, ``log_loss`` in nats per token, and bits per character where tokens are characters."""
        mean = loss / tokens if tokens else math.nan
        perplexity = math.exp(mean) if mean < _HIGHEST else math.inf
        return {"perplexity": perplexity, "log_loss": mean, f"bits_per_{self.unit}": mean / math.log(2)}

    def settle(self, validation: Callable[[], Mapping[str, Tensor]]) -> dict[str, Any]:
        """Nothing is chosen once training is over."""
        return {}

    def baseline(self, train: Columns, readings: Mapping[str, Tensor]) -> tuple[str, dict[str, float]]:
        """What the training split's shares of the tokens would score, each counted once more than it was seen, so that
        none has a share of 0 (Laplace)."""
        counts = torch.zeros(self.size, dtype=torch.int64)
        for start in range(0, len(train), CHUNK):
            some = train.select(torch.arange(start, min(start + CHUNK, len(train))))
            counts += self._counts(some.column("label"))
        share = (counts + 1).double()
        asked = self._counts(readings["label"].cpu())
        loss = -float((asked * (share / share.sum()).log()).sum())
        return "unigram", self._scores(loss, int(asked.sum()))

    def _counts(self, label: Tensor) -> Tensor:
        """(V,) int64: how often each token is asked for."""
        return torch.bincount(label[label >= 0].long(), minlength=self.size)

    def table(self, answers: Tensor) -> tuple[list[str], list[float]]:
        return [f"{value:.6g}" for value in answers.tolist()], []

    def target_names(self, label: Tensor) -> list[str]:
        """(n, T) -> the tokens asked for, as text."""
        joint = "" if self.unit == "character" else " "
        return [joint.join(self.names[i] for i in row if i >= 0) for row in label.tolist()]


_HIGHEST = 700.0  # exp of more is no number


def _are_characters(names: tuple[str, ...]) -> bool:
    """Whether each entry of a vocabulary is one character, but for those that stand for something: <unk>, <eos>."""
    plain = [name for name in names if not (len(name) > 2 and name[0] == "<" and name[-1] == ">")]
    return bool(plain) and all(len(name) == 1 for name in plain)

"""`assay generate`: a language model goes on with a text. What is asked for is checked before torch is loaded."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from assay.errors import ConfigError
from assay.written import Written

if TYPE_CHECKING:
    from assay.artifacts import Artifact
    from assay.export.opened import Exported

MANY = 8  # unknown words that are named


@dataclass(frozen=True)
class Request:
    """What to write.

    Args:
        prompt: the text to go on with; an empty one is the beginning of a text.
        tokens: the most to write, characters or words as the model has them.
        temperature, top_k, top_p, seed: of drawing (:class:`assay.decoding.sample.Sample`).
        greedy: the likeliest token each time, nothing drawn.
        beam: the likeliest texts by a search of this width (:class:`assay.decoding.beam.Beam`).
        length_penalty: of the beam.
        samples: how many texts; of a beam the so many best.
        stop: the text ends before this.
    Raises:
        ConfigError: a value is outside its range, or belongs to another way of choosing.
    """

    prompt: str = ""
    tokens: int = 200
    temperature: float | None = None
    top_k: int | None = None
    top_p: float | None = None
    seed: int | None = None
    greedy: bool = False
    beam: int | None = None
    length_penalty: float | None = None
    samples: int = 1
    stop: str = ""

    def __post_init__(self) -> None:
        for name, least in (("tokens", 1), ("samples", 1), ("top_k", 1), ("beam", 1), ("length_penalty", 0)):
            value = getattr(self, name)
            if value is not None and not least <= value < math.inf:
                raise ConfigError(f"{name}={value:g} is outside its range: use {least} or more")
        if self.temperature is not None and not 0 < self.temperature < math.inf:
            raise ConfigError(
                f"temperature={self.temperature:g} is not above 0: greedy takes the likeliest token alone"
            )
        if self.top_p is not None and not 0 < self.top_p <= 1:
            raise ConfigError(f"top_p={self.top_p:g} is not a probability in (0, 1]; 1 keeps all tokens")
        drawn = [name for name in ("temperature", "top_k", "top_p", "seed") if getattr(self, name) is not None]
        if drawn and (self.greedy or self.beam is not None):
            way = "greedy" if self.greedy else f"beam={self.beam}"
            raise ConfigError(f"{way} draws nothing, and {drawn[0]} is of drawing: leave one of the two out")
        if self.greedy and self.beam is not None:
            raise ConfigError(f"greedy is a beam of 1: leave it or beam={self.beam} out")
        if self.greedy and self.samples > 1:
            raise ConfigError(f"greedy writes one text, not {self.samples}: leave samples or greedy out")
        if self.beam is None and self.length_penalty is not None:
            raise ConfigError("length_penalty is of a beam search: add beam=5, or leave it out")
        if self.beam is not None and self.samples > self.beam:
            raise ConfigError(
                f"beam={self.beam} has no {self.samples} best texts: ask for fewer samples, or a wider beam"
            )


def read_prompt(given: str) -> str:
    """The prompt itself, what a file of this name holds, or of ``-`` what standard input does: as it stands there."""
    try:
        if given == "-":
            return sys.stdin.read()
        if os.path.isfile(given) or given.endswith(".txt"):
            with open(given, encoding="utf-8") as file:
                return file.read()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8"
        raise ConfigError(f"prompt {given} cannot be read ({reason}): name a text file, or give the text") from None
    return given


def generate_command(run: str, prompt: str, stop: str, **asked: Any) -> int:
    """Writes the prompt and what the model makes of it, token by token, to standard output."""
    request = Request(stop=stop.replace("\\n", "\n").replace("\\t", "\t"), **asked)
    request = replace(request, prompt=read_prompt(prompt))
    import torch

    from assay.engines.threads import choose_threads
    from assay.export.opened import open_model

    artifact = language_model(open_model(run), run)
    one, rows = torch.zeros(1, dtype=torch.int64), request.beam or request.samples
    step = {"source": one.unsqueeze(1), "index": one}
    torch.set_num_threads(choose_threads("auto", artifact.network, step, rows))
    ending(artifact.preprocessing, request)  # refuses before anything is written
    if lacking := unknown(artifact.preprocessing, request.prompt):
        more = f" and {len(lacking) - MANY} more" if len(lacking) > MANY else ""
        words = ", ".join(map(repr, lacking[:MANY]))
        print(f"not in the vocabulary, read as unknown: {words}{more}", file=sys.stderr)
    several = request.samples > 1
    if several:
        print(_head(1, request))
    print(request.prompt, end="", flush=True)
    try:
        texts = write(artifact, request, lambda text: print(text, end="", flush=True))
    except KeyboardInterrupt:
        print(flush=True)  # what was written stays, on lines of its own
        raise
    for number, row in enumerate(texts, 1):
        if number > 1:
            print(f"\n{_head(number, request)}\n{request.prompt}{row['text']}", end="")
    print(flush=True)
    if request.beam is not None:
        each = ", ".join(f"{row['log_probability']:.4f}" for row in texts)
        print(f"log probability: {each}", file=sys.stderr)
    return 0


def _head(number: int, request: Request) -> str:
    return f"--- {number} of {request.samples} ---"


def language_model(opened: Artifact | Exported, run: str) -> Artifact:
    """The artifact of a model that predicts the next token of running text. Raises ConfigError for any other."""
    if not hasattr(opened, "network"):
        raise ConfigError(f"{run} is an export, which reads whole inputs only: name the run that it was made of")
    artifact: Any = opened
    if not hasattr(artifact.network, "step") or not hasattr(artifact.preprocessing, "prompt"):
        task = artifact.config.get("switches", {}).get("task", "another task")
        raise ConfigError(f"{run} is a model of task={task}, and a language model writes: name a run of task=lm")
    return artifact


def unknown(preprocessing: Any, prompt: str) -> list[str]:
    """The characters or words of a prompt that training did not hold, each once, in their order."""
    from assay.data.tokenizers.vocabulary import SPECIAL, UNKNOWN_ID

    tokenizer = preprocessing.tokenizer
    parts = list(prompt) if preprocessing.keeps_lines else getattr(tokenizer, "tokens", str.split)(prompt)
    each = dict.fromkeys(part for part in parts if part not in SPECIAL)
    return [part for part in each if UNKNOWN_ID in tokenizer.encode(part)]


def write(artifact: Artifact, request: Request, show: Callable[[str], Any] = lambda text: None) -> list[dict[str, Any]]:
    """The texts, each with ``text`` (without the prompt) and ``tokens``, their number; of a beam, best first, with
    ``log_probability`` and the ``score`` that orders them.

    The padding and unknown tokens are never written: they stand for no text.

    Args:
        show: is given the first text, piece by piece, as soon as it is sure.
    """
    import torch

    from assay.data.tokenizers.vocabulary import PADDING_ID, UNKNOWN_ID

    preprocessing: Any = artifact.preprocessing
    network: Any = artifact.network
    prompt: list[int] = preprocessing.prompt(request.prompt)
    spaced = request.prompt.endswith((" ", "\t")) and not preprocessing.keeps_lines
    texts = [Written(preprocessing.decode, prompt[-1], request.stop, spaced) for _ in range(request.samples)]
    with torch.inference_mode():
        logits, state = network.start(torch.tensor([prompt]))
        never = (PADDING_ID, UNKNOWN_ID)
        if request.beam is not None:
            return _by_beam(network, logits, state, request, texts, show, never, ending(preprocessing, request))
        _one_by_one(network, logits, state, request, texts, show, never)
    show(texts[0].close())
    return [{"text": one.text, "tokens": one.tokens} for one in texts]


def _one_by_one(
    network: Any,
    logits: Any,
    state: Any,
    request: Request,
    texts: list[Written],
    show: Callable[[str], Any],
    never: tuple[int, ...],
) -> None:
    from assay.decoding.greedy import greedy
    from assay.decoding.reorder import reorder
    from assay.decoding.sample import Sample
    from assay.decoding.steps import decode

    rows = logits.new_zeros(len(texts)).long()
    logits, state = logits[rows], reorder(state, rows)
    temperature = 1.0 if request.temperature is None else request.temperature
    top_p = 1.0 if request.top_p is None else request.top_p
    choose = greedy if request.greedy else Sample(temperature, request.top_k, top_p, request.seed or 0)
    for tokens in decode(network, logits, state, choose, request.tokens, forbidden=never):
        first, *_ = [text.add(token) for text, token in zip(texts, tokens.tolist(), strict=True)]
        if first:
            show(first)
        if all(text.done for text in texts):
            return


def ending(preprocessing: Any, request: Request) -> int | None:
    """The one token that ends a text of a beam; what is drawn may end at any text. Raises ConfigError for several."""
    from assay.data.tokenizers.vocabulary import UNKNOWN_ID

    if not request.stop or request.beam is None:
        return None
    ids = preprocessing.encode(request.stop)
    if len(ids) != 1 or ids == [UNKNOWN_ID]:
        raise ConfigError(
            f"a beam ends at one token of the vocabulary, and stop={request.stop!r} is none: use '\\n', or draw"
        )
    return ids[0]


def _by_beam(
    network: Any,
    logits: Any,
    state: Any,
    request: Request,
    texts: list[Written],
    show: Callable[[str], Any],
    never: tuple[int, ...],
    end: int | None,
) -> list[dict[str, Any]]:
    from assay.decoding.beam import Beam

    assert request.beam is not None
    penalty = 0.0 if request.length_penalty is None else request.length_penalty
    found = Beam(request.beam, penalty, request.samples).search(network, logits, state, request.tokens, end, never)
    rows = []
    for i, text in enumerate(texts):
        length = int(found.lengths[0, i])
        if length == 0:
            break  # the vocabulary has no more texts of this length
        shown = "".join([text.add(token) for token in found.tokens[0, i, :length].tolist()]) + text.close()
        if i == 0:
            show(shown)
        score = {"log_probability": float(found.log_probs[0, i]), "score": float(found.scores[0, i])}
        rows.append({"text": text.text, "tokens": length, **score})
    return rows

"""Tokens as the text that they are, piece by piece as they come. No torch here."""

from __future__ import annotations

from collections.abc import Callable, Sequence


class Written:
    """What a model has written after a prompt.

    A token's text hangs on the one before it (a space between words, none between the pieces of one), so each is
    written out together with that one, whose text is taken off again.

    Args:
        decode: ids -> their text.
        before: the last id of the prompt.
        stop: the text ends where this begins; "" never. What may be its beginning is held back until it is not.
        spaced: the prompt ends in a space, so that none is added.
    Attributes:
        text: all of it, up to ``stop``.
        done: whether ``stop`` was met.
    """

    def __init__(
        self, decode: Callable[[Sequence[int]], str], before: int, stop: str = "", spaced: bool = False
    ) -> None:
        self._decode = decode
        self._before = before
        self._stop = stop
        self._spaced = spaced
        self._shown = 0
        self.text = ""
        self.tokens = 0
        self.done = False

    def add(self, token: int) -> str:
        """Takes one more token; returns the text that can be shown now."""
        if self.done:
            return ""
        known, both = self._decode([self._before]), self._decode([self._before, token])
        new = both[len(known) :]
        if self._spaced and not self.text:
            new = new.removeprefix(" ")
        self._before = token
        self.tokens += 1
        start = max(len(self.text) - len(self._stop), 0)
        self.text += new
        found = self.text.find(self._stop, start) if self._stop else -1
        if found >= 0:
            self.text, self.done = self.text[:found], True
        return self._show(0 if self.done else self._held())

    def close(self) -> str:
        """What was held back, once nothing more comes."""
        return self._show(0)

    def _show(self, held: int) -> str:
        end = len(self.text) - held
        shown, self._shown = self.text[self._shown : end], max(end, self._shown)
        return shown

    def _held(self) -> int:
        """How many of the last characters may be the beginning of ``stop``."""
        most = min(len(self._stop) - 1, len(self.text))
        return next((size for size in range(most, 0, -1) if self.text.endswith(self._stop[:size])), 0)

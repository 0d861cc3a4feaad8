"""A decoder whose answer depends on all that was written: a table of logits for every beginning."""

from __future__ import annotations

import torch


class Tabled:
    """``rows`` texts side by side, each with a table of its own; V tokens, beginnings of up to ``length``."""

    def __init__(self, rows, num_tokens, length, spread=2.0, seed=0):
        generator = torch.Generator().manual_seed(seed)
        self.rows, self.size = rows, num_tokens
        count = sum(num_tokens**i for i in range(length + 1))
        self.table = spread * torch.randn(rows, count, num_tokens, generator=generator, dtype=torch.float64)
        self.steps = 0

    def start(self):
        row = torch.arange(self.rows)
        state = {"row": row, "code": (torch.zeros(self.rows, dtype=torch.int64), [None])}
        return self.table[row, 0], state

    def step(self, tokens, state):
        self.steps += 1
        code = self.size * state["code"][0] + tokens + 1
        return self.table[state["row"], code], {"row": state["row"], "code": (code, [None])}

    def log_probs(self, row):
        def of(beginning):
            code = 0
            for token in beginning:
                code = self.size * code + token + 1
            return self.table[row, code].log_softmax(-1).numpy()

        return of

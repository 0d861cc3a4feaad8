"""Examples as columns: what a data set holds, and how a batch is gathered from it.

A column knows how to gather rows; an :class:`Examples` is a choice of rows of shared columns, so that splits, folds,
bags and curricula cost one index tensor and no copy. Letters: N rows of a column, n examples chosen, B batch, T tokens.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol

import torch
from torch import Tensor

from assay.contracts import Batch
from assay.layers.random import example_uniform


class Column(Protocol):
    """One field of all examples.

    uniform: all rows have one shape, so that many batches can be gathered at once and cut into views.
    lazy: a row is made when asked for (a file is decoded), which pays for worker processes.
    """

    uniform: bool
    lazy: bool

    def __len__(self) -> int: ...
    def gather(self, positions: Tensor) -> Tensor:
        """Rows at ``positions`` (B,) int64 -> (B, …)."""
        ...


class Dense:
    """Rows of one tensor (N, …)."""

    uniform, lazy = True, False

    def __init__(self, tensor: Tensor) -> None:
        self.tensor = tensor

    def __len__(self) -> int:
        return len(self.tensor)

    def gather(self, positions: Tensor) -> Tensor:
        return self.tensor.index_select(0, positions)


class Rows:
    """Rows of one tensor (n, …) that only some of the examples have; to ask for another one's is our mistake.

    Args:
        tensor: of those that have one; may be mapped from a file.
        numbers: (n,) int64, whose they are.
        count: N, of all examples.
    """

    uniform, lazy = True, False

    def __init__(self, tensor: Tensor, numbers: Tensor, count: int) -> None:
        self.tensor = tensor
        self.place = torch.full((count,), -1)  # (N,): where an example's row is; -1 is refused by index_select
        self.place[numbers] = torch.arange(len(numbers))

    def __len__(self) -> int:
        return len(self.place)

    def gather(self, positions: Tensor) -> Tensor:
        return self.tensor.index_select(0, self.place.index_select(0, positions))


class Pixels:
    """Images held as bytes (N, C, H, W) uint8, gathered as float32 in [0, 1]: a quarter of the memory, the same values
    as dividing the file's bytes by 255."""

    uniform, lazy = True, False

    def __init__(self, tensor: Tensor) -> None:
        self.tensor = tensor

    def __len__(self) -> int:
        return len(self.tensor)

    def gather(self, positions: Tensor) -> Tensor:
        return as_unit(self.tensor.index_select(0, positions))


def as_unit(pixels: Tensor) -> Tensor:
    """Bytes (…) uint8 -> float32 in [0, 1]; the one place where images are scaled."""
    return pixels.to(torch.float32).div_(255)


class Ragged:
    """Sequences of varying length, one after the other in one tensor.

    Args:
        values: (V,) all sequences joined.
        offsets: (N + 1,) int64; row i is ``values[offsets[i]:offsets[i + 1]]``.
        padding_id: fills the rows of a batch up to its longest.
    """

    uniform, lazy = False, False

    def __init__(self, values: Tensor, offsets: Tensor, padding_id: int) -> None:
        self.values, self.offsets, self.padding_id = values, offsets, padding_id

    @classmethod
    def join(cls, sequences: Iterable[Sequence[int]], padding_id: int) -> Ragged:
        """One column from lists of ids."""
        flat: list[int] = []
        ends = [0]
        for sequence in sequences:
            flat.extend(sequence)
            ends.append(len(flat))
        return cls(torch.tensor(flat, dtype=torch.int64), torch.tensor(ends, dtype=torch.int64), padding_id)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def lengths(self, positions: Tensor) -> Tensor:
        """(B,) int64."""
        return self.offsets[positions + 1] - self.offsets[positions]

    def gather(self, positions: Tensor) -> Tensor:
        """(B,) -> (B, T), T the longest of the batch and at least one."""
        starts, lengths = self.offsets[positions], self.lengths(positions)
        longest = max(int(lengths.max()), 1) if len(positions) else 1
        steps = torch.arange(longest)
        valid = steps < lengths[:, None]  # (B, T)
        if len(self.values) == 0:
            return torch.full(valid.shape, self.padding_id, dtype=self.values.dtype)
        where = (starts[:, None] + steps).clamp_(max=len(self.values) - 1)  # (B, T); padded places read any value
        return self.values[where].masked_fill_(~valid, self.padding_id)


class Files:
    """Images decoded when they are asked for; same values as :class:`Pixels` of the same files.

    Args:
        paths: (N) file names.
        decode: path -> (C, H, W) uint8; top-level or a method, since worker processes call it.
    """

    uniform, lazy = True, True

    def __init__(self, paths: Sequence[str], decode: Callable[[str], Tensor]) -> None:
        self.paths, self.decode = list(paths), decode

    def __len__(self) -> int:
        return len(self.paths)

    def gather(self, positions: Tensor) -> Tensor:
        return as_unit(torch.stack([self.decode(self.paths[position]) for position in positions.tolist()]))


class Examples:
    """Rows of shared columns, chosen by their number.

    Args:
        columns: field name -> column over the whole data set, all of one length N.
        index: (n,) int64, which rows, in which order. A row's number is its example's stable number in the data set: it
            is what ``batch["index"]`` holds and what augmentation is keyed by.
    """

    def __init__(self, columns: Mapping[str, Column], index: Tensor) -> None:
        lengths = {name: len(column) for name, column in columns.items()}
        assert len(set(lengths.values())) == 1, f"columns of different lengths: {lengths}"
        self.columns = dict(columns)
        self.index = index

    def __len__(self) -> int:
        return len(self.index)

    @property
    def lazy(self) -> bool:
        """Whether any field is made on demand."""
        return any(column.lazy for column in self.columns.values())

    def gather(self, positions: Tensor) -> Batch:
        """Examples at ``positions`` (B,) within this choice -> a batch, ``index`` included."""
        rows = self.index[positions]
        return {**{name: column.gather(rows) for name, column in self.columns.items()}, "index": rows}

    def column(self, name: str) -> Tensor:
        """One field of all examples (n, …), without making the others: labels for baselines and weights."""
        return self.columns[name].gather(self.index)

    def weighed(self, weight: Tensor) -> Examples:
        """The same examples with a column "weight" (n,), which losses obey; splits that share columns stay as they are.
        Rows outside of this choice have none that counts: 0."""
        whole = weight.new_zeros(len(next(iter(self.columns.values()))))
        whole[self.index] = weight
        return self.beside("weight", Dense(whole))

    def beside(self, name: str, column: Column) -> Examples:
        """The same examples with one field more, or another one of that name."""
        return Examples({**self.columns, name: column}, self.index)

    def select(self, positions: Tensor) -> Examples:
        """The examples at ``positions``, a fold, a bag or a few to look at."""
        return Examples(self.columns, self.index[positions])

    def few(self, count: int) -> Examples:
        """``count`` of them, always the same, or all where there are no more: drawn by their numbers, for data often
        list one class after the other."""
        drawn = torch.argsort(example_uniform(0, 0, self.index, "few"), stable=True)[:count]
        return self.select(drawn.sort().values)

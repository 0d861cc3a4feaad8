"""Which tag may follow which, read from their names.

IOB2 (Tjong Kim Sang and Veenstra, "Representing Text Chunks", 1999): I-x continues a span of x, so that only B-x and
I-x come before it. IOBES adds E-x, the end of a span, and S-x, a span of one position. A kind of
span that the names never begin (I-x without B-x) could not be answered at all: it may begin anywhere; one that they
never end (B-x of IOBES without E-x) may end anywhere.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from assay.contracts import Chain
from assay.errors import ConfigError

SCHEMES = {"iob2": {"B", "I"}, "iobes": {"B", "I", "E", "S"}}


def scheme_of(names: Sequence[str]) -> str | None:
    """The first scheme whose marks all names have and at least one of whose spans begins; None where names are just
    names."""
    marks = {name.partition("-")[0] for name in names if name != "O"}
    if any("-" not in name for name in names if name != "O") or not marks & {"B", "S"}:
        return None
    return next((scheme for scheme, known in SCHEMES.items() if marks <= known), None)


def constraints(names: Sequence[str], scheme: str) -> Chain | None:
    """What ``constraints=`` forbids of these tags: a chain of bool, True where forbidden; None where nothing is.

    Args:
        scheme: ``iob2``, ``iobes``, ``auto`` (as the names are) or ``none``.
    Raises:
        ConfigError: the names do not follow the scheme, or there is no such scheme.
    """
    if scheme not in (*SCHEMES, "auto", "none"):
        raise ConfigError(f"constraints={scheme} is not known; possible are auto, {', '.join(SCHEMES)}, none")
    found = scheme_of(names) if scheme == "auto" else scheme
    if found is None or found == "none":
        return None
    if odd := [name for name in names if name != "O" and (name[1:2] != "-" or name[0] not in SCHEMES[found])]:
        marks = ", ".join(f"{mark}-…" for mark in sorted(SCHEMES[found]))
        raise ConfigError(
            f"output.constraints={found} needs tags {marks} and O, and has {odd[0]!r}: use output.constraints=none"
        )
    present = set(names)
    allowed = [[_follows(one, other, present, found) for other in names] for one in names]
    first = [_follows("O", other, present, found) for other in names]
    last = [_follows(one, "O", present, found) for one in names]
    return Chain(*(torch.tensor(part).logical_not() for part in (allowed, first, last)))


def _follows(one: str, other: str, present: set[str], scheme: str) -> bool:
    """Whether ``other`` may stand after ``one``; a sentence begins after O and ends before it."""
    mark, _, kind = one.partition("-")
    next_mark, _, next_kind = other.partition("-")
    inside = mark in ("B", "I")
    if next_mark in ("I", "E"):  # goes on with a span
        return f"B-{next_kind}" not in present or (inside and kind == next_kind)
    return scheme == "iob2" or not inside or f"E-{kind}" not in present  # stands outside, or begins one

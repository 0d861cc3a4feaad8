"""Spans by the rules that the script of the CoNLL-2000 shared task published, token by token, in plain Python.

Two questions are asked between two neighbouring tags, with "O" before the first and after the last tag of a sentence:
does a span end here, does one begin here. A third counter follows the pair of both answers, for targets and predictions
at once, as the script does: no list of spans is ever made.
"""

from __future__ import annotations


def parts(tag):
    prefix, _, kind = tag.partition("-")
    return prefix, kind


ENDS = {("B", "B"), ("B", "O"), ("B", "S"), ("I", "B"), ("I", "O"), ("I", "S")}
ENDS |= {(one, other) for one in "ES" for other in "BIEOS"}
BEGINS = {("B", "B"), ("I", "B"), ("O", "B"), ("O", "I"), ("O", "E"), ("B", "S"), ("I", "S"), ("O", "S")}
BEGINS |= {(one, other) for one in "ES" for other in "BIES"}


def ends(before, after):
    (p, kind), (q, other) = parts(before), parts(after)
    return (p, q) in ENDS or (p != "O" and kind != other)


def begins(before, after):
    (p, kind), (q, other) = parts(before), parts(after)
    return (p, q) in BEGINS or (q != "O" and kind != other)


def count(targets, predictions):
    """Lists of lists of tags -> {type: (there, found, right)}."""
    there, found, right = {}, {}, {}

    def add(counter, kind):
        counter[kind] = counter.get(kind, 0) + 1

    for target, prediction in zip(targets, predictions, strict=True):
        in_right = None
        target, prediction = ["O", *target, "O"], ["O", *prediction, "O"]
        for i in range(1, len(target)):
            t, u, p, q = target[i - 1], target[i], prediction[i - 1], prediction[i]
            if in_right is not None:
                if ends(t, u) and ends(p, q):
                    add(right, in_right)
                    in_right = None
                elif ends(t, u) != ends(p, q) or parts(u)[1] != parts(q)[1]:
                    in_right = None
            if begins(t, u) and begins(p, q) and parts(u)[1] == parts(q)[1]:
                in_right = parts(u)[1]
            if begins(t, u):
                add(there, parts(u)[1])
            if begins(p, q):
                add(found, parts(q)[1])
    return {kind: (there.get(kind, 0), found.get(kind, 0), right.get(kind, 0)) for kind in {*there, *found}}

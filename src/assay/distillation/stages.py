"""Which layers of two networks belong together, where nobody says so."""

from __future__ import annotations

from collections.abc import Mapping

from assay.errors import ConfigError

Shapes = Mapping[str, tuple[int, ...]]


def stages(shapes: Shapes) -> list[str]:
    """The layers at whose end a network's maps change their size: of each size in pixels the last layer, first sizes
    first. A map of one pixel is none. Where there are no maps, the last layer with a state for each position.

    Args:
        shapes: of what each layer gives, in the order in which they are done (:func:`assay.layers.features.shapes`).
    """
    inner = {name: shape for name, shape in shapes.items() if name.startswith("encoder.")}
    last: dict[tuple[int, ...], str] = {}
    for name, shape in inner.items():
        if len(shape) == 4 and shape[2] * shape[3] > 1:
            last[shape[2:]] = name
    if last:
        order = list(inner)
        return sorted(last.values(), key=order.index)
    return [name for name, shape in inner.items() if len(shape) == 3 and shape[1] > 1][-1:]


def middle(teacher: Shapes, student: Shapes) -> tuple[str, str]:
    """The middle stage of each where both have stages of one kind; else what each knows of the whole input."""
    theirs, ours = stages(teacher), stages(student)
    if theirs and ours and len(teacher[theirs[0]]) == len(student[ours[0]]) == 4:
        return theirs[len(theirs) // 2], ours[len(ours) // 2]
    return "encoder", "encoder"


def matched(teacher: Shapes, student: Shapes) -> list[tuple[str, str]]:
    """(teacher's, student's) stages of one size; where there are none, the last of each, then those before them.

    Raises:
        ConfigError: one has maps or positions, and the other has not.
    """
    theirs, ours = stages(teacher), stages(student)
    if not theirs or not ours or len(teacher[theirs[0]]) != len(student[ours[0]]):
        raise ConfigError(
            "distillation=attention_transfer compares where two networks look, and these have no maps of pixels, or "
            "states of positions, both: use model=cnn, student, resnet or vgg16 for both, or distillation=fitnets"
        )
    places = 2 if len(teacher[theirs[0]]) == 4 else 1  # (C, H, W) or (T, H)

    def size(shape: tuple[int, ...]) -> tuple[int, ...]:
        return shape[2:] if places == 2 else shape[1:2]

    sizes = {size(teacher[name]): name for name in theirs}
    pairs = [(sizes[size(student[name])], name) for name in ours if size(student[name]) in sizes]
    return pairs or list(zip(reversed(theirs), reversed(ours), strict=False))[::-1]

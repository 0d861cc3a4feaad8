"""The units in which a number is learnt."""

from __future__ import annotations

from dataclasses import replace

from assay.contracts import DataSpec
from assay.data.examples import Examples


def with_label_units(spec: DataSpec, train: Examples) -> DataSpec:
    """The spec with a number's mean and deviation on the training split, so that the task can learn it in units of its
    own; of any other label as it is."""
    if spec.label.kind != "number":
        return spec
    values = train.column("label").double()
    scale = float(values.std(correction=0))
    label = replace(spec.label, center=float(values.mean()), scale=scale if scale > 0 else 1.0)
    return DataSpec({**spec.fields, "label": label})

"""What the page says of diagnostics: right, in words, and nothing where none was on."""

from __future__ import annotations

import re

import pytest

from assay.review.facts import read
from assay.review.run_page import page
from assay.review.sections.diagnostics import diagnostics
from tests.review.run_folders import make


def told(tmp_path, points, *overrides):
    """The sentences of the section for a run that logged ``points``: name -> [(step, value)]."""
    folder = make(tmp_path, overrides=("model=mlp", "logger=none", *overrides))
    with open(folder / "metrics.csv", "a", encoding="utf-8") as file:
        for name, values in points.items():
            for step, value in values:
                file.write(f"{step},0,{name},{value!r}\n")
    run = read(folder)
    markup = "".join(diagnostics(run))
    return re.sub("<.*?>", "", " ".join(re.findall("<p>(.*?)</p>", markup))), markup, run


@pytest.mark.parametrize(
    ("first", "words"),
    [
        (1e-6, "vanish on their way down"),
        (1e5, "explode on their way down"),
        (0.5, "neither vanish nor explode"),
        (0.0, "was 0"),
    ],
)
def test_gradients_are_judged_from_the_first_layer_to_the_last(tmp_path, first, words):
    points = {
        "grad_norm/encoder.layers.0.weight": [(10, first), (20, first)],
        "grad_norm/encoder.layers.0.bias": [(10, 1e9)],
        "grad_norm/head.weight": [(10, 1.0), (20, 1.0)],
    }
    assert words in told(tmp_path, points)[0]


def test_dead_layers_are_named_with_what_helps(tmp_path):
    points = {
        "dead_units/encoder.layers.2": [(0, 0.05), (60, 0.25)],
        "dead_units/encoder.layers.6": [(0, 0.1), (60, 1.0)],
    }
    text, markup, _ = told(tmp_path, points)
    assert "100 % of the units of encoder.layers.6 are dead, the most of any layer; at step 0 it was 10 %" in text
    assert "activation=leaky_relu" in text
    assert markup.count("<figure") == 1
    assert "every rectifier is woken" in told(tmp_path / "b", {"dead_units/encoder.layers.2": [(60, 0.0)]})[0]


def test_saturation_is_both_ends(tmp_path):
    points = {
        "saturated_units/a/low": [(0, 0.0), (60, 0.1)],
        "saturated_units/a/high": [(0, 0.0), (60, 0.25)],
        "saturated_units/b/low": [(60, 0.3)],
        "saturated_units/b/high": [(60, 0.0)],
    }
    assert (
        "35 % of the activations of a are saturated, the most of any layer: 10 % at the low end, 25 %"
        in told(tmp_path, points)[0]
    )


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [(-1.0, 4.0, "at a saddle"), (-1e-4, 4.0, "at a minimum"), (-4.0, -1.0, "at a maximum"), (0.0, 0.0, "flat")],
)
def test_curvature_in_words(tmp_path, low, high, words):
    points = {"hessian/max": [(60, high)], "hessian/min": [(60, low)], "hessian/gradient_norm": [(60, 0.5)]}
    assert words in told(tmp_path, points, "callbacks=[hessian]")[0]


def test_memory_in_words_and_the_picture(tmp_path):
    ends = {"max": 1.5, "median": 0.5, "min": 0.1}
    points = {f"jacobian/encoder.ahead.0/{end}": [(60, value)] for end, value in ends.items()}
    points["jacobian/encoder.ahead.0/product"] = [(0, 0.25), (60, 2.0)]
    text, markup, run = told(tmp_path, points)
    assert "by at most 1.5, in the median direction by 0.5" in text
    assert "is multiplied by 2, at step 0 by 0.25." in text
    assert "<img" not in markup
    (run.folder / "figures").mkdir()
    (run.folder / "figures" / "jacobian.png").write_bytes(b"\x89PNG and so on")
    assert 'src="data:image/png;base64,' in "".join(diagnostics(run))
    assert "What its layers did" in page(run)
    (run.folder / "figures" / "jacobian.png").write_bytes(b"<script>")
    assert "<img" not in "".join(diagnostics(run))


def test_a_run_without_diagnostics_has_no_such_section(tmp_path):
    text, _, run = told(tmp_path, {})
    assert text == ""
    assert "What its layers did" not in page(run)


def test_values_that_are_not_finite_are_left_out(tmp_path):
    nan = float("nan")
    points = {"hessian/max": [(60, nan)], "hessian/min": [(60, nan)], "hessian/gradient_norm": [(60, nan)]}
    assert told(tmp_path, {**points, "dead_units/a": [(60, nan)]})[0] == ""

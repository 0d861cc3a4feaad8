"""Figures of diagnostics: readable sizes, every layer in them, nothing lost but what cannot be shown."""

from __future__ import annotations

import math

import pytest

from assay.callbacks import drawing
from tests.test_figures import opened


def curves(count, steps=12):
    return {
        f"encoder.blocks.{i}.body.weight": [(s, math.exp(-i - s / 5)) for s in range(0, 50 * steps, 50)]
        for i in range(count)
    }


@pytest.mark.parametrize("count", [1, 6, drawing.MOST_LINES, drawing.MOST_LINES + 1, 60, 400])
@pytest.mark.parametrize("log", [True, False])
def test_any_number_of_layers_fits_a_page(tmp_path, count, log):
    drawing.layers(tmp_path / "x.png", "Norm of the gradient by layer", {"norm": curves(count)}, log=log)
    (width, height), colours = opened(tmp_path / "x.png")
    assert min(width, height) > 300
    assert colours > 20


def test_values_that_have_no_logarithm_are_left_out(tmp_path):
    for count in (2, 20):
        broken = {**curves(count), "zero": [(0, 0.0), (50, 0.0)], "broken": [(0, math.nan), (50, math.inf)]}
        drawing.layers(tmp_path / "x.png", "Norms", {"norm": broken}, log=True)
        opened(tmp_path / "x.png")


def test_two_panels_and_one_point(tmp_path):
    for count in (3, 30):
        panels = {"low": curves(count, steps=1), "high": curves(count, steps=1)}
        drawing.layers(tmp_path / "x.png", "Saturated units by layer", panels)
        opened(tmp_path / "x.png")


def test_nothing_measured_draws_nothing(tmp_path):
    drawing.layers(tmp_path / "x.png", "Norms", {"norm": {}})
    assert not (tmp_path / "x.png").exists()


def test_read_takes_a_point_once_in_the_order_of_the_layers(tmp_path):
    (tmp_path / "metrics.csv").write_text(
        "step,epoch,name,value\n5,0,a/z,1.0\n5,0,a/b,2.0\n5,0,ab/c,3.0\n5,0,a/z,1.0\n6,0,a/z,4.0\n"
    )
    assert drawing.read(tmp_path, "a/") == {"z": [(5, 1.0), (6, 4.0)], "b": [(5, 2.0)]}


SPECTRUM = {"step": 90, "max": 3.0, "min": -0.5, "gradient_norm": 0.01, "kind": "saddle"}


@pytest.mark.parametrize(
    ("values", "weights"), [([-0.5, 0.0, 1e-4, 3.0], [0.01, 0.9, 0.05, 0.04]), ([0.0], [1.0]), ([math.nan], [1.0])]
)
@pytest.mark.parametrize("several", [True, False])
def test_spectrum_of_a_hessian(tmp_path, values, weights, several):
    over_steps = {name: [(s, SPECTRUM[name]) for s in range(0, 100, 10 if several else 100)] for name in ("max", "min")}
    drawing.spectrum({**SPECTRUM, "values": values, "weights": weights}, over_steps, tmp_path / "x.png")
    opened(tmp_path / "x.png")


@pytest.mark.parametrize("layers", [1, 4])
@pytest.mark.parametrize("length", [0, 7, 150])
def test_singular_values(tmp_path, layers, length):
    t = list(range(2, 2 + length))
    ends = {"max": [1.1**i for i in t], "median": [0.5**i for i in t], "min": [math.nan for _ in t]}
    spectra = {f"encoder.ahead.{i}": {"t": t, "step": ends, "over_time": ends} for i in range(layers)}
    drawing.singular_values({"step": 9, "examples": 4, "layers": spectra}, tmp_path / "x.png")
    opened(tmp_path / "x.png")

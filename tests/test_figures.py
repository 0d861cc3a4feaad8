"""Figures are files of a sensible size, and what they show is counted right."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from PIL import Image

from assay import figures


def opened(path):
    """A whole PNG: its size, and how many colours it holds (a blank page holds one)."""
    with Image.open(path) as image:
        image.load()
        assert image.format == "PNG"
        assert path.stat().st_size < 300_000
        assert max(image.size) <= 2200
        return image.size, len(image.convert("RGB").getcolors(1 << 24))


def test_a_run_has_curves_and_a_confusion_matrix(digits_run):
    folder = digits_run.folder / "figures"
    assert sorted(path.name for path in folder.iterdir()) == ["confusion.png", "curves.png"]
    for path in folder.iterdir():
        (width, height), colours = opened(path)
        assert min(width, height) > 300
        assert colours > 50


class Axes:
    """What is drawn, kept: stands in for matplotlib's."""

    def __init__(self):
        self.texts, self.image, self.plots = {}, None, []

    def imshow(self, values, **options):
        self.image = values

    def text(self, x, y, text, **options):
        self.texts[y, x] = text

    def plot(self, x, y, **options):
        self.plots.append((options.get("label"), list(x), list(y)))

    def barh(self, places, values, **options):
        self.bars = list(values)

    def set_yticks(self, places, names=(), **options):
        self.names = list(names)

    def __getattr__(self, name):
        return lambda *arguments, **options: None


@pytest.fixture
def drawn(monkeypatch):
    kept: list[Axes] = []

    def add_subplot(*arguments):
        kept.append(Axes())
        return kept[-1]

    figure = SimpleNamespace(add_subplot=add_subplot, savefig=lambda *a, **k: None)
    monkeypatch.setattr(figures, "blank", lambda width, height, margins=None: figure)
    for name in ("numbers", "names"):
        monkeypatch.setattr(figures.scales, name, lambda *arguments, **options: None)
    return kept


def test_confusion_counts_targets_in_rows(drawn, tmp_path):
    label = torch.tensor([0, 0, 0, 1, 1, 2])
    predicted = torch.tensor([0, 0, 2, 1, 0, 1])
    log_probs = torch.nn.functional.one_hot(predicted, 3).float().clamp(0.01).log()
    figures.confusion({"label": label, "log_probs": log_probs}, ("a", "b", "c"), tmp_path / "x.png")
    (axes,) = drawn
    assert axes.texts == {(0, 0): 2, (0, 2): 1, (1, 1): 1, (1, 0): 1, (2, 1): 1}
    assert axes.image.tolist() == [
        pytest.approx([2 / 3, 0, 1 / 3]),
        pytest.approx([0.5, 0.5, 0]),
        pytest.approx([0, 1, 0]),
    ]


def test_a_class_without_examples_is_an_empty_row(drawn, tmp_path):
    log_probs = torch.tensor([[0.9, 0.05, 0.05]]).log()
    figures.confusion({"label": torch.tensor([1]), "log_probs": log_probs}, ("a", "b", "c"), tmp_path / "x.png")
    assert drawn[0].image.tolist() == [[0, 0, 0], [1, 0, 0], [0, 0, 0]]


def test_curves_show_the_losses_and_the_monitored_metric(drawn, tmp_path):
    (tmp_path / "metrics.csv").write_text(
        "step,epoch,name,value\n5,0,train/loss,2.0\n10,0,train/loss,1.0\n10,0,val/log_loss,1.5\n10,0,val/accuracy,0.5\n"
        "20,1,val/log_loss,1.25\n20,1,val/accuracy,0.75\n20,1,test/accuracy,0.7\n"
    )
    figures.curves(tmp_path / "metrics.csv", tmp_path / "x.png", "val/accuracy")
    assert [axes.plots for axes in drawn] == [
        [("train/loss", [5, 10], [2.0, 1.0]), ("val/log_loss", [10, 20], [1.5, 1.25])],
        [("val/accuracy", [10, 20], [0.5, 0.75])],
    ]


def test_a_monitored_loss_is_not_drawn_twice(drawn, tmp_path):
    (tmp_path / "metrics.csv").write_text("step,epoch,name,value\n10,0,val/log_loss,1.5\n")
    figures.curves(tmp_path / "metrics.csv", tmp_path / "x.png", "val/log_loss")
    assert [axes.plots for axes in drawn] == [[("val/log_loss", [10], [1.5])]]


@pytest.mark.parametrize("classes", [2, 10, figures.MOST_CLASSES])
def test_confusion_of_many_classes_stays_in_bounds(tmp_path, classes):
    generator = torch.Generator().manual_seed(0)
    readings = {
        "label": torch.randint(0, classes, (500,), generator=generator),
        "log_probs": torch.randn(500, classes, generator=generator).log_softmax(-1),
    }
    names = tuple(f"a class with the long name {i}" for i in range(classes))
    figures.confusion(readings, names, tmp_path / "confusion.png")
    opened(tmp_path / "confusion.png")


def test_numbers_are_a_scatter(tmp_path):
    (tmp_path / "metrics.csv").write_text("step,epoch,name,value\n10,0,val/rmse,1.5\n")
    readings = {"label": torch.randn(40).double(), "prediction": torch.randn(40).double()}
    figures.write(tmp_path, SimpleNamespace(names=()), readings, "val/rmse")
    assert sorted(path.name for path in (tmp_path / "figures").iterdir()) == ["curves.png", "scatter.png"]
    assert opened(tmp_path / "figures" / "scatter.png")[1] > 50


def readings_of_tags(names, sentences=300):
    generator = torch.Generator().manual_seed(0)
    label = torch.randint(0, len(names), (sentences, 12), generator=generator)
    wrong = torch.rand(label.shape, generator=generator) < 0.2
    return {
        "label": label,
        "prediction": torch.where(wrong, 0, label),
        "probability": torch.rand(sentences, generator=generator),
    }


@pytest.mark.parametrize("names", [("O", *(f"B-a.long.name.of.type.{n}" for n in range(126))), ("NN", "VB"), ("O",)])
def test_tags_are_a_bar_each_however_many_there_are(tmp_path, names):
    readings = readings_of_tags(names)
    figures.tags(readings, names, tmp_path / "tags.png")
    (width, height), colours = opened(tmp_path / "tags.png")
    assert min(width, height) > 100
    assert colours > 20


def test_bars_of_tags_are_the_commonest_types_with_their_f1(drawn, tmp_path):
    names = ("O", "B-rare", "B-common")
    label = torch.tensor([[2, 0, 2], [2, 0, 1]])
    prediction = torch.tensor([[2, 0, 0], [2, 1, 1]])
    figures.tags({"label": label, "prediction": prediction}, names, tmp_path / "tags.png")
    (axes,) = drawn
    assert axes.bars == [pytest.approx(4 / 5), pytest.approx(2 / 3)]
    assert axes.names == ["common  3", "rare  1"]

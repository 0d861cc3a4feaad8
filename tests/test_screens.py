"""The first and the last screen, word for word."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from assay import screens
from assay.preflight import check

FIRST = {
    "data": "digits",
    "sizes": {"train": 1437, "val": 180, "test": 180},
    "classes": (10, 0.10229),
    "notes": ["delimiter: tab", "3 copies"],
    "model": "lstm",
    "parameters": 72458,
    "optimizer": "adam",
    "device": "cpu",
    "threads": 1,
    "log": "metrics.csv only",
}

LAST = {
    "model": "lstm",
    "test": {"accuracy": 0.98333, "log_loss": 0.07},
    "baseline_name": "majority",
    "baseline": {"accuracy": 0.1, "log_loss": 2.3028},
    "train": {"accuracy": 1.0},
    "monitor": "val/accuracy",
    "best_epoch": 36,
    "epochs": 40,
    "seconds": 22.333,
    "steps_per_second": 80.6,
    "inputs": "IMAGE.png",
    "overrides": ["model=lstm", "optim=adam"],
    "longer": "trainer.max_epochs=80",
}


def last(folder: Path, **changes) -> list[str]:
    return screens.last(**{**LAST, "folder": folder, **changes}).splitlines()


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_first_screen(here):
    text = screens.first(**FIRST, folder=here / "outputs" / "2026-01-02" / "03-04-05-lstm-digits")
    assert text == (
        "digits: 1,437 train · 180 val · 180 test · 10 classes, the commonest 10.2 %\n"
        "  delimiter: tab\n"
        "  3 copies\n"
        "lstm: 72,458 parameters · adam · cpu, 1 thread\n"
        "outputs/2026-01-02/03-04-05-lstm-digits · metrics.csv only"
    )


def test_first_screen_without_classes_on_more_threads(here):
    text = screens.first(**{**FIRST, "classes": None, "notes": [], "threads": 8}, folder=Path("/elsewhere/run"))
    assert text.splitlines() == [
        "digits: 1,437 train · 180 val · 180 test",
        "lstm: 72,458 parameters · adam · cpu, 8 threads",
        "/elsewhere/run · metrics.csv only",
    ]


def test_first_screen_says_what_is_frozen(here):
    assert "72,458 parameters, 1,458 of them frozen · adam" in screens.first(**FIRST, frozen=1458, folder=here)


def test_last_screen(here):
    assert last(here / "outputs" / "run") == [
        "test              lstm    majority       train        gap",
        "---------------------------------------------------------",
        "accuracy        0.9833      0.1000      1.0000    -0.0167",
        "log_loss        0.0700      2.3028",
        "Best at epoch 37 of 40 by val/accuracy · trained 22.3 s, 81 steps/s",
        "Next:",
        "  assay predict outputs/run IMAGE.png",
        "  assay review outputs/run",
        "  assay train -m model=lstm optim=adam seed=0,1,2",
    ]


@pytest.mark.parametrize("names", [("r2",), ("accuracy", "calibration_error"), ("mae", "rmse", "r2")])
@pytest.mark.parametrize("model", ["mlp", "a_model_of_a_very_long_name"])
def test_columns_stay_in_line(here, names, model):
    lines = last(here, model=model, test=dict.fromkeys(names, 0.5), baseline={}, train=dict.fromkeys(names, 0.25))
    table = lines[: 2 + len(names)]
    assert len({len(line) for line in table}) == 1, table
    assert table[0].split()[:2] == ["test", model[:12]]
    assert [line.split() for line in table[2:]] == [[name, "0.5000", "0.2500", "+0.2500"] for name in names]


@pytest.mark.parametrize(
    ("monitor", "test", "baseline", "says"),
    [
        ("val/accuracy", 0.5, 0.6, True),
        ("val/accuracy", 0.6, 0.6, True),
        ("val/accuracy", 0.7, 0.6, False),
        ("val/log_loss", 0.7, 0.6, True),
        ("val/log_loss", 0.5, 0.6, False),
        ("val/rmse", 3.0, 2.0, True),
        ("val/r2", 0.1, 0.0, False),
        ("val/calibration_error", 0.3, 0.2, True),
        ("val/other", 0.0, 1.0, False),  # not measured on the test split: nothing to say
    ],
)
def test_a_plain_sentence_when_the_baseline_wins(here, monitor, test, baseline, says):
    name = monitor.removeprefix("val/") if monitor != "val/other" else "accuracy"
    lines = last(here, monitor=monitor, test={name: test}, baseline={name: baseline}, train={})
    sentence = f"Always answering the majority does as well: nothing was learnt that helps {name}."
    assert (sentence in lines) == says


@pytest.mark.parametrize(
    ("best", "longer", "says"),
    [(39, "trainer.max_epochs=80", True), (39, None, False), (38, "trainer.max_epochs=80", False)],
)
def test_a_plain_sentence_when_the_last_epoch_was_the_best(here, best, longer, says):
    lines = last(here, best_epoch=best, longer=longer)
    assert ("The last epoch was the best: trainer.max_epochs=80 may do better." in lines) == says


@pytest.mark.parametrize(
    "name", ["a b", "it's", 'say "hi"', "$HOME", "a=b,c", "semi;colon", "été", "both ' and \"", "(1)"]
)
def test_odd_folder_names_can_be_pasted(here, name):
    folder = here / "outputs" / name
    *_, predict, review, _ = last(folder)
    assert shlex.split(predict) == ["assay", "predict", f"outputs/{name}", "IMAGE.png"]
    assert shlex.split(review) == ["assay", "review", f"outputs/{name}"]


def test_what_is_pasted_next_is_the_same_run_with_three_seeds(here):
    path = here / "my reviews, it's 2026.csv"
    path.write_text("review,stars\n" + "".join(f"text {i % 7} of {i},{'ab'[i % 2]}\n" for i in range(60)))
    typed = ["data=text_csv", f"data.path={path}", "data.text=review", "data.label=stars", "model=bag", "seed=4"]
    (point,) = check(typed)
    line = last(here, model="bag", overrides=list(point.overrides))[-1]
    words = shlex.split(line)
    assert words[:3] == ["assay", "train", "-m"]
    points = check(words[2:])
    assert [p.config["seed"] for p in points] == [0, 1, 2]
    assert {p.config["data"]["path"] for p in points} == {str(path)}
    assert {p.config["switches"]["model"] for p in points} == {"bag"}


def test_the_default_model_is_said(here):
    assert last(here, overrides=["name=mine", "seed=2"])[-1] == "  assay train -m model=lstm seed=0,1,2"


def test_the_screens_of_a_real_run_are_these(digits_run):
    log = (digits_run.folder / "log.txt").read_text(encoding="utf-8")
    assert log.startswith("digits: 1,437 train · 180 val · 180 test · 10 classes, the commonest 10.2 %\nmlp: ")
    assert re.search(r"^accuracy +\d\.\d{4} +\d\.\d{4} +\d\.\d{4} +[+-]\d\.\d{4}$", log, re.MULTILINE)
    assert re.search(r"^  assay predict \S+ IMAGE\.png$", log, re.MULTILINE)

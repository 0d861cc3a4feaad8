"""The page of a run: whole, small, harmless, without network, for every kind of run."""

from __future__ import annotations

import math
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from assay.cli import main
from assay.errors import ConfigError
from assay.review import page as shell
from assay.review.facts import read
from assay.review.html import VOID
from assay.review.run_page import page, review_command
from tests.review import run_folders
from tests.review.run_folders import EVIL

GOOD = {"test/accuracy": 0.8, "train/accuracy": 0.9, "baseline/accuracy": 0.1}


class Reader(HTMLParser):
    """Every element closed where it must be; what a browser would fetch or follow; the words."""

    def __init__(self, text):
        super().__init__()
        self.open, self.links, self.tags, self.words, self.attributes = [], [], [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        names = [name for name, _ in attrs]
        assert len(set(names)) == len(names), (tag, attrs)
        self.attributes += names
        self.links += [value for name, value in attrs if name in ("src", "href", "action", "srcset", "poster", "data")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        raise AssertionError(f"<{tag}/> is not closed in HTML")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if not self.open or self.open[-1] not in ("style", "script"):
            self.words.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())


def sound(text):
    """What holds for every page; returns what it says."""
    assert len(text.encode()) < shell.MOST_BYTES
    found = Reader(text)
    assert found.tags.count("script") == 1
    assert not any(name.startswith("on") for name in found.attributes)
    for link in found.links:
        assert link.startswith(("#", "data:image/png;base64,")) or re.fullmatch(r"[\w./-]+", link), link
    outside = re.sub(r"xmlns[^ ]*|http://www\.w3\.org/2000/svg", "", text)
    assert not re.search(r"""(?:src|href|url)\s*[=(]\s*["']?\s*(?:https?:)?//""", outside)
    assert "@import" not in text
    return found


def made(place, **what):
    return sound(page(read(run_folders.make(place, **what)))).text


def test_a_finished_run_answers_every_question(digits_run):
    found = sound(page(read(digits_run.folder)))
    said = found.text
    test = digits_run.summary["test/accuracy"]
    for words in (
        "mlp on digits",
        "Multi-layer perceptron.",
        "assay train model=mlp trainer=cpu",
        "assay rerun",
        "UCI Optical Recognition of Handwritten Digits",
        "CC BY 4.0",
        "1,437 training",
        "grey, pixels from 0 to 1",
        f"Test accuracy {test:.4f} ; 95 % interval",
        "It does not cover the seed",
        "The run beats the baseline (majority) in accuracy by",
        "best epoch: 3",
        "Confusion matrix",
        "Most confused",
        "Calibration: are its probabilities true?",
        "Hardest examples",
        "The last epoch was the best",
        "trainer.max_epochs=6",
    ):
        assert words in said, words
    assert found.tags.count("img") == 24
    assert {"main", "nav", "header", "h1", "h2", "svg"} <= set(found.tags)
    for link in found.links:
        assert link.startswith(("#", "data:")) or (digits_run.folder / link).is_file()
    anchors = {link[1:] for link in found.links if link.startswith("#")}
    text = page(read(digits_run.folder))
    assert all(f'id="{anchor}"' in text for anchor in anchors)


def test_the_command_is_quick_to_import_and_needs_no_torch(digits_run, tmp_path):
    code = f"""
import sys
from assay.cli import main
assert main(["review", {str(digits_run.folder)!r}, "--output", "page.html"]) == 0
heavy = "torch pandas sklearn scipy matplotlib pytorch_lightning torchmetrics wandb PIL rich safetensors".split()
print("heavy:", [name for name in heavy if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.splitlines() == ["page.html", "heavy: []"]
    sound((tmp_path / "page.html").read_text())


def test_into_the_run_folder_and_again(digits_run, tmp_path, capsys, monkeypatch):
    there = shutil.copytree(digits_run.folder, tmp_path / "moved away")
    monkeypatch.chdir(tmp_path)
    before = sorted(path.name for path in there.iterdir())
    assert main(["review", "moved away"]) == 0
    assert main(["review", "moved away"]) == 0
    assert capsys.readouterr().out.splitlines() == ["moved away/review.html"] * 2
    assert sorted([*before, "review.html"]) == sorted(path.name for path in there.iterdir())
    assert "'moved away'" in sound((there / "review.html").read_text()).text


def test_latest_is_the_default(digits_run, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(digits_run.folder.parents[2])
    assert main(["review"]) == 0
    assert capsys.readouterr().out.strip().endswith("review.html")
    (digits_run.folder / "review.html").unlink()


def test_refusals(tmp_path, digits_run, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match="no latest run"):
        review_command("latest")
    with pytest.raises(ConfigError, match="name a file in a folder that is there"):
        review_command(str(digits_run.folder), str(tmp_path / "no" / "page.html"))
    with pytest.raises(ConfigError, match="name a file"):
        review_command(str(digits_run.folder), str(tmp_path))


def test_a_name_that_is_markup_stays_a_name(tmp_path):
    names = [EVIL, "b&amp;", "</style><style>*{display:none}</style>"]
    rows = run_folders.class_rows(names, 90, 0.6)
    overrides = ("model=lstm", "logger=none", f"name='{EVIL.replace('/', '')}'")
    folder = run_folders.make(tmp_path, rows=rows, names=names, overrides=overrides, **GOOD)
    run_folders.write(folder / "predictions" / "hardest.json", run_folders.HARDEST)
    with open(folder / "metrics.csv", "a", encoding="utf-8") as file:
        file.write(f'60,5,"val/""><svg onload=x>",0.5\n60,5,"extra{EVIL.replace(chr(34), "")}",0.5\n')
    (folder / "log.txt").write_text(f"</pre>{EVIL}")
    text = page(read(folder))
    found = sound(text)
    assert found.tags.count("style") == 1
    assert EVIL in found.text
    assert "b&amp;" in found.text
    assert "<script>alert" not in text


def test_the_policy_admits_only_this_script(tmp_path):
    import base64
    import hashlib

    text = page(read(run_folders.make(tmp_path)))
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text)[1].replace("&#x27;", "'")
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    assert rules["default-src"] == "'none'"
    assert rules["img-src"] == "data:"
    script = re.search(r"<script>(.*?)</script>", text, re.DOTALL)[1]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert rules["script-src"] == f"'sha256-{digest}'"
    assert text.index("Content-Security-Policy") < text.index("<style>")
    assert not re.search(r"fetch|XMLHttp|import\(|innerHTML|eval|WebSocket|sendBeacon", script)


def test_a_killed_run(tmp_path):
    folder = run_folders.make(tmp_path, status=None)
    (folder / "checkpoints").mkdir()
    (folder / "checkpoints" / "last.ckpt").touch()
    said = sound(page(read(folder))).text
    assert "the run was killed" in said
    assert "It had come to step 60, in epoch 6 of 40." in said
    assert "assay resume" in said
    assert "It did not come to its test" in said
    assert "best epoch: 6" in said


def test_a_failed_run_says_why_first(tmp_path):
    said = made(tmp_path, status="failed", reason=f"the loss is not finite: {EVIL}", epochs=0)
    assert said.index("Reason: the loss is not finite") < said.index("What was run")
    assert EVIL in said
    assert "Nothing was measured before the run ended." in said
    assert "A rehearsal" not in said


def test_several_labels(tmp_path):
    names = ["hot", EVIL, "rare"]
    said = made(tmp_path, rows=run_folders.label_rows(names[:2], 80), names=names, **{"test/micro_f1": 0.8})
    assert "Each label" in said
    assert "missed" in said


def test_numbers(tmp_path):
    scores = {"test/rmse": 1.0, "test/r2": 0.96, "baseline/rmse": 5.0, "monitor": "val/rmse", "train/rmse": 0.9}
    said = made(tmp_path / "a", rows=run_folders.number_rows(3000), baseline="mean", **scores)
    assert "Prediction over target" in said
    assert "1,500 of 3,000 examples" in said
    assert "Worst" in said
    assert "The run beats the baseline (mean) in rmse by 4.0000" in said
    rows = [(0, "1", "nan", "", "nan"), (1, "2", "inf", "", "inf"), (2, "3", "3", "", "0")]
    assert "Residuals" in made(tmp_path / "b", rows=rows, **scores)
    assert "No prediction is a finite number." in made(tmp_path / "c", rows=rows[:2], **scores)


def test_when_the_baseline_wins_it_is_said_plainly(tmp_path):
    said = made(tmp_path / "a", **{**GOOD, "test/accuracy": 0.1})
    assert "The baseline wins: always answering the majority does as well in accuracy." in said
    rows = run_folders.class_rows("ab", 20, 0.1)
    hits = sum(row[1] == row[2] for row in rows) / 20
    said = made(tmp_path / "b", rows=rows, names="ab", **{"test/accuracy": hits, "baseline/accuracy": hits - 0.01})
    assert "the difference may be luck" in said


def test_many_classes_are_told_by_pairs(tmp_path):
    names = [f"class {n}" for n in range(60)]
    said = made(tmp_path, rows=run_folders.class_rows(names, 3000), names=names, **GOOD)
    assert "60 classes are too many for a matrix" in said
    assert "Most confused" in said
    assert "Confusion matrix" not in said


def test_a_page_stays_small(tmp_path):
    """A thousand classes with long names, ten thousand points of forty curves, half a million letters of log."""
    names = [f"{n} " + "long name & more " * 40 for n in range(1000)]
    folder = run_folders.make(tmp_path, rows=run_folders.class_rows(names, 4000), names=names, **GOOD)
    with open(folder / "metrics.csv", "a", encoding="utf-8") as file:
        for curve in range(40):
            file.writelines(f"{n},{n},val/m{curve},{math.sin(n * curve)}\n" for n in range(2500))
            file.write(f"1,0,grad_norm/layer{curve},0.1\n")
    (folder / "log.txt").write_text("<" * 500_000)
    evil = {"image": "data:image/png;base64," + "A" * 59_000}
    run_folders.write(folder / "predictions" / "hardest.json", {"examples": [evil] * 24})
    sound(page(read(folder)))


def test_what_does_not_fit_is_left_out_and_said(tmp_path):
    names = [f"{n}" + "a" * 60_000 for n in range(30)]
    said = made(tmp_path, rows=run_folders.class_rows(names, 50), names=names, **GOOD)
    assert "Left out, to stay small: hardest, predictions" in said
    assert "Test accuracy 0.8000" in said


def test_one_epoch_one_example_one_class(tmp_path):
    made(tmp_path / "a", epochs=1, rows=run_folders.class_rows("a", 1), names="a", **GOOD)
    made(tmp_path / "b", epochs=1, rows=run_folders.number_rows(1), **{"test/mae": 0.1})
    made(tmp_path / "c", rows=[], **GOOD)
    made(
        tmp_path / "d",
        rows=[(0, "a", "b", "0.5", "inf")],
        names="ab",
        **{"test/log_loss": 1e30, "baseline/log_loss": 2},
    )


@pytest.mark.parametrize(
    "hardest", [{"examples": 3}, {"examples": [3]}, {"examples": [{}]}, {"examples": [{"row": [[]]}]}]
)
def test_odd_examples_do_not_stop_the_page(tmp_path, hardest):
    folder = run_folders.make(tmp_path, rows=run_folders.class_rows("ab", 20), names="ab", **GOOD)
    run_folders.write(folder / "predictions" / "hardest.json", hardest)
    sound(page(read(folder)))


def test_an_image_that_is_no_png_is_not_shown(tmp_path):
    folder = run_folders.make(tmp_path, rows=run_folders.class_rows("ab", 20), names="ab", **GOOD)
    for source in ("https://example.org/x.png", "data:text/html,<b>", "data:image/svg+xml;base64,AAAA"):
        run_folders.write(folder / "predictions" / "hardest.json", {"examples": [{"id": 1, "image": source}]})
        assert sound(page(read(folder))).tags.count("img") == 0


def test_a_resumed_run_and_how_exact_it_is(tmp_path):
    folder = run_folders.make(tmp_path, exact=False, inexact=["torch 2.6 → 2.15"], **GOOD)
    (folder / "log.txt").write_text("a\nresumed at step 1,200 of 4,000\nb\nresumed at step 1,900 of 4,000\n")
    said = sound(page(read(folder))).text
    assert "2 times, at step 1,200, 1,900" in said
    assert "not bit for bit: torch 2.6 → 2.15" in said


def contrast(one, other):
    """WCAG 2: (L1 + 0.05) / (L2 + 0.05)."""

    def luminance(colour):
        colour = colour if len(colour) == 7 else "#" + "".join(2 * c for c in colour[1:])
        channels = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def mixed(one, other, share):
    pairs = [(int(one[p : p + 2], 16), int(other[p : p + 2], 16)) for p in (1, 3, 5)]
    return "#" + "".join(f"{round(a * share + b * (1 - share)):02x}" for a, b in pairs)


@pytest.mark.parametrize("scheme", [0, 1])
def test_every_colour_can_be_read_in_light_and_dark(scheme):
    css = Path(shell.__file__).with_name("page.css").read_text(encoding="utf-8")
    blocks = re.findall(r":root \{([^}]*)\}", css)
    colours = dict(re.findall(r"--(\w+): (#\w+|\d+%)", blocks[scheme]))
    for name in ("ink", "soft", "accent", "warm", "good", "bad"):
        for ground in ("paper", "raised"):
            assert contrast(colours[name], colours[ground]) >= 4.5, (name, ground)
    for name in ("s0", "s1", "s2", "s3", "s4", "s5"):
        assert contrast(colours[name], colours["paper"]) >= 3, name
    for kind in ("hit", "miss"):
        darkest = mixed(colours[kind], colours["raised"], int(colours[f"{kind}{'e' * (kind == 'miss')}s"][:-1]) / 100)
        assert contrast(colours["ink"], darkest) >= 4.5, (kind, darkest)

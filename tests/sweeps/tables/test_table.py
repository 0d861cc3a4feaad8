"""assay table: order, differences, what is bold, and each format; nothing a user may have named breaks one."""

from __future__ import annotations

import csv
import io
import json
import random
import re
import shutil
import subprocess

import pytest

from assay import cli
from assay.errors import ConfigError
from assay.sweeps.tables import table as tables
from assay.sweeps.tables.comparison import holm
from assay.sweeps.tables.sheet import decimals, p_shown
from assay.sweeps.tables.statistics import estimate
from tests.references import latex_check
from tests.sweeps.made_cells import make

SCORES = {
    ("mlp", "adam"): (0.90, [0.91, 0.90, 0.92, 0.91, 0.905]),
    ("mlp", "sgd"): (0.85, [0.80, 0.82, 0.81, 0.79, 0.80]),
    ("linear", "adam"): (0.80, [0.83, 0.81, 0.82, 0.84, 0.825]),
    ("linear", "sgd"): (0.95, [0.96, 0.97, 0.965, 0.97, 0.95]),
}


@pytest.fixture(autouse=True)
def no_terminal(monkeypatch):
    """pytest-xdist tells its workers the width of its own."""
    monkeypatch.delenv("COLUMNS", raising=False)


def filled(place, scores=SCORES, **keys):
    number = 0
    for (model, optim), (val, tests) in scores.items():
        for seed, test in enumerate(tests):
            settings = {"model": model, "optim": optim}
            make(
                place / str(number),
                settings,
                seed=seed,
                scores={"val/accuracy": val, "test/accuracy": test, "test/log_loss": 1 - test},
                **keys,
            )
            number += 1
    return place


@pytest.fixture(scope="module")
def sweep(tmp_path_factory):
    return filled(tmp_path_factory.mktemp("sweep"))


def said(capsys, *argv) -> list[str]:
    assert cli.main(["table", *map(str, argv)]) == 0
    return capsys.readouterr().out.splitlines()


def rows_of(capsys, *argv) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO("\n".join(said(capsys, *argv, "--format", "csv")))))


def test_the_terminal(sweep, capsys):
    lines = said(capsys, sweep)
    assert lines[0] == "test/accuracy on digits, 20 test examples: 4 cells of 5 seeds"
    assert lines[2].split() == ["model", "optim", "val/accuracy", "test/accuracy", "sd", "vs", "first", "p"]
    assert [line.split()[:2] for line in lines[3:7]] == [
        ["linear", "sgd"],
        ["mlp", "adam"],
        ["mlp", "sgd"],
        ["linear", "adam"],
    ]
    assert lines[3].split()[2:] == ["0.9500", "±", "0", "0.963", "±", "0.010", "0.0084"]
    assert lines[4].split()[5:8] == ["0.9090", "±", "0.0092"]
    assert re.search(r"-0\.054 ± 0\.01\d\*", lines[4])
    assert "Ordered by val/accuracy, the highest first; a test score orders nothing." in lines
    assert not any(line.startswith("All have") for line in lines)
    assert any(line.startswith("Bold: the best by val/accuracy, ahead of every other in test/acc") for line in lines)
    assert any("cannot go below p = 0.062 with 5 pairs" in line for line in lines)


def test_seeds_that_a_difference_would_need(tmp_path, capsys):
    near = {("mlp", "adam"): (0.9, [0.5, 0.6, 0.7, 0.6]), ("mlp", "sgd"): (0.8, [0.45, 0.65, 0.6, 0.5])}
    lines = said(capsys, filled(tmp_path, near))
    assert lines[2].endswith("seeds needed")
    (row,) = (row for row in rows_of(capsys, tmp_path) if row["optim"] == "sgd")
    assert lines[4].split()[-1] == row["seeds needed"] == "18", "an effect of 0.05 / 0.0707"
    assert any(line.startswith("Seeds needed: ") for line in lines)


def test_what_all_have_and_seeds_of_folds(tmp_path, capsys):
    source = random.Random(0)
    for number in range(18):
        settings = {"model": "ab"[number % 2], "optim": "sgd"}
        scores = {"test/accuracy": source.random()}
        make(tmp_path / str(number), settings, seed=number // 2 % 3, fold=number // 6, folds=3, scores=scores)
    lines = said(capsys, tmp_path)
    assert lines[0].endswith("2 cells of 3 folds × 3 seeds")
    assert "All have optim=sgd." in lines
    assert any("paired by seed and fold; p of the paired t test; * below 0.05." in line for line in lines)
    assert any("seeds averaged within each" in line for line in lines)


def test_differences_without_spread(tmp_path, capsys):
    for number in range(6):
        scores = {"test/accuracy": 0.8 - number % 2 / 10}
        make(tmp_path / str(number), {"model": "ab"[number % 2]}, fold=number // 2, folds=3, scores=scores)
    assert any("all pairs differ by the same" in line for line in said(capsys, tmp_path))


def test_numbers_in_csv_have_all_their_digits(sweep, capsys):
    rows = rows_of(capsys, sweep)
    values = SCORES["linear", "sgd"][1]
    found = estimate([(seed, None, value) for seed, value in enumerate(values)], None)
    assert [float(rows[0][key]) for key in ("mean", "deviation", "low", "high")] == [
        found.mean,
        found.deviation,
        found.low,
        found.high,
    ]
    assert [row["best"] for row in rows] == ["True", "False", "False", "False"]
    assert [float(row["p corrected"]) for row in rows[1:]] == holm([float(row["p"]) for row in rows[1:]])
    assert {row["least p of sign flips"] for row in rows[1:]} == {"0.0625"}
    assert rows[0]["difference"] == ""
    assert rows[0]["data"] == "digits"


def test_a_test_score_orders_nothing(tmp_path, capsys):
    """The row that is best on the test split stands last if validation says so."""
    turned = {key: (1 - val, tests) for key, (val, tests) in SCORES.items()}
    rows = rows_of(capsys, filled(tmp_path, turned))
    assert [row["model"] + row["optim"] for row in rows] == ["linearadam", "mlpsgd", "mlpadam", "linearsgd"]
    assert "True" not in [row["best"] for row in rows], "first by validation, but not ahead"


def test_lower_is_better_where_it_is(sweep, tmp_path, capsys):
    assert rows_of(capsys, sweep, "--metric", "log_loss")[0]["best"] == "True"
    make(tmp_path / "a", {"model": "mlp"}, scores={"monitor": "val/rmse", "val/rmse": 0.4, "test/rmse": 0.4})
    make(tmp_path / "b", {"model": "linear"}, scores={"monitor": "val/rmse", "val/rmse": 0.2, "test/rmse": 0.5})
    assert [row["model"] for row in rows_of(capsys, tmp_path)] == ["linear", "mlp"]


def test_nothing_is_bold_unless_ahead_of_every_other(tmp_path, capsys):
    near = {**SCORES, ("mlp", "adam"): (0.94, [0.96, 0.965, 0.97, 0.97, 0.95])}
    lines = said(capsys, filled(tmp_path, near))
    assert any(line.startswith("Nothing is bold: ") for line in lines)
    assert [row["best"] for row in rows_of(capsys, tmp_path)] == ["False"] * 4


def test_a_baseline(sweep, capsys):
    rows = rows_of(capsys, sweep, "--baseline", "model=mlp,optim=sgd")
    differences = {row["model"] + row["optim"]: row["difference"] for row in rows}
    assert differences["mlpsgd"] == ""
    assert float(differences["linearsgd"]) == pytest.approx(0.159)
    assert rows[0]["best"] == "True", "the best one is compared with all, whatever the baseline"
    assert any("vs baseline" in line for line in said(capsys, sweep, "--baseline", "model=mlp,optim=sgd"))


@pytest.mark.parametrize(
    ("argv", "line"),
    [
        (["--baseline", "model=mlp"], "is 2 cells; say also optim, as model=mlp,optim=adam"),
        (["--baseline", "model=cnn"], "no cell is so; the cells have model=linear|mlp, optim=adam|sgd"),
        (["--baseline", "mlp"], "names no cell; write key=value,key=value"),
        (["--metric", "acuracy"], "no run has it; did you mean"),
        (["--rows", "data"], "data does not vary between the cells; these vary: model, optim"),
        (["--rows", "model", "--columns", "model"], "model is in --rows and in --columns"),
        (["--rows", "model,optim"], "nothing is left for the other side"),
        (["--rows", "model", "--format", "csv"], "leave --rows and --columns out"),
        (["--where", "model=cnn"], "none of the 20 runs is so"),
        (["--output", "/nowhere/at/all.csv"], "cannot be written: No such file"),
    ],
)
def test_refusals(sweep, capsys, argv, line):
    assert cli.main(["table", str(sweep), *argv]) == 2
    assert line in " ".join(capsys.readouterr().err.split())


def test_no_run_and_no_folder(tmp_path, capsys):
    assert cli.main(["table", str(tmp_path / "x")]) == 2
    make(tmp_path / "a", status="failed", scores={"reason": "no luck"})
    assert cli.main(["table", str(tmp_path)]) == 2
    assert "there is no finished run to compare; Left apart: 1 run" in capsys.readouterr().err


def test_what_was_left_apart_is_said(tmp_path, capsys):
    filled(tmp_path)
    for number in range(5):
        make(
            tmp_path / f"x{number}",
            {"model": "cnn"},
            seed=number,
            status="failed",
            scores={"reason": f"no memory: step {number}, 2"},
        )
    lines = said(capsys, tmp_path)
    assert lines[-1].startswith("Left apart: 5 runs (")
    assert lines[-1].endswith("x2, 2 more): failed: no memory: step 0, 2"), "what differs in numbers alone is said once"
    assert cli.main(["table", str(tmp_path), "--format", "csv"]) == 0
    captured = capsys.readouterr()
    assert "Left apart" in captured.err
    assert "Left apart" not in captured.out


def test_one_seed_shows_no_interval(tmp_path, capsys):
    filled(tmp_path, {key: (val, tests[:1]) for key, (val, tests) in SCORES.items()})
    lines = said(capsys, tmp_path)
    assert lines[0].endswith("4 cells of one seed")
    assert "±" not in "".join(lines[:8])
    assert any("One run shows no interval" in line for line in lines)
    assert any("of one pair: nothing can be said about chance" in line for line in lines)


def test_cells_of_unequal_size(tmp_path, capsys):
    unequal = {**SCORES, ("mlp", "sgd"): (0.85, [0.8]), ("mlp", "adam"): (0.9, [0.91, float("nan"), 0.93])}
    lines = said(capsys, filled(tmp_path, unequal))
    assert lines[2].split()[:3] == ["model", "optim", "runs"]
    assert "one seed" in "".join(lines[3:7])
    assert "Runs without a finite test/accuracy, in no mean: 1 of model=mlp optim=adam." in lines


def test_folds(tmp_path, capsys):
    for model, shift in (("mlp", 0.0), ("linear", -0.1)):
        for fold in range(5):
            score = 0.8 + shift + fold / (100 if shift else 90)
            make(tmp_path / f"{model}{fold}", {"model": model}, fold=fold, folds=5, scores={"test/accuracy": score})
    lines = said(capsys, tmp_path)
    assert lines[0] == "test/accuracy on digits: 2 cells of 5 folds"
    notes = " ".join(lines)
    assert "corrected for overlapping training sets (Nadeau and Bengio 2003)" in notes
    assert "paired by fold" in notes
    assert "sign-flip" not in notes
    assert "seeds needed" not in notes.lower()


@pytest.mark.parametrize("width", [200, 100, 80, 60, 50, 40])
def test_a_narrow_terminal_loses_no_number(sweep, capsys, monkeypatch, width):
    wide = "\n".join(said(capsys, sweep)[3:7]).replace(" ± ", "±")
    numbers = sorted(re.findall(r"[-+<>]?\d+\.\d+\*?", wide))
    monkeypatch.setenv("COLUMNS", str(width))
    lines = said(capsys, sweep)
    assert max(map(len, lines)) <= width
    notes = next(place for place, line in enumerate(lines) if line.startswith("Ordered"))
    body = "\n".join(lines[1:notes]).replace(" ± ", "±")
    assert sorted(re.findall(r"[-+<>]?\d+\.\d+\*?", body)) == numbers
    if width <= 60:
        assert "model=linear optim=sgd" in lines


def test_colours_only_on_a_terminal(sweep, capsys, monkeypatch):
    assert "\033" not in "".join(said(capsys, sweep))
    monkeypatch.setattr("assay.lifecycle.table.coloured", lambda: True)
    lines = said(capsys, sweep)
    assert [line.count("\033[1m") for line in lines[3:7]] == [3, 0, 0, 0], "the settings and score of the best"


def test_markdown(sweep, capsys):
    lines = said(capsys, sweep, "--format", "markdown")
    table = [line for line in lines if line.startswith("|")]
    assert {line.count("|") for line in table} == {8}
    assert table[1] == "| :--- | :--- | ---: | ---: | ---: | ---: | ---: |"
    assert table[2].startswith("| **linear** | **sgd** | 0.9500 ± 0 | **0.963 ± 0.010** |")
    assert r"\* below 0.05" in lines[-1]


def test_latex(sweep, capsys):
    found = latex_check.check("\n".join(said(capsys, sweep, "--format", "latex")))
    assert found["columns"] == "llrrrrr"
    assert found["head"][:4] == ["model", "optim", "val/accuracy", "test/accuracy"]
    assert found["rows"][0][:4] == ["linear", "sgd", "0.9500 ± 0", "0.963 ± 0.010"]
    assert found["rows"][1][5].startswith("-0.054 ± 0.01")
    assert found["label"] == "tab:digits-test-accuracy-1"


def test_latex_of_several_tables_and_a_pivot(sweep, capsys):
    text = "\n".join(said(capsys, sweep, "--format", "latex", "--metric", "accuracy,log_loss"))
    parts = [part for part in re.split(r"(?=\\providecommand\{\\toprule)", text) if part.strip()]
    assert [latex_check.check(part)["label"] for part in parts] == [
        "tab:digits-test-accuracy-1",
        "tab:digits-test-log-loss-2",
    ]
    turned = latex_check.check("\n".join(said(capsys, sweep, "--format", "latex", "--rows", "model")))
    assert turned["head"] == ["model", "adam", "sgd"]
    assert turned["label"] == "tab:digits-test-accuracy-model-1"


def rendered_cells(text: str) -> list[list[str]]:
    """The rows of a table as another reader of Markdown shows them."""
    from markdown_it import MarkdownIt

    rows: list[list[str]] = []
    for token in MarkdownIt("commonmark").enable("table").parse(text):
        if token.type == "tr_open":
            rows.append([])
        if token.type == "inline" and rows and token.level > 3:
            rows[-1].append("".join(inner.content for inner in token.children or []))
    return rows


NASTY = [r"a\b", "100%_x", "{curly}", "$x^2$~", "#1 & co", "<a>|b|", "[opt]", "*star", '"q"', "数据", "Ünïcode", "a\tb"]


def test_nothing_a_user_named_breaks_a_format(tmp_path, capsys):
    for number, name in enumerate(NASTY):
        scores = {"test/accuracy": 0.5, "val/accuracy": number / 100}
        make(tmp_path / str(number), {"model.path_like": json.dumps(name)}, scores=scores)
    found = latex_check.check("\n".join(said(capsys, tmp_path, "--format", "latex")))
    shown = [row[0] for row in reversed(found["rows"])]
    assert [name for name in shown if "U+" not in name] == [n for n in NASTY if n not in ("数据", "a\tb")] + ["a b"]
    assert "[U+6570][U+636E]" in shown
    rendered = rendered_cells("\n".join(said(capsys, tmp_path, "--format", "markdown")))
    assert [row[0] for row in reversed(rendered[1:])] == [*NASTY[:-1], "a b"]
    assert {len(row) for row in rendered} == {4}
    assert [row["model.path_like"] for row in reversed(rows_of(capsys, tmp_path))] == NASTY


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="there is no LaTeX here")
def test_latex_itself_takes_every_table(sweep, tmp_path, capsys):
    """In one document, none wider than its lines, with names that would break a table."""
    for number, name in enumerate(NASTY):
        make(tmp_path / "runs" / str(number), {"model.path_like": json.dumps(name)}, scores={"test/accuracy": 0.5})
    texts = [said(capsys, sweep, "--format", "latex", "--metric", "accuracy,log_loss")]
    texts += [said(capsys, sweep, "--format", "latex", "--rows", "model")]
    texts += [said(capsys, tmp_path / "runs", "--format", "latex")]
    body = [
        r"\documentclass{article}",
        r"\begin{document}",
        *(line for text in texts for line in text),
        r"\end{document}",
    ]
    (tmp_path / "tables.tex").write_text("\n".join(body), encoding="utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "tables.tex"]
    told = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, errors="replace", timeout=100)
    assert told.returncode == 0, told.stdout[-800:]
    assert "Overfull" not in told.stdout
    assert "multiply defined" not in told.stdout


def test_the_checker_of_latex_refuses():
    good = "\\begin{table}\n\\caption{a}\n\\label{b}\n\\begin{tabular}{lr}\na & b \\\\\n\\end{tabular}\n\\end{table}"
    latex_check.check(good)
    for bad in ("a & b & c", "a_b & c", "a & 5% ", "{a & b", "a & $b", "[a] & b", "\\frac & b", "a & 数"):
        with pytest.raises(latex_check.WouldNotCompile):
            latex_check.check(good.replace("a & b", bad))


def test_a_pivot(sweep, capsys):
    lines = said(capsys, sweep, "--rows", "model", "--columns", "optim")
    assert lines[2].split() == ["model", "adam", "sgd"]
    assert lines[3].split() == ["linear", "0.825", "±", "0.014", "0.963", "±", "0.010"]
    assert lines[4].split() == ["mlp", "0.9090", "±", "0.0092", "0.804", "±", "0.014"]
    assert said(capsys, sweep, "--columns", "optim") == lines
    starred = said(capsys, sweep, "--rows", "model", "--baseline", "model=mlp,optim=sgd")
    assert starred[3].split()[-1] == "0.010*"
    assert any(line.startswith("* differs from model=mlp optim=sgd.") for line in starred)


def test_a_pivot_names_what_else_varies(tmp_path, capsys):
    for number, keys in enumerate([("a", "x", "1"), ("b", "x", "2"), ("a", "y", "1")]):
        make(tmp_path / str(number), dict(zip(("model", "optim", "optim.lr"), keys, strict=True)))
    assert cli.main(["table", str(tmp_path), "--rows", "model", "--columns", "optim"]) == 2
    assert "besides there varies optim.lr: add to --rows or --columns, or choose by --where" in capsys.readouterr().err
    lines = said(capsys, tmp_path, "--rows", "model", "--columns", "optim,optim.lr")
    assert lines[2].split() == ["model", "x", "1", "x", "2", "y", "1"]
    assert lines[4].split() == ["b", "–", "0.5000", "–"]


@pytest.mark.parametrize(("suffix", "start"), [("csv", "model,optim,"), ("md", "**test/"), ("tex", "\\provide")])
def test_the_suffix_chooses_the_format(sweep, tmp_path, capsys, suffix, start):
    file = tmp_path / f"t.{suffix}"
    assert said(capsys, sweep, "--output", file)[-1] == f"1 table: {file}"
    assert file.read_text().startswith(start)


def test_several_paths_groups_and_filters(sweep, tmp_path, capsys):
    make(tmp_path / "other", {"model": "cnn", "data": "wine"}, digest="e" * 64)
    lines = said(capsys, sweep, tmp_path)
    assert [line.split(":")[0] for line in lines if " on " in line and "cell" in line] == [
        "test/accuracy on digits, 20 test examples",
        "test/accuracy on wine, 20 test examples",
    ]
    assert len(rows_of(capsys, sweep, tmp_path, "--where", "optim=sgd")) == 2
    assert len(rows_of(capsys, sweep, sweep)) == 4, "a path given twice counts once"


@pytest.mark.parametrize(
    ("half", "places"),
    [(0.0123, 3), (0.00996, 3), (0.0094, 4), (0.099, 3), (0.0996, 2), (1.5, 1), (12, 0), (123, 0), (3e-7, 8), (0, 4)],
)
def test_numbers_end_where_the_interval_blurs_them(half, places):
    assert decimals(half) == places


def test_p_shown():
    assert [p_shown(p) for p in (None, 0.0004, 0.0312, 0.0996, 0.5, 1.0)] == [
        "–",
        "<0.001",
        "0.031",
        "0.10",
        "0.50",
        "1.00",
    ]


def test_rows_for_python(sweep):
    rows = tables.rows_at(str(sweep), "accuracy", "model=mlp,optim=sgd")
    assert [row["model"] for row in rows] == ["linear", "mlp", "mlp", "linear"]
    assert rows[0]["mean"] == pytest.approx(0.963)
    assert rows[0]["p corrected"] < 0.05
    with pytest.raises(ConfigError, match="no cell is so"):
        tables.rows_at(str(sweep), None, "model=rnn")

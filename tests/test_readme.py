"""What the README says can be typed, exists, and is how the program speaks."""

from __future__ import annotations

import argparse
import ast
import re
import shlex
from itertools import pairwise
from pathlib import Path

import pytest

import assay
from assay import cli
from assay.preflight import check
from tests.covers import DOWNLOADS, at_hand

ROOT = Path(__file__).resolve().parent.parent
PAGES = ("README.md", "CONTRIBUTING.md", "benchmarks/README.md")
README = (ROOT / "README.md").read_text(encoding="utf-8")
TRAIN = ("python train.py", "uv run train.py", "assay train")


def section(name: str) -> str:
    """What stands between two markers."""
    found = re.search(rf"<!-- {name} -->\n(.*)<!-- /{name} -->", README, re.DOTALL)
    assert found, f"README.md has no markers of {name}"
    return found[1].strip()


def blocks(language: str = "") -> list[str]:
    """The code blocks of a language, without their fences."""
    found: list[str] = []
    inside: str | None = None
    for line in README.splitlines():
        if line.strip().startswith("```"):
            inside = None if inside is not None else line.strip()[3:]
            if inside == language:
                found.append("")
        elif inside == language:
            found[-1] += f"{line}\n"
    assert inside is None, "a code block is not closed"
    return found


def results() -> list[str]:
    """The commands of the results: code with a switch in it."""
    return [code for code in re.findall(r"`([^`\n]+)`", section("results")) if re.match(r"(-m )?\w+=", code)]


def commands() -> list[str]:
    """Every command of the code blocks, of the tables' code and of the text, comments cut off."""
    lines = [line for block in blocks() for line in block.splitlines()]
    lines += re.findall(r"`([^`\n]+)`", README)
    found = []
    for line in lines:
        for part in line.split(" && "):
            words = part.strip()
            if words.startswith((*TRAIN, "assay ")) and "…" not in words:
                found.append(words)
    return list(dict.fromkeys(found))


def test_the_readme_shows_commands():
    found = commands()
    assert "uv run train.py model=lstm optim=adam" in found
    assert len([one for one in found if one.startswith(TRAIN)]) > 5


PUBLISHED = ("atis", "conll2000", "ptb", "tiny_shakespeare")


@pytest.fixture
def user(tmp_path, monkeypatch):
    """A folder with the files that the README's commands speak of."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ASSAY_DATA", str(tmp_path / "data"))
    (tmp_path / "my reviews, 2026.csv").write_text("review,stars\n" + "a text,one\nanother,two\n" * 20)
    (tmp_path / "patients.csv").write_text("age,sex,outcome\n" + "40,f,well\n50,m,ill\n" * 20)
    for name in ("adult.csv", "adult-test.csv"):
        (tmp_path / name).write_text("age,sex,income\n" + "40,f,high\n?,m,low\n" * 20)
    (tmp_path / "digit.png").write_bytes(b"")
    (tmp_path / "mine.conll").write_text("show O\nboston B-city\n\n" * 20)
    (tmp_path / "books").mkdir()
    (tmp_path / "books" / "one.txt").write_text("a text\n" * 200)
    from PIL import Image

    for name in ("cat", "dog"):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for number in range(12):
            Image.new("RGB", (8, 8), (number, 0, 0)).save(tmp_path / "photos" / name / f"{number}.jpg")
    return tmp_path


@pytest.mark.parametrize("command", [one for one in commands() if one.startswith(TRAIN)])
def test_a_training_command_passes_every_check(user, command):
    words = shlex.split(command, comments=True)
    argv = words[words.index("train" if words[0] == "assay" else "train.py") + 1 :]
    if any("fashion_mnist" in word for word in argv):
        argv.append("data_dir=.")  # it would be downloaded
    needed = ["mr"] if "experiment=textcnn_mr" in argv else [name for name in PUBLISHED if f"data={name}" in argv]
    if needed:
        argv += DOWNLOADS
        if not all(map(at_hand, needed)):
            pytest.skip(f"needs the files of {', '.join(needed)}")
    points = check(argv)
    assert points
    if "-m" in argv:
        product = 1
        for key, value in (word.split("=", 1) for word in argv if "=" in word and "interval" not in word):
            numbers = re.fullmatch(r"range\((\d+)\)", value)
            counted = int(value) if key in ("seeds", "folds") else value.count(",") + 1
            product *= int(numbers[1]) if numbers else counted
        if not any("interval" in word for word in argv):  # of a search, the ends of what it draws from are checked
            assert len(points) == product


class Parsed(Exception):
    """The command's own parser has taken everything."""


@pytest.mark.parametrize(
    "command", [one for one in commands() if one.startswith("assay ") and not one.startswith(TRAIN)]
)
def test_a_command_is_one_of_ours_with_arguments_it_takes(monkeypatch, command):
    word, *arguments = shlex.split(command, comments=True)[1:]
    if word == "--config-dir":
        pytest.skip("a flag of training")
    assert word in cli.COMMANDS

    def stop(taken):
        def parse(*given, **options):
            raise Parsed(taken(*given, **options))

        return parse

    if not arguments and word in ("predict", "evaluate", "new", "check", "train", "data"):
        return  # named, not shown
    places = {"NAME": "fruit", "RUN": "latest", "model=NAME": "model=mlp"}
    for method in ("parse_args", "parse_intermixed_args"):
        original = getattr(argparse.ArgumentParser, method)
        monkeypatch.setattr(cli._Parser, method, stop(original))
    if word == "rerun":  # takes what training takes besides its own
        monkeypatch.setattr("assay.lifecycle.rerun.rerun_command", stop(lambda **given: given))
    with pytest.raises(Parsed):
        cli.COMMANDS[word][0]([places.get(one, one) for one in arguments])


def test_the_help_lists_what_the_readme_uses(capsys):
    assert cli.main(["--help"]) == 0
    helped = capsys.readouterr().out
    for command in commands():
        if command.startswith("assay "):
            assert f"assay {shlex.split(command, comments=True)[1]} " in helped


def test_the_python_block_speaks_of_what_there_is():
    (block,) = blocks("python")
    tree = ast.parse(block)
    names = {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "assay"
    }
    assert names == set(assay.__all__) - {"ConfigError"}
    assert all(callable(getattr(assay, name)) for name in names)
    (call,) = [n for n in ast.walk(tree) if isinstance(n, ast.Call) and ast.unparse(n.func) == "assay.train"]
    check([ast.literal_eval(argument) for argument in call.args])


def test_the_python_block_is_true(digits_run, tmp_path, monkeypatch):
    import numpy as np
    from PIL import Image

    Image.fromarray(np.zeros((8, 8), np.uint8)).save(tmp_path / "digit.png")
    assert "test/accuracy" in digits_run.summary
    (row,) = assay.load(digits_run.folder).predict([str(tmp_path / "digit.png")])
    assert list(row)[:2] == ["prediction", "probability"]
    assert isinstance(row["prediction"], str)


def test_every_promise_names_tests_that_exist():
    table = README.split("## Promises", 1)[1].split("\n## ", 1)[0]
    rows = [line for line in table.splitlines() if line.startswith("| ")][1:]
    assert len(rows) > 5
    for row in rows:
        named = re.findall(r"`(tests/[^`]+)`", row)
        assert named, row
        for path in named:
            assert (ROOT / path).exists(), path
            assert path.endswith(".py") or list((ROOT / path).rglob("test_*.py")), path


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if not re.match(r"[a-z]+:", target):
            path, _, anchor = target.partition("#")
            found = (ROOT / page).parent / path if path else ROOT / page
            assert found.exists(), f"{page}: {target}"
            if anchor:
                headings = re.findall(r"^#+ (.+)$", found.read_text(encoding="utf-8"), re.MULTILINE)
                assert anchor in {re.sub(r"[^\w -]", "", head).strip().lower().replace(" ", "-") for head in headings}


@pytest.mark.parametrize("page", PAGES)
def test_files_that_are_named_exist(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    here = (ROOT / page).parent
    for path in re.findall(r"`((?:tests|src|conf|benchmarks)/[\w./]+)`", text):
        invented = ("gru2", "fruit", "samplers", "compression", "decoding")  # of the walk-through, and of later issues
        if not any(word in path for word in invented):
            assert (ROOT / path).exists() or (here / path).exists(), f"{page}: {path}"


def test_markers_come_in_pairs():
    opened = re.findall(r"<!-- (\w[\w-]*) -->", README)
    closed = re.findall(r"<!-- /(\w[\w-]*) -->", README)
    assert opened == closed
    assert {"transcript", "switches", "rules", "results", "bench"} <= set(opened)
    assert len(set(opened)) == len(opened)


@pytest.mark.parametrize("name", ["transcript", "switches", "rules", "results", "bench"])
def test_markers_are_filled(name):
    lines = section(name).splitlines()
    if name in ("transcript", "results", "bench") and not lines:
        pytest.skip("not filled in yet")
    assert len(lines) > 2


@pytest.mark.parametrize("command", results())
def test_a_result_comes_with_a_command_that_passes_every_check(user, command):
    """`python train.py` stands before each; several seeds imply -m."""
    words = shlex.split(command)
    if any(word.startswith("seed=") and "," in word for word in words) and "-m" not in words:
        words = ["-m", *words]
    data = next((word.removeprefix("data=") for word in words if word.startswith("data=")), "digits")
    if not at_hand(data):
        pytest.skip(f"the files of data={data} are not at hand: set ASSAY_DATA to their folder")
    assert check([*words, *DOWNLOADS])


# the transcript


def shape(line: str) -> str:
    """A line of a screen with its numbers, folders and names left free."""
    line = re.sub(r"\S*\d{4}-\d\d-\d\d/\S+", "FOLDER", line)
    line = re.sub(r"\b\d+ min \d+ s\b|\b\d+ h \d+ min\b", "0 s", line)
    line = re.sub(r"[+-]?\d[\d,]*(\.\d+)?", "0", line)
    line = re.sub(r"\bthreads\b", "thread", line)
    line = re.sub(r"-{5,}", "-----", line)
    return re.sub(r" {2,}", "  ", line).strip()


def words_free(line: str) -> str:
    """The shape of a line that names switches, with them left free: `lstm: 0 parameters · adam · cpu, 0 thread`."""
    line = re.sub(r"^\w+: 0 train", "DATA: 0 train", shape(line))
    line = re.sub(r"^\w+: 0 parameters · \w+ · [^,]+,", "MODEL: 0 parameters · OPTIM · DEVICE,", line)
    line = re.sub(r"^test  \w+", "test  MODEL", line)
    line = re.sub(r"^FOLDER · .*", "FOLDER · LOG", line)
    return re.sub(r"^assay train -m .*$", "assay train -m SAME", line)


PROGRESS = (
    r"about .+ to go",
    r"epoch \d+: step \d+/\d+ · loss \d+\.\d{4} · val/accuracy \d\.\d{4} · \d+ steps/s( · .+ left)?",
)
"""What a terminal's run prints while it goes on, which log.txt leaves out."""


def optional(line: str) -> bool:
    """What one run says and another does not."""
    return line.startswith(("$ ", "The last epoch was the best: ", "…", "W&B ", "```")) or not line


def test_shapes_forget_numbers_alone():
    assert shape("accuracy        0.9833      0.1000") == shape("accuracy  1.0000  0.2")
    assert shape("accuracy  0.9") != shape("macro_f1  0.9")
    assert words_free("mlp: 9,610 parameters · sgd · cpu, 8 threads") == words_free(
        "lstm: 1 parameters · adam · cpu, 1 thread"
    )
    assert words_free("mlp: 9,610 parameters · sgd") != words_free("mlp: 9,610 weights · sgd")


def test_the_transcript_is_what_a_run_prints(digits_run):
    text = section("transcript")
    if not text:
        pytest.skip("not filled in yet")
    lines = [line for line in text.splitlines() if not any(re.fullmatch(one, line) for one in PROGRESS)]
    log = (digits_run.folder / "log.txt").read_text(encoding="utf-8").splitlines()
    shown, real = ([words_free(line) for line in part if not optional(line)] for part in (lines, log))
    assert shown == real


def test_sections_are_in_order():
    heads = re.findall(r"^## (.+)$", README, re.MULTILINE)
    assert heads.index("Switches") < heads.index("Results"), "the command, then the switches, then the results"
    positions = [README.index(one) for one in ("uv run train.py model=lstm", "## Switches", "## Results", "## Licence")]
    assert all(a < b for a, b in pairwise(positions))

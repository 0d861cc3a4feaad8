from __future__ import annotations

from types import SimpleNamespace

from assay.data.describe import describe_command
from tests.data.test_datasets import write_table, write_texts


def shown(capsys, name, node) -> str:
    assert describe_command(SimpleNamespace(config={"data": node, "switches": {"data": name}})) == 0
    return capsys.readouterr().out


def test_a_generated_set(capsys):
    tokenizer = {"_target_": "assay.data.tokenizers.char.Char"}
    node = {"_target_": "assay.data.char_contains.CharContains", "tokenizer": tokenizer, "examples": 100}
    out = shown(capsys, "char_contains", node)
    for part in (
        "char_contains: generated",
        "licence",
        "sha256",
        "examples",
        "80",
        "yes",
        "(50.0%)",
        "lengths: median",
    ):
        assert part in out
    assert "\x1b" not in out  # plain when piped
    assert "example 0, no:" in out


def test_a_users_table_and_odd_names(capsys, tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("t,l\n" + "".join(f"text {n},{'[bold]' if n % 2 else 'b'}\n" for n in range(40)))
    tokenizer = {"_target_": "assay.data.tokenizers.word.Word"}
    node = {
        "_target_": "assay.data.text_csv.TextCSV",
        "path": str(path),
        "text": "t",
        "label": "l",
        "tokenizer": tokenizer,
    }
    out = shown(capsys, "text_csv", node)
    assert "[bold]" in out
    assert "comma-separated, utf-8" in out


def test_numbers(capsys, tmp_path):
    parts = {
        "scaling": {"_target_": "assay.data.preprocessing.scaling.Standard"},
        "impute": {"_target_": "assay.data.preprocessing.impute.Mean"},
    }
    path = write_table(tmp_path / "a.csv")
    node = {"_target_": "assay.data.tabular_csv.TabularCSV", "path": path, "label": "price", **parts}
    out = shown(capsys, "tabular_csv", node)
    for part in ("label: number", "mean", "deviation", "3 features: 2 numbers, 1 categories"):
        assert part in out
    assert write_texts(tmp_path / "b.csv")


def test_tags(capsys, tmp_path):
    path = tmp_path / "sentences.conll"
    path.write_text("".join(f"from O\nnew B-city\nyork I-city\nat O\nnoon{n} B-time\n\n" for n in range(40)))
    out = shown(capsys, "tagged_file", {"_target_": "assay.data.tagged_file.tagged_file", "path": str(path)})
    lines = out.splitlines()
    table = {line.split()[0]: line.split()[1:] for line in lines if line.strip()}
    assert table["sentences"] == ["32", "4", "4"]
    assert table["tags"] == ["160", "20", "20"]
    assert table["spans"] == ["64", "8", "8"]
    assert table["city"][:2] == ["32", "(50.0%)"]
    place = next(number for number, line in enumerate(lines) if line.startswith("example "))
    words, tags = lines[place + 1 : place + 3]
    assert words.split()[:4] == ["from", "new", "york", "at"]
    assert tags.split()[:4] == ["O", "B-city", "I-city", "O"]
    assert words.index("new") == tags.index("B-city")  # one under the other

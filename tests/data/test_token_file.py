"""A text is tokenised once, whoever asks, and what is read is what was written."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from assay.data import token_file
from assay.data.preprocessing.stream import StreamPreprocessing
from assay.data.text_files import splits_of
from assay.data.text_pieces import pieces
from assay.data.token_file import opened
from assay.data.tokenised import in_memory
from assay.data.tokenizers.char import Char
from assay.data.tokenizers.whitespace import Whitespace
from assay.errors import ConfigError

HOW = {"breaks": "blank_lines", "encoding": "utf-8", "ends": True}


def write(path: Path, lines: int = 400) -> Path:
    text = "".join(f"line {n} of word{n % 37} and more\n" + "\n" * (n % 10 == 9) for n in range(lines))
    path.write_text(text)
    return path


def texts_of(splits):
    return {split: partial(pieces, held, "blank_lines", "utf-8", True) for split, held in splits.items()}


def ask(path: Path, root: Path, tokenizer=None, fitted: StreamPreprocessing | None = None):
    splits, _ = splits_of(str(path), None, None, 0.1, 0.1)
    preprocessing = fitted or StreamPreprocessing(tokenizer or Whitespace())
    return opened(str(root), splits, texts_of(splits), HOW, preprocessing, fitted is not None)


def same(a, b) -> bool:
    return (
        np.array_equal(a.ids, b.ids)
        and a.facts.documents.tolist() == b.facts.documents.tolist()
        and (a.facts.spans, a.facts.counts, a.facts.digest) == (b.facts.spans, b.facts.counts, b.facts.digest)
        and a.preprocessing.to_json() == b.preprocessing.to_json()
    )


@pytest.fixture
def read(monkeypatch):
    """The texts that were tokenised."""
    seen: list[str] = []
    whole = token_file.tokenise

    def counted(texts, *others):
        seen.extend(texts)
        return whole(texts, *others)

    monkeypatch.setattr(token_file, "tokenise", counted)
    return seen


@pytest.mark.parametrize("tokenizer", [Whitespace, Char])
def test_the_file_holds_what_is_tokenised_in_memory(tmp_path, tokenizer):
    path = write(tmp_path / "a.txt")
    found = ask(path, tmp_path, tokenizer())
    splits, _ = splits_of(str(path), None, None, 0.1, 0.1)
    preprocessing = StreamPreprocessing(tokenizer())
    ids, facts = in_memory(texts_of(splits), preprocessing, False)
    assert np.array_equal(found.ids, ids)
    assert found.facts.documents.tolist() == facts.documents.tolist()
    assert (found.facts.spans, found.facts.counts, found.facts.digest) == (facts.spans, facts.counts, facts.digest)
    assert found.preprocessing.to_json() == preprocessing.to_json()
    assert isinstance(found.ids, np.memmap)
    assert not found.ids.flags.writeable
    assert found.ids.dtype == np.uint16


def test_it_is_found_again_without_reading_the_text(tmp_path, read, monkeypatch):
    path = write(tmp_path / "a.txt")
    first = ask(path, tmp_path)
    assert len(read) == 3
    assert any("tokenised into" in note for note in first.notes)
    monkeypatch.setattr(token_file, "contents_of", lambda splits: pytest.fail("the text was read"))
    monkeypatch.setattr(token_file, "_sum", lambda path: pytest.fail("the file was read"))
    again = ask(path, tmp_path)
    assert same(first, again)
    assert (len(read), again.notes) == (3, [])


def test_a_copy_of_the_text_elsewhere_is_the_same_text(tmp_path, read):
    first = ask(write(tmp_path / "a.txt"), tmp_path)
    (tmp_path / "other").mkdir()
    copy = shutil.copy(tmp_path / "a.txt", tmp_path / "other" / "b.txt")
    assert same(first, ask(Path(copy), tmp_path))
    assert len(read) == 3
    assert len(list((tmp_path / "tokens").iterdir())) == 2


def test_another_text_or_tokenizer_is_another_file(tmp_path, read):
    path = write(tmp_path / "a.txt")
    first = ask(path, tmp_path)
    ask(path, tmp_path, Whitespace(lowercase=True))
    changed = write(path, 401)
    second = ask(changed, tmp_path)
    assert len(read) == 9
    assert first.facts.digest != second.facts.digest
    fitted = ask(path, tmp_path, fitted=first.preprocessing)
    assert fitted.preprocessing.to_json() == first.preprocessing.to_json()
    assert len(read) == 12
    assert len(list((tmp_path / "tokens").glob("*.ids"))) == 4


def only(folder: Path, suffix: str) -> Path:
    (found,) = (folder / "tokens").glob(f"*{suffix}")
    return found


def shorten(path: Path) -> None:
    os.truncate(path, path.stat().st_size - 8)


def alter(path: Path) -> None:
    with open(path, "r+b") as file:
        file.seek(40)
        file.write(b"\1\0")
    os.utime(path, ns=(1, 1))


@pytest.mark.parametrize(
    ("suffix", "harm", "said"),
    [
        (".ids", shorten, "bytes in place of"),
        (".ids", alter, "was altered after it was written"),
        (".json", shorten, "has no card that can be read"),
        (".json", Path.unlink, "has no card that can be read"),
        (".ids", Path.unlink, "cannot be read"),
    ],
)
def test_a_damaged_file_is_written_anew_and_that_is_said_once(tmp_path, capsys, read, suffix, harm, said):
    path = write(tmp_path / "a.txt")
    first = ask(path, tmp_path)
    expected = [first.ids.copy(), first.facts]
    capsys.readouterr()
    harm(only(tmp_path, suffix))
    again = ask(path, tmp_path)
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line
    assert line.endswith("written anew")
    assert np.array_equal(again.ids, expected[0])
    assert again.facts.counts == expected[1].counts
    assert len(read) == 6


def test_a_file_that_was_only_copied_is_summed_once_and_used(tmp_path, capsys, read, monkeypatch):
    path = write(tmp_path / "a.txt")
    first = ask(path, tmp_path)
    os.utime(only(tmp_path, ".ids"), ns=(10**18, 10**18))
    capsys.readouterr()
    assert same(first, ask(path, tmp_path))
    monkeypatch.setattr(token_file, "_sum", lambda path: pytest.fail("the file was read"))
    assert same(first, ask(path, tmp_path))
    assert (len(read), capsys.readouterr().err) == (3, "")


def test_a_card_of_a_later_format_is_not_read(tmp_path, read):
    path = write(tmp_path / "a.txt")
    ask(path, tmp_path)
    card = only(tmp_path, ".json")
    card.write_text(json.dumps({**json.loads(card.read_text()), "format": 99}))
    ask(path, tmp_path)
    assert len(read) == 6


def test_large_vocabularies_take_32_bits(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("".join(f"w{n} v{n}\n" for n in range(45_000)))
    found = ask(path, tmp_path)
    assert found.ids.dtype == np.uint32
    assert len(found.preprocessing.vocabulary) > 1 << 16
    assert found.preprocessing.decode(found.ids[:6].tolist()) == "w0 v0\nw1 v1\n"


def test_what_fails_leaves_nothing_behind(tmp_path):
    path = write(tmp_path / "a.txt")
    with open(path, "r+b") as file:
        file.seek(-30, os.SEEK_END)
        file.write(b"\xff\xff")
    with pytest.raises(ConfigError, match="no text in this encoding"):
        ask(path, tmp_path)
    assert [one.suffix for one in (tmp_path / "tokens").iterdir()] == [".lock"]


def test_a_folder_that_cannot_be_made_is_refused(tmp_path):
    path = write(tmp_path / "a.txt")
    with pytest.raises(ConfigError, match=r"the ids of this text cannot be kept .* name another place with data\.root"):
        ask(path, path)


ASK = """
import sys, time
from pathlib import Path
from assay.data import token_file
from tests.data.test_token_file import ask
whole = token_file.tokenise
def slow(texts, preprocessing, write, seen):
    print("begun", flush=True)
    time.sleep({seconds})
    return whole(texts, preprocessing, write, seen)
token_file.tokenise = slow
found = ask(Path({path!r}), Path({root!r}))
print("tokens", int(found.facts.documents[-1]), int(found.ids.astype("i8").sum()))
"""


def start(tmp_path: Path, seconds: float) -> subprocess.Popen:
    code = ASK.format(seconds=seconds, path=str(tmp_path / "a.txt"), root=str(tmp_path))
    root = Path(__file__).parent.parent.parent
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(root), str(root / "src")])}
    return subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env
    )


@pytest.mark.slow
def test_of_several_processes_one_writes_it(tmp_path):
    write(tmp_path / "a.txt")
    asked = [start(tmp_path, 2) for _ in range(4)]
    told = [one.communicate(timeout=120) for one in asked]
    assert [one.returncode for one in asked] == [0] * 4, told
    assert sum("begun" in out for out, _ in told) == 1
    assert len({out.splitlines()[-1] for out, _ in told}) == 1
    assert sum("waiting for another run" in err for _, err in told) >= 1
    assert {one.suffix for one in (tmp_path / "tokens").iterdir()} == {".ids", ".json"}


@pytest.mark.slow
def test_what_a_killed_process_leaves_is_never_read_and_goes(tmp_path):
    write(tmp_path / "a.txt")
    killed = start(tmp_path, 60)
    assert killed.stdout is not None
    assert killed.stdout.readline() == "begun\n"
    waiting = start(tmp_path, 0)
    time.sleep(3)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    out, err = waiting.communicate(timeout=120)
    assert waiting.returncode == 0, err
    assert out.splitlines()[-1].startswith("tokens ")
    assert {one.suffix for one in (tmp_path / "tokens").iterdir()} == {".ids", ".json"}


GROW = """
import resource
from pathlib import Path
from tests.data.test_token_file import ask, write
small, large, root = (Path({folder!r}) / name for name in ("small.txt", "large.txt", "root"))
write(small, 40_000)
text = small.read_text()
with open(large, "w") as file:
    for _ in range(40):
        file.write(text)
ask(small, root)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
found = ask(large, root)
print(large.stat().st_size, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024)
"""


@pytest.mark.slow
def test_a_text_of_any_size_is_tokenised_in_bounded_memory(tmp_path):
    """Forty times the text takes no more memory than the text, but for the numbers of its documents."""
    root = Path(__file__).parent.parent.parent
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(root), str(root / "src")])}
    code = GROW.format(folder=str(tmp_path))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env)
    assert done.returncode == 0, done.stderr
    size, grown = map(int, done.stdout.split())
    assert size > 40_000_000
    assert grown < size / 3

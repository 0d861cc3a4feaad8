"""The file of a teacher's answers: written once, whole or not at all, and refused when it is of anything else."""

from __future__ import annotations

import errno
import json
import os
import pickle
import signal
import sys
import time

import pytest
import torch
from safetensors import safe_open

from assay.distillation import cache_file
from assay.distillation.cache_key import FIELDS
from assay.distillation.cache_switch import FORMAT
from assay.errors import ConfigError

KEY = {name: f"{name} of ours" for name in FIELDS} | {"dtype": "float32"}
NUMBERS = torch.tensor([5, 0, 9, 2, 7])
ANSWERS = torch.arange(20, dtype=torch.float32).reshape(5, 4).log_softmax(-1)
MADE = {"threads": "3"}


def ask():
    return NUMBERS, iter(ANSWERS.split(2))


def never():
    raise AssertionError("the teacher was asked again")


def written(path, key=KEY, asked=ask):
    return cache_file.opened(path, key, asked, MADE)


def test_another_reader_of_the_format_finds_it_all(tmp_path):
    path = tmp_path / "new" / "a.safetensors"
    kept, seconds = written(path)
    assert seconds >= 0
    with safe_open(path, framework="pt") as file:
        assert torch.equal(file.get_tensor("answers"), ANSWERS)
        assert torch.equal(file.get_tensor("index"), NUMBERS)
        metadata = file.metadata()
    assert {name: metadata[name] for name in FIELDS} == KEY
    assert (metadata["format"], metadata["threads"]) == (FORMAT, "3")
    assert torch.equal(kept.answers, ANSWERS)
    assert torch.equal(kept.numbers, NUMBERS)
    assert os.listdir(path.parent) == ["a.safetensors"]


def test_it_is_written_once_and_the_same_again(tmp_path):
    first, _ = written(tmp_path / "a.safetensors")
    again, seconds = written(tmp_path / "a.safetensors", asked=never)
    assert seconds is None
    assert torch.equal(again.answers, first.answers)
    written(tmp_path / "b.safetensors")
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()


@pytest.mark.parametrize("shape", [(7, 3, 2), (7,)])
def test_answers_of_labels_and_numbers(tmp_path, shape):
    answers = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    kept, _ = written(tmp_path / "a.safetensors", asked=lambda: (torch.arange(7), answers.split(4)))
    assert torch.equal(kept.answers, answers)


def test_half_precision_has_no_infinities(tmp_path):
    answers = torch.tensor([[0.0, -70_000.0, -3.14159]])
    key = {**KEY, "dtype": "float16"}
    kept, _ = written(tmp_path / "a.safetensors", key, lambda: (torch.tensor([4]), [answers]))
    assert kept.answers.tolist() == torch.tensor([[0.0, -65_504.0, -3.14159]]).half().tolist()


@pytest.mark.skipif(not os.path.exists("/proc/self/maps"), reason="the system does not tell what is mapped")
def test_it_is_mapped_and_stays_as_it_is(tmp_path):
    path = tmp_path / "a.safetensors"
    kept, _ = written(path)
    with open("/proc/self/maps") as maps:
        assert str(path) in maps.read()
    before = path.read_bytes()
    kept.answers.zero_()
    assert path.read_bytes() == before


@pytest.mark.parametrize("field", FIELDS)
def test_a_file_of_something_else_is_refused_by_the_field_that_differs(tmp_path, field):
    path = tmp_path / "a.safetensors"
    key = {**KEY, "dtype": "float16"} if field == "dtype" else {**KEY, field: "f" * 64}
    written(path, key)
    with pytest.raises(ConfigError) as refused:
        written(path, asked=never)
    line = str(refused.value)
    assert f"{path} holds {FIELDS[field]}: {field} {'float16' if field == 'dtype' else 12 * 'f'} there" in line
    assert "\n" not in line


@pytest.mark.parametrize("what", ["cut short", "a changed answer", "a changed number", "another shape", "no shape"])
def test_a_damaged_file_is_refused(tmp_path, what):
    path = tmp_path / "a.safetensors"
    written(path)
    data = bytearray(path.read_bytes())
    start = 8 + int.from_bytes(data[:8], "little")
    if what == "cut short":
        del data[-3:]
    elif what.endswith("shape"):
        data = data.replace(b'"shape": [5, 4]', b'"shape": [4, 5]' if what == "another shape" else b'"shape": [9, 4]')
    else:
        data[start + (1 if what == "a changed number" else 41)] ^= 1
    path.write_bytes(data)
    with pytest.raises(ConfigError, match="truncated or was altered after it was written: delete it"):
        written(path, asked=never)


def test_what_is_no_cache_is_refused(tmp_path):
    path = tmp_path / "a.safetensors"
    path.write_bytes(pickle.dumps({"answers": 1}))
    with pytest.raises(ConfigError, match="holds a pickle"):
        written(path)
    path.write_bytes(b"hello")
    with pytest.raises(ConfigError, match="holds no answers of a teacher"):
        written(path)
    text = json.dumps({"__metadata__": {"format": "assay teacher answers 99"}}).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text)
    with pytest.raises(ConfigError, match="its format is assay teacher answers 99"):
        written(path)


def test_a_full_disk_leaves_nothing(tmp_path):
    def full():
        yield ANSWERS[:2]
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        written(tmp_path / "a.safetensors", asked=lambda: (NUMBERS, full()))
    assert [name for name in os.listdir(tmp_path) if not name.endswith(".lock")] == []


def in_another_process(work):
    pid = os.fork()
    if pid == 0:
        try:
            work()
        except BaseException:
            os._exit(1)
        os._exit(0)
    return pid


@pytest.mark.skipif(sys.platform == "win32", reason="needs fork")
def test_what_a_killed_process_leaves_is_never_believed(tmp_path):
    path = tmp_path / "a.safetensors"

    def killed():
        yield ANSWERS[:2]
        os.kill(os.getpid(), signal.SIGKILL)

    _, status = os.waitpid(in_another_process(lambda: written(path, asked=lambda: (NUMBERS, killed()))), 0)
    assert os.WTERMSIG(status) == signal.SIGKILL
    assert not path.exists()
    assert any(name.endswith(".tmp") for name in os.listdir(tmp_path))
    kept, seconds = written(path)
    assert seconds is not None
    assert torch.equal(kept.answers, ANSWERS)
    assert os.listdir(tmp_path) == ["a.safetensors"]


@pytest.mark.skipif(sys.platform == "win32", reason="needs fork")
def test_of_several_at_once_one_asks_and_the_others_wait(tmp_path):
    path, asked = tmp_path / "a.safetensors", tmp_path / "asked"

    def slowly():
        with open(asked, "a") as file:
            file.write("x")
        time.sleep(0.3)
        return ask()

    pids = [in_another_process(lambda: written(path, asked=slowly)) for _ in range(3)]
    assert [os.waitpid(pid, 0)[1] for pid in pids] == [0, 0, 0]
    assert asked.read_text() == "x"
    assert torch.equal(written(path, asked=never)[0].answers, ANSWERS)

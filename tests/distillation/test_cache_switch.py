"""``distillation.cache`` before torch is loaded."""

from __future__ import annotations

import pytest

from assay.distillation.cache_switch import check, parsed
from assay.errors import ConfigError
from assay.preflight import compose


@pytest.mark.parametrize(
    ("typed", "meant"),
    [(True, True), (False, False), ("true", True), ("False", False), ("auto", "auto"), ("some/folder", "some/folder")],
)
def test_words_and_paths(typed, meant):
    assert parsed(typed) == meant


def test_a_path_may_start_at_home(monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    assert parsed("~/a.safetensors") == "/home/me/a.safetensors"


def test_a_file_of_another_kind_is_refused(tmp_path):
    other = tmp_path / "a.npy"
    other.write_bytes(b"")
    with pytest.raises(ConfigError, match=r"a file that does not end in \.safetensors"):
        parsed(str(other))
    with pytest.raises(ConfigError, match="is empty"):
        parsed("")


@pytest.mark.parametrize("word", ["yes", "off", "none", "ture"])
def test_a_word_that_is_none_of_them_makes_no_folder(word):
    with pytest.raises(ConfigError, match=f"is not auto, true or false; a new folder of that name is written ./{word}"):
        parsed(word)
    assert parsed(f"./{word}") == f"./{word}"


def test_a_file_named_is_looked_into(tmp_path):
    other = tmp_path / "a.safetensors"
    other.write_bytes(b"\x80\x05hello")
    with pytest.raises(ConfigError, match="holds no answers of a teacher"):
        check({"distillation": {"cache": str(other)}})
    assert check({"distillation": {"cache": str(tmp_path / "new.safetensors")}}) == set()
    assert check({"distillation": None}) == set()
    assert check({"distillation": {"alpha": 1}}) == set()


def test_preflight_refuses_what_cannot_be_kept(digits_run):
    words = ["distillation=kd", f"distillation.teacher.run={digits_run.folder}"]
    for cache in ("true", "some/folder, with a comma"):
        with pytest.raises(ConfigError) as refused:
            compose([*words, f"distillation.cache={cache}", "augment=[crop]"])
        line = str(refused.value)
        assert line.startswith(
            f"distillation.cache={cache} keeps one answer for each example, but augment=[crop] shows"
        )
        assert line.endswith("write distillation.cache=false, or leave augment= out")
    for cache in ("auto", "false"):
        compose([*words, f"distillation.cache={cache}", "augment=[crop]"])
    point = compose([*words, "distillation.cache=some/folder, with a comma"])
    assert point.config["distillation"]["cache"] == "some/folder, with a comma"
    with pytest.raises(ConfigError, match="cache_dtype"):
        compose([*words, "distillation.cache_dtype=int8"])

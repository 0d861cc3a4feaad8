"""What ``assay switches`` shows, and that the README shows the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from assay.cli import main
from assay.composition.locations import conf_folder
from assay.errors import ConfigError
from assay.switches import catalogue, defaults, filled, rules_markdown, switches_markdown

README = Path(__file__).resolve().parent.parent / "README.md"


def test_every_option_is_shown_with_its_title(capsys):
    assert main(["switches"]) == 0
    shown = capsys.readouterr().out
    for option in catalogue():
        assert option.title in shown
    assert "  adam *" in shown


def test_one_group(capsys):
    main(["switches", "optim"])
    assert "lstm" not in capsys.readouterr().out


def test_rules_are_the_words_of_the_refusals(capsys):
    main(["switches", "--rules"])
    shown = capsys.readouterr().out
    for option in catalogue():
        for rule in option.needs:
            assert rule.reason in shown
    assert "model.dropout < 1" in shown


def test_the_defaults_are_those_of_the_list():
    found = defaults()
    assert (found["model"], found["data"], found["optim"], found["callbacks"]) == ("lstm", "digits", "adam", "[]")
    assert (conf_folder() / "model" / f"{found['model']}.yaml").is_file()


def test_the_readme_shows_what_conf_declares():
    text = README.read_text(encoding="utf-8")
    assert filled(text, catalogue()) == text, "the README's tables are old: run `assay switches --write README.md`"


def test_writing_fills_the_markers_and_nothing_else(tmp_path, capsys):
    path = tmp_path / "page.md"
    path.write_text(
        "before\n<!-- switches -->\nstale words\n<!-- /switches -->\nbetween\n<!-- rules -->\n<!-- /rules -->\nafter\n"
    )
    assert main(["switches", "--write", str(path)]) == 0
    once = path.read_text(encoding="utf-8")
    assert once.startswith("before\n<!-- switches -->\n| switch | options |")
    assert once.endswith("<!-- /rules -->\nafter\n")
    assert "stale words" not in once
    assert switches_markdown(catalogue()) in once
    assert rules_markdown(catalogue()) in once
    main(["switches", "--write", str(path)])
    assert path.read_text(encoding="utf-8") == once


def test_a_text_without_markers_is_refused():
    with pytest.raises(ConfigError, match="<!-- switches -->"):
        filled("no markers", catalogue())

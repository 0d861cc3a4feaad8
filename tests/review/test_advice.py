"""What to try next: the right advice for each fact, and no command that would be refused."""

from __future__ import annotations

import shlex

import pytest

from assay.cli import COMMANDS
from assay.preflight import check
from assay.review import scores
from assay.review.advice import advise
from assay.review.facts import read
from tests.review import run_folders

GOOD = {"test/accuracy": 0.90, "train/accuracy": 0.91, "baseline/accuracy": 0.1}


def advised(place, **made):
    run = read(run_folders.make(place, **made))
    found, note = advise(run, scores.intervals(run.predictions, run.kind, run.names))
    assert note is None
    assert found
    for one in found:
        words = shlex.split(one.command)
        assert words[0] == "assay"
        assert words[1] in COMMANDS
        assert tuple(words[1:]) == one.words
        if words[1] == "train":
            assert check(words[2:])
        assert one.reason.endswith(".")
    return [one.command for one in found]


CASES = {
    "longer": ({"best_epoch": 5, **GOOD}, "trainer.max_epochs=80"),
    "shorter": ({"best_epoch": 1, **GOOD}, "early_stopping=patience"),
    "memorised": (
        {"best_epoch": 4, **GOOD, "train/accuracy": 1.0, "test/accuracy": 0.7},
        "-m model=lstm logger=none model.dropout=0.2,0.4",
    ),
    "mixed": ({"best_epoch": 4, **GOOD, "train/accuracy": 1.0, "test/accuracy": 0.7}, "augment=mixup"),
    "too small": ({"best_epoch": 4, **GOOD, "train/accuracy": 0.5, "test/accuracy": 0.5}, "model.hidden_size=256"),
    "nothing learnt": ({"best_epoch": 4, **GOOD, "train/accuracy": 0.1, "test/accuracy": 0.1}, "debug=overfit"),
    "rate": ({"best_epoch": 4, **GOOD}, "-m model=lstm logger=none optim.lr=0.002,0.006,0.018"),
    "seeds": ({"best_epoch": 4, **GOOD}, "-m model=lstm logger=none seed=0,1,2"),
    "models": ({"best_epoch": 4, **GOOD}, "-m model=lstm,"),
}


@pytest.mark.parametrize("name", CASES)
def test_a_fact_and_its_advice(tmp_path, name):
    summary, expected = CASES[name]
    rows = run_folders.class_rows("ab", 300, 2 * summary["test/accuracy"] - 1 if summary["test/accuracy"] > 0.5 else 0)
    found = advised(tmp_path, rows=rows, names="ab", **summary)
    assert any(expected in command for command in found), found


def test_what_no_fact_speaks_for_is_not_advised(tmp_path):
    rows = run_folders.class_rows("ab", 300, 0.8)
    found = advised(tmp_path, rows=rows, names="ab", best_epoch=4, **GOOD)
    for word in ("dropout", "overfit", "hidden_size", "max_epochs", "early_stopping", "weight_decay"):
        assert not any(word in command for command in found), word


def test_a_value_typed_before_is_replaced_and_private_ones_are_left_out(tmp_path):
    overrides = ("model=mlp", "trainer.max_epochs=6", "name='mine, too'", "seed=4", "outputs=elsewhere", "optim.lr=0.1")
    found = advised(tmp_path, overrides=overrides, best_epoch=5, **GOOD)
    assert found[0] == "assay train model=mlp trainer.max_epochs=12 optim.lr=0.1"
    assert not any("name=" in command or "elsewhere" in command for command in found)
    assert not any("optim.lr=0.03" in command for command in found)  # the rate was chosen


def test_early_stopping_and_steps(tmp_path):
    overrides = ("model=mlp", "early_stopping=patience", "early_stopping.patience=3", "logger=none")
    found = advised(tmp_path / "a", overrides=overrides, best_epoch=3, **GOOD)
    assert "early_stopping.patience=6" in found[0]
    found = advised(tmp_path / "b", overrides=("trainer.max_steps=60",), best_epoch=5, **GOOD)
    assert found[0] == "assay train trainer.max_steps=120"


def test_too_sure(tmp_path):
    rows = [(i, "a", "a" if i % 2 else "b", "0.99", "1") for i in range(200)]
    found = advised(tmp_path, rows=rows, names="ab", best_epoch=4, **GOOD)
    assert any("loss.label_smoothing=0.1" in command for command in found)


def test_failures(tmp_path):
    reason = "the loss is not finite: step 2: the output of head"
    found = advised(tmp_path / "a", status="failed", reason=reason, overrides=("model=mlp", "optim.lr=50"))
    assert found[:2] == ["assay train model=mlp optim.lr=5", "assay train model=mlp optim.lr=50 clip=norm"]
    found = advised(tmp_path / "b", status="failed", reason="out of memory on cpu with data.batch_size=32: try")
    assert "data.batch_size=16 accumulate=2" in found[0]


@pytest.mark.parametrize("status", [None, "stopped", "interrupted"])
def test_what_was_cut_short_goes_on(tmp_path, status):
    folder = run_folders.make(tmp_path, status=status)
    (folder / "checkpoints").mkdir()
    (folder / "checkpoints" / "last.ckpt").touch()
    found, _ = advise(read(folder), {})
    assert found[0].words[0] == "resume"
    assert [one.words for one in found[1:]] == [("train", "model=lstm", "logger=none")]


def test_a_rehearsal_leads_to_the_run(tmp_path):
    assert advised(tmp_path, overrides=("model=mlp", "debug=fast"), best_epoch=0, **GOOD) == ["assay train model=mlp"]


def test_a_command_that_is_refused_now_is_not_checked_against(tmp_path, monkeypatch):
    (tmp_path / "rows.csv").write_text("x,y\n" + "".join(f"{i},{'ab'[i % 2]}\n" for i in range(40)))
    overrides = ("data=tabular_csv", f"data.path='{tmp_path}/rows.csv'", "data.label=y", "logger=none")
    folder = run_folders.make(tmp_path / "run", overrides=overrides, best_epoch=5, **GOOD)
    (tmp_path / "rows.csv").unlink()
    found, note = advise(read(folder), {})
    assert note is not None
    assert "rows.csv" in note
    assert any("trainer.max_epochs=60" in one.command for one in found)


def test_names_with_spaces_and_quotes_come_through_the_shell(tmp_path):
    path = tmp_path / 'my "odd", file\'s.csv'
    path.write_text("a text,y\n" + "".join(f"word{i},{'ab'[i % 2]}\n" for i in range(40)))
    from assay.preflight import compose

    point = compose(["data=text_csv", "model=bag", f"data.path={path}", "data.text=a text", "data.label=y"])
    found = advised(tmp_path / "run", overrides=point.overrides, best_epoch=5, **GOOD)
    assert check(shlex.split(found[0])[2:])[0].config["data"]["path"] == str(path)

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from assay.contracts import DataSpec, Field
from assay.data.difficulty import kept, table
from assay.data.difficulty.custom import Custom
from assay.data.difficulty.length import ByLength
from assay.data.difficulty.loss import ByLoss
from assay.data.difficulty.runs import check
from assay.data.digits import Digits
from assay.data.examples import Dense, Examples, Ragged
from assay.errors import ConfigError
from assay.predict import load


def test_length_counts_tokens():
    column = Ragged.join([[2, 3], [4], [2, 2, 5, 5]], 0)
    dataset = SimpleNamespace(spec=DataSpec({"source": Field("ids", (None,), size=6, padding_id=0)}))
    found = ByLength().difficulty(Examples({"source": column}, torch.tensor([2, 0])), dataset)  # ty: ignore
    assert found.tolist() == [4.0, 2.0]


def write(path, *rows: str):
    path.write_text("\n".join(["id,difficulty,other", *rows]) + "\n")
    return path


def test_a_table_gives_the_difficulty_of_each_training_example(tmp_path):
    path = write(tmp_path / "hard.csv", "7,0.5,x", "0,-1e3,y", "3,2,z")
    examples = Examples({"label": Dense(torch.zeros(9))}, torch.tensor([3, 7]))
    assert Custom(str(path)).difficulty(examples, None).tolist() == [2.0, 0.5]  # ty: ignore
    assert table.check({"path": str(path)}) == set()
    every = Examples(examples.columns, torch.arange(8))
    with pytest.raises(ConfigError, match="has no difficulty of 5 of the 8 training examples, the first of them id 1"):
        Custom(str(path)).difficulty(every, None)  # ty: ignore


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (["0,1,", "x,2,"], "line 3: the id 'x' is no number of an example"),
        (["-1,1,"], "line 2: the id '-1' is no number"),
        (["0,1,", "1,easy,"], "line 3: the difficulty 'easy' is no number"),
        (["0,nan,"], "line 2: the difficulty 'nan' is no number"),
        (["0,1,", "0,2,"], "line 3: the id 0 stands there twice"),
    ],
)
def test_a_bad_row_is_named_by_its_line(tmp_path, rows, said):
    with pytest.raises(ConfigError, match=said):
        table.check({"path": str(write(tmp_path / "hard.csv", *rows))})


def test_columns_are_named(tmp_path):
    (tmp_path / "hard.csv").write_text("number,difficulty\n0,1\n")
    with pytest.raises(ConfigError, match="has no column 'id'"):
        table.check({"path": str(tmp_path / "hard.csv")})


def test_what_is_kept_comes_back_exactly(tmp_path):
    examples = Examples({"label": Dense(torch.zeros(9))}, torch.tensor([3, 7, 1]))
    difficulty = torch.tensor([1 / 3, float("inf"), -1e-300], dtype=torch.float64)
    kept.write(tmp_path, examples, difficulty)
    assert torch.equal(kept.read(tmp_path, examples), difficulty)
    for text in ("id,difficulty\n3,1\n", "what\n"):
        (tmp_path / kept.NAME).write_text(text)
        with pytest.raises(ConfigError, match=r"the difficulties that this run began with, cannot be read .*rerun"):
            kept.read(tmp_path, examples)


def test_a_run_finds_hard_what_it_answers_wrong(digits_run):
    dataset = Digits()
    dataset.setup()
    train = dataset.splits["train"]
    found = ByLoss(str(digits_run.folder)).difficulty(train, dataset)
    artifact = load(digits_run.folder).artifact
    batch = train.gather(torch.arange(len(train)))
    with torch.inference_mode():
        expected = torch.nn.functional.cross_entropy(artifact.network(batch).logits, batch["label"], reduction="none")
    assert torch.allclose(found, expected.double(), atol=1e-5)


def test_a_run_of_other_data_is_refused(digits_run, tmp_path):
    dataset = Digits()
    dataset.setup()
    teacher = ByLoss(str(digits_run.folder))
    dataset.digest = "other"
    with pytest.raises(ConfigError, match=r"curriculum.run=.* was trained on other data; name a run of the same data"):
        teacher.difficulty(dataset.splits["train"], dataset)
    with pytest.raises(ConfigError, match="is not a run folder"):
        check({"run": str(tmp_path / "nothing")})
    assert check({"run": str(digits_run.folder)}) == set()

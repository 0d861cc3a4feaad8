"""Groups: what is merged against connected components, what is cut against what must hold of any cut."""

from __future__ import annotations

import random
from functools import partial

import numpy as np
import pytest
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from assay.data.delimited import read_table
from assay.data.groups import grouped, merged
from assay.data.preprocessing.impute import Mean
from assay.data.preprocessing.scaling import Standard
from assay.data.tabular_csv import TabularCSV
from assay.data.text_csv import TextCSV
from assay.data.tokenizers.word import Word
from assay.errors import ConfigError
from assay.preflight import compose


def test_merged_groups_are_connected_components():
    generator = random.Random(0)
    for _ in range(20):
        count = generator.randint(1, 60)
        a, b = ([generator.randint(0, 25) for _ in range(count)] for _ in range(2))
        found = merged(a, b)
        edges = coo_matrix((np.ones(count), (a, np.array(b) + 100)), shape=(200, 200))
        labels = connected_components(edges, directed=False)[1][a]
        assert all((found[i] == found[j]) == (labels[i] == labels[j]) for i in range(count) for j in range(count))
        assert found[0] == 0
        assert set(found) == set(range(max(found) + 1))


def test_groups_stay_whole_and_shares_are_right():
    generator = random.Random(1)
    groups = [group for group in range(150) for _ in range(generator.randint(1, 12))]
    strata = [int(generator.random() < (0.2 if group % 2 else 0.6)) for group in groups]
    parts = grouped(strata, groups, 0, {"val": 0.1, "test": 0.2})
    assert sorted(n for part in parts.values() for n in part.tolist()) == list(range(len(groups)))
    held = {name: {groups[n] for n in part.tolist()} for name, part in parts.items()}
    assert not held["train"] & held["val"] | held["train"] & held["test"] | held["val"] & held["test"]
    share = sum(strata) / len(strata)
    for name, fraction in (("val", 0.1), ("test", 0.2)):
        assert len(parts[name]) == pytest.approx(fraction * len(groups), rel=0.05)
        assert sum(strata[n] for n in parts[name].tolist()) / len(parts[name]) == pytest.approx(share, abs=0.02)
    again, other = (grouped(strata, groups, seed, {"val": 0.1, "test": 0.2}) for seed in (0, 1))
    assert all(parts[name].tolist() == again[name].tolist() for name in parts)
    assert parts["test"].tolist() != other["test"].tolist()


def test_few_large_groups_each_find_a_split():
    groups = [0] * 40 + [1] * 30 + [2] * 30
    parts = grouped([0] * 100, groups, 0, {"val": 0.1, "test": 0.1})
    assert sorted(len(part) for part in parts.values()) == [30, 30, 40]
    assert len(parts["train"]) == 40  # the nearest to a tenth is the smallest
    with pytest.raises(ConfigError, match=r"data\.groups gives 2 groups; 3 are the least, one for each split"):
        grouped([0] * 70, groups[:70], 0, {"val": 0.1, "test": 0.1})


def write(path, count=120):
    rows = [f"note {n},{n * 1.5},{('yes', 'no')[n % 2]},patient {n % 15}" for n in range(count)]
    path.write_text("note,dose,well,who\n" + "\n".join(rows) + "\n")
    return str(path)


def held(dataset) -> list[set[int]]:
    dataset.setup()
    return [{number % 15 for number in part.index.tolist()} for part in dataset.splits.values()]


def test_a_users_groups_never_straddle_splits_or_folds(tmp_path):
    path = write(tmp_path / "a.csv")
    tables = partial(TabularCSV, path, "well", Standard(), Mean(), categories=["note"])
    texts = partial(TextCSV, path, "note", "well", Word())
    for make in (tables, texts):
        whole = make(groups="who")
        found = held(whole)
        assert sum(map(len, found)) == 15
        assert "15 groups, each whole in one split" in whole.notes
        tested = [held(make(groups="who", fold=fold, folds=5))[2] for fold in range(5)]
        assert sum(map(len, tested)) == 15
        assert set().union(*tested) == set(range(15))
        assert sum(map(len, held(make()))) > 15  # without, they do
    made = tables(groups="who")
    made.setup()
    assert made.spec.source.names == ("note", "dose")  # the group is no input, unless data.features names it
    made = tables(groups="who", features=["dose", "who"], categories=["who"])
    made.setup()
    assert made.spec.source.names == ("dose", "who")


def test_groups_that_will_not_do(tmp_path):
    path = write(tmp_path / "a.csv")
    text, table = (f"data={name}_csv" for name in ("text", "tabular"))
    words = {text: ["data.text=note", "data.label=well"], table: ["data.label=well"]}
    for words_of, also, line in (
        (text, ["data.groups=whom"], "has no column 'whom'; did you mean data.groups=who?"),
        (table, ["data.groups=whom"], "has no column 'whom'; did you mean data.groups=who?"),
        (text, ["data.groups=note"], "data.groups=note is also data.text"),
        (table, ["data.groups=well"], "data.groups=well is also data.label"),
        (table, ["data.groups=who", "data.folds=20"], "data.groups=who gives 15 groups; data.folds=20 needs 20"),
        (table, ["data.target=labels"], "needs several columns of 0 and 1, data.label=[a,b]; data.label=well is one"),
    ):
        with pytest.raises(ConfigError) as refusal:
            compose((words_of, f"data.path={path}", *words[words_of], *also))
        assert line in str(refusal.value)
    (tmp_path / "b.csv").write_text("note,well,who\n" + "a,yes,x\nb,no,\n" * 9)
    with pytest.raises(ConfigError, match="line 3: the group in column who is empty; fill it in"):
        read_table(str(tmp_path / "b.csv"), "well", groups="who")


def test_groups_of_files_are_compared(tmp_path):
    train, test = write(tmp_path / "a.csv"), write(tmp_path / "b.csv", 4)
    made = TextCSV(train, "note", "well", Word(), test_path=test, groups="who")
    made.setup()
    assert "4 groups of the test file are in the training file too" in made.notes

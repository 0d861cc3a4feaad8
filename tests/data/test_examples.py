from __future__ import annotations

import torch

from assay.data.examples import Dense, Examples, Files, Pixels, Ragged


def test_ragged_gather_equals_padding_by_hand():
    rows = [[3, 4, 5], [7], [2, 2], [9, 8, 7, 6]]
    column = Ragged.join(rows, padding_id=0)
    for chosen in ([0, 1], [1], [3, 0, 2, 1], [2, 2]):
        longest = max(len(rows[i]) for i in chosen)
        expected = [rows[i] + [0] * (longest - len(rows[i])) for i in chosen]
        assert column.gather(torch.tensor(chosen)).tolist() == expected


def test_ragged_pads_with_its_own_id_and_keeps_one_step_for_empty_rows():
    column = Ragged.join([[], [1, 2], []], padding_id=5)
    assert column.gather(torch.tensor([0, 1])).tolist() == [[5, 5], [1, 2]]
    assert column.gather(torch.tensor([0, 2])).tolist() == [[5], [5]]
    assert Ragged.join([[], []], 5).gather(torch.tensor([1, 0])).tolist() == [[5], [5]]


def test_pixels_and_files_give_the_same_values():
    images = torch.randint(0, 256, (5, 1, 4, 4), dtype=torch.uint8)
    files = Files([str(number) for number in range(5)], lambda path: images[int(path)])
    positions = torch.tensor([4, 0, 2])
    expected = images[positions].numpy().astype("float32") / 255
    assert torch.equal(Pixels(images).gather(positions), torch.from_numpy(expected))
    assert torch.equal(files.gather(positions), torch.from_numpy(expected))


def test_index_is_the_number_in_the_data_set_through_every_selection():
    columns = {"source": Dense(torch.arange(10.0)), "label": Dense(torch.arange(10) * 2)}
    examples = Examples(columns, torch.tensor([9, 3, 5, 1]))
    fold = examples.select(torch.tensor([2, 0]))
    batch = fold.gather(torch.tensor([1, 0]))
    assert batch["index"].tolist() == [9, 5]
    assert batch["source"].tolist() == [9.0, 5.0]
    assert fold.column("label").tolist() == [10, 18]
    assert len(fold) == 2
    assert examples.gather(torch.tensor([], dtype=torch.int64))["index"].tolist() == []


def test_a_few_of_sorted_examples_are_of_every_class():
    """Ten or a tenth of a set that lists one class after the other: not those of the first class."""
    label = torch.arange(300) // 100
    examples = Examples({"label": Dense(label)}, torch.arange(300))
    few = examples.few(30)
    assert len(set(few.index.tolist())) == 30
    assert few.index.tolist() == sorted(few.index.tolist())
    assert torch.bincount(few.column("label")).min() >= 5
    assert set(examples.few(10).column("label").tolist()) == {0, 1, 2}
    assert torch.equal(few.index, examples.few(30).index)
    assert torch.equal(examples.few(1000).index, examples.index)


def test_weights_stand_beside_the_examples_they_are_of():
    columns = {"source": Dense(torch.arange(6.0))}
    train, rest = Examples(columns, torch.tensor([4, 1, 2])), Examples(columns, torch.tensor([0, 3]))
    weighed = train.weighed(torch.tensor([0.5, 2.0, 1.0]))
    assert weighed.gather(torch.tensor([1, 0, 1]))["weight"].tolist() == [2.0, 0.5, 2.0]
    assert weighed.select(torch.tensor([2])).column("weight").tolist() == [1.0]
    assert weighed.column("source").tolist() == train.column("source").tolist()
    assert "weight" not in train.columns
    assert "weight" not in rest.gather(torch.tensor([0]))

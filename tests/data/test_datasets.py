"""The battery: what holds for every option of conf/data, found by listing the folder."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path

import pytest
import torch
import yaml
from PIL import Image

from assay.data.adding import Adding
from assay.data.char_contains import CharContains
from assay.data.char_position import CharPosition
from assay.data.corpus import Corpus
from assay.data.dataset import DataSet
from assay.data.digits import Digits
from assay.data.image_folder import ImageFolder
from assay.data.preprocessing import from_json
from assay.data.preprocessing.impute import Mean
from assay.data.preprocessing.scaling import Standard
from assay.data.tabular_csv import TabularCSV
from assay.data.tagged_file import tagged_file
from assay.data.text_csv import TextCSV
from assay.data.tokenizers.char import Char
from assay.data.tokenizers.word import Word
from assay.preflight import compose
from assay.targets import build
from tests import covers
from tests.conftest import ROOT

Make = Callable[..., DataSet]


def write_texts(path: Path, count: int = 60) -> str:
    rows = [f'"text {n}, word{n % 7}";{("good", "bad", "so-so")[n % 3]}' for n in range(count)]
    path.write_text("review;stars\n" + "\n".join(rows) + "\n")
    return str(path)


def write_table(path: Path, count: int = 60) -> str:
    rows = [f"{n / 3},{'?' if n % 11 == 0 else n * n},{('a', 'b', '')[n % 3]},{n * 1.5}" for n in range(count)]
    path.write_text("x,y,kind,price\n" + "\n".join(rows) + "\n")
    return str(path)


def write_images(path: Path, count: int = 20) -> str:
    generator = torch.Generator().manual_seed(0)
    for number in range(count):
        folder = path / ("cat" if number % 2 else "dog")
        folder.mkdir(parents=True, exist_ok=True)
        pixels = torch.randint(0, 200, (9, 7), generator=generator, dtype=torch.uint8)
        Image.fromarray(pixels.numpy()).save(folder / f"{number} a,b=c.png")
    return str(path)


def write_sentences(path: Path, count: int = 60) -> str:
    sentences = [f"to P O\ncity{n % 9} N B-place\nnorth{n} N I-place\n" for n in range(count)]
    path.write_text("\n".join(sentences))
    return str(path)


def write_corpus(path: Path, count: int = 200) -> str:
    path.write_text("".join(f"some line {n} of text, with word{n % 9}\n" for n in range(count)))
    return str(path)


@cache  # reading one may take a second
def published(name: str, **keys: int) -> DataSet:
    words = [f"data.{key}={value}" for key, value in keys.items()]
    return build(compose((f"data={name}", *words, *covers.DOWNLOADS)).config["data"])


@pytest.fixture(params=sorted(path.stem for path in (ROOT / "conf" / "data").glob("*.yaml")))
def make(request, tmp_path) -> Make:
    texts, table, images = tmp_path / "my 'texts', a=b.csv", tmp_path / "table.csv", tmp_path / "images"
    sentences = tmp_path / "my sentences, a=b.conll"
    makers: dict[str, Make] = {
        "digits": Digits,
        "adding": partial(Adding, length=8, examples=200),
        "char_contains": lambda **keys: CharContains(Char(), examples=200, **keys),
        "char_position": lambda **keys: CharPosition(Char(), examples=220, **keys),
        "text_csv": lambda **keys: TextCSV(write_texts(texts), "review", "stars", Word(), **keys),
        "tabular_csv": lambda **keys: TabularCSV(write_table(table), "price", Standard(), Mean(), **keys),
        "tagged_file": lambda **keys: tagged_file(write_sentences(sentences), features=["pos:2"], **keys),
        "corpus": lambda **keys: Corpus(write_corpus(tmp_path / "my text, a=b.txt"), Word(), length=8, **keys),
        "image_folder": lambda **keys: ImageFolder(write_images(images), size=5, channels=1, **keys),
    }
    if request.param not in makers:
        if not covers.at_hand(request.param):
            pytest.skip(f"the files are not at hand (ASSAY_DATA or ../shared/data): assay data {request.param}")
        return partial(published, request.param)
    return makers[request.param]


def ready(make: Make, **keys) -> DataSet:
    dataset = make(**keys)
    dataset.setup()
    return dataset


def test_yaml_keys_are_the_constructor_arguments_in_order(make, request):
    import inspect

    name = request.node.callspec.params["make"]
    config = yaml.safe_load((ROOT / "conf" / "data" / f"{name}.yaml").read_text())
    module = __import__(config["_target_"].rpartition(".")[0], fromlist=["x"])
    parameters = inspect.signature(getattr(module, config["_target_"].rpartition(".")[2])).parameters
    assert [key for key in config if key not in ("defaults", "_target_")] == list(parameters)
    for key, parameter in parameters.items():
        if parameter.default is not inspect.Parameter.empty and not str(config[key]).startswith("${"):
            expected = list(parameter.default) if isinstance(parameter.default, tuple) else parameter.default
            assert type(expected)(config[key]) == expected if isinstance(expected, float) else config[key] == expected


def test_what_a_data_set_offers(make):
    dataset = ready(make)
    again = dataset.splits
    dataset.setup()
    assert dataset.splits is again  # idempotent
    seen: list[int] = []
    for name, examples in dataset.splits.items():
        assert name in ("train", "val", "test")
        assert len(examples) > 0
        seen.extend(examples.index.tolist())
    assert len(seen) == len(set(seen))  # disjoint
    batch = dataset.splits["val"].gather(torch.arange(2))
    source, label = dataset.spec.source, dataset.spec.label
    assert len(source.shape) == batch["source"].dim() - 1
    assert all(size in (None, actual) for size, actual in zip(source.shape, batch["source"].shape[1:], strict=True))
    assert batch["index"].tolist() == dataset.splits["val"].index[:2].tolist()
    if source.kind == "ids":
        assert batch["source"].dtype == torch.int64
        assert source.padding_id == 0
        assert source.size == len(source.names)
    else:
        assert batch["source"].dtype == torch.float32
    if source.kind == "image":
        assert 0 <= batch["source"].min() <= batch["source"].max() <= 1
    if label.kind == "class":
        assert batch["label"].dtype == torch.int64
        assert label.size == len(label.names) == len(set(dataset.splits["train"].column("label").tolist()))
    elif label.kind in ("tags", "tokens"):
        assert batch["label"].dtype == torch.int64
        assert batch["label"].shape == batch["source"].shape
        assert label.padding_id == -1
        assert label.size == len(label.names)
    else:
        assert batch["label"].dtype == torch.float32
    assert len(dataset.digest) == 64
    assert dataset.licence
    assert dataset.source_name
    assert isinstance(dataset.batch_size, int)
    assert all("\n" not in note for note in dataset.notes)


def test_the_same_seed_gives_the_same_data_and_another_moves_the_split(make, request):
    first, again = ready(make), ready(make)
    assert first.digest == again.digest
    for name in first.splits:
        a, b = (dataset.splits[name].gather(torch.arange(2)) for dataset in (first, again))
        assert torch.equal(first.splits[name].index, again.splits[name].index)
        assert all(torch.equal(a[field], b[field]) for field in a)
    if "split_seed" not in (ROOT / "conf" / "data" / f"{request.node.callspec.params['make']}.yaml").read_text():
        return  # every split is published
    other = ready(make, split_seed=1)
    moved = any(not torch.equal(first.splits[name].index, other.splits[name].index) for name in first.splits)
    assert moved or first.digest != other.digest


def test_folds_test_every_training_example_once(make, request):
    """Those of the splits without folds, less a test or validation split that was published."""
    if "folds:" not in (ROOT / "conf" / "data" / f"{request.node.callspec.params['make']}.yaml").read_text():
        return  # of running text, which is cut at its end
    tested: list[int] = []
    for fold in (0, 1):
        dataset = ready(make, fold=fold, folds=2)
        held = {split: set(examples.index.tolist()) for split, examples in dataset.splits.items()}
        assert not held["train"] & held["val"] | held["train"] & held["test"] | held["val"] & held["test"]
        everything = set().union(*held.values())
        assert len(held["val"]) == pytest.approx(0.1 * (len(everything) - len(held["test"])), abs=2)
        tested.extend(dataset.splits["test"].index.tolist())
        assert any(note == f"fold {fold} of 2 is the test split" for note in dataset.notes)
    assert len(tested) == len(set(tested))
    assert set(tested) == everything
    assert everything >= set(ready(make).splits["train"].index.tolist())


def test_preprocessing_is_whole_in_its_json(make):
    dataset = ready(make)
    plain = json.loads(json.dumps(dataset.preprocessing.to_json()))
    assert from_json(plain).to_json() == dataset.preprocessing.to_json()
    example = dataset.splits["train"].gather(torch.arange(1))["source"][0]
    assert from_json(plain).show(example) == dataset.preprocessing.show(example)


def test_prediction_reads_the_training_tensors_from_the_users_files(tmp_path):
    sentences = write_sentences(tmp_path / "a b.conll")
    texts, table, images = (
        write_texts(tmp_path / "a b.csv"),
        write_table(tmp_path / "t.csv"),
        write_images(tmp_path / "images"),
    )
    for dataset, given in (
        (TextCSV(texts, "review", "stars", Word()), [texts]),
        (TabularCSV(table, "price", Standard(), Mean()), [table]),
        (ImageFolder(images, size=5, channels=1), [images]),
        (ImageFolder(images, size=5, channels=3), [images]),
        (tagged_file(sentences, features=["pos:2"]), [sentences]),
    ):
        dataset.setup()
        loaded = from_json(json.loads(json.dumps(dataset.preprocessing.to_json())))
        _, raws = loaded.read(given)
        if isinstance(dataset, ImageFolder):  # a folder is read by name: cats first, as the classes are
            assert len(raws) == 20
        columns = loaded(raws)
        assert columns.keys() == {"source", *dataset.spec.inputs}
        for examples in dataset.splits.values():
            expected = examples.gather(torch.arange(len(examples)))
            for name, column in columns.items():
                assert torch.equal(column.gather(expected["index"]), expected[name])
        assert loaded.notes == []


def test_a_picture_of_every_digit_is_read_as_in_training(tmp_path):
    dataset = ready(Digits)
    examples = dataset.splits["test"].gather(torch.arange(20))
    loaded = from_json(json.loads(json.dumps(dataset.preprocessing.to_json())))
    for position, value in enumerate(examples["source"]):
        pixels = (value[0] * 255).round().to(torch.uint8)
        Image.fromarray(pixels.repeat_interleave(30, 0).repeat_interleave(30, 1).numpy()).save(
            tmp_path / f"{position:02d}.png"
        )
    _, raws = loaded.read([str(tmp_path)])
    x = loaded(raws)["source"].gather(torch.arange(20))
    assert (x - examples["source"]).abs().max() <= 0.5 / 255 + 1e-6


def test_what_is_fitted_sees_the_training_split_only(tmp_path):
    path = write_texts(tmp_path / "a.csv")
    lines = Path(path).read_text().splitlines()
    first = ready(TextCSV, path=path, text="review", label="stars", tokenizer=Word())
    held = first.splits["val"].index.tolist() + first.splits["test"].index.tolist()
    for number in held:  # nothing in these rows may enter the vocabulary
        lines[number + 1] = lines[number + 1].replace("text", f"secret{number}")
    Path(path).write_text("\n".join(lines) + "\n")
    second = ready(TextCSV, path=path, text="review", label="stars", tokenizer=Word())
    assert torch.equal(first.splits["test"].index, second.splits["test"].index)
    assert not any(token.startswith("secret") for token in second.spec.source.names)
    assert second.spec.source.names == first.spec.source.names

    table = write_table(tmp_path / "t.csv")
    keys = {"path": table, "label": "price", "features": ["x", "kind"]}
    first = ready(TabularCSV, **keys, scaling=Standard(), impute=Mean())
    rows = Path(table).read_text().splitlines()
    for number in first.splits["val"].index.tolist() + first.splits["test"].index.tolist():
        cells = rows[number + 1].split(",")
        rows[number + 1] = ",".join([f"{number + 1}e9", cells[1], "never", cells[3]])
    Path(table).write_text("\n".join(rows) + "\n")
    second = ready(TabularCSV, **keys, scaling=Standard(), impute=Mean())
    assert second.preprocessing.to_json() == first.preprocessing.to_json()


def test_given_files_are_their_splits(tmp_path):
    train, test = write_texts(tmp_path / "train.csv"), write_texts(tmp_path / "test.csv", 9)
    dataset = ready(TextCSV, path=train, text="review", label="stars", tokenizer=Word(), test_path=test)
    assert dataset.splits["test"].index.tolist() == list(range(60, 69))
    assert len(dataset.splits["train"]) == 54
    assert len(dataset.splits["val"]) == 6
    assert "9 of 9 test examples are copies of training examples" in dataset.notes


def test_copies_of_a_row_stay_in_one_split(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("t,l\n" + "".join(f"text {n % 30},{n % 2}\n" for n in range(120)))
    dataset = ready(TextCSV, path=str(path), text="t", label="l", tokenizer=Word())
    held = [{number % 30 for number in examples.index.tolist()} for examples in dataset.splits.values()]
    assert sum(map(len, held)) == 30
    assert "90 examples are copies of another; copies stay in one split" in dataset.notes


def test_larger_image_sets_are_read_by_workers_with_the_same_values(tmp_path):
    path = write_images(tmp_path / "images")
    held, lazy = (ready(ImageFolder, path=path, size=5, channels=1, memory=memory) for memory in (2e9, 10))
    assert not held.splits["train"].lazy
    assert lazy.splits["train"].lazy
    a, b = (dataset.splits["train"].gather(torch.arange(8)) for dataset in (held, lazy))
    assert all(torch.equal(a[name], b[name]) for name in a)
    assert held.digest == lazy.digest
    assert lazy.preprocessing.to_json() == held.preprocessing.to_json()


def test_generated_answers_are_right_and_balanced():
    dataset = ready(CharContains, tokenizer=Char(), character="q", examples=1000)
    for examples in dataset.splits.values():
        batch = examples.gather(torch.arange(len(examples)))
        held = [("q" in dataset.preprocessing.show(ids)) for ids in batch["source"]]
        assert held == batch["label"].bool().tolist()
        assert abs(sum(held) * 2 - len(held)) <= 1
        lengths = (batch["source"] != 0).sum(1)
        assert lengths.min() >= 3
        assert lengths.max() <= 20
    dataset = ready(CharPosition, tokenizer=Char(), character="z", length=4, examples=500)
    texts = set()
    for examples in dataset.splits.values():
        batch = examples.gather(torch.arange(len(examples)))
        for ids, answer in zip(batch["source"], batch["label"].tolist(), strict=True):
            text = dataset.preprocessing.show(ids)
            texts.add(text)
            assert len(text) == 4
            assert text.count("z") == (answer < 4)
            assert text.find("z") == (answer if answer < 4 else -1)
        counts = batch["label"].bincount(minlength=5)
        assert counts.max() - counts.min() <= 2
    assert len(texts) == 500

"""What holds for every augmentation of conf/, found by listing it."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from assay.data.augment.chain import Chain
from assay.data.examples import Examples, Ragged
from assay.errors import ConfigError
from assay.preflight import compose
from assay.targets import accepted, build
from tests.data.augment.pictures import batch_of_images, batch_of_texts, images, texts
from tests.options import CONF, node, options

NAMES = options("augment")


def reads_text(name):
    return "# needs: ids" in (CONF / "augment" / f"{name}.yaml").read_text(encoding="utf-8")


def made(name, seed=0):
    return built(name, texts() if reads_text(name) else images(), seed)


def built(name, spec, seed=0):
    make = build(node("augment", name)[name])
    once = Examples({"source": Ragged.join([list(range(2, 30))], 0)}, torch.arange(1))  # every word, once
    return make(spec, seed, **accepted(make, splits={"train": once}))


def batch_for(name, count=24):
    if reads_text(name):
        return batch_of_texts([1 + 5 * i % 23 for i in range(count)])
    return batch_of_images(count)


def rows_of(batch, rows):
    return {key: value[rows] for key, value in batch.items()}


@pytest.mark.parametrize("name", NAMES)
def test_a_batch_changes_as_its_key_says(name):
    """The same key twice, the same bits; another seed or epoch, another batch. Nothing is drawn from torch."""
    given = batch_for(name)
    before = {key: value.clone() for key, value in given.items()}
    state = torch.get_rng_state()
    first = made(name)(given, 3)
    again = made(name)(given, 3)
    assert first.keys() == given.keys()
    assert all(torch.equal(first[key], again[key]) for key in first)
    assert all(torch.equal(given[key], before[key]) for key in given)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(first["index"], given["index"])
    assert first["source"].dtype == given["source"].dtype
    for other in (given, made(name)(given, 4), made(name, seed=1)(given, 3)):
        assert other["source"].shape != first["source"].shape or not torch.equal(other["source"], first["source"])


@pytest.mark.parametrize("name", NAMES)
def test_an_example_changes_alike_whatever_else_is_in_its_batch(name):
    augment, given = made(name), batch_for(name)
    if getattr(augment, "mixes", False):
        return  # its partners are of the batch; what is its own has a test of its own
    whole = augment(given, 2)
    order = torch.randperm(24, generator=torch.Generator().manual_seed(0))
    turned = augment(rows_of(given, order), 2)
    assert torch.equal(turned["source"], whole["source"][order])
    alone = augment(rows_of(given, slice(7, 8)), 2)
    assert torch.equal(alone["source"], whole["source"][7:8])


@pytest.mark.parametrize("name", [name for name in NAMES if reads_text(name)])
def test_more_padding_changes_nothing_else(name):
    augment, given = made(name), batch_for(name)
    padded = {**given, "source": torch.nn.functional.pad(given["source"], (0, 9))}
    short, long = augment(given, 1)["source"], augment(padded, 1)["source"]
    width = short.shape[1]
    assert torch.equal(long[:, :width], short)
    assert (long[:, width:] == 0).all()


@pytest.mark.parametrize("name", [name for name in NAMES if reads_text(name)])
def test_texts_stay_texts(name):
    """Over many epochs: padding at the end only, never empty, no token that was not there but the unknown one."""
    augment, given = made(name), batch_for(name)
    for epoch in range(30):
        changed = augment(given, epoch)["source"]
        valid = changed != 0
        assert (valid.long().diff(dim=1) <= 0).all()
        assert valid[:, 0].all()
        for row, old in zip(changed, given["source"], strict=True):
            assert set(row.tolist()) <= {0, 1, *old.tolist()}


@pytest.mark.parametrize("name", [name for name in NAMES if not reads_text(name)])
@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 5, 12), (1, 1, 1), (3, 2, 1)])
def test_images_keep_their_shape_and_range(name, shape):
    augment, given = made(name), batch_of_images(8, *shape)
    for epoch in range(5):
        changed = augment(given, epoch)["source"]
        assert changed.shape == given["source"].shape
        assert changed.isfinite().all()
        assert changed.min() >= -1e-6
        assert changed.max() <= 1 + 1e-6


@pytest.mark.parametrize("name", NAMES)
def test_other_kinds_are_refused_before_torch_and_when_it_is_made(name):
    data = "data=digits" if reads_text(name) else "data=char_contains"
    with pytest.raises(ConfigError, match=f"augment={name} (changes|mixes|cuts).*: (for|use) "):
        compose([f"augment={name}", data])
    with pytest.raises(ConfigError, match=f"augment={name} .* use augment="):
        built(name, images() if reads_text(name) else texts())
    with pytest.raises(ConfigError, match=f"augment={name} "):
        compose([f"augment={name}", "data=iris"])


@pytest.mark.parametrize("name", ["word_dropout", "eda", "swap"])
def test_what_would_change_the_answer_is_refused(name):
    with pytest.raises(ConfigError, match=f"augment={name} (may move|moves) the character whose position is the label"):
        compose([f"augment={name}", "data=char_position"])
    if name == "swap":
        assert compose([f"augment={name}", "data=char_contains"])
    else:
        with pytest.raises(ConfigError, match=f"augment={name} may .* the character whose presence is the label"):
            compose([f"augment={name}", "data=char_contains"])


def test_all_of_a_kind_go_together():
    pictures = [name for name in NAMES if not reads_text(name)]
    chain = Chain([made(name) for name in pictures])
    changed = chain(batch_of_images(12), 0)
    torch.testing.assert_close(changed["label"].sum(1), torch.ones(12))
    words = Chain([made(name) for name in NAMES if reads_text(name)])
    assert words(batch_of_texts(), 0)["source"].shape[0] == 6


def test_files_that_are_decoded_when_asked_for_change_like_pictures_in_memory(tmp_path):
    from PIL import Image

    from assay.data.image_folder import ImageFolder

    generator = np.random.default_rng(0)
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        for i in range(12):
            pixels = generator.integers(0, 255, (9, 7, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / name / f"{i}.png")
    held, lazy = ImageFolder(str(tmp_path), size=8), ImageFolder(str(tmp_path), size=8, memory=1)
    held.setup()
    lazy.setup()
    assert lazy.splits["train"].lazy
    assert not held.splits["train"].lazy
    names = [name for name in NAMES if not reads_text(name)]
    chain = Chain([build(node("augment", name)[name], lazy.spec, 0) for name in names])
    rows = torch.arange(10)
    first, second = chain(lazy.splits["train"].gather(rows), 2), chain(held.splits["train"].gather(rows), 2)
    assert all(torch.equal(first[key], second[key]) for key in second)
    assert not torch.equal(first["source"], held.splits["train"].gather(rows)["source"])

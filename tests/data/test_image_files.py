from __future__ import annotations

import pytest
from PIL import Image

from assay.data.image_files import check, image_kind, read_folder
from assay.errors import ConfigError


def picture(path, shade=0, kind=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (4, 4), shade).save(path, kind)
    return path


def refusal_of(path, **others) -> str:
    with pytest.raises(ConfigError) as refusal:
        check({"path": str(path), **others})
    assert "\n" not in str(refusal.value)
    return str(refusal.value)


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "my, pictures = [1]"
    for name in ("cat", "dog's"):
        for number in range(3):
            picture(root / name / f"{number} a.png")
    return root


def test_one_folder_per_class(folder):
    (folder / "cat" / ".DS_Store").write_bytes(b"x")
    (folder / "cat" / "Thumbs.db").write_bytes(b"x")
    picture(folder / "cat" / "more" / "9.png")
    found = read_folder(str(folder))
    assert found.classes == ("cat", "dog's")
    assert [number for _, number in found.files["train"]] == [0] * 4 + [1] * 3
    assert check({"path": str(folder), "channels": 3}) == {"color"}
    assert check({"path": str(folder), "channels": 1}) == set()


def test_folders_of_splits(tmp_path):
    for split in ("train", "valid", "test"):
        for name in ("a", "b"):
            picture(tmp_path / split / name / "0.png")
    (tmp_path / "extra").mkdir()
    found = read_folder(str(tmp_path))
    assert {split: len(files) for split, files in found.files.items()} == {"train": 2, "val": 2, "test": 2}
    assert "extra is not read" in found.notes[0]
    other = tmp_path / "other"
    picture(other / "a" / "1.png")
    assert read_folder(str(tmp_path), test_path=str(other)).files["test"] == [(str(other / "a" / "1.png"), 0)]


def test_folders_that_are_refused(folder, tmp_path):
    assert "is not there" in refusal_of(tmp_path / "nothing")
    assert "is a file, not a folder" in refusal_of(folder / "cat" / "0 a.png")
    assert "holds no class folders" in refusal_of(folder / "cat")
    picture(tmp_path / "one" / "only" / "0.png")
    assert "holds one class folder, only" in refusal_of(tmp_path / "one")
    (folder / "empty").mkdir()
    assert f"{folder / 'empty'} is empty" in refusal_of(folder)
    (folder / "empty").rmdir()
    picture(tmp_path / "test" / "cats" / "0.png")
    message = refusal_of(folder, test_path=str(tmp_path / "test"))
    assert "the class cats is not in training; did you mean cat? (classes: cat, dog's)" in message


def test_files_that_are_no_images_are_named(folder):
    odd = folder / "dog's" / "notes, a=b.png"
    odd.write_text("hello")
    assert refusal_of(folder).startswith(f"{odd} is not an image")
    odd.write_bytes(b"")
    assert refusal_of(folder).startswith(f"{odd} is empty")


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM"])
def test_kinds_by_their_first_bytes(tmp_path, kind):
    assert image_kind(str(picture(tmp_path / "picture", kind=kind))) is not None

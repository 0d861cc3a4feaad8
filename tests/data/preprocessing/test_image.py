from __future__ import annotations

import io
import json
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_digits

from assay.data.examples import Pixels
from assay.data.preprocessing import from_json
from assay.data.preprocessing.image import ImagePreprocessing
from assay.errors import ConfigError

DIGITS = load_digits().images / 16


@pytest.fixture(scope="module")
def fitted():
    return ImagePreprocessing((8, 8), 1).fit(torch.from_numpy(DIGITS).float()[:, None])


def gathered(preprocessing, raws):
    return preprocessing(raws)["source"].gather(torch.arange(len(raws)))


def png(path, values, factor=1):
    pixels = np.kron(np.round(values * 255), np.ones((factor, factor))).astype(np.uint8)
    Image.fromarray(pixels).save(path)
    return str(path)


def test_arrays_of_floats_pass_as_they_are(fitted):
    raws = list(DIGITS.astype(np.float32)[:20])
    assert torch.equal(gathered(fitted, raws), torch.from_numpy(np.stack(raws))[:, None])


def test_no_training_picture_is_inverted(fitted):
    raws = list(DIGITS.astype(np.float32))
    assert torch.equal(gathered(fitted, raws), torch.from_numpy(np.stack(raws))[:, None])
    assert fitted.notes == []


@pytest.mark.parametrize("factor", [1, 4, 28])
def test_a_picture_of_any_scale_and_either_polarity_gives_the_training_values(fitted, tmp_path, factor):
    preprocessing = from_json(fitted.to_json())
    light = [png(tmp_path / f"{n}.png", DIGITS[n], factor) for n in range(30)]
    dark = [png(tmp_path / f"dark {n}.png", 1 - DIGITS[n], factor) for n in range(30)]
    expected = torch.from_numpy(DIGITS[:30]).float()[:, None]
    assert (gathered(preprocessing, preprocessing.read(light)[1]) - expected).abs().max() <= 0.5 / 255 + 1e-6
    assert preprocessing.notes == []
    assert (gathered(preprocessing, preprocessing.read(dark)[1]) - expected).abs().max() <= 0.5 / 255 + 1e-6
    assert preprocessing.notes == [
        "30 images were inverted: their background is light where the training images' is dark"
    ]


def test_colour_transparent_and_deep_pictures_become_grey(fitted, tmp_path):
    grey = np.round(DIGITS[3] * 255).astype(np.uint8)
    expected = torch.from_numpy(grey).float() / 255
    rgba = np.dstack([np.zeros((8, 8, 3), np.uint8), grey])  # black ink on nothing: dark on white
    images = {
        "rgb.png": Image.fromarray(np.dstack([grey] * 3)),
        "rgba.png": Image.fromarray(rgba),
        "deep.png": Image.fromarray(grey.astype(np.uint16) * 257),
        "palette.gif": Image.fromarray(grey),
    }
    for name, image in images.items():
        image.save(tmp_path / name)
        preprocessing = from_json(fitted.to_json())
        x = gathered(preprocessing, preprocessing.read([str(tmp_path / name)])[1])[0, 0]
        assert (x - expected).abs().max() <= 1.01 / 255, name


def test_pictures_are_turned_upright(tmp_path):
    values = np.arange(12, dtype=np.uint8).reshape(3, 4) * 20
    image = Image.fromarray(values)
    exif = image.getexif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise
    image.save(tmp_path / "a.png", exif=exif)
    x = ImagePreprocessing((4, 3), 1).decode(str(tmp_path / "a.png"))
    assert torch.equal(x[0], torch.from_numpy(np.rot90(values, -1).copy()))


def test_colour_sets_keep_channels_first_and_are_not_inverted(tmp_path):
    rng = np.random.default_rng(0)
    values = rng.integers(0, 256, (6, 6, 3), dtype=np.uint8)
    Image.fromarray(values).save(tmp_path / "a.png")
    preprocessing = ImagePreprocessing((6, 6), 3)
    column = preprocessing([str(tmp_path / "a.png")])["source"]
    assert isinstance(column, Pixels)
    assert torch.equal(column.tensor[0], torch.from_numpy(values).permute(2, 0, 1))


def test_shrinking_averages_areas():
    values = np.random.default_rng(0).random((8, 12)).astype(np.float32)
    x = ImagePreprocessing((4, 4), 1).decode(values)[0]
    torch.testing.assert_close(x, torch.from_numpy(values.reshape(4, 2, 4, 3).mean((1, 3))))


def test_json_round_trip(fitted):
    again = from_json(json.loads(json.dumps(fitted.to_json())))
    assert again.to_json() == fitted.to_json()
    raws = [1 - DIGITS[0].astype(np.float32)]
    assert torch.equal(gathered(again, raws), gathered(from_json(fitted.to_json()), raws))


def test_files_that_cannot_be_read_are_named_together(fitted, tmp_path):
    path = png(tmp_path / "whole.png", np.random.default_rng(0).random((64, 64)))
    content = (tmp_path / "whole.png").read_bytes()
    (tmp_path / "cut, a=b.png").write_bytes(content[: len(content) // 2])
    (tmp_path / "text.png").write_text("hello")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ConfigError) as refusal:
            fitted.read([path, str(tmp_path / "cut, a=b.png"), str(tmp_path / "text.png"), str(tmp_path / "none.png")])
    message = str(refusal.value)
    assert "\n" not in message
    assert "cut, a=b.png cannot be decoded: it is truncated or damaged" in message
    assert "text.png is not an image that can be read" in message
    assert "none.png is not there" in message
    assert "whole.png" not in message


def test_an_image_on_standard_input(fitted, tmp_path, monkeypatch):
    def given(data):
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(data)))
        return fitted.read(["-"])

    path = Path(png(tmp_path / "digit.png", DIGITS[3]))
    ids, (picture,) = given(path.read_bytes())
    assert ids == ["-"]
    assert torch.equal(picture, fitted.read([str(path)])[1][0])
    for data in (b"", b"no picture"):
        with pytest.raises(ConfigError, match=r"^standard input is not an image"):
            given(data)


def test_folders_are_searched_by_name(fitted, tmp_path):
    (tmp_path / "b").mkdir()
    names = [png(tmp_path / "b" / "2.png", DIGITS[0]), png(tmp_path / "1 x.png", DIGITS[1])]
    (tmp_path / "notes.txt").write_text("not read")
    ids, raws = fitted.read([str(tmp_path)])
    assert sorted(ids) == sorted(names)
    assert len(raws) == 2
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError, match="holds no image"):
        fitted.read([str(tmp_path / "empty")])


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.zeros((2, 3, 8, 8), np.uint8), "is no image"),
        (np.full((8, 8), 16.0), "pixels from 16 to 16"),
        (np.full((8, 8), np.nan), "floats lie in"),
        (np.zeros((8, 8), np.int64), "an image of int64 is not known"),
    ],
)
def test_arrays_that_are_no_pictures(fitted, values, message):
    with pytest.raises(ConfigError, match=message):
        fitted.decode(values)

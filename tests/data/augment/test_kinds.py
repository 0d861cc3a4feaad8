from __future__ import annotations

import pytest

from assay.contracts import DataSpec, Field
from assay.data.augment.kinds import IMAGES, TEXTS, interval, needs_image, needs_text, share
from assay.errors import ConfigError
from tests.data.augment.pictures import CLASS, images, texts
from tests.options import options


def test_the_other_kind_is_refused_with_what_would_do():
    table = DataSpec({"source": Field("table", (2,)), "label": CLASS})
    with pytest.raises(ConfigError, match="augment=flip changes images, and this data holds ids: use augment=word_dr"):
        needs_image(texts(), "flip")
    with pytest.raises(ConfigError, match="augment=swap changes texts, and this data holds image: use augment=flip, "):
        needs_text(images(), "swap")
    with pytest.raises(ConfigError, match=r"augment=flip changes images, and this data holds table: use augment=\[\]"):
        needs_image(table, "flip")
    needs_image(images(), "flip")
    needs_text(texts(), "swap")


def test_what_is_named_is_there():
    named = {name for line in (IMAGES, TEXTS) for name in line.replace(" or ", ", ").split(", ")}
    assert named == set(options("augment"))


def test_values():
    assert share("flip.horizontal", 1.0) == 1
    with pytest.raises(ConfigError, match=r"augment\.flip\.horizontal=1\.5 is not in \[0, 1\]"):
        share("flip.horizontal", 1.5)
    assert interval("affine.scale", [0.5, 2], 0.01, 100) == (0.5, 2)
    for wrong in ([2, 1], [1], [0, 1]):
        with pytest.raises(ConfigError, match=r"augment\.affine\.scale=\[.*\] is no range: write \[LOW,HIGH\]"):
            interval("affine.scale", wrong, 0.01, 100)

from __future__ import annotations

import math

import pytest
import torch

from assay.contracts import DataSpec, Field
from assay.data.augment import edits
from assay.data.augment.draws import uniforms
from assay.data.augment.eda import EDA
from assay.errors import ConfigError
from tests.data.augment.pictures import CLASS, batch_of_texts, texts, tokens
from tests.references import text_edits

ALPHA = {"delete": 0.3, "swap": 0.2, "insert": 0.25}


@pytest.mark.parametrize("left_out", [None, *ALPHA])
def test_against_a_loop(left_out):
    alpha = {**ALPHA, **({left_out: 0.0} if left_out else {})}
    given = batch_of_texts([1 + 7 * i % 40 for i in range(60)])
    found = EDA(texts(), seed=3, p=0.8, **alpha)(given, 2)["source"]
    positions = given["source"].shape[1]
    choice = uniforms(3, 2, given["index"], "eda", 2).tolist()

    def drawn(name):
        if name == "delete":
            return uniforms(3, 2, given["index"], "eda delete", positions).tolist()
        times = edits.most(alpha[name], positions)
        return uniforms(3, 2, given["index"], f"eda {name}", 2 * times).view(60, times, 2).tolist()

    names = [name for name in alpha if alpha[name]]
    draws = {name: drawn(name) for name in names}
    seen = set()
    for i, (row, old) in enumerate(zip(tokens(found), tokens(given["source"]), strict=True)):
        changed, which = choice[i]
        name = names[math.floor(which * len(names))] if changed < 0.8 else None
        expected = old
        if name == "delete":
            expected = text_edits.delete(old, alpha["delete"], draws[name][i])
        elif name == "swap":
            expected = text_edits.swap(old, alpha["swap"], draws[name][i], adjacent=False)
        elif name == "insert":
            expected = text_edits.insert(old, alpha["insert"], draws[name][i])
        assert row == expected, (i, name)
        seen.add(name)
    assert seen == {None, *names}


def test_each_edit_is_as_frequent():
    given = {"source": torch.arange(2, 22).repeat(3000, 1), "index": torch.arange(3000)}
    found = EDA(texts(), 0, p=0.75, delete=0.5, swap=0.5, insert=0.5)(given, 0)["source"]
    length = (found != 0).sum(1)
    for kind in (length < 20, length > 20, (length == 20) & (found[:, :20] != given["source"]).any(1)):
        assert abs(kind.double().mean() - 0.25) < 0.03


def test_refusals():
    with pytest.raises(ConfigError, match=r"augment\.eda with delete, swap and insert all 0 changes nothing"):
        EDA(texts(), 0, delete=0, swap=0, insert=0)
    with pytest.raises(ConfigError, match=r"augment\.eda\.insert=3 is not in \[0, 1\]"):
        EDA(texts(), 0, insert=3)
    never = DataSpec({"source": Field("ids", (5,), size=9), "label": CLASS})
    with pytest.raises(ConfigError, match="augment=eda makes texts shorter and longer"):
        EDA(never, 0)

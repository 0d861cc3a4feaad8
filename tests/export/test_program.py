"""Programs of torch.export: torch's numbers for any batch and length, and no code in the file."""

from __future__ import annotations

import io
import json
import pickle
import zipfile

import pytest
import torch

from assay.errors import ConfigError
from assay.export import program
from assay.export.whole import Whole, example
from tests.export.built import built
from tests.export.test_onnx_file import SHAPES

CASES = [
    ("image", "model=student"),
    ("ids", "model=lstm", "model.bidirectional=true"),
    ("ids", "model=lstm", "normalization=layer"),
    ("ids", "model=gru"),
    ("ids", "model=gru", "model.reset=before", "model.bidirectional=true"),
    ("ids", "model=rnn", "model.nonlinearity=relu"),
    ("ids", "model=transformer", "model.positions=rotary", "model.query_key_norm=true", "activation=relu2"),
    ("ids", "model=textcnn"),
    ("table", "model=mlp"),
]


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES, ids="-".join)
@pytest.mark.parametrize("quantization", [None, "dynamic"])
def test_programs_give_torchs_numbers(case, quantization, tmp_path):
    artifact = built(*case, quantization=quantization)
    program.write(artifact, tmp_path / "model.pt2")
    run, whole = program.load(tmp_path / "model.pt2"), Whole(artifact).eval()
    with torch.no_grad():
        for batch, time in SHAPES:
            source = example(artifact, batch, time, seed=batch + time)
            limit = 1e-5 if quantization is None else 0.02
            torch.testing.assert_close(run(*source), whole(*source), rtol=0, atol=limit)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    path = tmp_path_factory.mktemp("program") / "model.pt2"
    program.write(built("image", "model=linear"), path)
    return path


def test_a_loop_of_fixed_length_before_does_not_forbid_that_length(tmp_path):
    """What torch kept of an earlier trace made `150 != time` a rule of the next."""
    for shape in ((150, 3), (None, 3)):
        artifact = built("sequence", "model=gru", "model.hidden_size=4", shape=shape)
        program.write(artifact, tmp_path / "model.pt2")
    run, whole = program.load(tmp_path / "model.pt2"), Whole(artifact).eval()
    with torch.no_grad():
        source = example(artifact, 2, 150)
        torch.testing.assert_close(run(*source), whole(*source), rtol=0, atol=1e-5)


class Bomb:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


def changed(path, target, change):
    """A copy whose members went through change(name, content) -> content; what it adds comes last."""
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(target, "w") as new:
        root = old.namelist()[0].split("/")[0]
        for name in old.namelist():
            new.writestr(name, change(name, old.read(name)))
        for name, content in change(None, root) or {}:
            new.writestr(name, content)
    return target


def test_what_is_written_is_opened(written):
    assert program.load(written)(torch.rand(2, 1, 12, 12)).shape == (2, 4)


def test_a_program_that_could_run_code_is_refused_unopened(written, tmp_path):
    fuse = tmp_path / "exploded"
    bomb = io.BytesIO()
    torch.save({"x": Bomb(fuse)}, bomb)

    def inputs(name, content):
        return bomb.getvalue() if name and name.endswith(".pt") else content if name else None

    def indexed(name, content):
        if name and name.endswith("weights_config.json"):
            index = json.loads(content)
            for one in index["config"].values():
                one["use_pickle"] = True
            return json.dumps(index)
        return content if name else None

    def added(name, content):
        return content if name else [(f"{content}/data/constants/custom_obj_0", pickle.dumps(Bomb(fuse)))]

    for number, (change, words) in enumerate([(inputs, "example inputs"), (indexed, "pickled"), (added, "custom_obj")]):
        with pytest.raises(ConfigError, match=words) as caught:
            program.load(changed(written, tmp_path / f"{number}.pt2", change))
        assert "\n" not in str(caught.value)
    assert not fuse.exists()


def test_no_program_is_refused(tmp_path):
    (tmp_path / "model.pt2").write_bytes(b"nothing")
    with pytest.raises(ConfigError, match=r"is no program of torch\.export"):
        program.load(tmp_path / "model.pt2")

"""What a config may name, and what it may not."""

from __future__ import annotations

import pytest

from assay.errors import ConfigError
from assay.targets import ARTIFACT_ALLOWED, build, locate


@pytest.mark.parametrize(
    "target",
    [
        "os.system",
        "builtins.eval",
        "subprocess.run",
        "torch.load",
        "torch.hub.load",
        "assay.targets.importlib.import_module",
        "assay.run.shutil.rmtree",
        "assay.folder.os.remove",
        "assay.folder.subprocess",
        "torch.nn.modules.module.functools.partial",
        "torch.nn.functional.__builtins__",
        "torch.nn.__dict__",
        "assay..targets.build",
        "assay.models.nothing.There",
        "",
    ],
)
def test_outside_the_allow_list_is_refused_in_one_line(target):
    with pytest.raises(ConfigError) as caught:
        locate(target)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(f"_target_={target}")


def test_an_artifact_may_name_less_than_a_config():
    assert locate("torch.optim.SGD")
    with pytest.raises(ConfigError):
        locate("torch.optim.SGD", ARTIFACT_ALLOWED)
    with pytest.raises(ConfigError):
        locate("assay.folder.write_json", ARTIFACT_ALLOWED)
    assert locate("torch.nn.ReLU", ARTIFACT_ALLOWED)


def test_nodes_are_built_inner_first_and_partials_completed():
    import torch

    made = build({"_target_": "torch.nn.Threshold", "threshold": 0.5, "value": 1})
    assert isinstance(made, torch.nn.Threshold)
    assert made.threshold == 0.5
    half = {"_target_": "torch.nn.Linear", "_partial_": True, "bias": False}
    assert build(half, 3, out_features=2).weight.shape == (2, 3)
    assert build(half)(1, 1).bias is None
    assert build({"a": [1, {"b": half}]})["a"][1]["b"].keywords == {"bias": False}

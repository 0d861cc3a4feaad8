"""The import rules hold, and each of them can fail."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

from tests import import_rules as rules

MODULES = rules.modules()
SOURCES = {name: (path.read_text(encoding="utf-8"), path.name == "__init__.py") for name, path in MODULES.items()}
CHECKERS = sorted(
    {
        target.rpartition(".")[0]
        for path in (rules.ROOT / "conf").rglob("*.yaml")
        for target in re.findall(r"^# checked by: (\S+)", path.read_text(encoding="utf-8"), re.MULTILINE)
    }
)
TORCH_FREE = [name for name in SOURCES if name in rules.TORCH_FREE or rules.under(name, "assay.composition")] + CHECKERS


@pytest.mark.parametrize("module", SOURCES)
def test_the_rules_hold(module):
    source, package = SOURCES[module]
    assert rules.violations(module, source, package) == []


@pytest.mark.parametrize("module", TORCH_FREE)
def test_what_answers_before_torch_imports_nothing_heavy(module):
    ways = rules.closure(module, SOURCES)
    heavy = {name: " -> ".join(way) for name, way in ways.items() if name.partition(".")[0] not in rules.LIGHT}
    assert heavy == {}


def test_what_answers_before_torch_imports_nothing_heavy_when_run():
    """The same by running it: a check that passes, a check that refuses, and every checker of conf/."""
    code = f"""
import importlib, sys
sys.path.insert(0, {str(rules.ROOT)!r})
for name in {TORCH_FREE!r}:
    importlib.import_module(name)
from assay.errors import ConfigError
from assay.preflight import check
check(["model=lstm", "logger=none"])
for wrong in (["model=lstmm"], ["model.hiden_size=3"], ["data=text_csv", "data.path=no.csv"], ["model=bag"]):
    try:
        check(wrong)
    except ConfigError:
        continue
    raise SystemExit(f"{{wrong}} was not refused")
heavy = "torch numpy pandas sklearn scipy matplotlib pytorch_lightning torchmetrics wandb PIL rich safetensors".split()
print("heavy:", [name for name in heavy if name in sys.modules])
"""
    env = {**os.environ, "PYTHONPATH": str(rules.ROOT / "src")}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env, cwd=rules.ROOT)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.splitlines()[-1] == "heavy: []"


def test_configs_name_no_dropout_of_torch():
    for path in (rules.ROOT / "conf").rglob("*.yaml"):
        targets = re.findall(r"_target_:\s*(\S+)", path.read_text(encoding="utf-8"))
        assert not [target for target in targets if target.startswith("torch") and "dropout" in target.lower()], path


def test_the_yaml_loader_made_of_another_is_safe():
    import yaml

    from assay.composition import kept_files

    assert issubclass(kept_files._loader(), yaml.SafeLoader)
    (module,) = rules.SAFE_YAML
    assert module == kept_files.__name__


def test_all_modules_were_read():
    assert {"assay.run", "assay.errors", "assay.layers.random", "hydra_plugins.assay_conf", "train"} <= set(SOURCES)
    assert {"assay.preflight", "assay.cli", "assay.errors", "train"} <= set(TORCH_FREE)


# Each rule, broken.
WRONG = [
    ("assay.models.new", "from assay.losses.mse import MSE", "may import"),
    ("assay.models.new", "from assay.run import run", "only assay.cli"),
    ("assay.models.new", "from .. import losses", "may import"),
    ("assay.models.new", "from ..losses import mse", "may import"),
    ("assay.layers.new", "from assay.models.mlp import MLP", "may import"),
    ("assay.layers.new", "import einops", "torch and NumPy alone"),
    ("assay.losses.new", "from assay.tasks.classification import Classification", "may import"),
    ("assay.metrics.new", "import assay.data.digits", "may import"),
    ("assay.optim.new", "from assay import data", "may import"),
    ("assay.distillation.new", "from assay.artifacts import load", "may import"),
    ("assay.tasks.new", "from assay.models.mlp import MLP", "may import"),
    ("assay.data.new", "from assay.tasks.regression import Regression", "may know assay.tasks"),
    ("assay.data.new", "def f():\n    from assay.run import run", "may know assay.run"),
    ("assay.data.new", "import omegaconf", "may know omegaconf"),
    ("assay.models.new", "from hydra.utils import instantiate", "may know hydra"),
    ("assay.layers.new", "import pytorch_lightning as pl", "may know pytorch_lightning"),
    ("assay.engines.step", "from lightning_fabric import Fabric", "may know lightning_fabric"),
    ("assay.run", "import lightning as L", "nobody may know lightning"),
    ("assay.run", "import torchmetrics", "inside the function"),
    ("assay.figures", "from matplotlib import pyplot", "inside the function"),
    ("assay.run", "import torch._dynamo", "inside the function"),
    ("assay.run", "class A:\n    import pandas", "inside the function"),
    ("assay.run", "try:\n    import wandb\nexcept ImportError:\n    wandb = None", "inside the function"),
    ("assay.models.new", "from torch import nn\nnn.Dropout(0.1)", "torch.nn.Dropout"),
    ("assay.models.new", "import torch\nlayer = torch.nn.Dropout2d", "torch.nn.Dropout2d"),
    ("assay.models.new", "from torch.nn import AlphaDropout as A\nA()", "AlphaDropout"),
    ("assay.models.new", "import torch.nn.functional as F\nF.dropout(x, 0.1)", "functional.dropout"),
    ("assay.models.new", "from torch.nn import functional\nfunctional.feature_alpha_dropout(x)", "dropout"),
    ("assay.models.new", "from torch.nn.functional import dropout as d\nd(x)", "functional.dropout"),
    ("assay.models.new", "import torch\ntorch.dropout(x, 0.1, True)", "torch.dropout"),
    ("assay.models.new", "import torch\ntorch.dropout_(x, 0.1, True)", "torch.dropout_"),
    ("assay.models.new", "from torch import nn\nnn.LSTM(3, 4, dropout=p)", "asks torch for dropout"),
    ("assay.models.new", "from torch.nn import TransformerEncoderLayer as T\nT(3, 4, dropout=0.1)", "asks torch"),
    ("assay.layers.new", "f(q, k, v, dropout_p=0.0)", "asks torch for dropout"),
    ("assay.models.new", "import torch\nnoise = torch.randn(3)", "draw from the streams"),
    ("assay.losses.new", "import torch\nkeep = torch.bernoulli(p)", "draw from the streams"),
    ("assay.layers.new", "mask.bernoulli_(0.5)", "draw from the streams"),
    ("assay.run", "import pickle\npickle.load(file)", "pickle.load"),
    ("assay.run", "from pickle import loads\nloads(data)", "pickle.loads"),
    ("assay.run", "import pickle as p\nclass U(p.Unpickler): pass", "pickle.Unpickler"),
    ("assay.run", "import joblib\njoblib.load(path)", "joblib.load"),
    ("assay.run", "import pandas as pd\npd.read_pickle(path)", "pandas.read_pickle"),
    ("assay.run", "import torch\ntorch.load(path)", "weights_only"),
    ("assay.run", "import torch\ntorch.load(path, weights_only=False)", "weights_only"),
    ("assay.run", "from torch import load\nload(path, weights_only=safe)", "weights_only"),
    ("assay.run", "import numpy as np\nnp.load(path, allow_pickle=True)", "allow_pickle"),
    ("assay.run", "from numpy import load\nload(path, allow_pickle=yes)", "allow_pickle"),
    ("assay.run", "import yaml\nyaml.load(text, Loader=yaml.Loader)", "safe loader"),
    ("assay.run", "import yaml\nyaml.unsafe_load(text)", "unsafe_load"),
    ("assay.run", "eval('1')", "calls eval"),
    ("assay.run", "exec(code, {})", "calls exec"),
    ("assay.run", "import builtins\nbuiltins.exec(code)", "calls builtins.exec"),
    ("assay.data.utils", "", "name the idea"),
]
RIGHT = [
    ("assay.models.new", "from assay.layers.random import Dropout\nfrom torch import nn\nnn.LSTM(3, 4)\nDropout(0.1)"),
    ("assay.models.new", "import math\nimport numpy as np\nimport torch\nfrom assay.contracts import Encoded"),
    ("assay.models.new", "from assay.models.lstm import LSTM\nmodel = LSTM(3, dropout=0.1)\nmodel.eval()"),
    ("assay.models.new", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from assay.losses.mse import MSE"),
    ("assay.layers.random", "import torch\ntorch.rand(3, generator=g)"),
    ("assay.data.new", "import torch\ntorch.randperm(3, generator=g)"),
    ("assay.distillation.teacher", "from assay import artifacts"),
    ("assay.loops.bagging", "from assay.run import run"),
    ("assay.cli", "def f():\n    from assay.run import run"),
    ("assay.launch", "import hydra"),
    ("assay.engines.eager", "import pytorch_lightning as pl"),
    ("assay.tasks.new", "def f():\n    from torchmetrics.functional import accuracy"),
    ("assay.figures", "def f():\n    import matplotlib"),
    ("assay.run", "import torch\ntorch.load(path, map_location='cpu', weights_only=True)"),
    ("assay.run", "import numpy as np\nnp.load(path)\nnp.load(path, allow_pickle=False)"),
    ("assay.run", "import yaml\nyaml.safe_load(text)\nyaml.load(text, Loader=yaml.CSafeLoader)"),
    ("assay.run", "import pickle\ntry:\n    pass\nexcept pickle.UnpicklingError:\n    pass"),
]


@pytest.mark.parametrize(("module", "source", "said"), WRONG)
def test_a_broken_rule_is_found(module, source, said):
    assert any(said in line for line in rules.violations(module, source))


@pytest.mark.parametrize(("module", "source"), RIGHT)
def test_what_the_rules_allow_is_left_alone(module, source):
    assert rules.violations(module, source) == []


def test_the_closure_follows_tops_packages_and_relative_imports_but_not_functions():
    sources = {
        "assay": ("from .a import x", True),
        "assay.a": ("import json\nfrom assay.b import y", False),
        "assay.b": ("from . import c\ndef f():\n    import torch", True),
        "assay.b.c": ("try:\n    import numpy\nexcept ImportError:\n    pass", False),
        "assay.d": ("from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import torch", False),
    }
    ways = rules.closure("assay.a", sources)
    assert set(ways) == {"assay", "assay.a", "assay.b", "assay.b.c", "json", "numpy"}
    assert ways["numpy"][-2:] == ["assay.b.c", "numpy"]
    assert "torch" not in rules.closure("assay.d", sources)

"""The benchmarks: what they count, and the causes of speed. No test asserts a time."""

from __future__ import annotations

import json
import multiprocessing
import subprocess
import sys
from itertools import count
from pathlib import Path

import pytest
import torch

from assay import bench
from assay.bench import Comparison
from assay.benchmarks import loader, refusal, start, step
from assay.benchmarks.processes import run as process
from assay.errors import ConfigError

ROOT = Path(__file__).resolve().parent.parent

# What a training step of a small model does not need.
UNNEEDED = {
    *("torch._dynamo", "torch._dynamo.eval_frame", "torch._inductor", "sympy", "triton"),
    *("torchmetrics", "torchmetrics.functional", "scipy", "sklearn", "pandas", "matplotlib", "wandb"),
    *("torchvision", "torchaudio", "transformers", "nltk", "IPython", "tensorboard"),
}


def contender(*values):
    times = iter(values)
    return lambda: next(times)


def comparison(**changes):
    facts = {"name": "n", "work": "w", "ours": contender(9, 2, 1, 3), "reference": contender(9, 1, 1, 1), "unit": "u"}
    return Comparison(**{**facts, "goal": 2.0, "pairs": 3, **changes})


def test_ratios_are_paired_and_the_first_pair_is_thrown_away():
    result = comparison().measure()
    assert result["ratio"] == {"median": 2.0, "min": 1.0, "max": 3.0}
    assert result["ours"] == {"median": 2.0, "min": 1.0, "max": 3.0}
    assert result["met"]
    assert not comparison(goal=1.9).measure()["met"]


def test_a_ratio_of_speeds_is_upside_down():
    result = comparison(ours=contender(9, 1, 1, 1), reference=contender(9, 4, 6, 8), speed=True, goal=5).measure()
    assert result["ratio"] == {"median": 6.0, "min": 4.0, "max": 8.0}
    assert result["met"]
    slow = comparison(ours=contender(9, 1, 1, 1), reference=contender(9, 4, 4, 8), speed=True, goal=5)
    assert not slow.measure()["met"]


def test_contenders_take_turns_and_change_who_begins():
    order = []
    numbers = count(1)

    def called(name):
        def call():
            order.append(name)
            return float(next(numbers))

        return call

    comparison(ours=called("a"), reference=called("b"), pairs=3).measure()
    assert "".join(order) in ("baabbaab", "abbaabba")


def test_a_name_that_is_not_measured_is_refused(capsys):
    with pytest.raises(
        ConfigError,
        match=r"bench stepp is not measured; possible are step, start, .*, sweep$",
    ):
        bench.bench_command(["refusal", "stepp"])
    assert capsys.readouterr().out == ""


def test_records_become_the_table_of_the_readme(tmp_path, monkeypatch):
    monkeypatch.setattr(bench, "comparisons", lambda group: [comparison(name=group), comparison(speed=True)])
    bench.record(tmp_path, ["step"], pairs=2)
    kept = json.loads((tmp_path / "step.json").read_text())
    assert kept["command"] == "assay bench step"
    assert kept["results"][0]["ratio"] == {"median": 1.5, "min": 1.0, "max": 2.0}
    assert kept["machine"]["cores"] >= 1
    assert kept["versions"]["torch"]
    readme = tmp_path / "README.md"
    readme.write_text(f"before\n{bench.TABLE[0]}\nold\n{bench.TABLE[1]}\nafter\n")
    bench.write_table(tmp_path, readme)
    text = readme.read_text()
    assert "| step | w | 1.50 (1.00 to 2.00) | ≤ 2 | 2 |" in text
    assert "| n | w | 0.75 (0.50 to 1.00) | ≥ 2 | 2 |" in text
    assert "old" not in text
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    bench.write_table(tmp_path, readme)
    assert readme.read_text() == text


def test_no_records_and_no_place_are_refused(tmp_path):
    with pytest.raises(ConfigError, match="holds no records"):
        bench.table(tmp_path)
    (tmp_path / "plain.md").write_text("nothing")
    with pytest.raises(ConfigError, match="no place for the table"):
        bench.write_table(tmp_path, tmp_path / "plain.md")


def test_the_readme_has_the_table_of_the_records():
    assert {path.stem for path in (ROOT / "benchmarks").glob("*.json")} == set(bench.GROUPS)
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert bench.table(ROOT / "benchmarks") in text


def test_a_result_is_one_line():
    said = bench.line(comparison().measure())
    assert "\n" not in said
    assert "2.00 (1.00 to 3.00, 3 pairs; goal ≤ 2)" in said
    assert "missed" in bench.line(comparison(goal=1).measure())


def test_the_loader_comparison_measures():
    (found,) = loader.comparisons()
    result = found.measure(pairs=1, warm=False)
    assert result["ours"]["median"] > 0
    assert result["reference"]["median"] > 0


@pytest.mark.parametrize("model", step.NETWORKS)
def test_a_step_by_hand_and_by_run_are_of_the_same_network(model):
    found = {one.name: one for one in step.comparisons()}[f"step {model}"]
    make, _, _, _ = step.NETWORKS[model]
    data = found.reference.args[1]
    assert step.by_hand(make, data, 1) > 0
    assert step.by_run(model, 1, sum(p.numel() for p in make().parameters())) > 0
    assert make()(data[:3][0]).shape == (3, 10)


@pytest.mark.slow
def test_the_comparisons_of_processes_measure():
    for found in (*refusal.comparisons(), *start.comparisons()):
        assert found.measure(pairs=1, warm=False)["ratio"]["median"] > 0


def test_a_plain_script_is_stopped_after_a_step(tmp_path):
    script = tmp_path / "plain.py"
    script.write_text(
        "import torch\nweight = torch.nn.Parameter(torch.ones(1))\noptimizer = torch.optim.SGD([weight], lr=0.1)\n"
        "for i in range(9):\n    weight.sum().backward(); optimizer.step(); print(i)\n"
    )
    probe = str(ROOT / "benchmarks" / "until_step.py")
    began, printed = process([probe, "3", str(script)])
    lines = printed.splitlines()
    assert lines[:-1] == ["0", "1"]
    assert json.loads(lines[-1])["time"] > began
    with pytest.raises(RuntimeError, match="ended after 9 steps, before step 10"):
        process([probe, "10", str(script)])


def test_two_training_steps_import_nothing_unneeded():
    probe = str(ROOT / "benchmarks" / "until_step.py")
    _, printed = process([probe, "2", str(ROOT / "train.py"), *start.COMMAND[1:]])
    imported = json.loads(printed.splitlines()[-1])["modules"]
    assert "pytorch_lightning" in imported
    assert sorted(UNNEEDED.intersection(imported)) == []


def test_a_refusal_has_not_imported_torch():
    code = (
        "import runpy, sys\nsys.argv = ['train.py', 'model=lstmm']\n"
        "try:\n    runpy.run_path('train.py', run_name='__main__')\n"
        "except SystemExit as end:\n    print(end.code, [n for n in ('torch', 'numpy', 'sklearn') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.splitlines() == ["2 []"]
    assert len(done.stderr.splitlines()) == 1


def test_steps_neither_wait_for_the_device_nor_log_nor_start_processes(monkeypatch):
    """The host asks for a number where a point of the log is due, and nowhere else."""
    import pytorch_lightning as pl

    from assay.engines.eager import Eager
    from assay.engines.step import Step

    inside: list[str] = []
    asked: list[str] = []
    children: list[int] = []
    points: list[int] = []

    def within(owner, name):
        function = getattr(owner, name)

        def call(self, *arguments, **keywords):
            inside.append(f"{owner.__name__}.{name}")
            children.append(len(multiprocessing.active_children()))
            try:
                return function(self, *arguments, **keywords)
            finally:
                inside.pop()

        monkeypatch.setattr(owner, name, call)

    class Watch(torch.utils._python_dispatch.TorchDispatchMode):
        def __torch_dispatch__(self, function, types, arguments=(), keywords=None):
            if inside and function is torch.ops.aten._local_scalar_dense.default:
                asked.append(inside[-1])
            return function(*arguments, **(keywords or {}))

    def no_log(*arguments, **keywords):
        raise AssertionError("self.log costs half a millisecond")

    def reported(self):
        if self._loss is not None:
            points.append(self.number)
        return report(self)

    report = Eager.report
    monkeypatch.setattr(Eager, "report", reported)
    within(Eager, "report")
    within(Step, "__call__")
    within(Eager, "training_step")
    monkeypatch.setattr(pl.LightningModule, "log", no_log)
    with Watch():
        summary = step.trained("mlp", 3)
    assert summary["steps"] == 69
    assert asked == ["Eager.report"] * len(points)
    assert len(points) <= 69 // 50 + 3 + 1  # log_every, before each validation, and the end
    assert set(children) == {0}

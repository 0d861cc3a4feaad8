"""Uses of torch and torchmetrics after ``fast_imports``, each in a process of its own.

``python tests/startup_cases.py`` imports Lightning the fast way once, forks for every case, and prints what each said
as JSON: "" when it passed. Run by test_startup.py.
"""

# ruff: noqa: E402

from __future__ import annotations

import json
import os
import sys
import traceback
import warnings
from collections.abc import Callable

warnings.simplefilter("ignore")  # torch's own deprecations

from assay.startup import Postponed, fast_imports

fast_imports()

import pytorch_lightning as pl
import torch
from torch import nn

CASES: list[Callable[[], None]] = []


def case(function: Callable[[], None]) -> Callable[[], None]:
    CASES.append(function)
    return function


def waiting(name: str) -> bool:
    return isinstance(sys.modules[name], Postponed)


class Lit(pl.LightningModule):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.net = nn.Linear(8, 3)
        self.losses: list[float] = []

    def forward(self, x):
        return self.net(x)

    def training_step(self, batch, index):
        loss = nn.functional.cross_entropy(self(batch[0]), batch[1])
        self.log("loss", loss)
        self.losses.append(loss.item())
        return loss

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), fused=True)


def fit(module: pl.LightningModule) -> None:
    x = torch.linspace(-1, 1, 128).reshape(16, 8)
    data = torch.utils.data.TensorDataset(x, torch.arange(16) % 3)
    options = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    trainer = pl.Trainer(max_epochs=2, accelerator="cpu", enable_model_summary=False, **options)
    trainer.fit(module, torch.utils.data.DataLoader(data, batch_size=4))


HEAVY = (
    "torch._dynamo.eval_frame",
    "torch._inductor",
    "triton",
    "sympy",
    "torchmetrics.functional.audio",
    "torchmetrics.classification",
    "scipy",
    "matplotlib",
    "sklearn",
    "pandas",
    "torchvision",
    "transformers",
    "nltk",
    "onnx",
    "onnxscript",
    "onnxruntime",
)


@case
def nothing_heavy_is_imported_by_a_fit() -> None:
    fit(Lit())
    assert waiting("torch._dynamo")
    assert waiting("torchmetrics")
    assert not [name for name in HEAVY if name in sys.modules]


@case
def losses_are_those_of_plain_imports() -> None:
    fast = Lit()
    fit(fast)
    torch._dynamo.config  # noqa: B018  executes the real one
    assert not waiting("torch._dynamo")
    plain = Lit()
    fit(plain)
    assert len(fast.losses) == 8
    assert fast.losses == plain.losses


@case
def a_second_call_changes_nothing() -> None:
    before = sys.modules["torch._dynamo"], sys.modules["torchmetrics"], list(sys.meta_path)
    fast_imports()
    assert before == (sys.modules["torch._dynamo"], sys.modules["torchmetrics"], sys.meta_path)


@case
def compile_works_and_lightning_knows_what_it_made() -> None:
    from lightning_fabric.wrappers import OptimizedModule, _unwrap_compiled

    net = nn.Linear(8, 3)
    assert not isinstance(net, OptimizedModule)
    compiled = torch.compile(net, backend="eager")
    x = torch.randn(4, 8)
    assert torch.allclose(compiled(x), net(x))
    assert isinstance(compiled, OptimizedModule)
    assert not isinstance(net, OptimizedModule)
    assert issubclass(type(compiled), OptimizedModule)
    assert _unwrap_compiled(compiled)[0] is net


@case
def compiled_lightning_modules_train() -> None:
    module = Lit()
    fit(torch.compile(module, backend="eager"))
    assert len(module.losses) == 8


@case
def functions_left_alone_earlier_are_left_alone_by_the_compiler() -> None:
    graphs = []

    def backend(graph, inputs):
        graphs.append(graph)
        return graph.forward

    @torch.compiler.disable
    def outside(x):
        return torch.sin(x)

    @torch.compiler.disable(recursive=False)
    def also_outside(x):
        return torch.cos(x)

    assert outside.__name__ == "outside"
    assert torch.equal(outside(torch.ones(2)), torch.ones(2).sin())
    assert waiting("torch._dynamo")

    def both(x):
        return also_outside(outside(x + 1) + 2) + 3

    x = torch.ones(2)
    assert torch.equal(torch.compile(both, backend=backend)(x), both(x))
    operations = [node.target.__name__ for graph in graphs for node in graph.graph.nodes if node.op == "call_function"]
    assert len(graphs) == 3
    assert set(operations) == {"add"}


@case
def optimizer_caches_made_earlier_are_renewed() -> None:
    weight = nn.Parameter(torch.ones(3))
    optimizer = torch.optim.SGD([weight], lr=0.1)
    added = torch.optim.Optimizer.add_param_group.__wrapped__
    assert added.__dynamo_disable is added
    assert waiting("torch._dynamo")
    assert torch._dynamo.config.recompile_limit > 0
    assert not waiting("torch._dynamo")
    assert not hasattr(added, "__dynamo_disable")
    optimizer.add_param_group({"params": [nn.Parameter(torch.ones(2))]})
    assert added.__dynamo_disable is not added


@case
def export_works() -> None:
    net = nn.Sequential(nn.Linear(8, 3), nn.ReLU())
    x = torch.randn(4, 8)
    assert torch.allclose(torch.export.export(net, (x,)).module()(x), net(x))


@case
def export_of_a_scan_works_whatever_is_imported_first() -> None:
    from torch._dynamo import exc  # what torch.export asks for: a submodule, before the package has been executed
    from torch._higher_order_ops.scan import scan

    assert exc is torch._dynamo.symbolic_convert.exc is sys.modules["torch._dynamo.exc"]

    class Running(nn.Module):
        def forward(self, x):
            def step(total, row):
                return total + row, (total + row).clone()

            return scan(step, torch.zeros_like(x[0]), x)[1]

    x = torch.randn(9, 4)
    assert torch.allclose(torch.export.export(Running(), (x,), strict=False).module()(x), x.cumsum(0), atol=1e-5)


@case
def functional_transforms_work() -> None:
    net = nn.Linear(3, 1)
    parameters = dict(net.named_parameters())
    x = torch.randn(5, 3)

    def loss(weights, row):
        return torch.func.functional_call(net, weights, (row,)).sum() ** 2

    each = torch.func.vmap(torch.func.grad(loss), (None, 0))(parameters, x)
    for row, grad in zip(x, each["weight"], strict=True):
        assert torch.allclose(grad, torch.func.grad(loss)(parameters, row)["weight"])
    assert torch.allclose(torch.func.jacrev(torch.sin)(x[0]), torch.diag(x[0].cos()))


@case
def activation_checkpointing_works() -> None:
    net = nn.Sequential(nn.Linear(8, 8), nn.Tanh())
    x = torch.randn(4, 8, requires_grad=True)
    (plain,) = torch.autograd.grad(net(x).sum(), x)
    for reentrant in (True, False):
        out = torch.utils.checkpoint.checkpoint(net, x, use_reentrant=reentrant)
        x.grad = None
        out.sum().backward()
        assert torch.allclose(x.grad, plain)


@case
def every_optimizer_and_scheduler_steps_without_it() -> None:
    for name in ("SGD", "Adam", "AdamW", "NAdam", "RAdam", "Adamax", "RMSprop", "Rprop", "Adagrad", "Adadelta", "ASGD"):
        for fused in (False, True) if name in ("SGD", "Adam", "AdamW", "Adagrad") else (None,):
            weight = nn.Parameter(torch.ones(3))
            options = {} if fused is None else {"fused": fused}
            optimizer = getattr(torch.optim, name)([weight], lr=0.1, **options)
            schedules = torch.optim.lr_scheduler
            schedule = schedules.OneCycleLR(optimizer, 0.1, total_steps=4, cycle_momentum=False)
            plateau = schedules.ReduceLROnPlateau(optimizer)
            for _ in range(2):
                optimizer.zero_grad()
                (weight**2).sum().backward()
                optimizer.step()
                schedule.step()
                plateau.step(1.0)
            optimizer.load_state_dict(optimizer.state_dict())
            assert (weight < 1).all(), name
    weight = nn.Parameter(torch.ones(3))
    optimizer = torch.optim.LBFGS([weight])

    def closure():
        optimizer.zero_grad()
        loss = (weight**2).sum()
        loss.backward()
        return loss

    optimizer.step(closure)
    assert (weight < 1).all()
    assert waiting("torch._dynamo")


@case
def distributed_training_works() -> None:
    import tempfile

    from torch.nn.parallel import DistributedDataParallel

    with tempfile.NamedTemporaryFile() as file:
        torch.distributed.init_process_group("gloo", init_method=f"file://{file.name}", rank=0, world_size=1)
        net = DistributedDataParallel(nn.Linear(8, 3))
        net(torch.randn(4, 8)).sum().backward()
        assert all(p.grad is not None for p in net.parameters())
        torch.distributed.destroy_process_group()


@case
def submodules_are_imported_once() -> None:
    import torch._dynamo.config as config
    import torch._dynamo.testing

    assert not waiting("torch._dynamo")
    assert config is torch._dynamo.config is sys.modules["torch._dynamo.config"]
    assert config.__spec__.name == "torch._dynamo.config"
    assert type(config.__spec__.loader).__name__ != "_Imported"
    assert torch._dynamo.testing is sys.modules["torch._dynamo.testing"]
    assert torch._dynamo is sys.modules["torch._dynamo"]
    assert torch._dynamo.OptimizedModule is torch._dynamo.eval_frame.OptimizedModule
    assert torch._dynamo.disable is torch._dynamo.decorators.disable


@case
def torchmetrics_works_when_it_is_asked_for() -> None:
    from torchmetrics.classification import MulticlassAccuracy

    assert not waiting("torchmetrics")
    import torchmetrics
    from pytorch_lightning.core import module

    assert torchmetrics.Metric is module.Metric is sys.modules["torchmetrics.metric"].Metric
    assert MulticlassAccuracy is sys.modules["torchmetrics.classification.accuracy"].MulticlassAccuracy
    accuracy = MulticlassAccuracy(3, average="micro")
    predicted, target = torch.tensor([0, 1, 2, 2]), torch.tensor([0, 1, 1, 2])
    assert accuracy(predicted, target) == 0.75
    assert isinstance(accuracy, module.Metric)
    assert isinstance(torchmetrics.MetricCollection([accuracy]), module.MetricCollection)
    functional = torchmetrics.functional
    assert functional.classification.multiclass_accuracy(predicted, target, 3, average="micro") == 0.75
    assert functional.regression.mean_squared_error(torch.ones(2), torch.zeros(2)) == 1
    assert functional.pearson_corrcoef(torch.arange(3.0), torch.arange(3.0)) > 0.99
    assert torchmetrics.__version__ == sys.modules["torchmetrics.__about__"].__version__


@case
def functional_metrics_need_neither_scipy_nor_the_rest() -> None:
    from torchmetrics.functional import classification
    from torchmetrics.functional.regression import mean_squared_error

    predicted, target = torch.tensor([0, 1, 2, 2]), torch.tensor([0, 1, 1, 2])
    assert classification.multiclass_accuracy(predicted, target, 3, average="micro") == 0.75
    assert mean_squared_error(torch.ones(2), torch.zeros(2)) == 1
    assert waiting("torchmetrics")
    assert waiting("torchmetrics.functional")
    assert not [name for name in HEAVY if name in sys.modules]

    import torchmetrics
    from torchmetrics.functional.audio import signal_noise_ratio

    assert not waiting("torchmetrics")
    assert torchmetrics.functional is sys.modules["torchmetrics.functional"]
    assert torchmetrics.functional.signal_noise_ratio is not None
    assert signal_noise_ratio(torch.ones(3), torch.ones(3)) > 50
    assert classification is torchmetrics.functional.classification
    assert torchmetrics.functional.mean_squared_error is mean_squared_error


@case
def metrics_are_logged_by_lightning() -> None:
    class WithMetric(Lit):
        def __init__(self) -> None:
            super().__init__()
            from torchmetrics import MeanMetric

            self.mean = MeanMetric()

        def training_step(self, batch, index):
            loss = super().training_step(batch, index)
            self.mean(loss.detach())
            self.log("mean", self.mean, on_step=False, on_epoch=True)
            return loss

    module = WithMetric()
    fit(module)
    assert abs(module.trainer.callback_metrics["mean"] - sum(module.losses[4:]) / 4) < 1e-6


@case
def plots_work() -> None:
    import matplotlib

    matplotlib.use("Agg")
    from pytorch_lightning.core.module import Metric, MetricCollection

    class Count(Metric):
        full_state_update = False

        def __init__(self) -> None:
            super().__init__()
            self.add_state("total", torch.tensor(0.0))

        def update(self, x) -> None:
            self.total += x.sum()

        def compute(self):
            return self.total

        def plot(self, value=None, ax=None):
            return self._plot(value, ax)

    assert waiting("torchmetrics.utilities.plot")
    _, axes = Count().plot(torch.tensor(1.0))
    assert isinstance(axes, matplotlib.axes.Axes)
    assert not waiting("torchmetrics.utilities.plot")
    collection = MetricCollection([Count()])
    collection.plot({"Count": torch.tensor(1.0)}, ax=axes, together=True)


@case
def model_summaries_count_operations() -> None:
    module = Lit()
    module.example_input_array = torch.ones(1, 8)
    summary = pl.utilities.model_summary.ModelSummary(module)
    assert summary.total_parameters == 27
    assert summary.total_flops == 2 * 8 * 3
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter:
        torch.ones(2, 3) @ torch.ones(3, 4)
    assert counter.get_total_flops() == 2 * 2 * 3 * 4


@case
def other_packages_are_as_always() -> None:
    import scipy.signal
    from sklearn.datasets import load_digits
    from sklearn.linear_model import LogisticRegression

    assert scipy.signal.windows.hamming(3)[1] == 1
    data = load_digits()
    assert LogisticRegression(max_iter=20).fit(data.data[:100] / 16, data.target[:100]) is not None


@case
def code_that_walks_the_modules_does_not_wake_them() -> None:
    import inspect

    for module in list(sys.modules.values()):
        getattr(module, "__warningregistry__", None)
        getattr(module, "__file__", None)
    assert inspect.getmodule(Lit) is sys.modules["__main__"]
    assert waiting("torch._dynamo")
    assert waiting("torchmetrics")


@case
def threads_wait_for_each_other() -> None:
    import threading

    seen = []

    def ask() -> None:
        seen.append(torch._dynamo.is_compiling)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 4
    assert len({id(function) for function in seen}) == 1


def start(function: Callable[[], None]) -> tuple[int, int]:
    """A child process that runs a case and writes its trace; the process and the end of the pipe to read."""
    read, write = os.pipe()
    child = os.fork()
    if child:
        os.close(write)
        return child, read
    os.close(read)
    said = ""
    try:
        function()
    except BaseException:
        said = traceback.format_exc()
    os.write(write, said[-20_000:].encode())
    os._exit(0)


def ended(child: int, read: int) -> str:
    with os.fdopen(read, "rb") as pipe:
        said = pipe.read().decode()
    _, status = os.waitpid(child, 0)
    return said or ("" if status == 0 else f"ended with status {status}")


if __name__ == "__main__":
    torch.set_num_threads(1)
    sys.stdout.flush()
    said = {}
    for first in range(0, len(CASES), 2):  # two at a time
        for function, child in [(function, start(function)) for function in CASES[first : first + 2]]:
            said[function.__name__] = ended(*child)
    print(json.dumps(said))

"""Keeps out of a start what the first training steps do not need; nothing is taken away, only put off.

Importing Lightning also imports large things for a handful of names (measured in benchmarks/README.md):

* ``torch._dynamo``, with Inductor and SymPy: Lightning asks it for one class to compare with, ``torch.optim`` for two
  functions that do nothing in a program where nothing is compiled;
* ``torchmetrics``, with scipy.signal, matplotlib, and torchvision, transformers, nltk… where they are installed:
  Lightning asks it for ``Metric`` and ``MetricCollection``; the functional classification and regression metrics need
  nothing but torch;
* ``torch.utils.flop_counter``, with Triton: for the class that counts when a model summary is shown.

:func:`fast_imports` puts a postponed module in the place of each. It answers those names, and executes itself, in
place, as soon as anything else is asked of it: another attribute, or a submodule that is not one of its light ones. So
``torch.compile``, ``torch.export``, ``import torchmetrics.classification`` and ``metric.plot()`` work as always, only
later, and no metric becomes unavailable.
Where torch or torchmetrics are laid out differently from what is expected here, the plain import happens.
"""

from __future__ import annotations

import copy
import functools
import importlib
import logging
import os
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import module_from_spec
from types import FunctionType, ModuleType
from typing import Any


@dataclass
class _Pending:
    """What is known of a module that has not been executed."""

    loader: Loader
    names: dict[str, Any] = field(default_factory=dict)  # answered meanwhile
    after: Callable[[], None] | None = None  # called when it has been executed
    light: tuple[str, ...] = ()  # submodules that can be imported without executing it
    running: bool = False  # being executed: circular imports see it as it is


_pending: dict[str, _Pending] = {}
_lock = threading.RLock()


class Postponed(ModuleType):
    """A module that executes its source, as the same object, when it is asked for a name that it does not know."""

    def __getattr__(self, name: str) -> Any:
        # Code that walks sys.modules asks every module for things like __warningregistry__: that is no use of it.
        if name.startswith("__") and name != "__all__":
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        pending = _pending.get(self.__name__)
        if pending is not None and name in pending.light:
            return importlib.import_module(f"{self.__name__}.{name}")
        execute(self)
        return ModuleType.__getattribute__(self, name)


def execute(module: ModuleType) -> None:
    """Executes a postponed module, after its package; of any other, or within its own execution (a circular import),
    does nothing."""
    with _lock:
        if (package := sys.modules.get(module.__name__.rpartition(".")[0])) is not None:
            execute(package)
        if not isinstance(module, Postponed) or _pending[module.__name__].running:
            return
        pending = _pending[module.__name__]
        pending.running = True
        for name in pending.names:
            module.__dict__.pop(name, None)
        try:
            pending.loader.exec_module(module)
        except BaseException:
            module.__dict__.update(pending.names)
            pending.running = False
            raise
        module.__class__ = ModuleType
        del _pending[module.__name__]
        if pending.after is not None:
            pending.after()


def _postpone(name: str, path: Sequence[str] | None, light: tuple[str, ...] = ()) -> Postponed | None:
    """Puts a postponed module into ``sys.modules``; None where it has been imported already or is not found."""
    spec = PathFinder.find_spec(name, path) if name not in sys.modules else None
    if spec is None or spec.loader is None:
        return None
    module = Postponed(name)
    module.__dict__.update(vars(module_from_spec(spec)))
    _pending[name] = _Pending(spec.loader, light=light)
    sys.modules[name] = module
    return module


def _answer(module: Postponed, names: dict[str, Any], after: Callable[[], None] | None = None) -> None:
    module.__dict__.update(names)
    _pending[module.__name__].names.update(names)
    _pending[module.__name__].after = after


class _Submodules(MetaPathFinder):
    """Executes a postponed package before the first import of one of its submodules."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        package, _, name = fullname.rpartition(".")
        pending = _pending.get(package)
        if pending is None or name in pending.light:
            return None
        execute(sys.modules[package])
        module = sys.modules.get(fullname)
        return _Imported.of(module) if module is not None else None


class _Imported(Loader):
    """Hands over the submodule that executing its package has imported; the import system would make a second one.

    Meanwhile that submodule bears the spec that leads here: importlib goes by it, not by the one that a finder gave,
    once it sees that the module has come to be there.
    """

    def __init__(self, module: ModuleType, spec: ModuleSpec | None) -> None:
        self.module, self.spec = module, spec

    @classmethod
    def of(cls, module: ModuleType) -> ModuleSpec:
        spec = copy.copy(module.__spec__ or ModuleSpec(module.__name__, None))
        spec.loader = cls(module, module.__spec__)
        module.__dict__["__spec__"] = spec  # the module may refuse to have attributes set, as torch's configs do
        return spec

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return self.module

    def exec_module(self, module: ModuleType) -> None:
        module.__dict__["__spec__"] = self.spec

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self.spec and self.spec.loader, name)  # get_source…, for who finds the spec and loads nothing


class _StandIn(type):
    """The type of a class that stands for one of a postponed module: ``isinstance`` asks the real one.

    Nothing is an instance of a class that has not been executed, so the answer is no until then; unless the real one
    may be an alias of a class from elsewhere (``alias``), which only executing can tell.
    """

    module: ModuleType
    alias: bool

    def real(cls) -> type | tuple[()]:
        if cls.alias:
            execute(cls.module)
        return () if isinstance(cls.module, Postponed) else getattr(cls.module, cls.__name__)

    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, cls.real())

    def __subclasscheck__(cls, subclass: type) -> bool:
        return issubclass(subclass, cls.real())


def _forward(module: ModuleType, name: str) -> Callable[..., Any]:
    """A function, or a class that is only called: executes the module when it is."""

    def forwarded(*arguments: Any, **options: Any) -> Any:
        execute(module)
        return getattr(module, name)(*arguments, **options)

    return forwarded


def _postpone_dynamo() -> None:
    import torch

    module = _postpone("torch._dynamo", torch.__path__)
    if module is None:
        return
    left_alone: list[Any] = []
    wrapped: list[Callable[[], None]] = []

    def disable(fn: Any = None, recursive: bool = True, **options: Any) -> Any:
        """Keeps Dynamo out of a function: it is called as it is, until there is something to keep out."""
        if fn is None:
            return functools.partial(disable, recursive=recursive, **options)
        if options == {"wrapping": False}:  # asked by torch._compile, which caches the answer on the function
            left_alone.append(fn)
            return fn
        if not isinstance(fn, FunctionType):  # the real one changes classes and modules
            execute(module)
            return module.disable(fn, recursive, **options)
        called = fn

        @functools.wraps(fn)
        def later(*arguments: Any, **keywords: Any) -> Any:
            return called(*arguments, **keywords)

        def bind() -> None:
            nonlocal called
            called = module.disable(fn, recursive, **options)

        wrapped.append(bind)
        return later

    def graph_break(msg: str = "") -> None:
        """Ends a graph that is being traced: here there is none."""

    def keep_promises() -> None:
        """Lets every function that asked for it have the real ``disable``."""
        for fn in left_alone:
            if getattr(fn, "__dynamo_disable", None) is fn:
                del fn.__dynamo_disable  # so torch._compile asks again
        for bind in wrapped:
            bind()

    optimized = _StandIn("OptimizedModule", (), {"module": module, "alias": False})
    _answer(module, {"OptimizedModule": optimized, "disable": disable, "graph_break": graph_break}, keep_promises)
    setattr(torch, "_dynamo", module)  # noqa: B010  as an import would do


def _postpone_flop_counter() -> None:
    import torch.utils

    module = _postpone("torch.utils.flop_counter", torch.utils.__path__)
    if module is not None:
        _answer(module, {"FlopCounterMode": _forward(module, "FlopCounterMode")})


def _postpone_torchmetrics() -> None:
    light = ("__about__", "collections", "metric", "utilities")
    package = _postpone("torchmetrics", None, light)
    if package is None:
        return
    try:
        functional = _postpone("torchmetrics.functional", package.__path__, ("classification", "regression"))
        if functional is None:
            raise ImportError("torchmetrics.functional")
        package.__dict__["functional"] = functional  # as an import would do
        _postpone_plots(package)
        _answer(package, {"_logger": logging.getLogger("torchmetrics")})
        importlib.import_module("torchmetrics.utilities")  # first: it and torchmetrics.metric import each other
        names = {
            "Metric": importlib.import_module("torchmetrics.metric").Metric,
            "MetricCollection": importlib.import_module("torchmetrics.collections").MetricCollection,
            "__version__": importlib.import_module("torchmetrics.__about__").__version__,
        }
    except (ImportError, AttributeError):  # laid out differently: leave no trace, so that the plain import happens
        for name in [name for name in sys.modules if name.partition(".")[0] == "torchmetrics"]:
            del sys.modules[name]
            _pending.pop(name, None)
        return
    _answer(package, names)


def _postpone_plots(package: ModuleType) -> None:
    """``metric.plot()`` needs matplotlib; importing Lightning does not."""
    module = _postpone("torchmetrics.utilities.plot", [f"{path}/utilities" for path in package.__path__])
    if module is None:
        return

    names = {
        "_AX_TYPE": _StandIn("_AX_TYPE", (), {"module": module, "alias": True}),
        "_PLOT_OUT_TYPE": object,  # in annotations only
        "plot_single_or_multi_val": _forward(module, "plot_single_or_multi_val"),
    }
    _answer(module, names)


def fast_imports() -> None:
    """Imports torch, and postpones what Lightning would import for a few names. Call it before importing Lightning.

    A second call, or one after those modules have been imported, changes nothing.
    """
    if not any(isinstance(finder, _Submodules) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Submodules())
    _postpone_dynamo()
    _postpone_flop_counter()
    _postpone_torchmetrics()


def plain_cuda_check() -> None:
    """Lets torch ask the CUDA runtime whether there is a GPU, as it does by itself. Call it once Lightning is imported.

    Lightning sets ``PYTORCH_NVML_BASED_CUDA_CHECK``, and then every optimiser step opens NVIDIA's management library
    anew: 30 µs where there is one to find, more where there is none. What the user set stays.
    """
    if not _NVML_ASKED:
        os.environ.pop("PYTORCH_NVML_BASED_CUDA_CHECK", None)


_NVML_ASKED = "PYTORCH_NVML_BASED_CUDA_CHECK" in os.environ

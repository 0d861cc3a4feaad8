"""Who may import whom, and what may not be written at all: read from the source by its syntax, nothing is imported.

The rules are those of STYLE.md, "Who may import whom", and of DESIGN.md on randomness and on opening files. Every
exception is named here with its reason. Used by test_imports.py.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

# What the parts of a network may import: of ours, and of others'.
PARTS = {
    "assay.models": {"assay.layers"},
    "assay.layers": {"assay.layers"},
    "assay.losses": set(),
    "assay.metrics": set(),
    "assay.estimators": {"assay.layers", "assay.decoding"},
    "assay.decoding": set(),
    "assay.optim": {"assay.state"},  # TrainState's flat form: what a schedule gives and takes
    "assay.compression": set(),
    "assay.distillation": {"assay.losses", "assay.layers"},
    "assay.tasks": {"assay.losses", "assay.metrics", "assay.decoding", "assay.layers"},
}
FOR_ALL_PARTS = {"assay.contracts", "assay.errors", "assay.layers"}
BESIDES = {
    "assay.distillation.teacher": {"assay.artifacts", "assay.folder"},  # a teacher is a trained run
    "assay.distillation.teacher_files": {"assay.folder"},
    "assay.distillation.wandb_files": {"assay.review.wandb_host"},  # can it be asked?
    "assay.distillation.cache": {"assay.data", "assay.engines.ranks"},  # a column beside the examples
    "assay.distillation.cache_key": {"assay.data.dataset", "assay.engines.checkpoint"},
    "assay.distillation.cache_file": {"assay.alone", "assay.engines.checkpoint"},
    "assay.compression.cost": {"assay.engines.threads"},  # one count of multiply-adds
}
THIRD_PARTIES_OF_PARTS = {"torch", "numpy", "typing_extensions"}

LOOP = ("assay.tasks", "assay.callbacks", "assay.engines.eager", "assay.trainers", "assay.data.module")

# Who may know a thing. Modules directly owned by preflight and train.py count as they do.
KNOWN_BY = {
    "assay.run": (
        "assay.cli",
        "assay.door",
        "assay.follow",
        "assay.launch",
        "assay.lifecycle.resume",
        "assay.bench",
        "assay.benchmarks",
        "assay.loops",
        "assay.sweeps.jobs.job",  # the process of one job
        "assay.sweeps.jobs.warm_server",
        "train",
    ),
    "hydra": (
        "assay.run",
        "assay.preflight",
        "assay.cli",
        "assay.composition",
        "assay.launch",
        "hydra_plugins",
        "train",
    ),
    "omegaconf": ("assay.run", "assay.preflight", "assay.cli", "assay.composition", "assay.launch", "hydra_plugins"),
    "pytorch_lightning": (
        "assay.tasks",
        "assay.callbacks",
        "assay.engines.eager",
        "assay.trainers",
        "assay.data.module",
    ),
    "lightning_fabric": (
        "assay.tasks",
        "assay.callbacks",
        "assay.engines.eager",
        "assay.trainers",
        "assay.data.module",
    ),
    "lightning": (),  # a second copy of the code, whose classes are not those of pytorch_lightning
    "assay.tasks": ("assay.tasks",),
}

# Slow to import and not needed by a training step: inside the function that uses them.
ONLY_INSIDE_FUNCTIONS = (
    "scipy",
    "sklearn",
    "matplotlib",
    "pandas",
    "wandb",
    "torchmetrics",
    "torchvision",
    "torchaudio",
)
ONLY_INSIDE_FUNCTIONS += ("onnx", "onnxscript", "onnxruntime")
ONLY_INSIDE_FUNCTIONS += ("transformers", "nltk", "optuna", "sympy", "torch._dynamo", "torch._inductor")

# These, and all they import at their top, must answer before torch is there.
TORCH_FREE = ("assay", "assay.errors", "assay.preflight", "assay.cli", "assay.launch", "assay.folder", "assay.switches")
TORCH_FREE += ("assay.lifecycle", "assay.environment", "assay.door", "assay.bench", "hydra_plugins", "train")
LIGHT = set(sys.stdlib_module_names) | {"hydra", "omegaconf", "yaml", "antlr4", "assay", "hydra_plugins", "train"}

DROPOUT_MODULE = "assay.layers.random"
DRAWS = {"rand", "rand_like", "randn", "randn_like", "randint", "randint_like", "randperm", "bernoulli", "multinomial"}
DRAWS |= {"normal", "poisson"}
DRAWING_PARTS = ("assay.models", "assay.layers", "assay.losses", "assay.tasks", "assay.distillation", "assay.decoding")
PICKLES = ("pickle", "_pickle", "dill", "cloudpickle", "marshal")
RUNS_CODE = {f"{module}.{name}" for module in PICKLES for name in ("load", "loads", "Unpickler")}
RUNS_CODE |= {"joblib.load", "shelve.open", "pandas.read_pickle", "torch.jit.load", "torch.hub.load"}
SAFE_YAML = {"assay.composition.kept_files"}  # by a loader made of OmegaConf's, which test_imports.py looks at
RUNS_CODE |= {"yaml.unsafe_load", "yaml.full_load", "yaml.UnsafeLoader", "yaml.FullLoader"}


@dataclass(frozen=True)
class Import:
    """``import name`` or ``from base import name`` as ``base.name``; ``top``: executed when the module is imported."""

    name: str
    line: int
    top: bool


def under(name: str, package: str) -> bool:
    return name == package or name.startswith(package + ".")


def modules() -> dict[str, Path]:
    """Every module of ours by its name."""
    found = {"train": ROOT / "train.py"}
    for path in sorted((ROOT / "src").rglob("*.py")):
        parts = path.relative_to(ROOT / "src").with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports(module: str, source: str, package: bool = False) -> list[Import]:
    """All imports, relative ones made absolute. Those under ``if TYPE_CHECKING`` are none."""
    found: list[Import] = []

    def visit(node: ast.AST, top: bool) -> None:
        if isinstance(node, ast.Import):
            found.extend(Import(alias.name, node.lineno, top) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parts = module.split(".")
                parts = parts[: len(parts) - node.level + (1 if package else 0)]
                base = ".".join([*parts, base] if base else parts)
            found.extend(Import(f"{base}.{alias.name}", node.lineno, top) for alias in node.names)
        elif isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            for child in node.orelse:
                visit(child, top)
        else:
            inside = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            for child in ast.iter_child_nodes(node):
                visit(child, top and not inside)

    visit(ast.parse(source), True)
    return found


def violations(module: str, source: str, package: bool = False) -> list[str]:
    """One line for everything in a module that is against the rules."""
    tree = ast.parse(source)
    found = [*_import_violations(module, imports(module, source, package)), *_spelling_violations(module, tree)]
    if module.rpartition(".")[2] in ("utils", "helpers", "common"):
        found.append(f"{module}: name the idea, or put it beside its only user")
    return found


def _import_violations(module: str, found: list[Import]) -> Iterator[str]:
    part = next((part for part in PARTS if under(module, part)), None)
    own = FOR_ALL_PARTS | PARTS.get(part or "", set()) | BESIDES.get(module, set()) | {part}
    for one in found:
        where = f"{module}:{one.line} imports {one.name}"
        for thing, friends in KNOWN_BY.items():
            if under(one.name, thing) and not any(under(module, friend) for friend in (*friends, thing)):
                yield f"{where}: only {', '.join(friends) or 'nobody'} may know {thing}"
        if one.top and any(under(one.name, slow) for slow in ONLY_INSIDE_FUNCTIONS):
            yield f"{where} at its top: slow, import it inside the function that uses it"
        if part is None:
            continue
        first = one.name.partition(".")[0]
        if first == "assay":
            if not any(under(one.name, allowed) for allowed in own if allowed):
                yield f"{where}: {part} may import {', '.join(sorted(a for a in own if a and a != part))}"
        elif one.top and first not in THIRD_PARTIES_OF_PARTS | sys.stdlib_module_names:
            friends = KNOWN_BY.get(first, ())
            if not any(under(module, friend) for friend in friends):
                yield f"{where}: {part} uses torch and NumPy alone"


class _Names(ast.NodeVisitor):
    """Dotted names as they are used, with imports resolved: ``F.dropout`` is ``torch.nn.functional.dropout``."""

    def __init__(self) -> None:
        self.aliases: dict[str, str] = {}

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            self.aliases[alias.asname or alias.name.partition(".")[0]] = (
                alias.name if alias.asname else alias.name.partition(".")[0]
            )

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        for alias in node.names:
            self.aliases[alias.asname or alias.name] = f"{node.module}.{alias.name}"

    def of(self, node: ast.AST) -> str:
        if isinstance(node, ast.Name):
            return self.aliases.get(node.id, node.id)
        if isinstance(node, ast.Attribute):
            base = self.of(node.value)
            return f"{base}.{node.attr}" if base else ""
        return ""


def _spelling_violations(module: str, tree: ast.Module) -> Iterator[str]:
    names = _Names()
    names.visit(tree)
    for node in ast.walk(tree):
        where = f"{module}:{getattr(node, 'lineno', 0)}"
        if isinstance(node, ast.Name | ast.Attribute):
            full = names.of(node)
            last = full.rpartition(".")[2]
            if full.startswith("torch.") and "dropout" in last.lower() and module != DROPOUT_MODULE:
                yield f"{where} names {full}: use assay.layers.random.Dropout"
            if full in RUNS_CODE:
                yield f"{where} names {full}, which runs code when it opens a file"
        if not isinstance(node, ast.Call):
            continue
        full = names.of(node.func)
        keywords = {keyword.arg: keyword.value for keyword in node.keywords}
        constants = {name: value.value for name, value in keywords.items() if isinstance(value, ast.Constant)}
        if "dropout_p" in keywords or (full.startswith("torch.") and "dropout" in keywords):
            yield f"{where} asks torch for dropout: use assay.layers.random.Dropout"
        if full == "torch.load" and constants.get("weights_only") is not True:
            yield f"{where} calls torch.load without weights_only=True"
        if full == "numpy.load" and "allow_pickle" in keywords and constants.get("allow_pickle") is not False:
            yield f"{where} calls numpy.load with allow_pickle"
        if full == "yaml.load" and "SafeLoader" not in ast.unparse(node) and module not in SAFE_YAML:
            yield f"{where} calls yaml.load without a safe loader"
        if full in ("eval", "exec", "builtins.eval", "builtins.exec"):
            yield f"{where} calls {full}"
        draws = full.startswith("torch.") and full.removeprefix("torch.") in DRAWS
        draws |= isinstance(node.func, ast.Attribute) and node.func.attr in ("bernoulli_", "random_")
        if draws and module != DROPOUT_MODULE and any(under(module, part) for part in DRAWING_PARTS):
            yield f"{where} draws by {full or ast.unparse(node.func)}: draw from the streams of {DROPOUT_MODULE}"


def closure(start: str, sources: dict[str, tuple[str, bool]]) -> dict[str, list[str]]:
    """All modules that importing one imports, each with the way there. Others' packages by their first name.

    Args:
        sources: our modules: name -> (source, whether it is a package).
    """
    ways: dict[str, list[str]] = {}
    waiting = [(start, [start])]
    while waiting:
        name, way = waiting.pop()
        if name in ways:
            continue
        ways[name] = way
        if name not in sources:
            continue
        source, package = sources[name]
        for one in imports(name, source, package):
            if not one.top:
                continue
            ours = [known for known in sources if under(one.name, known)]  # its packages too
            if not ours or one.name.partition(".")[0] not in ("assay", "hydra_plugins"):
                ours = [one.name.partition(".")[0]]
            waiting.extend((known, [*way, known]) for known in ours)
        parent = name.rpartition(".")[0]
        if parent in sources:
            waiting.append((parent, [*way, parent]))
    return ways

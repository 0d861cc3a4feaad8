"""The parameters of a ``_target_``, read from its source without importing it: torch stays unloaded.

A name is followed through packages and ``from … import …`` to its class or function. Where that fails (compiled code,
built at run time) the answer is None, and the caller falls back on the type of the YAML default.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Any

_WORDS = {"int": "a whole number", "float": "a number", "bool": "true or false", "str": "text", "None": "null"}
_LISTS = ("list", "List", "tuple", "Tuple", "Sequence", "Iterable", "set", "frozenset", "Collection")
_MAPPINGS = ("dict", "Dict", "Mapping", "MutableMapping")


@dataclass(frozen=True)
class Parameter:
    """One argument of a constructor. ``annotation`` is its source tree, or None."""

    name: str
    annotation: ast.expr | None
    required: bool


@cache
def parameters(target: str) -> dict[str, Parameter] | None:
    """{name: Parameter} in order; None where the source does not tell."""
    module, _, name = target.rpartition(".")
    found = definition_of(module, name, 0)
    if found is None:
        return None
    definition = found
    if isinstance(definition, ast.FunctionDef):
        return _arguments(definition.args, bound=False)
    for statement in definition.body:
        if isinstance(statement, ast.FunctionDef) and statement.name == "__init__":
            return _arguments(statement.args, bound=True)
    if any("dataclass" in ast.unparse(decorator) for decorator in definition.decorator_list):
        return {
            statement.target.id: Parameter(statement.target.id, statement.annotation, statement.value is None)
            for statement in definition.body
            if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name)
        }
    bases = [ast.unparse(base) for base in definition.bases]
    return {} if all(base in ("nn.Module", "Module", "Protocol", "object") for base in bases) else None


def _arguments(arguments: ast.arguments, bound: bool) -> dict[str, Parameter] | None:
    if arguments.kwarg is not None:
        return None
    plain = [*arguments.posonlyargs, *arguments.args]
    required = len(plain) - len(arguments.defaults)
    found = {a.arg: Parameter(a.arg, a.annotation, number < required) for number, a in enumerate(plain)}
    for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        found[argument.arg] = Parameter(argument.arg, argument.annotation, default is None)
    if bound and plain:
        del found[plain[0].arg]
    return found


@cache
def _module(name: str) -> tuple[Path, ast.Module] | None:
    first, *rest = name.split(".")
    spec = PathFinder.find_spec(first)
    if spec is None or not spec.submodule_search_locations:
        return None
    for place in spec.submodule_search_locations:
        folder = Path(place, *rest)
        for path in (folder / "__init__.py", folder.with_suffix(".py") if rest else folder):
            if path.is_file():
                return path, ast.parse(path.read_text(encoding="utf-8"))
    return None


def definition_of(module: str, name: str, depth: int) -> ast.ClassDef | ast.FunctionDef | None:
    """Where ``module.name`` is defined, followed through at most five imports."""
    found = _module(module) if module and depth < 6 else None
    if found is None:
        return None
    path, tree = found
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    stars = []
    for statement in _statements(tree):
        if isinstance(statement, ast.ClassDef | ast.FunctionDef) and statement.name == name:
            return statement
        if isinstance(statement, ast.ImportFrom):
            outer = package.split(".")[: len(package.split(".")) - max(statement.level - 1, 0)]
            source = (
                ".".join([*outer, statement.module or ""]).strip(".") if statement.level else statement.module or ""
            )
            for alias in statement.names:
                if (alias.asname or alias.name) == name:
                    return definition_of(source, alias.name, depth + 1)
                if alias.name == "*":
                    stars.append(source)
    return next((inner for star in stars if (inner := definition_of(star, name, depth + 1))), None)


def _statements(tree: ast.Module) -> Iterator[ast.stmt]:
    for statement in tree.body:
        yield statement
        if isinstance(statement, ast.If | ast.Try):
            yield from statement.body


def fits(annotation: ast.expr | None, value: Any) -> bool | None:
    """Whether a YAML value has the annotated type; None where the annotation is of a kind YAML has not."""
    match annotation:
        case ast.Constant(value=None):
            return value is None
        case ast.Constant(value=str(text)):
            return fits(ast.parse(text, mode="eval").body, value)
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return _any([fits(left, value), fits(right, value)])
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return _is(name, value)
        case ast.Subscript(value=ast.Name(id=name) | ast.Attribute(attr=name), slice=inner):
            inners = inner.elts if isinstance(inner, ast.Tuple) else [inner]
            return _is_generic(name, inners, value)
    return None


def _is(name: str, value: Any) -> bool | None:
    if name in ("Any", "object"):
        return True
    if name in _LISTS:
        return isinstance(value, list)
    if name in _MAPPINGS:
        return isinstance(value, dict)
    match name:
        case "bool":
            return isinstance(value, bool)
        case "int":
            return isinstance(value, int) and not isinstance(value, bool)
        case "float":
            return isinstance(value, int | float) and not isinstance(value, bool)
        case "str" | "Path":
            return isinstance(value, str)
    return None


def _is_generic(name: str, inners: list[ast.expr], value: Any) -> bool | None:
    if name == "Optional":
        return _any([value is None, fits(inners[0], value)])
    if name == "Union":
        return _any([fits(inner, value) for inner in inners])
    if name == "Literal":
        values = [inner.value for inner in inners if isinstance(inner, ast.Constant)]
        return any(value == one and type(value) is type(one) for one in values)
    if name in _LISTS:
        if not isinstance(value, list):
            return False
        fixed = name in ("tuple", "Tuple") and not any(isinstance(i, ast.Constant) and i.value is ... for i in inners)
        if fixed and len(value) != len(inners):
            return False
        kinds = inners if fixed else [inners[0]] * len(value)
        return _all([fits(kind, one) for kind, one in zip(kinds, value, strict=True)])
    if name in _MAPPINGS:
        return isinstance(value, dict)
    return None


def _any(answers: list[bool | None]) -> bool | None:
    return True if True in answers else None if None in answers else False


def _all(answers: list[bool | None]) -> bool | None:
    return False if False in answers else None if None in answers else True


def describe(annotation: ast.expr | None) -> str:
    """The type in a user's words: "a whole number or full"; "" for what YAML has no word for."""
    match annotation:
        case ast.Constant(value=None):
            return "null"
        case ast.Constant(value=str(text)):
            return describe(ast.parse(text, mode="eval").body)
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return _or([left, right])
        case ast.Name(id=name) | ast.Attribute(attr=name):
            known = "a list" if name in _LISTS else "a mapping" if name in _MAPPINGS else ""
            return _WORDS.get(name, known)
        case ast.Subscript(value=ast.Name(id=name) | ast.Attribute(attr=name), slice=inner):
            inners = inner.elts if isinstance(inner, ast.Tuple) else [inner]
            return _describe_generic(name, inners)
    return ""


def _describe_generic(name: str, inners: list[ast.expr]) -> str:
    if name == "Literal":
        return " or ".join(str(one.value) for one in inners if isinstance(one, ast.Constant))
    if name == "Optional":
        return f"{describe(inners[0])} or null"
    if name == "Union":
        return _or(inners)
    if name in _LISTS:
        kinds = [one for one in inners if not (isinstance(one, ast.Constant) and one.value is ...)]
        several = f"{len(kinds)} values" if len(kinds) > 1 else "values"
        return f"a list of {several}, each {_or(kinds)}"
    return "a mapping" if name in _MAPPINGS else ""


def _or(kinds: list[ast.expr]) -> str:
    return " or ".join(dict.fromkeys(word for kind in kinds if (word := describe(kind))))


def like(default: Any, value: Any) -> bool:
    """Whether a value has the type of a YAML default; an int serves where a float stands."""
    if default is None or default == "???":
        return True
    if isinstance(default, bool) or isinstance(value, bool):
        return isinstance(value, bool) and isinstance(default, bool)
    if isinstance(default, float):
        return isinstance(value, int | float)
    if isinstance(default, list):
        return isinstance(value, list) and (not default or all(like(default[0], one) for one in value))
    return isinstance(value, type(default))


def describe_default(default: Any) -> str:
    """The type of a YAML default, in words."""
    if isinstance(default, list):
        return f"a list of values, each {describe_default(default[0])}" if default else "a list"
    if isinstance(default, dict):
        return "a mapping"
    return _WORDS.get(type(default).__name__, "another value")

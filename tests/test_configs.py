"""Every option of conf/: it composes, and its header and keys say what its class does. Found by listing conf/."""

from __future__ import annotations

import contextlib
import re
import tomllib
from pathlib import Path

import pytest
import yaml
from omegaconf._utils import get_yaml_loader

from assay.composition.compose import composer_of
from assay.composition.headers import WORDS, Option
from assay.composition.locations import conf_folder
from assay.composition.rules import check_targets
from assay.composition.signatures import describe, fits, like, parameters
from assay.errors import ConfigError
from assay.preflight import compose, drafts
from assay.sweeps.ledger.identity import OWN_KEYS
from assay.targets import ALLOWED
from tests.covers import LISTS

COMPOSER = composer_of()
CATALOGUE = COMPOSER.catalogue
OPTIONS = list(CATALOGUE)
KNOWN_FACTS = {fact for option in OPTIONS for fact in option.gives} | {
    "gpu",
    "initial_weights",
    "class",
    "labels",
    "number",
    "rectified",
    "squashed",
    "causal",
    "kept_places",
    "teaches_tags",
    "teaches_tokens",
}
KINDS = {kind for option in CATALOGUE.groups["stem"].values() for kind in yaml.safe_load(option.path.read_text())}
RUN_TIME = {  # what run.py completes a part with; everything else must be a key
    "input_size", "vocabulary_size", "padding_id", "spec", "objective", "params", "optimizer", "total_steps", "mode",
    "field", "folder", "config", "seed", "network", "tensor", "num_features", "spatial_dims", "inner", "monitor",
    "label", "splits", "epoch_steps", "batches", "space", "trial", "names",
}  # fmt: skip


def ids(option: Option) -> str:
    return option.label


def nodes(value, key: str = ""):
    """(key, node) of every mapping with a ``_target_``."""
    if isinstance(value, dict):
        if "_target_" in value:
            yield key, value
        for name, inner in value.items():
            yield from nodes(inner, f"{key}.{name}" if key else str(name))


def own(option: Option) -> dict:
    return yaml.load(option.path.read_text(encoding="utf-8"), get_yaml_loader()) or {}


TARGETS = [(option, key, node) for option in OPTIONS for key, node in nodes(own(option))]


@pytest.mark.parametrize("option", OPTIONS, ids=ids)
def test_it_composes(option):
    """Alone with the defaults; then what is refused is a rule, a missing value, a file or the machine."""
    choice = f"{option.group}=[{option.name}]" if option.group in LISTS else option.label
    command = ["distillation=kd", choice] if "/" in option.group else [choice]
    assert drafts(command, COMPOSER, multirun=option.group in OWN_KEYS)
    if not option.checks:
        with contextlib.suppress(ConfigError):
            point = compose(command)
            assert option.name in point.config["switches"][option.group]


@pytest.mark.parametrize("option", OPTIONS, ids=ids)
def test_its_header_has_a_title_and_known_lines(option):
    lines = option.path.read_text(encoding="utf-8").splitlines()
    header = lines[: next(number for number, line in enumerate([*lines, ""]) if not line.startswith("#"))]
    assert option.title
    assert option.title.endswith((".", "?", "…"))
    prose = [line for line in header if not line.startswith("# @package") and line != f"# {option.title}"]
    for line in prose:
        if found := re.match(r"# ([a-z][a-z ]{2,12}):\s", line):
            assert found[1] in WORDS, f"is '{found[1]}:' a misspelt declaration?"


@pytest.mark.parametrize("option", OPTIONS, ids=ids)
def test_its_facts_groups_and_kinds_exist(option):
    assert set(option.reads) <= KINDS
    for rule in option.needs:
        for term in rule.terms:
            group, equal, name = term.replace("!=", "=").partition("=")
            if re.search(r"[<>]", term):
                continue
            if equal:
                assert name in CATALOGUE.groups[group]
            else:
                assert term in KNOWN_FACTS, f"nothing gives {term}"
    for group, allowed in option.takes.items():
        assert set(allowed) <= CATALOGUE.groups[group].keys()
    keys = yaml.safe_load((conf_folder() / "config.yaml").read_text())
    assert all(part in CATALOGUE.groups or part in keys for part in option.parts)


@pytest.mark.parametrize("option", OPTIONS, ids=ids)
def test_the_keys_of_its_header_are_its_keys(option):
    config = {}
    for one in reversed(CATALOGUE.chosen(option.group, option.name)):
        config.update(own(one))
    declared = [bound.key for bound in option.bounds] + [
        *option.choices,
        *option.matches,
        *option.counts,
        *(term for terms, _ in option.counts.values() for term in terms if not term.isdecimal()),
        *option.paths,
        *option.columns,
    ]
    for key in declared:
        node = config
        for part in key.split("."):
            assert part in node, f"{option.label} declares {key}, which it does not have"
            node = node[part]


@pytest.mark.parametrize("option", OPTIONS, ids=ids)
def test_takes_names_what_its_keys_reach(option):
    """A part that is interpolated reaches the option; init reaches every network, and is no key."""
    named = set(option.takes) - {"init"}
    assert named <= option.parts


@pytest.mark.parametrize(("option", "key", "node"), TARGETS, ids=lambda value: getattr(value, "label", "") or None)
def test_its_keys_are_the_arguments_of_its_constructor(option, key, node):
    """The same names in the same order; of ours, none is left out but what run.py completes."""
    target = node["_target_"]
    found = parameters(target)
    assert found is not None, f"{target} is not to be found"
    parts = [name for one in node.get("defaults", []) if isinstance(one, dict) for name in one if name.isidentifier()]
    keys = [*parts, *(name for name in node if name not in ("_target_", "_partial_", "defaults"))]
    if target.startswith("assay."):
        runtime = [name for name in found if name in RUN_TIME and name not in keys] if node.get("_partial_") else []
        expected = [name for name in found if name not in runtime]
        if not option.siblings:
            assert keys == expected
    else:
        assert set(keys) <= set(found)


@pytest.mark.parametrize(("option", "key", "node"), TARGETS, ids=lambda value: getattr(value, "label", "") or None)
def test_its_values_have_the_annotated_types(option, key, node):
    found = parameters(node["_target_"]) or {}
    for name, value in node.items():
        if name in found and value != "???" and not str(value).startswith("${"):
            annotation = found[name].annotation
            if node["_target_"].startswith("assay."):
                assert annotation is not None, f"{name} of {node['_target_']} has no annotation"
            answer = fits(annotation, value)
            assert answer is not False, f"{name}: {value!r} is not {describe(annotation)}"
            assert answer or like(value, value)


@pytest.mark.parametrize("option", [option for option in OPTIONS if option.checks], ids=ids)
def test_its_checks_exist(option):
    for target in option.checks:
        assert list(parameters(target) or ()), f"{target} takes the node"


def test_extras_are_those_of_the_package():
    project = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text())
    extras = project["project"]["optional-dependencies"]
    assert [option.label for option in OPTIONS if option.extra and option.extra not in extras] == []


def test_models_give_what_they_read_and_return():
    for option in CATALOGUE.groups["model"].values():
        assert option.reads, f"{option.label} reads nothing"
        assert {"last", "estimator"} & set(option.gives)


def test_data_give_a_kind_of_input():
    for option in CATALOGUE.groups["data"].values():
        assert {"ids", "image", "table", "sequence", "graph"} & set(option.gives), option.label


def test_trusted_targets_are_those_of_the_builder():
    from assay.composition.rules import TRUSTED

    assert TRUSTED == ALLOWED
    for option in OPTIONS:
        check_targets(own(option))


def test_every_group_stands_in_the_defaults_list():
    text = (conf_folder() / "config.yaml").read_text(encoding="utf-8")
    for group in CATALOGUE.groups:
        if "/" not in group:
            assert re.search(rf"^  - (optional )?{group}:", text, re.MULTILINE), f"{group} is nobody's default"


def test_what_is_chosen_for_the_user_stands_before_its_chooser():
    """Hydra lets an option override only groups that come earlier in the list."""
    listed = re.findall(r"^  - (?:optional )?(\w+):", (conf_folder() / "config.yaml").read_text(), re.MULTILINE)
    for option in OPTIONS:
        for chosen in re.findall(r"override /(\w+)@", option.path.read_text(encoding="utf-8")):
            assert listed.index(chosen) < listed.index(option.group), f"{option.label} chooses {chosen}"

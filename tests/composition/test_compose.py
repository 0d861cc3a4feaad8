"""Our faster reading of files composes what Hydra's own composes."""

from __future__ import annotations

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from assay.composition.compose import Composer, resolve
from assay.composition.locations import conf_folder

COMMANDS = [
    [],
    ["model=transformer", "optim=sgd"],
    ["data=char_contains", "scheduler=plateau"],
    ["ema=exponential", "clip=norm", "callbacks=[grad_norm]"],
    ["data=tabular_csv", "data.path=x", "data.label=y"],
]


def shape(value):
    """Types and order, which equality does not see."""
    if isinstance(value, dict):
        return [(key, shape(inner)) for key, inner in value.items()]
    return [shape(inner) for inner in value] if isinstance(value, list) else type(value)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_the_same_as_hydra(command):
    with initialize_config_dir(str(conf_folder()), version_base="1.3"):
        expected = OmegaConf.to_container(compose("config", overrides=command), resolve=True)
    composer = Composer()
    for _ in range(2):  # from the files, and from what was kept of them
        groups = [one for one in command if "." not in one]
        config, _choices = composer.compose(groups)
        for one in command:
            if "." in one:
                composer.apply(config, composer.parse(one))
        found = resolve(config)
        assert found == expected
        assert shape(found) == shape(expected)


def test_a_composition_does_not_change_the_next():
    composer = Composer()
    config, _ = composer.compose(["optim=sgd"])
    composer.apply(config, composer.parse("optim.lr=7"))
    assert composer.compose(["optim=sgd"])[0].optim.lr != 7
    assert composer.compose(["optim=sgd", "model=mlp"])[0].optim.lr != 7


def test_a_default_that_names_the_choice_of_another_group_is_followed(tmp_path):
    """Hydra's map of choices is made for such a file alone."""
    (tmp_path / "loss").mkdir()
    (tmp_path / "loss" / "paired.yaml").write_text("# A loss.\ndefaults:\n  - /init@start: ${model}_start\n")
    (tmp_path / "init").mkdir()
    for model in ("lstm", "mlp"):
        (tmp_path / "init" / f"{model}_start.yaml").write_text(f"# A start.\nof: {model}\n")
    composer = Composer(str(tmp_path))
    for model in ("lstm", "mlp"):
        config, _ = composer.compose([f"model={model}", "loss=paired"])
        assert config.loss.start.of == model

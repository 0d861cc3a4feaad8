"""``assay check model=NAME``: the project's batteries, on one option alone. They live in a checkout, not in a wheel."""

from __future__ import annotations

import subprocess
import sys

from assay.composition.headers import Catalogue
from assay.composition.locations import checkout, conf_folder, declared_folders
from assay.composition.nearest import near, unknown_option
from assay.errors import ConfigError


def check_command(option: str) -> int:
    """Runs ``pytest --option group=name``.

    Raises:
        ConfigError: there is no such option, or there are no tests here.
    """
    group, sign, name = option.partition("=")
    catalogue = Catalogue([conf_folder(), *(folder for _, folder in declared_folders())])
    if not sign or group not in catalogue.groups:
        found = [f"{known}={name or 'NAME'}" for known in near(group, catalogue.groups)]
        if not sign:
            having = [known for known, options in catalogue.groups.items() if group in options]
            having.sort(key=lambda known: known != "model")  # lstm is a model first, and a reader of characters then
            found = [f"{known}={group}" for known in having] or found
        hint = f"did you mean {found[0]}?" if found else "`assay switches` lists groups and options"
        raise ConfigError(f"'{option}' is not a switch and its option; {hint}")
    if name not in catalogue.groups[group]:
        raise ConfigError(unknown_option(group, name, catalogue))
    root = checkout()
    if root is None or not (root / "tests").is_dir():
        raise ConfigError(
            "assay check runs the project's tests, and an installed package has none; clone the repository"
        )
    command = [sys.executable, "-m", "pytest", "-q", "--option", option]
    print(f"pytest --option {option}", flush=True)
    return 1 if subprocess.run(command, cwd=root, check=False).returncode else 0

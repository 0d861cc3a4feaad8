"""What preflight asks of a teacher before torch is loaded: is there an artifact, and of what?"""

from __future__ import annotations

import json
from typing import Any

from assay.errors import ConfigError
from assay.folder import find_artifact


def check(config: dict[str, Any]) -> set[str]:
    """The facts of ``distillation/teacher=checkpoint``: none; refuses a run that holds no classifier.

    Raises:
        ConfigError: there is no such run, its artifact cannot be read, or it predicts a number.
    """
    artifact = find_artifact(str(config["run"]))
    path = artifact / "artifact.json"
    try:
        label = json.loads(path.read_text(encoding="utf-8"))["spec"]["label"]
        kind = label["kind"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"distillation.teacher.run={config['run']}: {path} cannot be read ({error})") from error
    if kind == "number":
        raise ConfigError(
            f"distillation.teacher.run={config['run']} predicts a number, which has no distribution to distil; "
            "name a run of task=classification"
        )
    return set()

"""What preflight asks of ``data.tagger`` before torch is loaded: is there a run, and does it tag words?"""

from __future__ import annotations

import json

from assay.errors import ConfigError
from assay.folder import find_artifact


def check(run: str | None) -> set[str]:
    """The fact ``features``, where a run is named.

    Raises:
        ConfigError: there is no such run, its artifact cannot be read, or it predicts something else.
    """
    if run is None:
        return set()
    path = find_artifact(str(run)) / "artifact.json"
    try:
        kind = json.loads(path.read_text(encoding="utf-8"))["spec"]["label"]["kind"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"data.tagger={run}: {path} cannot be read ({error})") from error
    if kind != "tags":
        raise ConfigError(f"data.tagger={run} predicts {kind}, no tags of words: name a run of task=tagging")
    return {"features"}

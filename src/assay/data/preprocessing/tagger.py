"""A feature of words that a trained run gives: the part-of-speech tags of a tagger, for instance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from assay.errors import ConfigError
from assay.folder import find_artifact


class Tagger:
    """The tags that a run's artifact gives to words.

    The artifact is opened when tags are first asked for, as any other: it runs no code. A model that reads these tags
    keeps the whole of it inside its own artifact (:meth:`kept`), so that ``assay predict`` needs nothing else.

    Args:
        run: a run folder or an artifact of ``task=tagging``, or ``latest``.
        name: of the feature.
        digest: of the artifact's weights; None takes the run's.
    Raises:
        ConfigError: there is no such run, or it does not tag words.
    """

    def __init__(self, run: str, name: str = "tagger", digest: str | None = None) -> None:
        self.run, self.name = run, name
        self._folder: Path | None = None
        self._artifact: Any = None
        self.digest = digest if digest is not None else self._facts(self.folder())["digest"]

    def folder(self) -> Path:
        """Where the artifact is."""
        if self._folder is None:
            try:
                self._folder = find_artifact(self.run)
            except ConfigError as error:
                raise ConfigError(f"data.tagger={self.run}, whose tags are read as a feature: {error}") from error
        return self._folder

    def kept(self, folder: Path) -> None:
        """A copy of it is in ``folder``, if that is there."""
        if folder.is_dir():
            self._folder = folder

    def __call__(self, sentences: Sequence[Sequence[str]]) -> list[list[str]]:
        """Tags of each word of each sentence.

        Raises:
            ConfigError: the artifact is not there, or is not the one that was trained with.
        """
        from assay import artifacts

        if not sentences:
            return []
        artifact = self._open()
        answers = artifacts.outputs(artifact, artifact.preprocessing([list(words) for words in sentences]))
        artifact.preprocessing.notes.clear()
        names = artifact.spec.label.names
        rows = answers["prediction"].tolist()
        return [[names[row[place]] for place in range(len(words))] for words, row in zip(sentences, rows, strict=True)]

    @property
    def trained_on(self) -> str:
        """The name of the data that it was trained on."""
        return str(self._open().card.get("data", "data that it does not name"))

    def _open(self) -> Any:
        from assay import artifacts

        if self._artifact is None:
            found = self._facts(self.folder())["digest"]
            if found != self.digest:
                raise ConfigError(
                    f"data.tagger={self.run}: {self.folder()} has other weights than the tagger that this model was "
                    "trained with; name the run folder of that tagger's, or train anew"
                )
            self._artifact = artifacts.load(self.folder())
        return self._artifact

    def _facts(self, folder: Path) -> dict[str, Any]:
        from assay import artifacts

        facts = artifacts.read_facts(folder)
        kind = facts["spec"]["label"]["kind"]
        if kind != "tags":
            raise ConfigError(f"data.tagger={self.run} predicts {kind}, no tags of words: name a run of task=tagging")
        return facts

    def to_json(self) -> dict[str, Any]:
        return {"run": self.run, "name": self.name, "digest": self.digest}

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> Tagger:
        return cls(plain["run"], plain["name"], plain["digest"])

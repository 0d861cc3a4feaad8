"""An artifact that W&B holds: fetched once, by an API that is made up here, and never without saying why not."""

from __future__ import annotations

from pathlib import Path

import pytest

from assay.distillation.wandb_files import FILES, fetched, place
from assay.errors import ConfigError

NAME = "team/assay/model-1a2b:latest"


class Api:
    """What of wandb's is used: ``artifact(name).download(root)``."""

    def __init__(self, files=(*FILES, "extra.txt"), error=None):
        self.files, self.error, self.asked = files, error, []

    def artifact(self, name):
        self.asked.append(name)
        if self.error:
            raise self.error
        return self

    def download(self, root):
        for name in self.files:
            (Path(root) / name).write_text(name)


def test_it_is_fetched_once_and_only_what_an_artifact_is(tmp_path):
    api = Api()
    folder = fetched(NAME, str(tmp_path), api)
    assert folder == tmp_path / "wandb" / "team" / "assay" / "model-1a2b" / "latest" == place(NAME, str(tmp_path))
    assert sorted(path.name for path in folder.iterdir()) == sorted(FILES)
    assert fetched(NAME, str(tmp_path), Api(error=AssertionError())) == folder
    assert api.asked == [NAME]
    assert sorted(path.name for path in folder.parent.iterdir()) == ["latest"]  # no scratch is left


def test_what_a_half_written_folder_held_is_replaced(tmp_path):
    folder = place(NAME, str(tmp_path))
    folder.mkdir(parents=True)
    (folder / FILES[0]).write_text("half")
    assert (fetched(NAME, str(tmp_path), Api()) / FILES[0]).read_text() == FILES[0]


def test_without_a_key_it_says_what_to_do_by_hand(tmp_path, monkeypatch):
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    with pytest.raises(ConfigError) as refusal:
        fetched(NAME, str(tmp_path))
    line = str(refusal.value)
    assert "is not on this disk, and no key: `wandb login`" in line
    assert f"put its artifact.json and weights.safetensors into {place(NAME, str(tmp_path))} by hand" in line
    assert "\n" not in line


def test_a_host_that_does_not_give_it_is_quoted_in_one_line(tmp_path):
    with pytest.raises(ConfigError, match=r"did not give it \(project not found\); name one") as refusal:
        fetched(NAME, str(tmp_path), Api(error=ValueError("project\nnot found")))
    assert "\n" not in str(refusal.value)
    assert not place(NAME, str(tmp_path)).exists()


def test_what_is_no_artifact_of_ours_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"holds no artifact.json and no weights.safetensors"):
        fetched(NAME, str(tmp_path), Api(files=("model.pt",)))
    assert not place(NAME, str(tmp_path)).exists()


@pytest.mark.parametrize(
    "name", ["model-1", "a/b/c", "a/b/../c:v0", "../b/c:v0", "a/b/c:..", "a/b/c:v0/d", "/a/b/c:v0"]
)
def test_a_name_that_is_none_is_refused(tmp_path, name):
    with pytest.raises(ConfigError, match="is not entity/project/name:version"):
        place(name, str(tmp_path))

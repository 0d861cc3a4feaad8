"""Weights of another run: which are copied, which begin anew, and what is refused."""

from __future__ import annotations

import hashlib
import json
import shutil

import pytest
import torch

import assay
from assay import artifacts, transfer_files
from assay.errors import ConfigError
from assay.parts import Parts
from assay.preflight import compose
from assay.run import run
from assay.transfer import transfer
from tests.interruptions import Interrupted, Moment, at, bits, leave, train

QUICK = ["trainer=cpu", "trainer.max_epochs=1", "logger=none", "debug=fast"]
FIRST = ["good film", "bad film", "good plot", "bad plot", "the good film", "the bad film"]
SECOND = ["film was good", "film was dull", "plot was good", "plot was dull", "so good", "so dull"]


def texts(path, lines):
    rows = [f"{text} {i},{'up' if 'good' in text else 'down'}" for i, text in enumerate(5 * lines)]
    path.write_text("\n".join(["text,label", *rows]) + "\n")
    return ["data=text_csv", f"data.path={path}", "data.text=text", "data.label=label"]


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    """A run for each way of reading words, on one small set."""
    folder = tmp_path_factory.mktemp("first")
    data = texts(folder / "first.csv", FIRST)
    models = ("bag", "mlp", "lstm")
    return {m: assay.train(f"model={m}", *data, *QUICK, f"outputs={folder / 'outputs'}").folder for m in models}


def network(tmp_path, *words):
    parts = Parts(compose([*words, *QUICK]).config, tmp_path, None, None)
    return parts.network, parts.spec


@pytest.mark.parametrize(
    ("model", "name", "dim"),
    [
        ("bag", "encoder.embedding.weight", 0),
        ("lstm", "stem.embedding.weight", 0),
        ("mlp", "encoder.layers.0.weight", 1),
    ],
)
def test_what_is_known_of_a_token_goes_with_it_to_another_vocabulary(tmp_path, first, model, name, dim):
    net, spec = network(tmp_path, f"model={model}", *texts(tmp_path / "second.csv", SECOND))
    fresh = {key: value.clone() for key, value in net.state_dict().items()}
    old = artifacts.load(first[model] / "artifact")
    report = transfer(net, spec, str(first[model]))
    own, other = net.state_dict()[name], old.network.state_dict()[name]
    there = {token: number for number, token in enumerate(old.spec.source.names)}
    shared = set(spec.source.names) & set(there)
    assert {"was", "dull", "so"} <= set(spec.source.names) - shared
    assert {"film", "good", "plot"} <= shared
    for number, token in enumerate(spec.source.names):
        mine = own.select(dim, number)
        if token in there:
            assert torch.equal(mine, other.select(dim, there[token]))
        else:
            assert torch.equal(mine, fresh[name].select(dim, number))
    assert report.tokens == {name: (len(shared), len(spec.source.names))}
    for key, value in old.network.state_dict().items():
        if key != name:
            assert torch.equal(net.state_dict()[key], value), key
    assert report.fresh == report.left == []
    assert f"{len(shared)} of {len(spec.source.names)} tokens known there" in report.line()


def test_the_same_network_is_copied_whole(tmp_path, digits_run):
    net, spec = network(tmp_path, "model=mlp", "seed=7")
    old = artifacts.load(digits_run.folder / "artifact").network.state_dict()
    assert not torch.equal(net.state_dict()["head.weight"], old["head.weight"])
    report = transfer(net, spec, str(digits_run.folder / "artifact"))
    assert all(torch.equal(value, old[name]) for name, value in net.state_dict().items())
    assert report.loaded == list(old)
    assert report.line() == f"begins with {len(old)} of {len(old)} tensors of {digits_run.folder / 'artifact'}"


def test_a_classifier_of_other_classes_is_replaced_and_another_width_begins_anew(tmp_path, digits_run):
    net, spec = network(tmp_path, "model=mlp", "data=iris", "model.hidden_sizes=[128,128]")
    fresh = {key: value.clone() for key, value in net.state_dict().items()}
    names = set(net.state_dict())
    report = transfer(net, spec, str(digits_run.folder))
    assert {"head.weight", "head.bias"} <= set(report.fresh)
    assert set(report.loaded) | set(report.fresh) == names
    assert all(torch.equal(net.state_dict()[name], fresh[name]) for name in report.fresh)
    assert "encoder.layers.0.weight" in report.fresh
    assert report.reasons == ["the classifier is new: it had 10 classes (0, 1, 2, 3, …), this data has 3 classes "
                              "(setosa, versicolor, virginica)"]  # fmt: skip


def test_what_has_nothing_in_common_is_refused(tmp_path, digits_run):
    net, spec = network(tmp_path, "model=cnn")
    with pytest.raises(
        ConfigError, match=r"^init_from=.* \(model=mlp\) has no weight of the name and shape of one of "
    ):
        transfer(net, spec, str(digits_run.folder))


def test_altered_weights_are_refused(tmp_path, digits_run):
    shutil.copytree(digits_run.folder / "artifact", tmp_path / "artifact")
    path = tmp_path / "artifact" / "artifact.json"
    facts = json.loads(path.read_text())
    path.write_text(json.dumps({**facts, "digest": "0" * 64}))
    net, spec = network(tmp_path, "model=mlp")
    with pytest.raises(ConfigError, match="altered after training"):
        transfer(net, spec, str(tmp_path))


def test_preflight_refuses_a_run_that_is_not_there(tmp_path):
    with pytest.raises(ConfigError, match=r"^init_from: .* is not a run folder or artifact; name one, or latest$"):
        compose(["model=mlp", f"init_from={tmp_path / 'nothing'}"])
    (tmp_path / "artifact.json").write_text("{")
    with pytest.raises(ConfigError, match=r"^init_from=.*artifact.json cannot be read"):
        compose(["model=mlp", f"init_from={tmp_path}"])


def test_a_run_says_what_it_began_with_and_keeps_what_is_frozen(tmp_path, digits_run, capsys):
    words = ["model=mlp", f"init_from={digits_run.folder}", "freeze=[encoder]", "seed=5", *QUICK]
    point = compose([*words, f"outputs={tmp_path / 'outputs'}"])
    (tmp_path / "run").mkdir()
    run(point.config, list(point.overrides), tmp_path / "run")
    old = artifacts.load(digits_run.folder / "artifact").network.state_dict()
    new = artifacts.load(tmp_path / "run" / "artifact").network.state_dict()
    assert {name for name in new if not torch.equal(new[name], old[name])} == {"head.weight", "head.bias"}
    assert json.loads((tmp_path / "run" / "init_from.json").read_text())["loaded"] == list(old)
    assert f"begins with {len(old)} of {len(old)} tensors of" in capsys.readouterr().out


def test_a_resumed_run_asks_for_the_other_no_more(tmp_path, digits_run):
    """The other run is deleted before the second half: 0 bits of difference."""
    source = tmp_path / "source"
    shutil.copytree(digits_run.folder, source)
    words = ["model=mlp", f"init_from={source}", "logger=none", "trainer=cpu", "trainer.max_epochs=2"]
    more = ["+trainer.limit_train_batches=4", "checkpoint.every=3steps", f"outputs={tmp_path / 'outputs'}"]
    point = compose([*words, *more])
    train(point, tmp_path / "whole")
    with at(Moment("step", 5), leave), pytest.raises(Interrupted):
        train(point, tmp_path / "cut")
    shutil.rmtree(source)
    train(point, tmp_path / "cut", resume=True)
    assert bits(tmp_path / "whole", tmp_path / "cut") == {}


NAME = "mobilenet_v3_small"
VISION = ["model=torchvision", f"model.name={NAME}", "model.size=32", f"init_from=torchvision:{NAME}", "data=digits"]


@pytest.fixture
def cached(tmp_path, monkeypatch):
    """Weights as torchvision would publish them, made here: their file in the cache, their digest in its name."""
    models = pytest.importorskip("torchvision").models
    torch.manual_seed(9)
    weights = models.get_model(NAME, weights=None).state_dict()
    folder = tmp_path / "data" / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    torch.save(weights, folder / "w.pth")
    digest = hashlib.sha256((folder / "w.pth").read_bytes()).hexdigest()[:8]
    (folder / "w.pth").rename(folder / f"w-{digest}.pth")
    files = transfer_files._download(NAME, f"https://nowhere.invalid/w-{digest}.pth", 12.0)
    for place in ("assay.transfer_files.published", "assay.transfer.published"):
        monkeypatch.setattr(place, lambda name: files)
    return tmp_path / "data", weights, folder / f"w-{digest}.pth"


def test_torchvisions_weights_are_the_networks_and_the_classifier_is_new(tmp_path, cached):
    root, weights, _ = cached
    words = [*VISION, f"data_dir={root}", *QUICK, "freeze=[encoder]", f"outputs={tmp_path / 'outputs'}"]
    point = compose(words)
    (tmp_path / "run").mkdir()
    run(point.config, list(point.overrides), tmp_path / "run")
    new = artifacts.load(tmp_path / "run" / "artifact").network.state_dict()
    body = [name for name in weights if not name.startswith("classifier.3")]
    assert all(torch.equal(new[f"encoder.network.{name}"], weights[name]) for name in body)  # frozen, so still those
    assert {name for name in new if name.startswith("head.")} == {"head.weight", "head.bias"}
    report = json.loads((tmp_path / "run" / "init_from.json").read_text())
    assert len(report["loaded"]) == len(body)
    assert report["left"] == ["encoder.network.classifier.3.weight", "encoder.network.classifier.3.bias"]
    assert report["fresh"] == ["head.weight", "head.bias"]
    assert report["reasons"][1].startswith("trained at 224 pixels, used at 32: model.size=null")


def test_altered_weights_of_torchvision_are_refused(tmp_path, cached):
    root, _, path = cached
    path.write_bytes(path.read_bytes() + b"x")
    point = compose([*VISION, f"data_dir={root}", *QUICK])
    with pytest.raises(ConfigError, match=r"is not the published file \(sha256 .*\): delete it"):
        Parts(point.config, tmp_path, None, None)


def test_another_networks_weights_are_refused(tmp_path, cached, monkeypatch):
    root, _, path = cached
    other = {"features.0.0.weight": torch.zeros(3)}
    torch.save(other, path)
    files = transfer_files._download(NAME, f"https://nowhere.invalid/{path.name}", 12.0)
    object.__setattr__(files.files[0], "sha256", hashlib.sha256(path.read_bytes()).hexdigest())
    monkeypatch.setattr("assay.transfer.published", lambda name: files)
    with pytest.raises(ConfigError, match=r"does not hold the weights of this network: encoder\.network"):
        Parts(compose([*VISION, f"data_dir={root}", *QUICK]).config, tmp_path, None, None)


def test_without_network_the_refusal_names_file_folder_and_source(tmp_path, monkeypatch):
    monkeypatch.setattr("assay.data.download._first_to_answer", lambda addresses: None)
    with pytest.raises(ConfigError, match=r"^torchvision's mobilenet_v3_small is not there, and no source answers: put "
                       r"mobilenet_v3_small-[0-9a-f]{8}.pth in .*/hub/checkpoints, from https://"):  # fmt: skip
        compose([*VISION, f"data_dir={tmp_path}"])


def test_the_model_of_torchvisions_weights_is_asked_for_in_words():
    for words in ([], ["model=torchvision", "model.name=resnet34"]):
        with pytest.raises(ConfigError, match=r"add model=torchvision model.name=resnet18$"):
            compose([*words, "init_from=torchvision:resnet18"])
    with pytest.raises(ConfigError, match=r"torchvision.models publishes no weights of that name$"):
        compose(["init_from=torchvision:resnet19"])


def test_what_is_published_is_what_torchvision_says():
    """Its own tables, read without importing it."""
    models = pytest.importorskip("torchvision").models
    for name in models.list_models(module=models):
        best = models.get_model_weights(name).DEFAULT
        files = transfer_files.published(name)
        (file,) = files.files
        assert files.mirrors[0] + file.name == best.url
        assert file.sha256 in best.url
        assert 0 <= file.size / 2**20 - best.meta["_file_size"] <= 1

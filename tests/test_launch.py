"""From a command to runs: folders, what each run is given, exit codes, Hydra's flags. The run itself is a stand-in."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from assay.cli import main
from assay.errors import ConfigError

ROOT = Path(__file__).resolve().parent.parent


class Failed(RuntimeError):
    """As in assay.run."""


class Stopped(Exception):
    """As in assay.recorder."""


@pytest.fixture
def runs(tmp_path, monkeypatch):
    """What assay.run.run was called with; ``runs.then`` is called last and may raise."""
    monkeypatch.chdir(tmp_path)

    class Runs(list):
        then = staticmethod(lambda config: None)

    calls = Runs()

    def run(config, overrides, where, *, resume=False):
        assert where.is_dir()
        assert not resume
        calls.append((config, overrides, where.relative_to(tmp_path)))
        calls.then(config)

    module, recorder = ModuleType("assay.run"), ModuleType("assay.recorder")
    module.run, module.Failed, module.Stopped, recorder.Stopped = run, Failed, Stopped, Stopped
    monkeypatch.setitem(sys.modules, "assay.run", module)
    monkeypatch.setitem(sys.modules, "assay.recorder", recorder)
    return calls


def train(*argv: str) -> int:
    return main(["train", *argv])


def test_a_run_gets_its_config_its_overrides_and_a_folder_of_its_own(runs, tmp_path, capfd):
    assert train("model=mlp", "optim.lr=0.5", "logger=none") == 0
    ((config, overrides, where),) = runs
    assert config["optim"]["lr"] == 0.5
    assert config["switches"]["model"] == "mlp"
    assert config["reads"] == ["vector"]
    assert "hydra" not in config
    assert overrides == ["model=mlp", "logger=none", "optim.lr=0.5"]
    assert where.parts[0] == "outputs"
    assert where.name.endswith("-mlp-digits")
    assert {one.name for one in (tmp_path / where).iterdir()} == {"config.yaml", "overrides.yaml"}  # none of Hydra's
    assert capfd.readouterr() == ("", "")


def test_two_runs_in_one_second_have_two_folders(runs, monkeypatch):
    from assay import folder

    class Clock(folder.datetime):
        @classmethod
        def now(cls):
            return cls(2026, 1, 2, 3, 4, 5)

    monkeypatch.setattr(folder, "datetime", Clock)
    train("name=one")
    train("name=one")
    assert [str(where) for *_, where in runs] == [f"outputs/2026-01-02/03-04-05-one{end}" for end in ("", "-2")]


@pytest.mark.parametrize("name", ["a b", "it's", "a,b=[c] {d}", "$seed", "é 数", "2026", "true"])
def test_names_of_runs_and_folders_hold_anything(runs, name):
    assert train(f"name={name}", f"outputs=out {name}") == 0
    ((config, _, where),) = runs
    assert (config["name"], config["outputs"]) == (name, f"out {name}")
    assert where.parts[0] == f"out {name}"
    assert where.name.endswith(f"-{name}")


def test_the_overrides_give_the_same_config_again(runs):
    from assay.preflight import compose

    train("name=a, (b)", "model=mlp", "model.hidden_sizes=[3]", "callbacks=[grad_norm]", "+optim.amsgrad=true")
    ((config, overrides, _),) = runs
    assert compose(overrides).config == config


@pytest.fixture
def swept(tmp_path, monkeypatch):
    """The points that a sweep would run, as its strategy gives them to a course."""
    from assay.sweeps import course
    from assay.sweeps.ledger import snapshot

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(snapshot, "parts", lambda config_dir: {"conf": ROOT / "conf" / "launcher"})
    found: list[tuple[dict, list[str], Path]] = []

    def run(ledger, strategy, orders):
        strategy.begin(ledger)
        for entry in strategy.more(ledger, 1000):
            found.append((orders.config_of(entry), list(entry.overrides), entry.folder.relative_to(tmp_path)))
        return 0

    monkeypatch.setattr(course, "run", run)
    return found


def test_a_sweep_runs_every_point_with_its_own_options(swept, capfd):
    assert train("-m", "model=lstm,mlp", "lstm.model.hidden_size=4,8", "data=digits", "logger=none") == 0
    seen = [(config["switches"]["model"], config["model"].get("hidden_size")) for config, *_ in swept]
    assert seen == [("lstm", 4), ("lstm", 8), ("mlp", None)]
    assert [where.name for *_, where in swept] == ["0", "1", "2"]
    assert len({where.parent for *_, where in swept}) == 1
    assert swept[0][2].parts[:2] == ("outputs", "sweeps")
    assert [config["reads"] for config, *_ in swept] == [["sequence"], ["sequence"], ["vector"]]
    assert [config["normalization"] for config, *_ in swept] == [
        config["model"]["normalization"] for config, *_ in swept
    ]
    assert capfd.readouterr() == ("", "")


def test_a_swept_option_that_chooses_others(swept):
    train("-m", "model=transformer,mlp")
    assert [config["switches"]["normalization"] for config, *_ in swept] == ["layer", "none"]


def test_file_names_in_a_sweep(swept, tmp_path):
    for name in ("a b.csv", "c,d.csv"):
        rows = "\n".join(f"word{i} x,{i % 2}" for i in range(40))
        (tmp_path / name).write_text(f"the text,y\n{rows}\n")
    words = ["data=text_csv", "data.text=the text", "data.label=y"]
    assert train("-m", *words, "data.path=a b.csv,'c,d.csv'") == 0
    assert [config["data"]["path"] for config, *_ in swept] == ["a b.csv", "c,d.csv"]


def test_what_is_said_to_a_sweep_reaches_no_run(swept):
    from assay.sweeps.ledger.identity import OWN_KEYS

    assert train("model=mlp", "seeds=2", "sweep.jobs=1", "sweep.on_error=stop", "launcher=local", "search=grid") == 0
    for config, overrides, _ in swept:
        assert not set(OWN_KEYS) & (config.keys() | config["switches"].keys())
        assert overrides == ["model=mlp", f"seed={config['seed']}"]


@pytest.mark.parametrize("word", ["sweep.jobs=2", "search=random", "launcher=local"])
def test_what_is_said_to_a_sweep_is_refused_of_a_run(runs, word, capsys):
    assert train("model=mlp", word) == 2
    assert capsys.readouterr().err == f"{word} is said of a sweep: add -m, or leave it out\n"


def test_exit_codes(runs, capsys):
    def raising(error):
        def then(config):
            raise error

        runs.then = then

    raising(ConfigError("row 3 is broken"))
    assert train() == 2
    assert capsys.readouterr().err == "row 3 is broken\n"
    wrapped = RuntimeError("wrapped")
    wrapped.__cause__ = ConfigError("deep inside")
    raising(wrapped)
    assert train() == 2
    assert capsys.readouterr().err == "deep inside\n"
    raising(Failed("memory ran out; try data.batch_size=16"))
    assert train() == 1
    assert capsys.readouterr().err == "memory ran out; try data.batch_size=16\n"
    raising(Stopped(signal.SIGTERM))
    assert train() == 143
    raising(Stopped(signal.SIGINT))
    assert train() == 130
    raising(KeyboardInterrupt())
    assert train() == 130
    raising(ZeroDivisionError("a bug"))
    with pytest.raises(ZeroDivisionError):
        train()


def test_a_plan_is_shown_and_nothing_is_made(runs, tmp_path, capsys):
    assert train("plan=true") == 0
    assert capsys.readouterr().out.splitlines()[-1] == "1 run, all checks passed; leave out plan=true to train"
    assert train("-m", "model=lstm,mlp", "lstm.model.hidden_size=4,8", "plan=true") == 0
    *lines, place, last = capsys.readouterr().out.splitlines()
    assert place.startswith("a new sweep, outputs/sweeps/model-hidden_size-")
    assert [*lines, last] == [
        "0  model=lstm model.hidden_size=4",
        "1  model=lstm model.hidden_size=8",
        "2  model=mlp",
        "3 cells",
        "3 runs, all checks passed; leave out plan=true to train",
    ]
    assert (list(runs), list(tmp_path.iterdir())) == ([], [])


def test_a_refused_sweep_lists_all_refusals_and_starts_nothing(runs, tmp_path, capsys):
    assert train("-m", "model=lstm,bag,mlp", "optim.lr=0.1,-1") == 2
    assert len(capsys.readouterr().err.splitlines()) == 2
    assert (list(runs), list(tmp_path.iterdir())) == ([], [])


def test_outputs_that_cannot_be_written(runs, tmp_path, capsys):
    (tmp_path / "taken").write_text("a file")
    assert train("outputs=taken") == 2
    assert "outputs=taken takes no run folder" in capsys.readouterr().err


def test_a_distributed_child_is_told_its_folder(runs, tmp_path):
    assert train("hydra.run.dir=told", "hydra.job.name=child", "hydra.output_subdir=null") == 0
    assert str(runs[0][2]) == "told"


def test_the_command_line_is_left_as_it_was(runs):
    before = list(sys.argv)
    train("model=mlp")
    assert sys.argv == before


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["--cfg", "job", "model=mlp", "name=a b, c"], "name: a b, c"),
        (["--help"], "Switches and their options"),
        (["--info", "searchpath"], "Config search path"),
        (["--hydra-help"], "Hydra"),
        (["--version"], "Hydra 1.3"),
    ],
)
def test_hydras_flags_answer_without_torch_and_make_nothing(argv, said, tmp_path):
    command = [sys.executable, "-X", "importtime", str(ROOT / "train.py"), *argv]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert said in done.stdout
    assert "| torch\n" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_config_that_cannot_be_composed_is_refused_before_it_is_shown(runs, capsys):
    assert train("--cfg", "job", "model=lstn") == 2
    assert "did you mean model=lstm?" in capsys.readouterr().err

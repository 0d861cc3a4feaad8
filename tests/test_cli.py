"""The console command: words, refusals in a line, exit codes, and no torch before it is needed."""

from __future__ import annotations

import subprocess
import sys
from types import ModuleType

import pytest

from assay import cli
from assay.errors import ConfigError


def lines(capsys) -> list[str]:
    return capsys.readouterr().err.splitlines()


def test_help_lists_every_command(capsys):
    for argv in ([], ["--help"], ["help"]):
        assert cli.main(argv) == 0
        said = capsys.readouterr().out
        assert all(f"assay {word}" in said for word in cli.COMMANDS)


@pytest.mark.parametrize("word", sorted(set(cli.COMMANDS) - {"train"}))
def test_every_command_has_help_of_its_own(word, capsys):
    with pytest.raises(SystemExit) as left:
        cli.main([word, "--help"])
    assert left.value.code == 0
    assert f"assay {word}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["swiches"], "did you mean `assay switches`?"),
        (["trian"], "did you mean `assay train`?"),
        (["xyzzy"], "`assay --help` lists them"),
        (["model=lstm"], "`assay train model=lstm`"),
        (["predict"], "RUN"),
        (["predict", "r", "x", "--format", "xml"], "table"),
        (["new", "thing", "x"], "model"),
        (["sync", "a", "b"], "unrecognized arguments: b"),
        (["switches", "optm"], "did you mean optim?"),
        (["switches", "adam"], "optim=adam is an option"),
        (["check", "model=lstn"], "did you mean model=lstm?"),
        (["check", "modle=lstm"], "did you mean model=lstm?"),
        (["data", "digist"], "did you mean data=digits?"),
        (["data", "digits", "data.batch_sise=3"], "did you mean data.batch_size?"),
        (["train", "model=lstn"], "did you mean model=lstm?"),
    ],
)
def test_a_refusal_is_one_line_and_exit_code_2(argv, said, capsys):
    assert cli.main(argv) == 2
    (line,) = lines(capsys)
    assert said in line


@pytest.fixture
def module(monkeypatch):
    """Puts a stand-in for a module with one command, which notes what it is called with."""

    def stand_in(name: str, command: str, outcome=0):
        called = []

        def run(*arguments, **keywords):
            called.append(arguments or keywords)
            if isinstance(outcome, BaseException):
                raise outcome
            return outcome

        made = ModuleType(name)
        setattr(made, command, run)
        monkeypatch.setitem(sys.modules, name, made)
        return called

    return stand_in


def test_predict(module):
    called = module("assay.predict", "predict_command")
    assert cli.main(["predict", "latest", "a b.png", "--format", "csv", "c.png", "--output", "o.csv"]) == 0
    assert called == [
        {"run": "latest", "inputs": ["a b.png", "c.png"], "format": "csv", "output": "o.csv", "n_best": 1}
    ]
    called.clear()
    cli.main(["predict", "latest", "--n-best", "3"])
    assert called == [{"run": "latest", "inputs": ["-"], "format": "table", "output": None, "n_best": 3}]


def test_evaluate(module):
    called = module("assay.predict", "evaluate_command")
    assert cli.main(["evaluate", "latest", "data=digits", "data.batch_size=3"]) == 0
    assert called == [{"run": "latest", "overrides": ["data=digits", "data.batch_size=3"]}]


def test_data_is_composed_whatever_the_model(module):
    called = module("assay.data.describe", "describe_command")
    assert cli.main(["data", "char_contains", "data.examples=50", "model=cnn"]) == 0
    ((point,),) = called
    assert point.config["data"]["examples"] == 50


def test_sync_check_and_bench(module):
    assert module("assay.review.sync", "sync_command") == []
    assert cli.main(["sync"]) == 0
    called = module("assay.bench", "bench_command")
    assert cli.main(["bench", "step", "start"]) == 0
    assert called == [{"names": ["step", "start"]}]


def test_what_an_error_becomes(module, capsys):
    module("assay.bench", "bench_command", ConfigError("a line"))
    assert cli.main(["bench"]) == 2
    assert lines(capsys) == ["a line"]
    module("assay.bench", "bench_command", KeyboardInterrupt())
    assert cli.main(["bench"]) == 130
    module("assay.bench", "bench_command", BrokenPipeError())
    out = sys.stdout
    assert cli.main(["bench"]) == 0
    sys.stdout = out
    module("assay.bench", "bench_command", ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        cli.main(["bench"])


def test_the_first_word_needs_neither_hydra_nor_torch():
    code = (
        "import sys; from assay.cli import main; main(['--help']); "
        "assert not {'hydra', 'torch', 'rich', 'numpy'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("encoding", ["ascii", "utf-8", "cp1252"])
def test_any_terminal_can_show_it(encoding):
    done = subprocess.run(
        [sys.executable, "-m", "assay.cli", "switches", "activation"],
        capture_output=True,
        env={"PYTHONIOENCODING": encoding, "PATH": "", "COLUMNS": "30"},
    )
    assert done.returncode == 0, done.stderr
    assert b"sigmoid" in done.stdout


def test_a_pipe_that_closes_leaves_no_trace():
    command = f"{sys.executable} -m assay.cli switches | head -n 1"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("activation\n", "")

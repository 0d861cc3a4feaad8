"""`assay generate` on language models of characters and words: what is written, how it arrives, what is refused."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys

import pytest
import torch

import assay
from assay import artifacts
from assay.assemble import assemble
from assay.cli import main
from assay.contracts import DataSpec
from assay.data.preprocessing.text import TextPreprocessing
from assay.data.tokenizers.char import Char
from assay.data.tokenizers.word import Word
from assay.errors import ConfigError
from assay.generate import Request, write
from assay.preflight import compose
from assay.targets import build
from tests.import_rules import ROOT
from tests.language_models import TEXT, make

NETS = {
    "lstm": ["model=lstm", "model.hidden_size=16"],
    "transformer": ["model=transformer", "model.causal=true", "model.size=16", "model.max_length=20"],
    "ngram": ["model=ngram", "model.order=4"],
    "learned": ["model=transformer", "model.causal=true", "model.size=16", "model.positions=learned"],
}


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("generate")
    made = {name: str(make(folder / name, Char(), *words)) for name, words in NETS.items()}
    return {**made, "words": str(make(folder / "words", Word(), *NETS["lstm"]))}


def opened(run):
    return assay.load(run).artifact


def log_probs(run, ids):
    """(V,) of the token after ids, which are read at once, without a state."""
    network = opened(run).network
    with torch.inference_mode():
        found = network({"source": torch.tensor([ids])}).logits[0, -1].double().log_softmax(-1)
    return found.clone()


@pytest.mark.parametrize("name", ["lstm", "learned", "ngram"])
def test_greedy_is_the_likeliest_token_of_all_that_stands_before_it(runs, name):
    run = runs[name]
    preprocessing = opened(run).preprocessing
    ids = preprocessing.prompt("Romeo")
    (row,) = assay.load(run).generate("Romeo", tokens=30, greedy=True)
    for character in row["text"]:
        logits = log_probs(run, ids)
        logits[:2] = -torch.inf  # padding and unknown are never written
        assert preprocessing.encode(character) == [int(logits.argmax())]
        ids += preprocessing.encode(character)
    assert row["tokens"] == len(row["text"]) == 30


@pytest.mark.parametrize("name", sorted(NETS))
@pytest.mark.parametrize("asked", [{"greedy": True}, {"seed": 3}, {"seed": 3, "top_k": 4, "top_p": 0.9}])
def test_a_longer_text_begins_with_the_shorter_one(runs, name, asked):
    """Past the Transformer's window of 20 positions too."""
    short, long = (assay.load(runs[name]).generate("Deny", tokens=n, **asked)[0]["text"] for n in (25, 60))
    assert len(long) == 60
    assert long.startswith(short)


def test_samples_hang_on_the_seed_alone(runs):
    model = assay.load(runs["transformer"])
    three = [row["text"] for row in model.generate("O ", tokens=20, seed=5, samples=3)]
    assert len(set(three)) == 3
    assert [row["text"] for row in model.generate("O ", tokens=20, seed=5, samples=1)] == three[:1]
    assert model.generate("O ", tokens=20, seed=6)[0]["text"] != three[0]
    assert model.generate("O ", tokens=20) == model.generate("O ", tokens=20, seed=0)


@pytest.mark.parametrize("name", ["lstm", "learned", "ngram"])
def test_a_beams_log_probabilities_are_the_models(runs, name):
    rows = assay.load(runs[name]).generate("thou", tokens=6, beam=4, samples=3)
    preprocessing = opened(runs[name]).preprocessing
    assert [row["log_probability"] for row in rows] == sorted((row["log_probability"] for row in rows), reverse=True)
    for row in rows:
        ids, total = preprocessing.prompt("thou"), 0.0
        for token in preprocessing.encode(row["text"]):
            total += float(log_probs(runs[name], ids)[token])
            ids.append(token)
        assert row["log_probability"] == pytest.approx(total, rel=1e-4)
    (greedy,) = assay.load(runs[name]).generate("thou", tokens=6, beam=1)
    assert greedy["text"] == assay.load(runs[name]).generate("thou", tokens=6, greedy=True)[0]["text"]
    assert rows[0]["log_probability"] >= greedy["log_probability"]


def test_a_beam_ends_at_its_stop(runs):
    free = assay.load(runs["lstm"]).generate("thou", tokens=40, beam=3)[0]["text"]
    (row,) = assay.load(runs["lstm"]).generate("thou", tokens=40, beam=3, stop=free[1])
    assert free[1] not in row["text"]
    assert row["tokens"] == len(row["text"]) + 1 < 40


def test_pieces_arrive_as_they_are_written(runs):
    for name, prompt in (("lstm", "O"), ("words", "art thou")):
        pieces = []
        (row,) = write(opened(runs[name]), Request(prompt, tokens=12, seed=1), pieces.append)
        assert "".join(pieces) == row["text"]
        assert len(pieces) >= 12


def test_the_stop_ends_a_text(runs):
    whole = assay.load(runs["lstm"]).generate("O", tokens=60, seed=2)[0]["text"]
    stop = whole[20:22]
    (row,) = assay.load(runs["lstm"]).generate("O", tokens=60, seed=2, stop=stop)
    assert row["text"] == whole[: whole.index(stop)]


def test_words_are_joined(runs, capsys):
    assert main(["generate", runs["words"], "--prompt", "art thou", "--tokens", "5", "--seed", "4"]) == 0
    out = capsys.readouterr().out
    (row,) = assay.load(runs["words"]).generate("art thou", tokens=5, seed=4)
    assert out == f"art thou{row['text']}\n"
    assert "".join(out.split()).startswith("artthou")
    assert main(["generate", runs["words"], "--prompt", "art thou ", "--tokens", "5", "--seed", "4"]) == 0
    assert capsys.readouterr().out == out


def test_prompts_of_a_file_of_standard_input_and_none(runs, capsys, tmp_path, monkeypatch):
    given = ["generate", runs["lstm"], "--tokens", "9", "--greedy", "--prompt"]
    assert main([*given, "O Romeo\n"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("O Romeo\n")
    (tmp_path / "prompt.txt").write_text("O Romeo\n")
    monkeypatch.setattr(sys, "stdin", io.StringIO("O Romeo\n"))
    for prompt in (str(tmp_path / "prompt.txt"), "-"):
        assert main([*given, prompt]) == 0
        assert capsys.readouterr().out == said
    assert main(given[:-1]) == 0
    assert len(capsys.readouterr().out) == 10


def test_several_samples_stand_apart(runs, capsys):
    assert main(["generate", runs["lstm"], "--prompt", "O", "--tokens", "5", "--samples", "2"]) == 0
    first, second = assay.load(runs["lstm"]).generate("O", tokens=5, samples=2)
    assert capsys.readouterr().out == f"--- 1 of 2 ---\nO{first['text']}\n--- 2 of 2 ---\nO{second['text']}\n"


def test_what_the_vocabulary_lacks_is_said_once(runs, capsys):
    assert main(["generate", runs["lstm"], "--prompt", "Ω Romeo Ω é", "--tokens", "3"]) == 0
    assert capsys.readouterr().err == "not in the vocabulary, read as unknown: 'Ω', 'é'\n"
    assert main(["generate", runs["words"], "--prompt", "art thou Hamlet, Hamlet?", "--tokens", "3"]) == 0
    assert capsys.readouterr().err == "not in the vocabulary, read as unknown: 'hamlet'\n"
    assert main(["generate", runs["words"], "--prompt", "art thou", "--tokens", "3"]) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--temperature", "0"], "temperature=0 is not above 0: greedy takes the likeliest token alone"),
        (["--temperature", "nan"], "temperature=nan is not above 0"),
        (["--top-p", "0"], "top_p=0 is not a probability in (0, 1]"),
        (["--top-k", "0"], "top_k=0 is outside its range: use 1 or more"),
        (["--tokens", "0"], "tokens=0 is outside its range: use 1 or more"),
        (["--tokens", "many"], "invalid int value: 'many'"),
        (["--beam", "3", "--temperature", "0.5"], "beam=3 draws nothing, and temperature is of drawing"),
        (["--greedy", "--seed", "1"], "greedy draws nothing, and seed is of drawing"),
        (["--greedy", "--beam", "2"], "greedy is a beam of 1: leave it or beam=2 out"),
        (["--greedy", "--samples", "2"], "greedy writes one text, not 2"),
        (["--beam", "2", "--samples", "3"], "beam=2 has no 3 best texts"),
        (["--length-penalty", "1"], "length_penalty is of a beam search: add beam=5"),
        (["--prompt", "no/such.txt"], "prompt no/such.txt cannot be read (No such file or directory)"),
    ],
)
def test_refused_before_torch_is_there(arguments, message):
    code = (
        "import sys\nfrom assay.cli import main\n"
        f"code = main(['generate', 'nowhere', *{arguments!r}])\n"
        "assert code == 2 and 'torch' not in sys.modules, (code, 'torch' in sys.modules)"
    )
    env = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env)
    assert done.returncode == 0, done.stderr
    assert message in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_stop_of_several_tokens_ends_no_beam(runs, capsys):
    assert main(["generate", runs["lstm"], "--beam", "2", "--stop", "thou"]) == 2
    said = capsys.readouterr()
    assert "a beam ends at one token of the vocabulary, and stop='thou' is none" in said.err
    assert said.out == ""


def test_another_task_is_refused(tmp_path, capsys):
    config = compose(["data=char_contains", "model=lstm"]).config
    preprocessing = TextPreprocessing(Char().fit([TEXT]), 20)
    spec = DataSpec({"source": preprocessing.field(), "label": artifacts_label()})
    _, network = assemble(config, spec, build(config["loss"]))
    artifacts.save(tmp_path / "artifact", network, config, spec, preprocessing, {})
    assert main(["generate", str(tmp_path)]) == 2
    assert "is a model of task=classification, and a language model writes: name a run of task=lm" in (
        capsys.readouterr().err
    )
    with pytest.raises(ConfigError, match="this is a model of task=classification"):
        assay.load(tmp_path).generate("a")


def artifacts_label():
    from assay.contracts import Field

    return Field("class", (), 2, names=("no", "yes"))


def started(run, *words):
    command = [sys.executable, "-c", "import sys; from assay.cli import main; sys.exit(main())", "generate", run]
    env = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen([*command, *words], **pipes, env=env)


def test_ctrl_c_ends_in_good_order(runs):
    """And pieces are flushed: the first ones are read while millions are still to come."""
    process = started(runs["lstm"], "--prompt", "Romeo", "--tokens", "10000000")
    assert process.stdout.read(30).startswith(b"Romeo")
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err == b"stopped\n"
    assert out.endswith(b"\n")


def test_a_reader_that_goes_away_ends_it(runs):
    process = started(runs["lstm"], "--prompt", "Romeo", "--tokens", "10000000")
    process.stdout.read(30)
    process.stdout.close()
    assert process.wait(timeout=60) == 0
    assert process.stderr.read() == b""
    process.stderr.close()

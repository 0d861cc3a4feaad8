"""A teacher's answers beside the examples: those kept are those given live, in every epoch, run and rank."""

from __future__ import annotations

import json
import os
import threading
from types import SimpleNamespace

import pytest
import torch
from PIL import Image

from assay.data.digits import Digits
from assay.data.image_folder import ImageFolder
from assay.data.loaders import MemoryLoader, WorkerLoader
from assay.data.share import Part
from assay.distillation import cache, cache_switch
from assay.distillation.answers import answered
from assay.distillation.teacher import Checkpoint, Ensemble
from assay.errors import ConfigError
from assay.folder import read_config
from assay.lifecycle import kept_answers
from assay.preflight import compose
from tests.interruptions import Interrupted as Left
from tests.interruptions import Moment, at, bits, leave, train

COUNT = 1437


@pytest.fixture(scope="module")
def digits():
    data = Digits()
    data.setup()
    return data


@pytest.fixture
def teacher(digits_run):
    return Checkpoint(str(digits_run.folder))


class Counted:
    """A teacher that remembers how often it was asked."""

    def __init__(self, teacher):
        self.teacher, self.artifacts, self.asked = teacher, teacher.artifacts, 0

    def __call__(self, batch):
        self.asked += len(batch["index"])
        return self.teacher(batch)


def attached(
    teacher, data, outputs, kept="auto", total=10_000, begun=None, ranks=None, augment="[]", size=32, **config
):
    objective = SimpleNamespace(teacher=teacher, cache=kept, cache_dtype=config.pop("dtype", "float32"))
    training = SimpleNamespace(examples=data.splits["train"])
    whole = {"outputs": outputs, "switches": {"augment": augment}, "data": {"batch_size": size}, "accumulate": 1}
    found = cache.attach(objective, data, training, whole, total, "cpu", ranks, begun)
    return found, training.examples


def same_as_live(examples, teacher, loader):
    seen = 0
    for batch in loader:
        batch = batch[0] if isinstance(batch, list) else batch
        live = teacher({name: value for name, value in batch.items() if name != "teacher"}).log_probs
        torch.testing.assert_close(batch["teacher"], live, rtol=0, atol=2e-5)
        seen += len(batch["index"])
    assert seen == len(examples)


def test_every_batch_has_the_answers_of_its_examples(tmp_path, digits, teacher):
    found, examples = attached(teacher, digits, tmp_path)
    same_as_live(examples, teacher, MemoryLoader(examples, 50, seed=3))
    (file,) = os.listdir(tmp_path / "teachers")
    (note,) = found.notes
    assert note.startswith(f"teacher's answers: 1,437 x 10 float32 in {tmp_path / 'teachers' / file} (written in ")
    assert "teacher" not in digits.splits["train"].columns
    assert "teacher" not in digits.splits["val"].columns
    with pytest.raises(IndexError):  # validation has no answers, and never silently another one's
        examples.columns["teacher"].gather(digits.splits["val"].index[:1])


def test_another_run_reads_what_one_has_written(tmp_path, digits, teacher):
    first, second = Counted(teacher), Counted(teacher)
    _, one = attached(first, digits, tmp_path)
    found, two = attached(second, digits, tmp_path)
    assert (first.asked, second.asked) == (COUNT, 0)
    assert found.notes[0].endswith("(read)")
    assert torch.equal(one.column("teacher"), two.column("teacher"))


def test_a_file_that_was_deleted_is_written_again_bit_for_bit(tmp_path, digits, teacher):
    found, before = attached(teacher, digits, tmp_path)
    (file,) = (tmp_path / "teachers").iterdir()
    data = file.read_bytes()
    file.unlink()
    again, after = attached(teacher, digits, tmp_path, begun=found.chosen)
    assert file.read_bytes() == data
    assert again.chosen == found.chosen
    assert torch.equal(before.column("teacher"), after.column("teacher"))


def test_a_file_knows_where_its_teacher_was(tmp_path, digits, teacher, digits_run):
    """`assay clean` takes it once no run holds that teacher, and not before."""
    attached(Ensemble([str(digits_run.folder)] * 2), digits, tmp_path)
    (file,) = (tmp_path / "teachers").iterdir()
    facts, _ = cache_switch.header(file)
    artifact = digits_run.folder / "artifact"
    digest = json.loads((artifact / "artifact.json").read_text())["digest"]
    assert facts["__metadata__"]["artifacts"] == f"{digest} {digest}"
    assert json.loads(facts["__metadata__"]["places"]) == [str(artifact)] * 2
    assert kept_answers.unused(tmp_path, [], None) == []
    moved = tmp_path / "moved"
    artifact.rename(moved)
    try:
        assert [one.why for one in kept_answers.unused(tmp_path, [], None)] == ["its teacher is gone"]
        assert kept_answers.unused(tmp_path, [digits_run.folder], None) != []
    finally:
        moved.rename(artifact)
    os.utime(file, (1e9, 1e9))
    attached(Ensemble([str(digits_run.folder)] * 2), digits, tmp_path)  # opened again
    assert kept_answers.unused(tmp_path, [], 60.0) == []


def test_the_threads_of_the_first_time_are_those_of_the_second(tmp_path, digits, teacher, monkeypatch):
    used = []
    monkeypatch.setattr(torch, "set_num_threads", used.append)
    found, _ = attached(teacher, digits, tmp_path, begun={"teacher_answers": "abc", "teacher_threads": 7})
    assert found.chosen["teacher_threads"] == 7
    assert used == [7, 1]


def test_half_precision_is_near_and_half_as_large(tmp_path, digits, teacher):
    _, full = attached(teacher, digits, tmp_path)
    _, half = attached(teacher, digits, tmp_path, dtype="float16")
    a, b = full.column("teacher"), half.column("teacher")
    assert b.dtype == torch.float16
    torch.testing.assert_close(a, b.float(), rtol=1e-3, atol=1e-3)
    assert len(os.listdir(tmp_path / "teachers")) == 2


def test_an_ensemble_is_kept_by_its_members_in_order(tmp_path, digits, digits_run):
    pair = Ensemble([str(digits_run.folder), str(digits_run.folder)])
    _, examples = attached(pair, digits, tmp_path)
    same_as_live(examples, pair, MemoryLoader(examples, 64, accumulate=None))
    attached(Checkpoint(str(digits_run.folder)), digits, tmp_path)
    assert len(os.listdir(tmp_path / "teachers")) == 2


def test_images_that_are_decoded_when_asked_for(tmp_path, digits, digits_run):
    for i in range(30):
        place = tmp_path / "photos" / str(i % 10)
        place.mkdir(parents=True, exist_ok=True)
        pixels = (digits.splits["train"].gather(torch.tensor([i]))["source"][0, 0] * 255).byte().numpy()
        Image.fromarray(pixels).save(place / f"{i}.png")
    data = ImageFolder(str(tmp_path / "photos"), size=8, channels=1, memory=10, workers=1)
    data.setup()
    teacher = Checkpoint(str(digits_run.folder))
    _, examples = attached(teacher, data, tmp_path)
    assert examples.lazy
    same_as_live(examples, teacher, WorkerLoader(examples, 4, seed=1, workers=1))


# what speaks against it


def test_inputs_that_change_have_no_answers_to_keep(tmp_path, digits, teacher):
    found, examples = attached(teacher, digits, tmp_path, augment="[crop]")
    assert found.notes == [
        "teacher's answers: asked at each step, augment=[crop] shows the teacher other inputs each epoch"
    ]
    assert found.chosen == {"teacher_answers": "live"}
    assert "teacher" not in examples.columns
    assert not (tmp_path / "teachers").exists()
    with pytest.raises(ConfigError, match="leave augment= out"):
        attached(teacher, digits, tmp_path, True, augment="[crop]")


def test_a_teacher_that_learns_has_no_answers_to_keep(tmp_path, digits):
    found, _ = attached(SimpleNamespace(), digits, tmp_path)
    assert "this teacher changes while the student learns" in found.notes[0]
    with pytest.raises(ConfigError, match=r"cache=true keeps one answer .* use a trained run as the teacher"):
        attached(SimpleNamespace(), digits, tmp_path, "true")


def test_an_objective_without_the_key_has_none(tmp_path, digits):
    assert cache.attach(SimpleNamespace(), digits, None, {}, 1, "cpu", None, None) == cache.Taught()


def test_off_is_said(tmp_path, digits, teacher):
    found, _ = attached(teacher, digits, tmp_path, False)
    assert found.notes == ["teacher's answers: asked at each step, distillation.cache=false"]


def test_a_rehearsal_does_not_ask_about_everything(tmp_path, digits, teacher):
    found, _ = attached(teacher, digits, tmp_path, total=44)
    assert found.notes[0].endswith("for 1,408 of the 1,437 examples are visited")
    assert attached(teacher, digits, tmp_path, total=45)[1].columns.keys() >= {"teacher"}
    assert attached(teacher, digits, tmp_path, total=1, size="full")[0].chosen["teacher_threads"]
    assert attached(teacher, digits, tmp_path, True, total=1)[0].chosen["teacher_threads"]


def test_a_resumed_run_keeps_to_what_it_began_with(tmp_path, digits, teacher):
    live, _ = attached(teacher, digits, tmp_path, begun={"teacher_answers": "live"})
    assert live.chosen == {"teacher_answers": "live"}
    kept, _ = attached(teacher, digits, tmp_path, total=1, begun={"teacher_answers": "abc", "teacher_threads": 1})
    assert kept.chosen["teacher_answers"] != "live"


# places


def test_a_folder_or_a_file_of_ones_own(tmp_path, digits, teacher):
    attached(teacher, digits, tmp_path / "outputs", str(tmp_path / "here"))
    (file,) = os.listdir(tmp_path / "here")
    attached(teacher, digits, tmp_path / "outputs", str(tmp_path / "mine.safetensors"))
    assert (tmp_path / "mine.safetensors").read_bytes() == (tmp_path / "here" / file).read_bytes()
    assert not (tmp_path / "outputs").exists()


def test_a_file_of_another_split_is_refused_by_name(tmp_path, digits, teacher):
    mine = str(tmp_path / "mine.safetensors")
    attached(teacher, digits, tmp_path, mine)
    other = Digits(split_seed=1)
    other.setup()
    with pytest.raises(ConfigError, match=r"mine\.safetensors holds another training split \(data\.split_seed"):
        attached(teacher, other, tmp_path, mine)


# ranks


class Threads:
    """Ranks of threads: what ``told`` is."""

    def __init__(self, rank, barrier):
        self.part, self.first, self.barrier = Part(rank, 2), rank == 0, barrier

    def told(self, word):
        self.barrier.wait()
        return word


def test_the_first_process_writes_and_the_others_read(tmp_path, digits, teacher):
    barrier, found = threading.Barrier(2, timeout=30), {}

    def work(rank):
        asked = Counted(teacher)
        taught, examples = attached(asked, digits, tmp_path, ranks=Threads(rank, barrier))
        found[rank] = (asked.asked, taught.chosen, examples.column("teacher"))

    threads = [threading.Thread(target=work, args=(rank,)) for rank in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (found[0][0], found[1][0]) == (COUNT, 0)
    assert found[0][1] == found[1][1]
    assert torch.equal(found[0][2], found[1][2])


# runs


def words(digits_run, outputs, *more):
    return [
        *("model=linear", "trainer=cpu", "trainer.max_epochs=2", "distillation=kd", "distillation.temperature=4"),
        *(f"distillation.teacher.run={digits_run.folder}", "logger=none", f"outputs={outputs}", *more),
    ]


def test_a_run_with_kept_answers_is_the_run_that_asks(tmp_path, digits_run, capsys):
    import assay

    kept = assay.train(*words(digits_run, tmp_path))
    said = capsys.readouterr().out
    live = assay.train(*words(digits_run, tmp_path, "distillation.cache=false"))
    assert "teacher's answers: 1,437 x 10 float32 in " in said
    assert kept.summary["val/accuracy"] == live.summary["val/accuracy"]
    assert kept.summary["test/log_loss"] == pytest.approx(live.summary["test/log_loss"], abs=1e-5)
    chosen = json.loads((kept.folder / "environment.json").read_text())["chosen"]
    assert chosen["teacher_answers"] != "live"
    assert "teacher" not in json.loads((kept.folder / "artifact" / "artifact.json").read_text())["spec"]
    assert read_config(kept.folder)["distillation"]["cache"] == "auto"


@pytest.mark.parametrize("meanwhile", [pytest.param("stays", marks=pytest.mark.slow), "is deleted"])
def test_a_run_is_resumed_bit_for_bit(tmp_path, digits_run, meanwhile):
    point = compose(words(digits_run, tmp_path / "outputs", "checkpoint.every=20steps"))
    train(point, tmp_path / "whole")
    with at(Moment("step", 30), leave), pytest.raises(Left):
        train(point, tmp_path / "cut")
    if meanwhile == "is deleted":
        for file in (tmp_path / "outputs" / "teachers").iterdir():
            file.unlink()
    train(point, tmp_path / "cut", resume=True)
    assert bits(tmp_path / "whole", tmp_path / "cut") == {}
    assert json.loads((tmp_path / "cut" / "environment.json").read_text())["resumes"][0]["differences"] == []


@pytest.mark.slow
def test_two_processes_share_the_answers(tmp_path, digits_run):
    import assay

    both = ["data.batch_size=64", "optim=sgd", "scheduler=none", "trainer.precision=64-true"]
    alone = assay.train(*words(digits_run, tmp_path / "alone", *both))
    shared = [word for word in words(digits_run, tmp_path / "both", *both) if word != "trainer=cpu"]
    together = assay.train(*shared, "trainer=ddp", "trainer.accelerator=cpu", "trainer.devices=2")
    assert together.summary["test/log_loss"] == pytest.approx(alone.summary["test/log_loss"], abs=1e-9)
    assert len(os.listdir(tmp_path / "both" / "teachers")) == 1


def test_kept_answers_of_labels_and_numbers_stand_for_the_teachers_own():
    log_probs, numbers = torch.randn(3, 4, 2).log_softmax(-1), torch.randn(3)
    of_labels = answered(None, {"teacher": log_probs})  # ty: ignore
    assert of_labels.log_probs is log_probs
    of_numbers = answered(None, {"teacher": numbers})  # ty: ignore
    assert of_numbers.log_probs is None
    assert of_numbers.logits is numbers

"""What is refused, in which words; what passes; and that neither loads torch nor makes anything."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from assay.composition import devices
from assay.composition.locations import conf_folder
from assay.errors import ConfigError
from assay.preflight import check, compose

ROOT = Path(__file__).resolve().parent.parent

REFUSED: dict[str, list[tuple[list[str], list[str]]]] = {
    "option": [
        (["model=lstn"], ["model=lstn", "did you mean model=lstm?"]),
        (["optim=Adam"], ["did you mean optim=adam?", "rmsprop or sgd"]),
        (["scheduler=null"], ["off is scheduler=none"]),
        (["callbacks=[grad]"], ["did you mean callbacks=grad_norm?"]),
        (["augment=[mixup,crop,mixup]"], ["augment=[mixup,crop,mixup] names mixup twice", "leave one out"]),
        (["model=3"], ["model=3 is not an option", "bag, cnn, "]),
        (["model=lstm,mlp"], ["names several values", "-m"]),
        (["distillation/techer=checkpoint"], ["not a group", "did you mean distillation/teacher?"]),
        (["~optim"], ["a group cannot be taken away"]),
    ],
    "key": [
        (["lr=0.1"], ["did you mean optim.lr=0.1?"]),
        (["optim.lrr=0.1"], ["did you mean optim.lr?"]),
        (["modle=lstm"], ["did you mean model=lstm?"]),
        (["optimizer=adam"], ["did you mean optim=adam?"]),
        (["optim.name=adam"], ["adam is an option of optim; write optim=adam"]),
        (["optim.adam=1"], ["adam is an option of optim; write optim=adam"]),
        (["distillation.teacher=checkpoint"], ["write distillation/teacher=checkpoint"]),
        (["model.kernel_size=3"], ["model=lstm has no kernel_size", "model=cnn has"]),
        (["scheduler=none", "scheduler.factor=0.5"], ["scheduler=none has no factor", "plateau has"]),
        (["+model.hiden_size=3"], ["has no argument hiden_size", "did you mean model.hidden_size?"]),
        (["+optim.momentum=0.9"], ["torch.optim.Adam has no argument momentum", "amsgrad"]),
        (["+nothing=3"], ["nothing reads nothing"]),
        (["optim={lrr:1}"], ["did you mean optim.lr?"]),
        (["model.lstm"], ["not key=value", "write model=lstm"]),
        (["lr==3"], ["cannot be read", "quote"]),
        (["data.batch_size='3"], ["cannot be read", "quote"]),
        (["=3"], ["no key before the ="]),
        (["--fooo"], ["--fooo", "assay train --help"]),
        (["--config-dir=nowhere"], ["nowhere is not a folder"]),
        (["hydra.nothing=3"], ["hydra.nothing", "--cfg hydra"]),
        (["hydra.searchpath=[x]"], ["--config-dir FOLDER"]),
        (["--experimental-rerun", "x.pickle"], ["pickle"]),
        (["~data.batch_sise"], ["did you mean data.batch_size?"]),
    ],
    "type": [
        (["optim.lr=abc"], ["optim.lr=abc needs a number"]),
        (["optim.lr=null"], ["optim.lr=null needs a number", "0.006"]),
        (["model.hidden_size=3.5"], ["needs a whole number", "128"]),
        (["model.bidirectional=5"], ["needs true or false"]),
        (["model=mlp", "model.hidden_sizes=32"], ["needs a list of values, each a whole number"]),
        (["model=mlp", "model.hidden_sizes=[32,a]"], ["needs a list of values, each a whole number"]),
        (["optim.betas=[0.9]"], ["needs a list of 2 values"]),
        (["seed=1.5"], ["seed=1.5 needs a whole number"]),
        (["seed=true"], ["seed=true needs a"]),
        (["plan=1"], ["needs true or false"]),
        (["model.normalization=layer"], ["a group of its own; write normalization=layer"]),
        (["checkpoint=5min"], ["checkpoint.every"]),
        (["+optim.amsgrad=3"], ["needs true or false"]),
        (["data.batch_size=big"], ["needs a number: batch_size >= 1, or full"]),
        (["threads=null"], ["threads=null", "write auto"]),
        (["checkpoint.every=null"], ["checkpoint.every=null", "5min"]),
        (["trainer.max_epochs=null"], ["trainer.max_epochs=null", "1 and more"]),
    ],
    "range": [
        (["model.dropout=1.0"], ["dropout >= 0 and dropout < 1"]),
        (["optim.lr=-1"], ["optim.lr=-1", "lr > 0"]),
        (["seed=-1"], ["seed >= 0"]),
        (["accumulate=0"], ["accumulate >= 1"]),
        (["log_every=0"], ["log_every >= 1"]),
        (["trainer.max_epochs=-1"], ["max_epochs >= 0"]),
        (["trainer.max_epochs=0"], ["nothing has trained", "init_from=RUN"]),
        (["data.epochs=0"], ["data.epochs=0", "epochs >= 1"]),
        (["trainer=cpu", "trainer.precision=8"], ["32-true"]),
        (["logger.mode=onlin"], ["did you mean online?"]),
        (["monitor_mode=mix"], ["min, max"]),
        (["monitor=test/accuracy"], ["test split", "val/"]),
        (["checkpoint.every=5minutes"], ["5min"]),
        (["checkpoint.every=0s"], ["30s, 5min"]),
        (["threads=0"], ["write auto"]),
        (["name=a/b"], ["cannot name a folder"]),
        (["outputs="], ["outputs=", "names no folder"]),
        (["data_dir= "], ["data_dir", "names no folder"]),
        (["seed=99999999999999999999"], ["seed >= 0 and seed < "]),
        (["trainer.max_steps=0"], ["trainer.max_steps=0", "write -1"]),
        (["trainer.max_steps=-2"], ["trainer.max_steps=-2", "write -1"]),
        (["model=transformer", "model.positions=learnt"], ["did you mean learned?"]),
    ],
    "missing": [
        (["data=text_csv"], ["data=text_csv needs data.path=…, data.text=…, data.label=…"]),
        (["data=tabular_csv", "data.path=x.csv"], ["data=tabular_csv needs data.label=…"]),
        (["distillation=kd"], ["distillation/teacher=checkpoint needs distillation.teacher.run=…"]),
        (["data=image_folder"], ["data=image_folder needs data.path=…"]),
        (["optim.lr=${optm.lr}"], ["optim.lr reads ${optm.lr}", "set optim.lr=…"]),
        (["~optim.lr"], ["scheduler.max_lr reads ${optim.lr}"]),
        (["~data.batch_size", "model.hidden_size=???"], ["model=lstm needs model.hidden_size=…"]),
    ],
    "file": [
        (["data=text_csv", "data.path=no such.csv", "data.text=a", "data.label=b"], ["no such.csv"]),
        (["data=tabular_csv", "data.path=no [1].csv", "data.label=b"], ["no [1].csv"]),
        (["data=image_folder", "data.path=no, 'such' folder"], ["no, 'such' folder"]),
    ],
    "cross-rule": [
        (["model=bag"], ["model=bag reads ids; data=digits can be read as", "use model=cnn, "]),
        (["data=char_contains", "model=cnn"], ["model=cnn reads image; data=char_contains", "use model=bag"]),
        (["model=transformer", "normalization=batch"], ["takes normalization=none, layer, group or rms, not batch"]),
        (["model=cnn", "normalization=batch", "data.batch_size=1"], ["normalization=batch has no statistics"]),
        (["activation=gelu"], ["reaches nothing: model=lstm has no activation; use model=cnn, "]),
        (["scaling=minmax"], ["reaches nothing: data=digits has no scaling; use data=", "tabular_csv"]),
        (["tokenizer=char"], ["reaches nothing", "char_contains"]),
        (["task=regression"], ["task=regression predicts a number", "task=classification"]),
        (["loss=mse"], ["loss=mse measures the distance of numbers"]),
        (["augment=mixup", "data=char_contains"], ["augment=mixup mixes numbers"]),
        (["stem=text"], ["stem=text reads a text", "data chooses it"]),
        (["+trainer.accumulate_grad_batches=2"], ["use accumulate="]),
        (["+trainer.logger=true"], ["use logger=wandb or logger=none"]),
        (["+trainer.fast_dev_run=true"], ["use debug=fast"]),
        (["+trainer.gradient_clip_val=1"], ["use clip=norm"]),
        (["model._target_=os.system"], ["os.system is not trusted", "assay.targets"]),
        (["model._target_=assay.models.lstm.__builtins__"], ["not trusted"]),
    ],
    "device": [
        (["trainer=gpu"], ["trainer=gpu finds no GPU on this machine: use trainer=cpu"]),
        (["trainer.devices=2"], ["use trainer=ddp"]),
        (["trainer.precision=16-mixed"], ["needs a GPU", "bf16-mixed"]),
        (["trainer=cpu", "trainer.devices=3"], ["trainer.devices=3", "use trainer=ddp"]),
    ],
    "artifact": [
        (["distillation=kd", "distillation.teacher.run=nowhere"], ["nowhere"]),
        (["distillation=kd", "distillation.teacher.run=model.pt"], ["model.pt"]),
        (["distillation=kd", "distillation.teacher.run=."], ["no artifact"]),
    ],
}
CASES = [(kind, argv, said) for kind, cases in REFUSED.items() for argv, said in cases]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """An empty folder, on a machine without a GPU."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(devices, "gpu_count", lambda: 0)


def refusal(argv: list[str]) -> str:
    with pytest.raises(ConfigError) as caught:
        check(argv)
    return str(caught.value)


@pytest.mark.parametrize(("kind", "argv", "said"), CASES, ids=lambda value: " ".join(value) if value else "")
def test_a_wrong_input_is_refused_in_a_line_that_names_the_mend(kind, argv, said, tmp_path):
    line = refusal(argv)
    assert "\n" not in line
    for words in said:
        assert words in line, line
    assert list(tmp_path.iterdir()) == []


def test_every_class_of_wrong_input_has_three_cases():
    assert all(len(cases) >= 3 for cases in REFUSED.values())


def test_no_refusal_loads_torch():
    """All of the above in one fresh process."""
    code = (
        "import json, sys\n"
        "from assay.composition import devices\ndevices.gpu_count = lambda: 0\n"
        "from assay.preflight import check\nfrom assay.errors import ConfigError\n"
        "for argv in json.load(sys.stdin):\n"
        "    try:\n        check(argv)\n"
        "    except ConfigError:\n        continue\n"
        "    raise SystemExit(f'{argv} was not refused')\n"
        "assert not {'torch', 'numpy', 'pandas', 'sklearn'} & set(sys.modules), 'something heavy was imported'\n"
    )
    given = json.dumps([argv for _, argv, _ in CASES])
    done = subprocess.run([sys.executable, "-c", code], input=given, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("argv", [["model=lstn"], ["optim.lr=abc"], ["activation=gelu"], ["-m", "model=lstm,bag"]])
def test_the_command_prints_the_line_exits_with_2_and_makes_nothing(argv, tmp_path):
    command = [sys.executable, "-X", "importtime", str(ROOT / "train.py"), *argv]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    said = [line for line in done.stderr.splitlines() if not line.startswith("import time:")]
    assert (done.returncode, len(said), done.stdout) == (2, 1, "")
    assert "| torch\n" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_point_is_plain_and_knows_its_switches():
    point = compose(["model=mlp", "optim=sgd", "optim.lr=0.5"])
    assert point.overrides == ("model=mlp", "optim=sgd", "optim.lr=0.5")
    assert point.config["optim"]["lr"] == point.config["scheduler"]["max_lr"] == 0.5
    assert point.config["switches"]["model"] == "mlp"
    assert point.config["switches"]["data"] == "digits"
    assert point.config["reads"] == ["vector"]
    assert "hydra" not in point.config
    json.dumps(point.config)  # plain containers and values only


def test_lists_of_options_are_switches_too():
    assert compose(["callbacks=[grad_norm]"]).config["switches"]["callbacks"] == "[grad_norm]"
    assert compose(["callbacks=[]"]).config["switches"].get("callbacks", "[]") == "[]"


def test_data_choose_for_the_user_and_the_user_wins():
    chosen = compose(["data=char_contains"]).config["switches"]
    assert (chosen["stem"], chosen["tokenizer"], chosen["model"]) == ("text", "char", "lstm")
    assert compose(["model=transformer"]).config["switches"]["normalization"] == "layer"
    assert compose(["model=transformer", "normalization=none"]).config["switches"]["normalization"] == "none"


def test_a_part_group_set_to_its_default_is_no_mistake():
    check(["activation=relu"])
    check(["model=transformer", "normalization=layer"])


def test_an_argument_of_the_constructor_may_be_added():
    assert compose(["+optim.amsgrad=true"]).config["optim"]["amsgrad"] is True
    assert compose(["optim=sgd", "+optim.momentum=0.9"]).config["optim"]["momentum"] == 0.9


def test_interpolations_are_checked_by_what_they_give():
    assert compose(["seed=3", "optim.lr=${seed}"]).config["optim"]["lr"] == 3
    assert "optim.lr=0 is outside" in refusal(["optim.lr=${seed}"])


@pytest.mark.parametrize("every", ["30s", "5min", "2h", "500steps", "2epochs", "1.5min"])
def test_checkpoint_intervals(every):
    assert compose([f"checkpoint.every={every}"]).config["checkpoint"]["every"] == every


def test_devices_are_counted(monkeypatch):
    monkeypatch.setattr(devices, "gpu_count", lambda: 2)
    assert compose(["trainer=ddp", "trainer.devices=2"]).config["trainer"]["devices"] == 2
    assert "more than the 2 of this machine: trainer.devices=2" in refusal(["trainer=ddp", "trainer.devices=3"])
    assert "use trainer=ddp" in refusal(["trainer=gpu", "trainer.devices=2"])


def test_rules_between_options_can_be_left_open():
    """``assay data`` shows a data set whatever the model."""
    assert compose(["model=bag"], rules=False).config["switches"]["model"] == "bag"
    with pytest.raises(ConfigError, match="did you mean"):
        compose(["model=bagg"], rules=False)


def test_a_file_name_with_everything_in_it(tmp_path):
    name = "it's, a [b] {c} = $d é #1.csv"
    rows = [f"text {number},{'yes' if number % 2 else 'no'}" for number in range(40)]
    (tmp_path / name).write_text("\n".join(["a text,the label", *rows]) + "\n", encoding="utf-8")
    words = ["data=text_csv", f"data.path={name}", "data.text=a text", "data.label=the label"]
    point = compose(words)
    assert point.config["data"]["path"] == name
    assert point.config["data"]["text"] == "a text"
    assert compose(point.overrides).config == point.config


GOOD = [f"some words {number},{'yes' if number % 2 else 'no'}" for number in range(40)]


@pytest.mark.parametrize(
    ("data", "bad", "said"),
    [
        ("text_csv", "one,two,three", "line 6: expected 2 cells, found 3"),
        ("text_csv", "one", "line 6: expected 2 cells, found 1"),
        ("text_csv", ",yes", "line 6: the text in column text is empty"),
        ("text_csv", "one,", "line 6: the label label is empty"),
        ("tabular_csv", "1", "line 6: expected 2 cells, found 1"),
    ],
)
def test_a_broken_row_is_refused_by_its_line(data, bad, said, tmp_path):
    lines = ["text,label", *GOOD[:4], bad, *GOOD[4:]]
    (tmp_path / "a file.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    words = ["data.text=text"] if data == "text_csv" else []
    line = refusal([f"data={data}", "data.path=a file.csv", "data.label=label", *words])
    assert "\n" not in line
    assert "a file.csv" in line
    assert said in line


def test_what_a_file_holds_decides_the_task(tmp_path):
    """A fact that only the file tells: ``needs: class or labels``."""
    rows = [f"{number},{number / 7}" for number in range(40)]
    (tmp_path / "numbers.csv").write_text("\n".join(["a,b", *rows]) + "\n", encoding="utf-8")
    words = ["data=tabular_csv", "data.path=numbers.csv", "data.label=b"]
    assert refusal(words).startswith(
        "task=classification predicts classes; this data holds a number: use task=regression"
    )
    chosen = compose([*words, "task=regression"]).config["switches"]
    assert (chosen["loss"], chosen["model"], chosen["scaling"]) == ("mse", "mlp", "standard")
    assert "loss=cross_entropy is the log-likelihood" in refusal([*words, "task=regression", "loss=cross_entropy"])


class TestOwnOptions:
    """``--config-dir``: options from outside, with rules of their own."""

    @pytest.fixture
    def folder(self, tmp_path_factory):
        folder = tmp_path_factory.mktemp("own conf")

        def write(group: str, name: str, text: str) -> None:
            (folder / group).mkdir(parents=True, exist_ok=True)
            (folder / group / f"{name}.yaml").write_text(text, encoding="utf-8")

        self.write = write
        return folder

    def test_an_own_option_composes_and_its_rules_hold(self, folder):
        self.write(
            "optim",
            "heavy_ball",
            "# SGD with momentum.\n# range: momentum >= 0, momentum < 1\n"
            "# needs: model=mlp -- is tried on model=mlp alone\n"
            "_target_: torch.optim.SGD\n_partial_: true\nlr: 0.1\nmomentum: 0.9\n",
        )
        argv = [f"--config-dir={folder}", "optim=heavy_ball", "model=mlp"]
        assert check(argv)[0].config["optim"]["momentum"] == 0.9
        assert "momentum >= 0 and momentum < 1" in refusal([*argv, "optim.momentum=1"])
        assert refusal(argv[:2]) == "optim=heavy_ball is tried on model=mlp alone"
        (point, other) = check(["-m", *argv[:1], "model=mlp", "optim=heavy_ball,adam", "heavy_ball.optim.momentum=0.5"])
        assert (point.config["optim"]["momentum"], "momentum" in other.config["optim"]) == (0.5, False)

    def test_a_target_outside_is_refused(self, folder):
        self.write("optim", "own", "# Own.\n_target_: mine.Optimizer\n_partial_: true\nlr: 0.1\n")
        line = refusal([f"--config-dir={folder}", "optim=own"])
        assert line.startswith("optim._target_=mine.Optimizer is not trusted")

    def test_a_header_that_cannot_be_read_is_named(self, folder):
        self.write("optim", "own", "# Own.\n# range: lr about 3\n_target_: torch.optim.SGD\nlr: 0.1\n")
        line = refusal([f"--config-dir={folder}", "optim=own"])
        assert "own.yaml" in line
        assert "range: lr about 3" in line

    def test_an_option_that_ours_would_hide_is_refused(self, folder):
        """Hydra searches our folder first: theirs would be there and never be read."""
        self.write("optim", "adam", "# Mine.\n_target_: torch.optim.Adam\n_partial_: true\nlr: 0.5\n")
        argv = [f"--config-dir={folder}", "model=mlp"]
        line = f"{folder / 'optim/adam.yaml'} would never be read: assay has an optim=adam of its own; rename the file"
        assert refusal([*argv, "optim=adam"]) == refusal([*argv, "optim=sgd"]) == line
        (folder / "optim" / "adam.yaml").rename(folder / "optim" / "my_adam.yaml")
        assert check([*argv, "optim=my_adam"])[0].config["optim"]["lr"] == 0.5
        (folder / "config.yaml").write_text("seed: 1\n", encoding="utf-8")
        assert refusal(argv) == (
            f"{folder / 'config.yaml'} would never be read: assay has a config.yaml of its own; rename the file, and "
            "name it with --config-name"
        )

    def test_a_copy_of_ours_hides_nothing(self, folder):
        self.write("optim", "adam", (conf_folder() / "optim" / "adam.yaml").read_text(encoding="utf-8"))
        assert check([f"--config-dir={folder}", "optim=adam", "model=mlp"])

    def test_an_option_by_the_user_can_be_changed_within_a_session(self, folder):
        self.write("optim", "own", "# Own.\n_target_: torch.optim.SGD\n_partial_: true\nlr: 0.1\n")
        argv = [f"--config-dir={folder}", "optim=own"]
        assert check(argv)[0].config["optim"]["lr"] == 0.1
        self.write("optim", "own", "# Own.\n_target_: torch.optim.SGD\n_partial_: true\nlr: 0.25\n")
        os.utime(folder / "optim" / "own.yaml", ns=(2**62, 2**62))
        assert check(argv)[0].config["optim"]["lr"] == 0.25

"""Which process this is, from what torchrun, srun or a person has put into the environment."""

from __future__ import annotations

import pytest

from assay.composition.places import Place, first_host, place
from assay.errors import ConfigError

DDP = {"strategy": "ddp", "devices": 2, "num_nodes": 1}
NAMES = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT", "NODE_RANK", "SLURM_PROCID")


@pytest.fixture
def env(monkeypatch):
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("TORCHELASTIC_USE_AGENT_STORE", raising=False)

    def set_(**values: object) -> None:
        for name, value in values.items():
            monkeypatch.setenv(name, str(value))

    return set_


def torchrun(**values: object) -> dict[str, object]:
    return {"RANK": 3, "LOCAL_RANK": 1, "WORLD_SIZE": 4, "MASTER_ADDR": "a", "MASTER_PORT": 29500, **values}


def test_one_command_starts_the_others(env):
    assert place({"devices": 1}) is None
    assert place({**DDP, "devices": 1}) is None
    at = place(DDP)
    assert at == Place(0, 0, 2, 2, starts=True)


def test_torchrun(env):
    env(**torchrun())
    assert place({**DDP, "num_nodes": 2}) == Place(3, 1, 4, 2, "a", 29500)
    env(TORCHELASTIC_USE_AGENT_STORE="True")
    agents = Place(3, 1, 4, 2, "a", 29500, hosts=False)
    assert place({**DDP, "num_nodes": 2}) == agents, "the agent holds the store"


def test_srun(env):
    env(SLURM_PROCID=1, SLURM_LOCALID=1, SLURM_STEP_NUM_TASKS=2, SLURM_STEP_NODELIST="gpu[07-09]", SLURM_JOB_ID=123456)
    assert place(DDP) == Place(1, 1, 2, 2, "gpu07", 18456)


def test_srun_of_one_task_is_no_company(env):
    env(SLURM_PROCID=0, SLURM_LOCALID=0, SLURM_STEP_NUM_TASKS=1)
    assert place({"devices": 1}) is None
    assert place(DDP) == Place(0, 0, 2, 2, starts=True)


@pytest.mark.parametrize(
    ("nodes", "first"),
    [("a", "a"), ("a,b", "a"), ("a[3-5]", "a3"), ("a[003,7]", "a003"), ("a[1-2]-ib,b", "a1-ib"), ("a1,b[2-3]", "a1")],
)
def test_the_first_machine_of_slurms_list(nodes, first):
    assert first_host(nodes) == first


@pytest.mark.parametrize("node", [0, 1])
def test_a_command_on_each_machine(env, node):
    env(MASTER_ADDR="a", MASTER_PORT=5000, NODE_RANK=node)
    assert place({**DDP, "num_nodes": 2}) == Place(2 * node, 0, 4, 2, "a", 5000, starts=True)
    assert place({**DDP, "num_nodes": 2, "devices": 1}) == Place(node, 0, 2, 1, "a", 5000, starts=False)


@pytest.mark.parametrize(
    ("trainer", "values", "parts"),
    [
        ({**DDP, "num_nodes": 2}, {}, ["MASTER_ADDR, MASTER_PORT, NODE_RANK are not set", "torchrun or srun"]),
        ({**DDP, "num_nodes": 2}, {"MASTER_ADDR": "a", "MASTER_PORT": 1}, ["NODE_RANK is not set"]),
        ({**DDP, "num_nodes": 2}, {"MASTER_ADDR": "a", "MASTER_PORT": "x", "NODE_RANK": 0}, ["MASTER_PORT=x"]),
        ({**DDP, "num_nodes": 2}, {"MASTER_ADDR": "a", "MASTER_PORT": 1, "NODE_RANK": 2}, ["NODE_RANK=2 is none of"]),
        ({"devices": 1}, torchrun(), ["torchrun started 4 processes", "use trainer=ddp"]),
        (DDP, torchrun(), ["torchrun started 4 processes", "trainer.devices=4"]),
    ],
)
def test_refusals(env, trainer, values, parts):
    env(**values)
    with pytest.raises(ConfigError) as refused:
        place(trainer)
    assert "\n" not in str(refused.value)
    for part in parts:
        assert part in str(refused.value)

"""The same sweep as Hydra's own launcher does it, a process for each point: ``hydra_launcher.py [at_once=2] AXES``.

``python benchmarks/comparisons/hydra_launcher.py at_once=2 fixed=[model=mlp] +optim.lr=0.01,0.003 +seed=0,1``: a Hydra
application whose basic sweeper and launcher go through the points, and whose task starts ``train.py`` for each of them
(what users do so that memory and random state do not leak), ``at_once`` at a time; 1 is what the
basic launcher does by itself, the default is one for each core, which is kinder to it. Prints the wall time and the
seconds spent in training steps, as JSON.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import hydra
from hydra.core.config_store import ConfigStore
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from assay.composition.devices import core_count

TRAIN = Path(__file__).resolve().parents[2] / "train.py"
OURS = ("at_once=", "fixed=", "outputs=")
_running: list[subprocess.Popen[bytes]] = []
_failed: list[int] = []


@dataclass
class Settings:
    """What is the comparison's own; every other key is a switch or key of ``train.py``."""

    at_once: int = field(default_factory=core_count)
    fixed: list[str] = field(default_factory=list)
    outputs: str = "outputs"


def wait_for(few: int) -> None:
    """Until fewer than so many points are being trained."""
    while len(_running) >= max(few, 1):
        for process in [one for one in _running if one.poll() is not None]:
            _running.remove(process)
            if process.returncode:
                _failed.append(process.returncode)
        time.sleep(0.02)


@hydra.main(version_base="1.3", config_path=None, config_name="settings")
def task(settings: DictConfig) -> None:
    """Starts one point."""
    wait_for(settings.at_once)
    point = [one.lstrip("+") for one in HydraConfig.get().overrides.task if not one.startswith(OURS)]
    folder = f"outputs={settings.outputs}/{HydraConfig.get().job.num}"
    command = [sys.executable, str(TRAIN), *settings.fixed, *point, folder]
    _running.append(subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))


def main() -> None:
    ConfigStore.instance().store("settings", Settings)
    outputs = next((one.partition("=")[2] for one in sys.argv if one.startswith("outputs=")), "outputs")
    quiet = ["hydra.sweep.dir=.", "hydra.output_subdir=null", "hydra/job_logging=none", "hydra/hydra_logging=none"]
    sys.argv[1:] = ["-m", *sys.argv[1:], *quiet]
    began = time.perf_counter()
    task()
    wait_for(1)
    seconds = time.perf_counter() - began
    summaries = [json.loads(path.read_text(encoding="utf-8")) for path in Path(outputs).glob("**/summary.json")]
    training = sum(one["training_seconds"] for one in summaries)
    print(json.dumps({"seconds": seconds, "training_seconds": training, "runs": len(summaries)}))
    sys.exit(int(bool(_failed)))


if __name__ == "__main__":
    main()

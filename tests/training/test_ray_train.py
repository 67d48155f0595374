"""Ray Train starts the processes: the same result as of one process."""

import json
import re
from pathlib import Path

import pytest

from lentigo import data, training
from lentigo.training.loading import load_run
from tests.training.test_processes import RECIPE, assert_same

PAGE = Path(__file__).parents[2] / "docs" / "scale.md"


def example() -> str:
    """The program in the section on several processes."""
    (found,) = re.findall(r"```python\n(.*?TorchTrainer.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    return found


@pytest.mark.slow
def test_the_program_in_the_docs_trains_as_one_process_does(synthetic_root, tmp_path, monkeypatch):
    ray = pytest.importorskip("ray")
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    monkeypatch.setenv("RAY_worker_niceness", "0")
    monkeypatch.setenv("RAY_TRAIN_WORKER_GROUP_START_TIMEOUT_S", "600")  # on a busy machine its imports take long
    (tmp_path / "recipe.json").write_text(json.dumps(RECIPE.to_dict()))
    alone = training.train("compact", data.split(data.read(synthetic_root)), RECIPE, out=tmp_path / "alone")
    program = example().replace("/shared/HAM10000", str(synthetic_root)).replace("/shared/", f"{tmp_path}/")
    if ray.is_initialized():
        ray.shutdown()
    ray.init(address="local", num_cpus=4, include_dashboard=False, log_to_driver=False)
    try:
        exec(compile(program, str(PAGE), "exec"), {"__name__": "__main__"})
    finally:
        ray.shutdown()
    assert_same(load_run(tmp_path / "runs" / "ray"), alone)

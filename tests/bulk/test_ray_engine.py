"""Ray's rows are those of the local engine, though workers and nodes are killed and one is slow."""

import os
import signal
import time

import pytest

from lentigo import bulk
from lentigo.bulk import watchdog
from tests.bulk.conftest import PICTURES, rows
from tests.bulk.serving import Server

# Read when Ray is imported or a node starts: on a busy machine its processes take longer than it waits for them.
os.environ |= {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_worker_niceness": "0",  # as these tests: at Ray's 15 its workers starve beside other tests
    "RAY_raylet_start_wait_time_s": "300",
    "RAY_agent_register_timeout_ms": "300000",
    "RAY_gcs_server_request_timeout_seconds": "120",
    "RAY_health_check_timeout_ms": "60000",
}
pytest.importorskip("ray")


@pytest.fixture(scope="module")
def cluster():
    """Two nodes of two processors; the driver is at the first."""
    import ray
    from ray.cluster_utils import Cluster

    if ray.is_initialized():
        ray.shutdown()
    found = Cluster(initialize_head=True, head_node_args={"num_cpus": 2, "include_dashboard": False})
    found.add_node(num_cpus=2)
    ray.init(address=found.address, log_to_driver=False, logging_level="ERROR")
    yield found
    ray.shutdown()
    found.shutdown()


def actors() -> list:
    """The processes that classify."""
    import psutil

    found = []
    for process in psutil.process_iter(["cmdline"]):
        name = " ".join(process.info["cmdline"] or [])
        if name.startswith("ray::") and "_Actor" in name:
            found.append(process)
    return found


def test_killed_workers_and_nodes_and_a_slow_one_lose_no_row(cluster, model, tmp_path):
    done = set()

    def hook(name: str, times: int) -> None:
        if "killed" not in done and name == "lesion-02.jpg":
            done.add("killed")
            os.kill(actors()[0].pid, signal.SIGKILL)
        if "removed" not in done and name == "lesion-04.jpg":
            done.add("removed")
            cluster.remove_node(cluster.worker_nodes.copy().pop(), allow_graceful=False)
        if name == "lesion-06.jpg":
            time.sleep(1)

    contents = PICTURES | {"broken.jpg": b"\xff\xd8\xff no picture"}
    options = {"model": model, "images_per_part": 1, "maps": True, "progress": False}
    with Server(contents, hook).running() as server:
        source = server.manifest(tmp_path / "list.txt")
        found = bulk.classify(source, tmp_path / "ray", engine="ray", workers=3, **options)
        server.hook = lambda name, times: None
        bulk.classify(source, tmp_path / "local", **options)
    assert done == {"killed", "removed"}
    assert (found.rows, found.finished, found.failures) == (8, 8, {"unreadable image": 1})
    assert rows(tmp_path / "ray") == rows(tmp_path / "local")
    assert not list((tmp_path / "ray" / "_attempts").iterdir())


def test_workers_that_hang_are_killed_and_others_do_their_parts(cluster, model, tmp_path, monkeypatch):
    """Stopped by a signal, whether they had a part in hand or were about to get one."""
    stopped = []

    def hook(name: str, times: int) -> None:
        if not stopped and name == "lesion-03.jpg":
            stopped.extend(actors())
            for process in stopped:
                process.suspend()

    monkeypatch.setattr(watchdog, "PATIENCE", 15.0)
    options = {"model": model, "images_per_part": 1, "progress": False}
    with Server(PICTURES, hook).running() as server:
        source = server.manifest(tmp_path / "list.txt")
        found = bulk.classify(source, tmp_path / "ray", engine="ray", workers=2, **options)
    ended = [process for process in stopped if not process.is_running()]
    for process in set(stopped) - set(ended):  # stopped before it had even loaded the engine
        process.kill()
    assert ended
    assert (found.rows, found.finished, found.failures) == (7, 7, {})
    assert len({row["image_id"] for row in rows(tmp_path / "ray")}) == 7


def test_more_workers_than_processors_are_refused(cluster, folder, model, tmp_path):
    """Ray would wait for the processors without a word."""
    from lentigo.errors import DataError

    options = {"model": model, "images_per_part": 1, "progress": False}
    with pytest.raises(DataError, match="8 workers, but Ray has"):
        bulk.classify(folder, tmp_path / "out", engine="ray", workers=8, **options)

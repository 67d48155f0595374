"""Ray that is missing, can't start, or isn't where it was said to be: an error in seconds, with the next step."""

import errno
import os
import socket
import sys
from contextlib import contextmanager
from types import SimpleNamespace

import pytest

from lentigo import __version__, bulk
from lentigo.bulk import cluster
from lentigo.bulk.cluster import check_version, connected, explained
from lentigo.errors import DataError, LentigoError, MissingExtraError
from lentigo.studies.engines import train_ahead
from tests.bulk.serving import Server

ray = pytest.importorskip("ray")
MISMATCH = """Version mismatch: The cluster was started with:
    Ray: 2.9.0
    Python: 3.9.1
This process on Ray was started with:
    Ray: 2.60.0
    Python: 3.11.7
"""


@pytest.fixture(autouse=True)
def nothing_runs(monkeypatch):
    """No test here starts Ray, and none is stopped: another test's may run in this process."""
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "shutdown", lambda: None)
    monkeypatch.setattr(ray, "init", lambda **_: pytest.fail("Ray was started"))


@pytest.fixture(params=["classify", "reproduce"])
def work(request, folder, model, tmp_path):
    """Both that run on Ray, by its address."""

    def classify(address=None):
        bulk.classify(folder, tmp_path / "out", model=model, engine="ray", address=address, progress=False)

    def reproduce(address=None):
        train_ahead({tmp_path / "outcome.json": lambda: None}, "ray", address)

    return classify if request.param == "classify" else reproduce


def failing(monkeypatch, error):
    """Ray's start fails."""

    def init(**_):
        raise error

    monkeypatch.setattr(ray, "init", init)


@contextmanager
def listening():
    """An address whose port is open, but where nobody answers."""
    with socket.create_server(("127.0.0.1", 0)) as there:
        yield f"127.0.0.1:{there.getsockname()[1]}"


def test_not_installed(work, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingExtraError, match=r"The engine Ray needs .*pip install .*cluster"):
        work()


def test_nothing_listens_at_the_address(work):
    with listening() as address:
        pass
    with pytest.raises(DataError, match=f"{address}: no Ray cluster answers .connection refused.*ray start --head"):
        work(address)


def test_what_listens_does_not_answer(work, monkeypatch):
    monkeypatch.setattr(cluster, "ANSWER", 0.2)
    with listening() as address, pytest.raises(DataError, match=f"{address}: no Ray cluster answers .timed out"):
        work(address)


def test_what_listens_is_not_ray(monkeypatch):
    monkeypatch.setattr(cluster, "ANSWER", 2.0)
    with Server({}).running() as server:
        address = server.url.removeprefix("http://")
        with pytest.raises(DataError, match=f"{address}: .*(not Ray|no Ray cluster)"), connected(address):
            pass


@pytest.mark.parametrize("address", ["nonsense", "", "host:", ":6379", "host:99999", "host:none", "http://host"])
def test_not_an_address(address):
    with pytest.raises(DataError, match=r"not an address of a Ray cluster.*HOST:PORT"), connected(address):
        pass


def test_a_cluster_that_is_gone_is_still_recorded(tmp_path, monkeypatch):
    with listening() as address:
        pass
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))
    (tmp_path / "ray").mkdir()
    (tmp_path / "ray" / "ray_current_cluster").write_text(address + "\n")
    with pytest.raises(DataError, match=f"{address}: no Ray cluster answers"), connected("auto"):
        pass
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
    with pytest.raises(DataError, match=r"127\.0\.0\.1:1: no Ray cluster answers"), connected("auto"):
        pass


def test_another_version_of_ray(work, monkeypatch):
    monkeypatch.setattr(cluster, "_refuse_silent", lambda *_: None)
    failing(monkeypatch, RuntimeError(MISMATCH))
    with pytest.raises(DataError, match=r"there:1: .*another version of Ray.*Ray: 2\.9\.0.*Ray: 2\.60\.0.*Install"):
        work("there:1")


@pytest.mark.parametrize("address", [None, "there:1"])
def test_a_full_disk(work, address, monkeypatch):
    monkeypatch.setattr(cluster, "_refuse_silent", lambda *_: None)
    failing(monkeypatch, OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/tmp/ray/session/logs"))
    with pytest.raises(LentigoError, match=r"No space left.*/tmp/ray/session.*Free some space.*RAY_TMPDIR"):
        work(address)


def test_refused_for_another_reason(work, monkeypatch):
    failing(monkeypatch, PermissionError(errno.EPERM, "Operation not permitted"))
    with pytest.raises(LentigoError, match=r"Ray does not start on this machine .*not permitted.*--engine local"):
        work()


def test_a_full_disk_that_ray_does_not_speak_of(work, monkeypatch):
    failing(monkeypatch, RuntimeError("The current node timed out during startup."))
    monkeypatch.setattr(cluster.shutil, "disk_usage", lambda _: SimpleNamespace(free=2e6))
    monkeypatch.setenv("RAY_TMPDIR", "/tmp")
    with pytest.raises(LentigoError, match=r"timed out during startup.*/tmp has 2 MB left"):
        work()


@pytest.fixture
def joined(monkeypatch):
    """This process is connected to a cluster already."""
    there = SimpleNamespace(gcs_address="127.0.0.1:6379")
    monkeypatch.setattr(ray, "is_initialized", lambda: True)
    monkeypatch.setattr(ray, "get_runtime_context", lambda: there)
    monkeypatch.setattr(ray, "cluster_resources", lambda: {"CPU": 4.0})
    monkeypatch.setattr(ray, "shutdown", lambda: pytest.fail("the caller's cluster was left"))


@pytest.mark.parametrize("address", [None, "auto", "127.0.0.1:6379", "localhost:6379"])
def test_the_cluster_that_a_process_is_connected_to_is_used(joined, address):
    with connected(address, processors=4) as found:
        assert found is ray


@pytest.mark.parametrize("address", ["127.0.0.1:6380", "no.such.host.invalid:6379"])
def test_another_cluster_is_not_taken_for_the_one_that_was_named(joined, work, address):
    with pytest.raises(DataError, match=rf"{address}: this process is connected to .*127\.0\.0\.1:6379"):
        work(address)


def test_a_cluster_that_would_wait_for_processors_for_ever(joined, work, monkeypatch):
    monkeypatch.setattr(cluster, "ANSWER", 0.1)
    monkeypatch.setattr(ray, "cluster_resources", lambda: {"memory": 1.0})
    with pytest.raises(DataError, match=r"0 processors.*--num-cpus"):
        work()


def test_another_lentigo_on_a_node():
    check_version(__version__)
    with pytest.raises(LentigoError, match=rf"has lentigo {__version__}, .* from 9\.9.*same version on every node"):
        check_version("9.9")


@pytest.mark.parametrize(
    ("text", "said", "hint"),
    [
        ("The actor died\n  File x\nModuleNotFoundError: No module named 'lentigo'\n", "No module named", "every node"),
        ("Task failed:\nOSError: [Errno 28] No space left on device: '/tmp/x'", "No space left", "RAY_TMPDIR"),
        ("Token authentication is enabled but no authentication token was found. Ensure", "no auth", "RAY_AUTH_TOKEN"),
        ("The node died.\nmore", "The node died", ""),
        ("The actor died\n  \x1b[36mFile\x1b[39m\nlentigo.errors.BundleError: x.onnx: damaged.", "x.onnx: damaged", ""),
        ("", "RuntimeError", ""),
    ],
)
def test_the_line_of_rays_texts_that_matters(text, said, hint):
    line, step = explained(RuntimeError(text))
    assert said in line
    assert "\n" not in line
    assert hint in step
    assert bool(step) == bool(hint)

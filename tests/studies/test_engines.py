"""Trainings as independent jobs of a cluster: each once, none again that is done, and a failure stops no other."""

from contextlib import contextmanager
from functools import partial
from types import SimpleNamespace

import pytest

from lentigo.errors import RunError
from lentigo.studies import engines, reproduce
from lentigo.studies.engines import check_engine, train_ahead


class DiedError(Exception):
    """As `ray.exceptions.RayError`."""


class FakeRay:
    """A cluster that does a task when its result is asked for, the last one first."""

    exceptions = SimpleNamespace(RayError=DiedError)

    def remote(self, function):
        made = SimpleNamespace(remote=lambda *given: (function, given))
        return SimpleNamespace(options=lambda **options: self.wants.append(options) or made)

    def __init__(self):
        self.wants = []

    def cluster_resources(self):
        return {"CPU": 2.0}

    def wait(self, tasks, num_returns):
        return tasks[-1:], tasks[:-1]

    def get(self, task):
        function, given = task
        return function(*given)


@pytest.fixture
def cluster(monkeypatch):
    ray = FakeRay()

    @contextmanager
    def connected(address):
        ray.address = address
        yield ray

    monkeypatch.setattr(engines, "connected", connected)
    return ray


def leave(file, said):
    said.append(file.name)
    file.parent.mkdir(parents=True)
    file.write_text("{}")


def fail(file, error):
    raise error


def test_each_is_done_once_and_what_is_there_is_not_done_again(tmp_path, cluster, capsys):
    said = []
    files = [tmp_path / str(i) / "outcome.json" for i in range(3)]
    leave(files[1], [])
    train_ahead({file: partial(leave, file, said) for file in files}, "ray", "there:1")
    assert len(said) == 2
    assert all(file.exists() for file in files)
    assert cluster.address == "there:1"
    assert cluster.wants == [{"num_cpus": 1, "num_gpus": 0, "max_retries": 3}]
    assert "2 of 2" in capsys.readouterr().err


def test_the_local_engine_does_nothing_ahead(tmp_path, cluster):
    train_ahead({tmp_path / "x": lambda: pytest.fail("done")}, "local")


def test_a_failure_stops_no_other_and_is_said(tmp_path, cluster):
    said, good, bad = [], tmp_path / "good" / "o.json", tmp_path / "bad" / "o.json"
    calls = {good: partial(leave, good, said), bad: partial(fail, bad, RunError("Too large.", "Make it smaller."))}
    with pytest.raises(RunError, match=r"bad: Too large\. Make it smaller\. The same command goes on"):
        train_ahead(calls, "ray")
    assert good.exists()
    with pytest.raises(RunError, match=r"bad: its process ended \(The worker died\)"):
        train_ahead({bad: partial(fail, bad, DiedError("The worker died.\nmore"))}, "ray")


def test_a_folder_that_nodes_do_not_share(tmp_path, cluster):
    with pytest.raises(RunError, match=r"not here.*all nodes share"):
        train_ahead({tmp_path / "o.json": lambda: None}, "ray")


def test_engines_that_there_are_not(tmp_path):
    with pytest.raises(RunError, match="Did you mean 'ray'"):
        check_engine("rays", None)
    with pytest.raises(RunError, match="has no address"):
        reproduce("compressed_cnn", tmp_path, tmp_path / "o", address="a:1")


@pytest.mark.slow
def test_on_ray_a_study_gives_the_same_results(synthetic_root, tmp_path):
    """A table of one system, trained here and on a cluster of this machine."""
    pytest.importorskip("ray")
    pages = {}
    for engine in ("local", "ray"):
        (page,) = reproduce(
            "compressed_cnn", synthetic_root, tmp_path / engine, budget="quick", protocols=["grouped"], engine=engine
        )
        pages[engine] = [line for line in page.read_text().splitlines() if "accuracy" in line]
    assert pages["local"] == pages["ray"]

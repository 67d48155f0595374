"""An object store, by a server that speaks S3: sources and results there, and a store that answers 503."""

import json
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from pyarrow import parquet

from lentigo import bulk
from lentigo.bulk import alone, storage
from lentigo.bulk.plan import load_plan
from lentigo.bulk.work import Job, Worker
from lentigo.errors import OutputError
from lentigo.owners import owner
from lentigo.runtime import Classifier
from tests.bulk.conftest import PICTURES, rows, write_tar

pytest.importorskip("s3fs")
pytest.importorskip("moto")


class Store:
    """Moto's server in this process; `refuse(path, times)` says which requests get a 503."""

    def __init__(self) -> None:
        from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
        from werkzeug.serving import make_server

        inner = DomainDispatcherApplication(create_backend_app)
        self.asked: Counter[str] = Counter()
        self.refuse = lambda path, times: False

        def application(environment, start):
            path = environment["PATH_INFO"]
            if environment["REQUEST_METHOD"] == "GET":
                self.asked[path] += 1
                if self.refuse(path, self.asked[path]):
                    start("503 Slow Down", [("Content-Type", "application/xml")])
                    return [b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"]
            return inner(environment, start)

        self.server = make_server("127.0.0.1", 0, application, threaded=True)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


def settings(store: Store) -> dict[str, str]:
    """Variables that lead to it."""
    return {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{store.server.server_port}",
        "AWS_MAX_ATTEMPTS": "1",  # s3fs repeats too
    }


@pytest.fixture(scope="module")
def store():
    import s3fs

    found = Store()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in settings(found).items():
            patch.setenv(name, value)
        s3fs.S3FileSystem.clear_instance_cache()
        found.files = s3fs.S3FileSystem()
        found.files.mkdir("images")
        found.files.mkdir("results")
        yield found
        s3fs.S3FileSystem.clear_instance_cache()
        found.server.shutdown()


@pytest.fixture
def classify(model):
    def run(source, out, **options):
        return bulk.classify(source, out, **{"model": model, "images_per_part": 3, "progress": False} | options)

    return run


def test_folders_shards_and_results_may_be_there(store, folder, clean, classify, tmp_path):
    for row in clean:
        store.files.pipe_file(f"images/a/{row['image_id']}", (folder / row["image_id"]).read_bytes())
    store.files.pipe_file("images/a/without_suffix", PICTURES["lesion-00.jpg"])
    store.files.pipe_file("images/a/table.csv", b"image\n")
    found = classify("s3://images/a/", "s3://results/a", maps=True)
    assert (found.rows, found.failures) == (9, {"unreadable image": 1})
    assert ".csv 1" in found.text
    made = parquet.read_table("results/a", filesystem=store.files).to_pylist()
    assert [{**row, "source": None, "error": None} for row in made if row["image_id"] != "without_suffix"] == [
        {**row, "source": None, "error": None} for row in clean
    ]
    assert made[0]["source"] == "s3://images/a/broken.jpg"
    assert "Nothing was left to do" in classify("s3://images/a/", "s3://results/a", maps=True).text
    shard = write_tar(tmp_path / "s.tar", dict(list(PICTURES.items())[:2]))
    store.files.pipe_file("images/b/s.tar", shard.read_bytes())
    classify("s3://images/b/*.tar", tmp_path / "out")
    assert [row["image_id"] for row in rows(tmp_path / "out")] == ["s.tar/lesion-00.jpg", "s.tar/lesion-01.jpg"]


def test_503_is_repeated_then_a_row_then_completed(store, classify, tmp_path):
    for name in list(PICTURES)[:4]:
        store.files.pipe_file(f"images/c/{name}", PICTURES[name])
    store.refuse = lambda path, times: (path.endswith("lesion-01.jpg") and times == 1) or path.endswith("lesion-02.jpg")
    try:
        found = classify("s3://images/c", tmp_path / "out")
    finally:
        store.refuse = lambda path, times: False
    assert (found.rows, found.failures) == (4, {"unreachable": 1})
    assert store.asked["/images/c/lesion-01.jpg"] == 2
    assert store.asked["/images/c/lesion-02.jpg"] > 2
    assert classify("s3://images/c", tmp_path / "out").failures == {}
    assert [row["image_id"] for row in rows(tmp_path / "out")] == list(PICTURES)[:4]


def test_a_file_without_suffix_that_cant_be_had_is_a_row(store, classify, tmp_path):
    for name in ("one", "two"):
        store.files.pipe_file(f"images/d/{name}", PICTURES["lesion-00.jpg"])
    store.files.pipe_file("images/d/empty", b"")
    store.refuse = lambda path, times: path.endswith("/two")
    try:
        found = classify("s3://images/d", tmp_path / "out")
    finally:
        store.refuse = lambda path, times: False
    assert (found.rows, found.failures) == (2, {"unreachable": 1})
    assert classify("s3://images/d", tmp_path / "out").failures == {}


def test_a_pattern_matches_files_and_no_folders(store, classify, tmp_path):
    store.files.pipe_file("images/e/a.jpg", PICTURES["lesion-00.jpg"])
    store.files.pipe_file("images/e/more/b.jpg", PICTURES["lesion-01.jpg"])
    classify("s3://images/e/*", tmp_path / "out")
    assert [row["image_id"] for row in rows(tmp_path / "out")] == ["a.jpg"]


def test_a_finished_part_that_cant_be_had_is_not_done_again(store, folder, classify):
    classify(folder, "s3://results/f")
    store.refuse = lambda path, times: path.endswith("part-000001.parquet")
    try:
        with pytest.raises(OutputError, match="part-000001"):
            classify(folder, "s3://results/f")
    finally:
        store.refuse = lambda path, times: False


@pytest.fixture
def in_hand(store, folder, classify, monkeypatch):
    """A run in a thread, which waits at its first image; gives its folder, what lets it go on, and its result."""
    monkeypatch.setattr(alone, "BEAT", 0.2)
    begun, released, real = threading.Event(), threading.Event(), Classifier.classify

    def waiting(self, image, **options):
        begun.set()
        released.wait()
        return real(self, image, **options)

    monkeypatch.setattr(Classifier, "classify", waiting)
    with ThreadPoolExecutor(1) as pool:
        out = f"s3://results/{threading.get_ident()}-{len(store.asked)}"
        result = pool.submit(classify, folder, out, workers=1)
        assert begun.wait(60)
        yield out, released, result
        released.set()


def test_a_second_run_is_refused_while_the_first_one_lives(store, in_hand, folder, classify):
    out, released, first = in_hand
    with pytest.raises(OutputError, match=r"another run writes here .*process"):
        classify(folder, out)
    released.set()
    assert first.result().rows == 8
    made = parquet.read_table(out.removeprefix("s3://"), filesystem=store.files).to_pylist()
    assert len({row["image_id"] for row in made}) == len(made) == 8
    assert not store.files.exists(f"{out}/.lock")


def test_a_run_that_lost_its_folder_stops_and_leaves_the_others_lock(store, in_hand):
    out, released, first = in_hand
    other = json.dumps({"host": "elsewhere", "process": 1, "run": "x", "beat": 0}).encode()
    for _ in range(20):  # what comes between a beat's reading and its writing is lost
        store.files.pipe_file(f"{out}/.lock", other)
        threading.Event().wait(1)
        if store.files.cat_file(f"{out}/.lock") == other:
            break
    released.set()
    with pytest.raises(OutputError, match="another run has taken this folder over"):
        first.result()
    assert store.files.cat_file(f"{out}/.lock") == other


@pytest.mark.parametrize("place", ["here", "elsewhere"])
def test_the_lock_of_a_dead_run_is_taken(store, folder, classify, monkeypatch, place):
    """At once where its machine is this one, else when it has been silent for too long."""
    monkeypatch.setattr(alone, "BEAT", 0.2)
    monkeypatch.setattr(alone, "SILENCE", 0.5)
    out, host = f"s3://results/dead-{place}", owner()["host"] if place == "here" else place
    store.files.pipe_file(f"{out}/.lock", json.dumps({"host": host, "process": 2**30, "run": "x", "beat": 3}).encode())
    assert classify(folder, out).rows == 8
    assert not store.files.exists(f"{out}/.lock")


def test_of_several_that_create_a_file_one_succeeds(store):
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda i: storage.create("s3://results/g/one", b"%d" % i), range(8)))
    assert sum(made) == 1
    assert store.files.cat_file("results/g/one") == b"%d" % made.index(True)


def test_a_part_that_another_run_finished_meanwhile_stays_as_it_is(store, folder, model, classify):
    """Two drivers, should both be there in spite of the lock: the first file of a part stays."""
    classify(folder, "s3://results/h")
    plan = load_plan("s3://results/h")
    part = next(iter(plan))
    content = store.files.cat_file(f"results/h/{part.name}")
    worker = Worker(Classifier.load(model, threads=1), Job("s3://results/h", plan.sha256, "second", None, False))
    assert worker._do(part, None).run != "second"
    assert store.files.cat_file(f"results/h/{part.name}") == content
    other = Worker(Classifier.load(model, threads=1), Job("s3://results/h", "another", "third", None, False))
    assert "is of another run" in other.do(part).problem

"""Worker processes that die, hang or change their model: nobody waits for ever, and nobody gets a wrong answer."""

import os
import shutil
import signal
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from lentigo import Classifier
from tests.serve.conftest import ADMIN, running

KEY = {"Authorization": "Bearer alpha"}


@pytest.fixture(scope="module")
def expected(bundle_path, photos):
    return [Classifier.load(bundle_path).classify(photo).raw["probabilities"] for photo in photos]


@contextmanager
def load(service, photos, clients=4):
    """Clients that ask again and again; gives the list of (image, answer)."""
    answers, stop = [], threading.Event()

    def ask(first):
        with httpx.Client(base_url=service.url, timeout=120) as http:
            i = first
            while not stop.is_set():
                i = (i + 1) % len(photos)
                answers.append((i, http.post("/v1/classify", content=photos[i])))

    with ThreadPoolExecutor(clients) as pool:
        asking = [pool.submit(ask, k) for k in range(clients)]
        try:
            yield answers
        finally:
            stop.set()
            for one in asking:
                one.result()


def check(answers, expected):
    """Each answer is a right one or an error."""
    for i, answer in answers:
        if answer.status_code == 200:
            assert answer.json()["results"][0]["raw"]["probabilities"] == pytest.approx(expected[i], abs=1e-5)
        else:
            assert answer.status_code == 503
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.headers["retry-after"]
    return Counter(answer.status_code for _, answer in answers)


def test_a_worker_killed_under_load_costs_at_most_what_it_held(service, photos, expected):
    def ended():  # a worker that is killed before its models are open holds nothing, and is not called lost
        return len(service.events("a worker process was lost")) + len(
            service.events("a worker process could not be started")
        )

    with load(service, photos) as answers:
        for _ in range(3):
            before, count, workers = len(answers), ended(), service.workers()
            service.until(lambda before=before: len(answers) > before + 10)
            os.kill(workers[0], signal.SIGKILL)
            service.until(lambda count=count: ended() == count + 1)
            service.until(lambda workers=workers: len(service.workers()) == 2 and workers[0] not in service.workers())
    statuses = check(answers, expected)
    assert statuses[200] > 30
    assert statuses[503] <= 3 * 4  # a batch each


def test_models_reload_under_load_without_a_lost_request(service, photos, expected, other_bundle):
    model = service.log.parent / "model.onnx"
    tiny = model.read_bytes()
    other = Classifier.load(other_bundle)
    shas = {Classifier.load(model).sha256, other.sha256}
    others = [other.classify(photo).raw["probabilities"] for photo in photos]
    try:
        with load(service, photos) as answers, httpx.Client(base_url=service.url, timeout=120) as http:
            shutil.copy(other.bundle.path, model)
            said = http.post("/v1/admin/reload", headers=ADMIN).json()
            assert list(said["after"].values()) == [other.sha256]
            assert http.get("/v1/models").json()["models"][0]["sha256"] == other.sha256
            model.write_bytes(tiny)
            done = len(service.events("models reloaded"))
            service.process.send_signal(signal.SIGHUP)
            service.until(lambda: len(service.events("models reloaded")) > done)
            count = len(answers)
            service.until(lambda: len(answers) > count + 10)
    finally:
        model.write_bytes(tiny)
    assert {answer.status_code for _, answer in answers} == {200}
    results = [(i, answer.json()["results"][0]) for i, answer in answers]
    assert {result["model_sha256"] for _, result in results} == shas
    for i, result in results:
        right = others[i] if result["model_sha256"] == other.sha256 else expected[i]
        assert result["raw"]["probabilities"] == pytest.approx(right, abs=1e-5)


def test_a_model_that_cannot_be_opened_leaves_the_old_one(service, http, photos):
    model = service.log.parent / "model.onnx"
    tiny = model.read_bytes()
    try:
        model.write_bytes(tiny[:-100] + b"x" * 100)
        answer = http.post("/v1/admin/reload", headers=ADMIN)
        assert answer.status_code == 500
        assert "not reloaded" in answer.json()["detail"]
        assert http.post("/v1/classify", content=photos[0]).status_code == 200
    finally:
        model.write_bytes(tiny)


def test_a_new_worker_never_brings_another_model_unasked(service, http, photos, other_bundle):
    model = service.log.parent / "model.onnx"
    tiny = model.read_bytes()
    sha = http.get("/v1/models").json()["models"][0]["sha256"]
    try:
        shutil.copy(other_bundle, model)
        os.kill(service.workers()[0], signal.SIGKILL)
        service.until(lambda: service.events("a model's file has changed; reload the models, or restore it"))
        found = {http.post("/v1/classify", content=p).json()["results"][0]["model_sha256"] for p in photos}
        assert found == {sha}
    finally:
        model.write_bytes(tiny)
    service.until(lambda: http.get("/healthz").json()["workers"] == 2)


def test_reload_needs_its_own_key(service, http):
    for headers in ({}, {"Authorization": "Bearer let me i"}, {"Authorization": "Basic let me in"}):
        assert http.post("/v1/admin/reload", headers=headers).status_code == 401


def test_a_worker_that_hangs_is_ended_and_replaced(strict, photos):
    (worker,) = strict.workers()
    os.kill(worker, signal.SIGSTOP)
    with httpx.Client(base_url=strict.url, headers=KEY, timeout=120) as http:
        answer = http.post("/v1/classify", content=photos[0])
        assert answer.status_code == 503
        assert "took longer than 3 seconds" in answer.json()["detail"]
        strict.until(lambda: strict.workers() not in ([], [worker]))
        strict.until(lambda: http.get("/readyz").status_code == 200)
        assert http.post("/v1/classify", content=photos[0]).status_code == 200


def test_a_full_queue_says_when_to_come_again(strict, photos):
    with (
        httpx.Client(base_url=strict.url, headers=KEY, timeout=120) as http,
        ThreadPoolExecutor(2) as pool,
    ):
        (worker,) = strict.workers()
        os.kill(worker, signal.SIGSTOP)
        try:
            waiting = [pool.submit(http.post, "/v1/classify", content=photo) for photo in photos[:2]]
            strict.until(lambda: "lentigo_images_held 2.0" in http.get("/metrics").text)
            answer = http.post("/v1/classify", content=photos[2])
        finally:
            os.kill(worker, signal.SIGCONT)
        assert answer.status_code == 429
        assert int(answer.headers["retry-after"]) >= 1
        assert [one.result().status_code for one in waiting] == [200, 200]
        assert http.post("/v1/classify", content=photos[2]).status_code == 200


def test_sigterm_finishes_what_was_accepted(bundle_path, photos, tmp_path):
    with running(tmp_path, bundle_path, "--workers", 1) as service, ThreadPoolExecutor(1) as pool:
        (worker,) = service.workers()
        os.kill(worker, signal.SIGSTOP)
        waiting = pool.submit(httpx.post, f"{service.url}/v1/classify", content=photos[0], timeout=120)
        service.until(lambda: "lentigo_images_held 1.0" in httpx.get(f"{service.url}/metrics").text)
        service.process.send_signal(signal.SIGTERM)
        service.until(lambda: _refused(service.url))
        os.kill(worker, signal.SIGCONT)
        assert waiting.result().status_code == 200
        service.process.wait(20)
        assert service.events("stopped")
        assert not Path(f"/proc/{worker}").exists()


def _refused(url):
    try:
        httpx.get(f"{url}/healthz")
    except httpx.HTTPError:
        return True
    return False

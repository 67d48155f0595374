"""With an audit log nothing is answered that is not in it, and a disk that is full is said and survived."""

import hashlib
import json
import resource

import httpx

from lentigo.audit_log import verify_audit_log

KEY = {"Authorization": "Bearer alpha"}


def test_results_are_logged_before_they_are_answered(strict, photo):
    answer = httpx.post(f"{strict.url}/v1/classify", headers=KEY, files={"images": ("Jane Doe.jpg", photo)})
    log = strict.log.parent / "audit.jsonl"
    last = json.loads(log.read_text().splitlines()[-1])
    assert last["image_sha256"] == hashlib.sha256(photo).hexdigest()
    assert last["decision"] == answer.json()["results"][0]["decision"]
    assert "Jane" not in log.read_text()
    assert verify_audit_log(log).intact


def test_images_that_cannot_be_read_are_logged_too(strict):
    httpx.post(f"{strict.url}/v1/classify", headers=KEY, content=b"no image")
    last = json.loads((strict.log.parent / "audit.jsonl").read_text().splitlines()[-1])
    assert last["decision"] == "not read"


def test_a_full_disk_under_the_log_is_an_error_and_passes(strict, photo):
    log = strict.log.parent / "audit.jsonl"
    before = log.read_text()
    (worker,) = strict.workers()
    _, most = resource.prlimit(worker, resource.RLIMIT_FSIZE)
    with httpx.Client(base_url=strict.url, headers=KEY, timeout=120) as http:
        resource.prlimit(worker, resource.RLIMIT_FSIZE, (0, most))  # whatever it writes fails, as on a full disk
        try:
            for path in ("/v1/classify", "/v1/explain", "/v1/report"):
                answer = http.post(path, content=photo)
                assert answer.status_code == 503
                assert "audit log can't be written" in answer.json()["detail"]
                assert str(strict.log.parent) not in answer.text
        finally:
            resource.prlimit(worker, resource.RLIMIT_FSIZE, (most, most))
        assert log.read_text() == before
        assert strict.workers() == [worker]
        assert http.post("/v1/classify", content=photo).status_code == 200
    assert verify_audit_log(log).intact

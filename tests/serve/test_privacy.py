"""Keys, and what is written down: nothing of images, names or keys."""

import json

import httpx
import pytest


def test_nothing_is_stored(service, http, photo):
    for _ in range(3):
        http.post("/v1/classify", files={"images": ("Jane Doe.jpg", photo)})
        http.post("/v1/explain", files={"images": ("Jane Doe.jpg", photo)})
        http.post("/v1/report", files={"images": ("Jane Doe.jpg", photo)})
    http.post("/v1/classify", content=b"x" * 3_900_000)  # large bodies go to no temporary file either
    folder = service.log.parent
    found = {str(path.relative_to(folder)) for path in folder.rglob("*")}
    assert found == {"log.jsonl", "serve.toml", "model.onnx", "tmp"}


def test_a_request_is_one_line_without_names(service, http, photo):
    answer = http.post("/v1/classify?model=Jane", files={"images": ("Jane Doe.jpg", photo)})
    http.get("/Jane/Doe")
    http.post("/v1/classify", files={"images": ("Jane Doe.jpg", photo)}, headers={"X-Request-ID": "this-one"})
    assert answer.status_code == 404
    service.until(lambda: [e for e in service.events("request") if e["request_id"] == "this-one"])
    (line,) = [e for e in service.events("request") if e["request_id"] == "this-one"]
    assert (line["route"], line["status"], line["images"]) == ("/v1/classify", 200, 1)
    assert "Jane" not in service.log.read_text()


def test_every_line_of_the_log_is_json(service):
    for line in service.log.read_text().splitlines():
        assert {"time", "level", "event"} <= set(json.loads(line))


def test_the_configuration_is_shown_without_keys(service, strict):
    for one in (service, strict):
        (line,) = one.events("configuration")
        assert line["workers"] in (1, 2)
        text = one.log.read_text()
        assert "let me in" not in text and "alpha" not in text and "beta" not in text
    assert service.events("configuration")[0]["admin_key"] == "**********"


@pytest.mark.parametrize(
    "headers", [{}, {"Authorization": "Bearer gamma"}, {"X-API-Key": ""}, {"X-API-Key": "alpha\xe9"}]
)
@pytest.mark.parametrize("path", ["/v1/models", "/metrics", "/v1/classify"])
def test_without_a_key_there_is_nothing(strict, headers, path):
    sent = {name: value.encode("latin-1") for name, value in headers.items()}
    answer = httpx.post(f"{strict.url}{path}", headers=sent)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("headers", [{"Authorization": "Bearer alpha"}, {"X-API-Key": "beta"}])
def test_either_key_opens_by_either_header(strict, headers):
    assert httpx.get(f"{strict.url}/v1/models", headers=headers).status_code == 200
    assert httpx.get(f"{strict.url}/healthz").status_code == 200


def test_reload_does_not_exist_without_a_key_for_it(strict):
    answer = httpx.post(f"{strict.url}/v1/admin/reload", headers={"X-API-Key": "alpha"})
    assert answer.status_code in (401, 404)


def test_an_origin_that_is_allowed_may_ask(strict):
    for origin, allowed in (("https://ward.example", True), ("https://elsewhere.example", False)):
        answer = httpx.options(
            f"{strict.url}/v1/classify", headers={"Origin": origin, "Access-Control-Request-Method": "POST"}
        )
        assert (answer.headers.get("access-control-allow-origin") == origin) == allowed
        assert allowed or answer.headers["content-type"] == "application/problem+json"

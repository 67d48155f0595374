"""Whatever is sent, the answer is one that the OpenAPI document promises, and the same processes go on."""

from concurrent.futures import ThreadPoolExecutor

import httpx
import hypothesis
import jsonschema
import pytest
import schemathesis
from hypothesis import strategies as st

from lentigo.runtime import verdict_schema
from tests.serve.conftest import ADMIN
from tests.serve.fuzzing import mutated, originals


def test_damaged_images_get_a_verdict_or_a_reason(service, photo):
    workers = service.workers()
    files = list(mutated(originals(photo), 400, seed=16))
    with httpx.Client(base_url=service.url, timeout=120) as http, ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda content: http.post("/v1/classify", content=content), files))
    validator = jsonschema.Draft202012Validator(verdict_schema())
    for answer in answers:
        assert answer.status_code in (200, 413, 415, 422), answer.text
        said = answer.json()
        for result in said.get("results", []):
            validator.validate(result)
        if answer.status_code != 200:
            assert said["detail"]
    assert {200, 415, 422} <= {answer.status_code for answer in answers}
    assert service.workers() == workers


@pytest.fixture
def schema(service, photo):
    schemathesis.openapi.format("binary", st.sampled_from([photo, photo[:500], b"no image", b""]))
    return schemathesis.openapi.from_url(f"{service.url}/openapi.json")


# What is sent is random bytes, mostly; that these are refused although the document allows any bytes is meant.
EXCLUDED = ["positive_data_acceptance"]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v1/classify"),
        ("POST", "/v1/explain"),
        ("POST", "/v1/report"),
        ("GET", "/v1/models"),
        ("GET", "/v1/models/{name}"),
        ("GET", "/healthz"),
        ("GET", "/readyz"),
        ("GET", "/metrics"),
    ],
)
def test_answers_are_those_of_the_document(schema, method, path):
    operation = schema[path][method]
    excluded = [schemathesis.checks.CHECKS.get_one(name) for name in EXCLUDED]

    @hypothesis.settings(
        max_examples=25,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    @hypothesis.given(case=operation.as_strategy())
    def check(case):
        case.call_and_validate(excluded_checks=excluded)

    check()


def test_every_route_is_tried(schema, service):
    tried = {
        "/v1/classify",
        "/v1/explain",
        "/v1/report",
        "/v1/models",
        "/v1/models/{name}",
        "/healthz",
        "/readyz",
        "/metrics",
    }
    assert set(schema.raw_schema["paths"]) == tried | {"/v1/admin/reload"}
    assert httpx.post(f"{service.url}/v1/admin/reload", headers=ADMIN, timeout=120).status_code == 200

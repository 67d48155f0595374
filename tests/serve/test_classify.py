"""Images over HTTP get what `classify` says of them."""

import io
import json

import jsonschema
import pytest
from PIL import Image

from lentigo import Classifier
from lentigo.runtime import verdict_schema
from lentigo.serve.schemas import Classified
from tests.serve.fuzzing import dicom


@pytest.fixture(scope="module")
def expected(bundle_path, photo):
    return Classifier.load(bundle_path).classify(photo).to_dict()


def without_source(result):
    return {key: value for key, value in result.items() if key != "source"}


def test_the_bytes_of_an_image_get_the_result_of_classify(http, photo, expected):
    answer = http.post("/v1/classify", content=photo)
    assert answer.status_code == 200
    (result,) = answer.json()["results"]
    assert without_source(result) == without_source(expected)
    jsonschema.validate(result, verdict_schema())


def test_a_form_gets_a_result_for_each_image_in_its_order(http, photo, expected):
    answer = http.post("/v1/classify", files=[("images", ("a.jpg", photo)), ("images", ("b.jpg", b"no image"))])
    assert answer.status_code == 200
    first, second = answer.json()["results"]
    assert (first["source"], second["source"]) == ("a.jpg", "b.jpg")
    assert without_source(first) == without_source(expected)
    assert second["error"].startswith("b.jpg: not an image")
    assert second["decision"] is None


def test_the_typed_result_has_the_keys_of_the_schema(http, photo):
    answer = http.post("/v1/classify", content=photo)
    typed = Classified.model_validate_json(answer.content)
    assert json.loads(typed.model_dump_json()) == answer.json()
    assert set(type(typed.results[0]).model_fields) == set(verdict_schema()["properties"])


def test_health_names_the_workers_and_models_the_model(http, bundle_path):
    assert http.get("/healthz").json()["workers"] == 2
    assert http.get("/readyz").status_code == 200
    (model,) = http.get("/v1/models").json()["models"]
    assert model["sha256"] == Classifier.load(bundle_path).sha256


def test_fhir_is_a_bundle_that_claims_nothing_final(http, photo):
    clinic = pytest.importorskip("lentigo.clinic")
    for version in ("R5", "R4B"):
        answer = http.post("/v1/classify", params={"format": "fhir", "fhir_version": version}, content=photo)
        assert answer.headers["content-type"] == "application/fhir+json"
        clinic.check_fhir(answer.json(), version)
    assert http.post("/v1/classify?format=fhir", files=[("i", ("a", photo)), ("i", ("b", photo))]).status_code == 422
    assert http.post("/v1/classify?format=fhir", content=b"none").status_code == 415


def test_dicom_gets_the_result_of_its_jpeg(http, photo):
    pytest.importorskip("pydicom")
    content = dicom(Image.open(io.BytesIO(photo)), frame=photo)
    (of_dicom,) = http.post("/v1/classify", content=content).json()["results"]
    (of_jpeg,) = http.post("/v1/classify", content=photo).json()["results"]
    assert of_dicom == of_jpeg
    assert http.post("/v1/classify", content=content[:600]).status_code == 422
    big = dicom(Image.new("RGB", (2100, 2000)))[:3_900_000]
    assert http.post("/v1/classify", content=big).status_code in (413, 422)  # by its header, if that can be read

"""The client: typed, patient, discreet, and a predictor."""

import json

import httpx
import numpy as np
import pytest

from lentigo import Classifier
from lentigo.errors import BundleError, ImageError, ServiceError
from lentigo.runtime import Bundle, is_heatmap
from lentigo.serve import Client


@pytest.fixture
def client(service):
    with Client(service.url) as made:
        yield made


def test_a_result_is_that_of_classify(client, bundle_path, photo):
    expected = Classifier.load(bundle_path).classify(photo).to_dict()
    assert json.loads(client.classify(photo).model_dump_json()) == expected


def test_results_have_the_names_of_the_files_which_the_service_never_sees(client, tmp_path, photo, service):
    path = tmp_path / "Jane Doe.jpg"
    path.write_bytes(photo)
    (tmp_path / "notes.txt").write_text("no image")
    first, second = client.classify_many([path, tmp_path / "notes.txt"])
    assert first.source == str(path)
    assert second.error.startswith(f"{tmp_path / 'notes.txt'}: not an image")
    assert "Jane" not in service.log.read_text()


def test_many_images_take_several_requests(client, photo):
    assert len(list(client.classify_many([photo] * 35))) == 35


def test_an_explanation_is_a_heat_map(client, photo):
    result, picture = client.explain(photo)
    assert result.error is None
    assert is_heatmap(picture)


def test_a_report_is_a_page_that_has_no_name(client, tmp_path, photo):
    path = tmp_path / "Jane Doe.jpg"
    path.write_bytes(photo)
    page = client.report(path, "nv", language="es")
    assert page.startswith("<!doctype html>") and 'lang="es"' in page and "Jane" not in page
    with pytest.raises(ServiceError, match="unicorn"):
        client.report(path, "unicorn")


def test_it_is_a_predictor(client, bundle_path, photos):
    from lentigo.runtime import decode

    images = np.stack([decode(content)[:90, :90] for content in (photos * 2)[:18]])
    bundle = Bundle(bundle_path)
    found, expected = client.predict(images), bundle.predict(images)
    np.testing.assert_allclose(found.probabilities, expected.probabilities, atol=2e-6)
    np.testing.assert_allclose(found.ood_score, expected.ood_score, rtol=1e-4)
    assert found.cam is None
    assert (client.name, client.sha256, client.size) == (bundle.name, bundle.sha256, bundle.size)
    assert client.labels == bundle.labels
    assert client.origin.train == bundle.origin.train
    assert client.origin.test == bundle.origin.test


def test_no_images_have_no_outputs(client):
    assert client.predict(np.zeros((0, 32, 32, 3), np.uint8)).probabilities.shape == (0, len(client.labels))


def test_errors_say_what_the_service_says(client, tmp_path):
    with pytest.raises(ServiceError, match=r"not an image in a supported format") as caught:
        client.classify(b"no image")
    assert caught.value.status == 415
    assert caught.value.request_id
    with pytest.raises(ImageError, match="no such file"):
        client.classify(tmp_path / "absent.jpg")


def test_an_unknown_model_and_a_wrong_diagnosis(service, photo):
    with Client(service.url, model="nobody") as client, pytest.raises(ServiceError, match="no model 'nobody'"):
        client.classify(photo)
    with Client(service.url) as client, pytest.raises(ServiceError, match="unicorn"):
        client.explain(photo, "unicorn")


def test_no_service(photo):
    with Client("http://127.0.0.1:1") as client, pytest.raises(ServiceError, match=r"127\.0\.0\.1:1"):
        client.classify(photo)


def answering(*answers):
    remaining = list(answers)
    return httpx.MockTransport(lambda request: remaining.pop(0))


def test_a_busy_service_is_asked_again_after_as_long_as_it_says(service, photo):
    real = httpx.post(f"{service.url}/v1/classify", content=photo)
    busy = httpx.Response(429, headers={"Retry-After": "0"})
    with Client(transport=answering(busy, busy, httpx.Response(200, content=real.content))) as client:
        assert client.classify(photo).error is None
    with (
        Client(transport=answering(busy, busy), retries=1) as client,
        pytest.raises(ServiceError, match="HTTP 429"),
    ):
        client.classify(photo)


def test_a_model_that_changes_while_it_predicts_is_noticed(client):
    images = np.full((1, 40, 40, 3), 128, np.uint8)
    _ = client.details
    client.__dict__["details"] = client.details.model_copy(update={"sha256": "0" * 64})
    with pytest.raises(ServiceError, match="model has changed"):
        client.predict(images)


def test_the_origin_of_an_old_bundle_is_refused_not_guessed(service, other_bundle):
    metadata = Bundle(other_bundle).metadata.model_dump(mode="json")
    with Client(service.url) as client:
        client.__dict__["details"] = client.details.model_copy(update={"metadata": metadata})
        with pytest.raises(BundleError, match="format 1"):
            _ = client.origin

"""The evidence over HTTP."""

import base64
import io

import pytest
from PIL import Image

from lentigo import Classifier
from lentigo.runtime import is_heatmap


@pytest.fixture(scope="module")
def gradable(photos, bundle_path):
    """An image that the model judges."""
    classifier = Classifier.load(bundle_path)
    return next(photo for photo in photos if classifier.classify(photo).gradable)


def test_json_has_the_result_and_a_tagged_picture(http, gradable):
    said = http.post("/v1/explain", content=gradable).json()
    assert said["diagnosis"] == said["result"]["diagnosis"]
    assert is_heatmap(base64.b64decode(said["picture"]))


def test_the_picture_alone(http, gradable):
    answer = http.post("/v1/explain", params={"format": "png", "diagnosis": "mel"}, content=gradable)
    assert answer.headers["content-type"] == "image/png"
    assert is_heatmap(answer.content)


def test_an_image_that_is_not_gradable_has_no_heat_map(http):
    file = io.BytesIO()
    Image.new("RGB", (200, 200), (90, 90, 90)).save(file, format="PNG")
    said = http.post("/v1/explain", content=file.getvalue()).json()
    assert said["result"]["gradable"] is False
    assert said["diagnosis"] is None


def test_other_methods_draw_another_map(http, gradable):
    said = {m: http.post("/v1/explain", params={"method": m}, content=gradable).json() for m in ("cam", "occlusion")}
    assert {m: answer["method"] for m, answer in said.items()} == {"cam": "cam", "occlusion": "occlusion"}
    assert said["cam"]["result"]["raw"] == said["occlusion"]["result"]["raw"]
    assert said["cam"]["picture"] != said["occlusion"]["picture"]
    assert is_heatmap(base64.b64decode(said["occlusion"]["picture"]))


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({"diagnosis": "unicorn"}, 422),
        ({"diagnosis": ""}, 422),
        ({"format": "svg"}, 422),
        ({"method": "lime"}, 422),
        ({"prevalence": ""}, 422),
        ({"model": ""}, 404),
    ],
)
def test_wrong_questions(http, gradable, query, status):
    assert http.post("/v1/explain", params=query, content=gradable).status_code == status


def test_one_image_a_request_and_only_an_image(http, gradable):
    assert http.post("/v1/explain", files=[("i", ("a", gradable)), ("i", ("b", gradable))]).status_code == 422
    assert http.post("/v1/explain", content=b"none").status_code == 415


def test_what_the_file_says_of_patient_and_place_is_dropped(http, gradable):
    exif = Image.Exif()
    exif[0x010E] = "Jane Doe"
    exif.get_ifd(0x8825)[2] = (48.0, 8.0, 14.0)
    file = io.BytesIO()
    Image.open(io.BytesIO(gradable)).save(file, format="JPEG", exif=exif, quality=95)
    assert b"Jane Doe" in file.getvalue()
    picture = http.post("/v1/explain", params={"format": "png"}, content=file.getvalue()).content
    assert b"Jane Doe" not in picture
    assert not Image.open(io.BytesIO(picture)).getexif()

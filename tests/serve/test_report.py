"""The report over HTTP."""

import httpx
import pytest


def test_a_report_is_a_file_to_save(http, photo):
    answer = http.post("/v1/report", files={"images": ("<b>Ana.jpg", photo)}, params={"language": "es"})
    assert answer.status_code == 200 and answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["content-disposition"].startswith("attachment")
    assert "informe sobre &lt;b&gt;Ana.jpg" in answer.text and "default-src 'none'" in answer.text


@pytest.mark.parametrize(
    ("query", "status"),
    [({"language": "fr"}, 422), ({"diagnosis": "unicorn"}, 422), ({"diagnosis": ""}, 422), ({"model": "nobody"}, 404)],
)
def test_wrong_questions(http, photo, query, status):
    answer = http.post("/v1/report", params=query, content=photo)
    assert answer.status_code == status and answer.json()["next_step"]


def test_one_image_a_request_and_only_an_image(http: httpx.Client, photo):
    assert http.post("/v1/report", files=[("i", ("a", photo)), ("i", ("b", photo))]).status_code == 422
    assert http.post("/v1/report", content=b"none").status_code == 415

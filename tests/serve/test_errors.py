"""Every error is application/problem+json with the right status, and says what to do."""

import pytest


def problem(answer, status):
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    said = answer.json()
    assert said["status"] == status
    assert said["detail"]
    assert said["request_id"] == answer.headers["x-request-id"]
    return said


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nowhere", 404),
        ("GET", "/v1/classify", 405),
        ("DELETE", "/healthz", 405),
        ("GET", "/../../etc/passwd", 404),
        ("GET", "/docs/static/../../../../etc/passwd", 404),
        ("GET", "/docs/static/%2e%2e/%2e%2e/app.py", 404),
        ("GET", "/v1/models/%2e%2e%2f%2e%2e%2fetc%2fpasswd", 404),
        ("GET", "/v1/models/nobody", 404),
        ("POST", "/v1/admin/reload", 401),
    ],
)
def test_addresses_that_are_wrong(http, method, path, status):
    problem(http.request(method, path), status)


def test_405_names_the_methods(http):
    assert http.get("/v1/classify").headers["allow"] == "POST"


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"", 422),
        (b"no image", 415),
        (b"<html><script>alert(1)</script></html>", 415),
        (b"\xff\xd8\xff not a JPEG", 422),
        (b"\x89PNG\r\n\x1a\n", 422),
        (b"RIFF\0\0\0\0WEBP", 422),
        (b"II*\0", 422),
        (b"GIF89a", 422),
        (b"%PDF-1.7", 415),
        (b"\0" * 1000, 415),
    ],
    ids=lambda value: repr(value)[:20],
)
@pytest.mark.parametrize("form", [False, True], ids=["raw", "form"])
def test_content_that_is_no_image(http, content, status, form):
    sent = {"files": {"images": ("image.jpg", content, "image/jpeg")}} if form else {"content": content}
    said = problem(http.post("/v1/classify", **sent), status)
    assert (status == 422 and not content) or said["results"][0]["decision"] is None


@pytest.mark.parametrize(
    "kind", ["text/html", "application/json", "image/png", "application/x-www-form-urlencoded", "?"]
)
def test_the_bytes_decide_and_not_the_stated_type(http, photo, kind):
    answer = http.post("/v1/classify", content=photo, headers={"Content-Type": kind})
    assert answer.json()["results"][0]["error"] is None


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("multipart/form-data", b"--x\r\n\r\n"),
        ("multipart/form-data; boundary=x", b"nothing of it"),
        ("multipart/form-data; boundary=x", b"--x\r\nContent-Disposition: form-data; name=a; filename=b\r\n\r\nhalf"),
        ("multipart/form-data; boundary=" + "x" * 5000, b"--x--"),
    ],
)
def test_forms_that_are_broken(http, kind, body):
    problem(http.post("/v1/classify", content=body, headers={"Content-Type": kind}), 400)


def test_a_form_without_files(http):
    body = b"--x--\r\n"
    problem(http.post("/v1/classify", content=body, headers={"Content-Type": "multipart/form-data; boundary=x"}), 422)


def test_compressed_bodies_are_refused(http, photo):
    problem(http.post("/v1/classify", content=photo, headers={"Content-Encoding": "gzip"}), 415)


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({"model": "nobody"}, 404),
        ({"prevalence": ""}, 422),
        ({"prevalence": "mel=much"}, 422),
        ({"prevalence": "mel=0.1"}, 422),
        ({"prevalence": "/etc/passwd"}, 422),
        ({"prevalence": "mel=0,nv=1,akiec=1,bcc=1,bkl=1,df=1,vasc=1"}, 422),
        ({"prevalence": "mel=nan,nv=1,akiec=1,bcc=1,bkl=1,df=1,vasc=1"}, 422),
        ({"prevalence": "mel=1,nv=1,akiec=1,bcc=1,bkl=1,df=1,vasc=1,unicorn=1"}, 422),
    ],
)
def test_values_that_are_wrong(http, photo, query, status):
    said = problem(http.post("/v1/classify", params=query, content=photo), status)
    assert said["next_step"]


def test_more_images_than_a_request_may_have(http, photo):
    problem(http.post("/v1/classify", files=[("images", ("a", photo))] * 33), 413)


def test_several_images_of_which_none_can_be_read_keep_their_reasons(http, photo):
    said = problem(http.post("/v1/classify", files=[("i", ("a", b"none")), ("i", ("b", photo[:1000]))]), 422)
    assert [result["source"] for result in said["results"]] == ["a", "b"]


def test_prevalence_restates_the_probabilities(http, photo):
    common = dict.fromkeys(["mel", "akiec", "bcc", "bkl", "df", "vasc"], 0.01) | {"nv": 0.94}
    stated = ",".join(f"{name}={share}" for name, share in common.items())
    (result,) = http.post("/v1/classify", params={"prevalence": stated}, content=photo).json()["results"]
    assert result["prevalence"] == pytest.approx(common, abs=1e-5)


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "..\\..\\boot.ini", "<script>alert(1)</script>.jpg", "a\0b.jpg", "é.jpg"]
)
def test_names_of_files_are_harmless(http, photo, name, service):
    answer = http.post("/v1/classify", files={"images": (name, photo)})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-content-type-options"] == "nosniff"
    source = answer.json()["results"][0]["source"]
    assert "/" not in source.replace("</script>", "") and "\\" not in source and "\0" not in source
    log = service.log.read_text()
    assert "script" not in log and "passwd" not in log and "boot.ini" not in log


def test_a_request_id_is_kept_if_it_is_harmless(http):
    assert http.get("/healthz", headers={"X-Request-ID": "ward-7.42"}).headers["x-request-id"] == "ward-7.42"
    assert http.get("/healthz", headers={"X-Request-ID": "<b>" * 3}).headers["x-request-id"] != "<b>" * 3


def test_no_page_of_another_origin_may_ask_unless_allowed(http):
    answer = http.options(
        "/v1/classify", headers={"Origin": "https://elsewhere.example", "Access-Control-Request-Method": "POST"}
    )
    assert "access-control-allow-origin" not in answer.headers


def test_the_documentation_needs_no_other_server(http):
    page = http.get("/docs").text
    assert "http://" not in page and "https://" not in page
    assert http.get("/docs/static/swagger-ui-bundle.js").status_code == 200
    assert http.get("/openapi.json").json()["openapi"].startswith("3.1")

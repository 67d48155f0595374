"""The served page in a browser: it classifies there, works without the service, and asks it only when told to."""

import base64
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image

from lentigo.runtime import Classifier
from tests.clinic.conftest import make_dicom  # noqa: F401  # a fixture
from tests.page.conftest import IDLE, OVER, READY, Pocket, browser  # noqa: F401  # a fixture
from tests.serve.conftest import Running, running

EXAMPLES = sorted((Path(__file__).parents[2] / "src" / "lentigo" / "page" / "examples").glob("*.webp"))


@pytest.fixture(scope="module")
def shipped(tmp_path_factory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("shipped"), "lentigo-s", "--workers", 1) as found:
        yield found


class Visit(Pocket):
    """The page at the service's address."""

    def __init__(self, browser, url: str) -> None:  # noqa: F811
        self.context = browser.new_context(accept_downloads=True, locale="en-GB")
        self.page = self.context.new_page()
        self.page.set_default_timeout(15_000)
        self.faults, self.posts = [], []
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.on("request", lambda r: self.posts.append(r.url) if r.method != "GET" else None)
        self.page.goto(url)
        self.page.wait_for_selector(READY)

    def drop(self, name: str, content: bytes) -> None:
        """Drop a file on the page, and wait until it was looked at."""
        drop = """([name, content]) => {
          const data = new DataTransfer();
          data.items.add(new File([Uint8Array.from(atob(content), (c) => c.charCodeAt(0))], name));
          document.body.dispatchEvent(new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true }));
        }"""
        self.page.evaluate(drop, [name, base64.b64encode(content).decode()])
        self.page.wait_for_selector(OVER)
        self.page.wait_for_selector(IDLE)


@pytest.fixture
def visit(browser, shipped) -> Iterator[Visit]:  # noqa: F811
    opened = Visit(browser, shipped.url)
    yield opened
    assert opened.faults == []
    opened.close()


def tiff() -> bytes:
    file = io.BytesIO()
    Image.open(EXAMPLES[0]).save(file, "TIFF")
    return file.getvalue()


def named(report: bytes) -> bool:
    """Whether a report names the patient, outside of its picture."""
    return bool(re.search(rb"Doe|Jane|4711", re.sub(rb"base64,[^\"]+", b"", report)))


def test_it_classifies_in_the_browser(visit):
    visit.choose(EXAMPLES[0])
    expected = Classifier.load(threads=1).classify(EXAMPLES[0]).to_dict()
    assert visit.verdict()["raw"]["diagnosis"] == expected["raw"]["diagnosis"]
    assert visit.posts == [], "no photo was sent"


def test_it_works_after_the_first_visit_without_the_service(visit):
    visit.page.wait_for_function("() => navigator.serviceWorker.ready.then((r) => r.active?.state === 'activated')")
    visit.page.wait_for_function("async () => !!(await caches.match('./'))")
    visit.context.set_offline(True)
    visit.page.reload()
    visit.page.wait_for_selector(READY)
    visit.choose(EXAMPLES[0])
    assert visit.state == "done"
    assert visit.page.locator(".service").count() == 0, "what needs the service isn't offered"


def test_the_service_explains_when_asked(visit):
    visit.choose(EXAMPLES[0])
    visit.page.click(".service summary")
    assert "sends the photo to the service" in visit.page.inner_text(".service")
    visit.page.get_by_role("button", name="Send the photo and explain it").click()
    visit.page.wait_for_selector(".service-picture img")
    assert visit.page.evaluate("document.querySelector('.service-picture img').naturalWidth") > 100
    assert len(visit.posts) == 1 and "/v1/explain" in visit.posts[0] and "method=cam" in visit.posts[0]
    assert visit.page.locator("#service-method option").all_inner_texts()[1:] == ["occlusion (slower)", "RISE (slower)"]
    pytest.importorskip("fhir.resources")
    assert json.loads(visit.download("Send the photo and save FHIR"))["resourceType"] == "Bundle"


def test_the_service_reads_what_a_browser_cant(visit):
    visit.choose({"name": "a.tif", "mimeType": "image/tiff", "buffer": tiff()})
    assert visit.state == "failed" and "TIFF files can't be read here" in visit.page.inner_text("#result")
    visit.page.get_by_role("button", name="Send the file to the service").click()
    visit.page.wait_for_selector("body[data-state=done]")
    found, expected = visit.verdict(), Classifier.load(threads=1).classify(tiff()).to_dict()
    assert found["decision"] == expected["decision"] and found["source"] == "a.tif"
    assert found["probabilities"] == pytest.approx(expected["probabilities"], abs=1e-4)
    assert "computed by the service" in visit.page.inner_text(".details")
    visit.download("Report (HTML)")
    visit.choose({"name": "b.tif", "mimeType": "", "buffer": tiff()[:2000]})
    visit.page.get_by_role("button", name="Send the file to the service").click()
    visit.page.wait_for_function("() => /The service refuses/.test(document.querySelector('#result').innerText)")
    assert visit.state == "failed"


def test_the_service_writes_the_report(visit):
    visit.choose(EXAMPLES[0])
    visit.page.select_option("#language", "es")
    visit.page.click(".prevalence summary")
    visit.page.check("#prevalence-training")
    visit.page.click(".service summary")
    report = visit.download("Enviar la foto y guardar su informe").decode()
    assert "informe sobre 1.webp" in report and "Siguiente paso" in report and "con la prevalencia indicada" in report
    assert len(visit.posts) == 1 and "/v1/report" in visit.posts[0]


def test_a_dicom_file_that_is_dropped_is_judged_by_the_service(visit, make_dicom):  # noqa: F811
    content = make_dicom(np.asarray(Image.open(EXAMPLES[0]).convert("RGB")))
    visit.drop("lesion.dcm", content)
    assert visit.state == "failed" and "DICOM files can't be read here" in visit.page.inner_text("#result")
    assert visit.posts == [], "nothing is sent unasked"
    visit.page.get_by_role("button", name="Send the file to the service").click()
    visit.page.wait_for_selector("body[data-state=done]")
    found, expected = visit.verdict(), Classifier.load(threads=1).classify(content).to_dict()
    assert found["decision"] == expected["decision"] and found["source"] == "lesion.dcm"
    assert found["probabilities"] == pytest.approx(expected["probabilities"], abs=1e-4)
    visit.page.wait_for_function("() => document.querySelector('.viewer .base').naturalWidth > 300")
    assert not named(visit.download("Report (HTML)"))
    visit.page.click(".service summary")
    report = visit.download("Send the photo and save its report")
    assert b"report on lesion.dcm" in report and not named(report)


@pytest.mark.parametrize(
    ("elements", "words"),
    [({"NumberOfFrames": 3}, "multi-frame"), ({"kind": "1.2.840.10008.5.1.4.1.1.2"}, "another kind than photographs")],
)
def test_a_dicom_file_that_the_service_refuses_is_said_with_the_next_step(visit, make_dicom, elements, words):  # noqa: F811
    visit.drop("lesion.dcm", make_dicom(**elements))
    visit.page.get_by_role("button", name="Send the file to the service").click()
    visit.page.wait_for_function("() => /The service refuses/.test(document.querySelector('#result').innerText)")
    said = visit.page.inner_text(".service-said")
    assert words in said and len(said.split(". ")) > 1 and "Doe" not in said
    assert visit.state == "failed"
    visit.choose(EXAMPLES[0])
    assert visit.state == "done", "the page stays usable"


def test_all_results_of_the_service(visit):
    wrong = {"name": "wrong.jpg", "mimeType": "", "buffer": b"no image"}
    visit.choose(*({"name": p.name, "mimeType": "", "buffer": p.read_bytes()} for p in EXAMPLES), wrong)
    found = json.loads(visit.download("All results of the service"))["results"]
    assert [r["source"] for r in found] == ["1.webp", "2.webp", "3.webp", "wrong.jpg"]
    assert [bool(r["error"]) for r in found] == [False, False, False, True]


def test_a_service_that_is_gone_is_said(visit):
    visit.choose(EXAMPLES[0])
    visit.context.set_offline(True)
    visit.page.click(".service summary")
    visit.page.get_by_role("button", name="Send the photo and explain it").click()
    visit.page.wait_for_function("() => /can't be reached/.test(document.querySelector('.service').innerText)")
    visit.page.wait_for_selector(IDLE)


def test_a_key_is_asked_for(browser, tmp_path):  # noqa: F811
    (tmp_path / "keys").write_text("alpha\n")
    with running(tmp_path, "lentigo-s", "--workers", 1, "--api-keys-file", "keys") as found:
        opened = Visit(browser, found.url)
        opened.page.on("dialog", lambda dialog: dialog.accept("alpha"))
        opened.choose(EXAMPLES[0])
        opened.page.click(".service summary")
        opened.page.get_by_role("button", name="Send the photo and explain it").click()
        opened.page.wait_for_selector(".service-picture img")
        opened.close()


def test_what_installs_it(shipped):
    manifest = httpx.get(f"{shipped.url}/manifest.webmanifest")
    assert manifest.headers["content-type"] == "application/manifest+json" and manifest.json()["start_url"] == "./"
    assert httpx.get(f"{shipped.url}/icon.svg").headers["content-type"] == "image/svg+xml"
    page = httpx.get(shipped.url)
    assert "default-src 'none'" in page.text and "connect-src 'self'" in page.text
    assert page.headers["cache-control"] == "no-cache"

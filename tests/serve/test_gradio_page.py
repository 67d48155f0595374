"""The Gradio page: three states, the same texts, nothing fetched. Skips where Gradio is not installed."""

import socket
import sys
from pathlib import Path

import pytest

from lentigo.errors import MissingExtraError, OutputError
from lentigo.runtime import Classifier
from lentigo.serve import serve
from lentigo.serve.settings import Settings
from tests.page.conftest import browser  # noqa: F401  # a fixture

EXAMPLES = sorted((Path(__file__).parents[2] / "src" / "lentigo" / "page" / "examples").glob("*.webp"))


@pytest.fixture(scope="module")
def gradio_page():
    pytest.importorskip("gradio", reason="needs gradio: pip install 'lentigo[gradio]'")
    from lentigo.serve import gradio_page

    return gradio_page


def test_without_gradio(monkeypatch):
    monkeypatch.setitem(sys.modules, "gradio", None)
    monkeypatch.delitem(sys.modules, "lentigo.serve.gradio_page", raising=False)
    with pytest.raises(MissingExtraError) as error:
        serve(["lentigo-s"], ui="gradio")
    assert "gradio" in error.value.hint


def test_what_is_said(gradio_page):
    classifier = Classifier.load(threads=1)
    said, risks, picture = gradio_page._classify(classifier, EXAMPLES[0].read_bytes())
    verdict = classifier.classify(EXAMPLES[0])
    assert "## Suspicious" in said and verdict.next_step in said
    assert risks.visible and picture.visible
    said, risks, picture = gradio_page._classify(classifier, EXAMPLES[2].read_bytes())
    assert "## Not gradable" in said and not risks.visible and not picture.visible
    said, risks, _ = gradio_page._classify(classifier, b"no image")
    assert "can't be used" in said and not risks.visible


def test_the_page(gradio_page):
    page = gradio_page.gradio_page(Classifier.load(threads=1))
    texts = str(page.config)
    assert "not a medical device" in texts and "rule out cancer" in texts
    assert not page.analytics_enabled
    assert [column.visible for column in gradio_page._show(1)] == [False, True, False]


def test_a_taken_port_is_an_error_with_the_next_step(gradio_page):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OutputError, match=rf"127\.0\.0\.1:{port}: ") as error:
            serve(["lentigo-s"], ui="gradio", port=port)
    assert "another" in error.value.hint


def test_uploads_are_limited_as_requests_are(gradio_page, monkeypatch):
    asked = {}
    monkeypatch.setattr(gradio_page.gr.Blocks, "launch", lambda self, **options: asked.update(options))
    gradio_page.serve_gradio(Settings(max_bytes=5_000_000))
    assert asked["max_file_size"] == 5_000_000 and asked["share"] is False


def test_under_a_hundred_lines(gradio_page):
    assert len(Path(gradio_page.__file__).read_text().splitlines()) < 100


def test_in_a_browser(gradio_page, browser):  # noqa: F811
    """Empty, then a result; nothing is asked of any other machine."""
    page = gradio_page.gradio_page(Classifier.load(threads=1))
    _, url, _ = page.launch(prevent_thread_lock=True, quiet=True, share=False, theme=gradio_page.local_theme())
    try:
        window = browser.new_context(locale="en-GB").new_page()
        asked = []
        window.on("request", lambda r: asked.append(r.url))
        window.goto(url)
        window.get_by_text("What it can't do").wait_for()
        window.set_input_files("input[type=file]", str(EXAMPLES[0]))
        window.get_by_role("heading", name="Suspicious").wait_for(timeout=30_000)
        assert not window.get_by_text("What it can't do").is_visible()
        assert [u for u in asked if not u.startswith((url.rstrip("/"), "data:", "blob:"))] == []
    finally:
        page.close()

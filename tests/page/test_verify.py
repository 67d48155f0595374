"""A page in a browser, held against its bundle by `lentigo verify`, with either engine."""

import shutil
import sys

import numpy as np
import pytest

from lentigo import compression
from lentigo.errors import BundleError, DataError, MissingExtraError
from lentigo.page import Page, browser
from lentigo.runtime import Bundle, shipped_models

SHIPPED = shipped_models()["lentigo-s"]


@pytest.fixture
def needs_browser(browser):
    """Skips where there is no browser."""


def test_both_engines_say_what_the_bundle_does(needs_browser, page_file, ort_page, synthetic_root, tmp_path):
    out = tmp_path / "verified.md"
    found = compression.verify_files(SHIPPED, [page_file, ort_page], synthetic_root, images=4, out=out)
    assert found.holds, found.to_markdown()
    own, ort = found.differences
    assert (own.allowed, own.derived, own.same_class, own.same_rejection) == ("int8", True, 1.0, 1.0)
    assert 0 < own.largest < 0.02 and 0 < own.largest_map < 0.05
    assert ort.largest < 0.02 and ort.bytes > 5_000_000
    assert "page.html" in out.read_text()


def test_a_page_of_another_model_is_noted(needs_browser, page_file, bundle_path, synthetic_root):
    found = compression.verify_files(bundle_path, [page_file], synthetic_root, images=1)
    assert not found.holds
    text = found.to_markdown()
    assert "made from another file" in text and "maps have other sizes: 4x4 and 6x6" in text


def test_what_a_page_states(needs_browser, page_file):
    bundle = Bundle(SHIPPED, threads=1)

    with Page(page_file) as page:
        assert (page.name, page.size, page.labels) == (bundle.name, bundle.size, bundle.labels)
        assert page.metadata.operating_points == bundle.metadata.operating_points
        assert page.metadata.ood_score == bundle.metadata.ood_score
        assert page.metadata.parent_sha256 == bundle.sha256 and page.engine == "wasm-simd"
        found = page.predict(np.random.default_rng(0).integers(0, 256, (2, 120, 140, 3), dtype=np.uint8))
        assert (found.probabilities.shape, found.cam.shape[:2], found.ood_score.shape) == ((2, 7), (2, 7), (2,))


@pytest.mark.parametrize("content", ["<p>something else", "<script id='config'></script>"])
def test_other_pages_are_refused(needs_browser, tmp_path, monkeypatch, content):
    monkeypatch.setattr(browser, "_PATIENCE", 300)
    (tmp_path / "a.html").write_text(content)
    with pytest.raises(BundleError, match=r"a\.html"):
        Page(tmp_path / "a.html")


def test_a_changed_page_is_refused(needs_browser, page_file, tmp_path):
    text = page_file.read_text(encoding="utf-8")
    start = text.index('id="model">') + 5000
    (tmp_path / "a.html").write_text(text[:start] + text[start + 4000 :], encoding="utf-8")
    with pytest.raises(BundleError, match="damaged or was changed"):
        Page(tmp_path / "a.html")


def test_a_missing_page(tmp_path):
    with pytest.raises(BundleError, match="no such file"):
        Page(tmp_path / "a.html")


def test_without_playwright(page_file, monkeypatch):
    monkeypatch.setitem(sys.modules, "playwright.sync_api", None)
    with pytest.raises(MissingExtraError) as error:
        Page(page_file)
    assert "browser" in error.value.hint


def test_without_a_browser(monkeypatch, tmp_path):
    monkeypatch.setenv("LENTIGO_CHROMIUM", str(tmp_path / "none"))
    with pytest.raises(DataError, match="none: there is no such program"):
        browser.find_chromium()
    monkeypatch.delenv("LENTIGO_CHROMIUM")
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(DataError, match="There is no chromium") as error:
        browser.find_chromium()
    assert "apt install chromium" in error.value.hint

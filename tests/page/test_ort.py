"""Pages with the engine of onnxruntime-web; its files are taken from LENTIGO_ORT or from npm, else these tests skip."""

import re
import shutil
from pathlib import Path

import pytest

from lentigo.errors import BundleError, DataError
from lentigo.page import ort, write_page
from lentigo.runtime import Classifier, shipped_models
from tests.page.conftest import Pocket
from tests.page.test_browser import assert_same

SHIPPED = shipped_models()["lentigo-s"]
EXAMPLES = sorted((Path(__file__).parents[2] / "src" / "lentigo" / "page" / "examples").glob("*.webp"))


@pytest.fixture
def no_own_engine(monkeypatch):
    """A bundle that only onnxruntime can run."""
    monkeypatch.setattr("lentigo.page.engine.operators", lambda: frozenset({"Conv"}))


def test_a_bundle_that_our_engine_cant_run(browser, ort_page, tmp_path, no_own_engine):
    with pytest.raises(BundleError, match=r"lacks Abs, Add, .*Softmax") as error:
        write_page(SHIPPED, tmp_path / "own.html")
    assert "--engine ort" in error.value.hint and not list(tmp_path.iterdir())
    opened = Pocket(browser, ort_page)
    assert "engine onnxruntime-web 1." in opened.page.inner_text("#footer")
    classifier = Classifier.load(threads=1)
    for found, path in zip(opened.verdicts(EXAMPLES), EXAMPLES, strict=True):
        assert_same(found, classifier.classify(path).to_dict() | {"source": path.name})
    assert opened.page.locator("#map-label").count() == 0 or opened.page.locator(".layer").count() == 2
    assert all(url.startswith(("file:", "blob:", "data:")) for url in opened.asked)
    assert opened.faults == []
    opened.close()


def test_size_and_policy(ort_page):
    text = ort_page.read_text(encoding="utf-8")
    assert len(text) < 6_700_000
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', text)[1]
    assert policy.startswith("default-src 'none'") and "unsafe-inline" not in policy and "connect-src" not in policy
    assert "sourceMappingURL" not in text


@pytest.mark.parametrize("part", ["module", "wasm", "model"])
def test_a_changed_part_is_refused(browser, ort_page, tmp_path, part):
    text = ort_page.read_text(encoding="utf-8")
    start = text.index(f'id="{part}">') + 4000
    file = tmp_path / "changed.html"
    file.write_text(text[:start] + ("A" if text[start] != "A" else "B") + text[start + 1 :], encoding="utf-8")
    opened = Pocket(browser, file)
    assert opened.state == "fatal" and "damaged or was changed" in opened.page.inner_text("#fatal")
    opened.close()


def test_an_operator_that_it_lacks_is_refused_by_name(ort_folder):
    content = SHIPPED.read_bytes().replace(b"Softmax", b"Mystery")
    with ort.ort_files(ort_folder) as files, pytest.raises(BundleError, match="onnxruntime-web, lacks Mystery"):
        ort.check_opens(content, "image", 96, [], files)


def test_a_model_that_fails_is_refused(ort_folder):
    with ort.ort_files(ort_folder) as files, pytest.raises(BundleError, match="onnxruntime-web, fails"):
        ort.check_opens(b"no model", "image", 96, [], files)


def test_missing_files_are_named(tmp_path):
    (tmp_path / "dist").mkdir()
    (tmp_path / "dist" / "ort.wasm.min.js").write_text("")
    with pytest.raises(DataError, match=r"dist: ort-wasm-simd-threaded.mjs, ort-wasm-simd-threaded.wasm is not there"):
        write_page(SHIPPED, tmp_path / "page.html", engine="ort", ort=tmp_path)
    assert not (tmp_path / "page.html").exists()


@pytest.mark.parametrize("program", ["npm", "node"])
def test_missing_programs_are_named(monkeypatch, tmp_path, program):
    which = shutil.which
    monkeypatch.setattr(shutil, "which", lambda name: None if name == program else which(name))
    for name in ort.FILES.values():
        (tmp_path / name).write_text("")
    with pytest.raises(DataError, match="not installed") as error:
        write_page(SHIPPED, tmp_path / "page.html", engine="ort", ort=None if program == "npm" else tmp_path)
    assert "--ort DIR" in error.value.hint


def test_a_failing_npm_is_told(monkeypatch, tmp_path):
    npm = tmp_path / "npm"
    npm.write_text("#!/bin/sh\necho 'code E404' >&2\nexit 1\n")
    npm.chmod(0o755)
    monkeypatch.setattr(shutil, "which", lambda name: str(npm))
    with pytest.raises(DataError, match=r"npm can't fetch onnxruntime-web.*E404"):
        write_page(SHIPPED, tmp_path / "page.html", engine="ort")

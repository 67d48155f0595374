"""A browser for the page's tests: Debian's chromium, driven offline; without one these tests skip."""

import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from lentigo.errors import DataError
from lentigo.page.browser import find_chromium

READY = "html[data-ready]"
IDLE = "body:not([data-busy])"
OVER = "body[data-state=done], body[data-state=failed]"


@pytest.fixture(scope="module")
def browser():
    """A headless chromium that downloads nothing; of one module, since playwright's loop would be in others' way."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright: pip install playwright")
    try:
        chromium = find_chromium()
    except DataError as error:
        pytest.skip(f"needs a browser: {error.message} {error.hint}")
    with sync_api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture(scope="session")
def page_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page with the model that ships."""
    from lentigo.page import write_page

    return write_page("lentigo-s", tmp_path_factory.mktemp("page") / "page.html")


@pytest.fixture(scope="session")
def ort_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of onnxruntime-web alone."""
    from lentigo.page import ort

    if not shutil.which("node"):
        pytest.skip("needs Node.js")
    folder = tmp_path_factory.mktemp("ort")
    try:
        with ort.ort_files(os.environ.get("LENTIGO_ORT")) as files:
            for path in files.values():
                shutil.copy(path, folder)
    except DataError as error:
        pytest.skip(f"needs onnxruntime-web: {error.message} Set LENTIGO_ORT to a folder that holds it")
    return folder


@pytest.fixture(scope="session")
def ort_page(ort_folder, tmp_path_factory) -> Path:
    from lentigo.page import write_page

    return write_page("lentigo-s", tmp_path_factory.mktemp("page") / "page.html", engine="ort", ort=ort_folder)


class Pocket:
    """The page in a browser without a network."""

    def __init__(self, browser, file: Path, **options) -> None:
        self.context = browser.new_context(offline=True, accept_downloads=True, locale="en-GB", **options)
        self.page = self.context.new_page()
        self.page.set_default_timeout(10_000)
        self.faults: list[str] = []
        self.asked: list[str] = []
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.on("console", lambda m: self.faults.append(m.text) if m.type == "error" else None)
        self.page.on("request", lambda r: self.asked.append(r.url))
        self.page.goto(file.as_uri())
        self.page.wait_for_selector(READY)

    @property
    def state(self) -> str:
        return self.page.evaluate("document.body.dataset.state")

    def choose(self, *files: Path | dict) -> None:
        """Choose files and wait until the last one is done."""
        many = [f if isinstance(f, dict) else str(f) for f in files]
        self.page.set_input_files("#file", many)
        self.page.wait_for_selector(OVER)
        self.page.wait_for_selector(IDLE)

    def download(self, button: str) -> bytes:
        with self.page.expect_download() as found:
            self.page.get_by_role("button", name=button).click()
        return Path(found.value.path()).read_bytes()

    def verdict(self) -> dict:
        """What the page saves as JSON for the image shown."""
        return json.loads(self.download("Data (JSON)"))

    def verdicts(self, files: Sequence[Path]) -> list[dict]:
        """The same for several images, in order."""
        self.choose(*files)
        found = []
        for i in range(len(files)):
            if len(files) > 1:
                self.page.locator(".entries .entry").nth(i).click()
            found.append(self.verdict())
        return found

    def close(self) -> None:
        self.context.close()


@pytest.fixture
def pocket(browser, page_file):
    """The page, just opened; no test may leave an error in the console."""
    opened = Pocket(browser, page_file)
    yield opened
    assert opened.faults == []
    opened.close()

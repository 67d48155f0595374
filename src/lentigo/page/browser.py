"""A page in a browser as a `Predictor`, to hold it against the bundle that it was written from.

Chromium is driven by Playwright (extra `browser`), which downloads no browser here: one that is installed is used,
without a network.
"""

import base64
import contextlib
import hashlib
import io
import math
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lentigo.errors import BundleError, DataError, MissingExtraError
from lentigo.labels import Label, LabelSet
from lentigo.runtime import IdSet, OODThreshold, OperatingPoint, Origin, Outputs

__all__ = ["Page", "find_chromium"]

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_PATIENCE = 60_000
"""Milliseconds for a page to be ready, and for an image."""
_PRECISION = {"own": {"fp32": "fp16"}}
"""Our own engine's weights have 16 bits at most."""
_CLASSIFY = """async (png) => {
  const bytes = Uint8Array.from(atob(png), (c) => c.charCodeAt(0));
  const { outputs } = await lentigo.classify(new Blob([bytes], { type: "image/png" }));
  return Object.entries(outputs).map(([name, { data, dims }]) => [name, dims, Array.from(data)]);
}"""


@dataclass(frozen=True)
class PageMetadata:
    """What a page states of its model, as far as comparisons need it.

    Attributes:
        precision: of the weights in the page.
        parent_sha256: hash of the bundle that it was written from.
        operating_points, ood_score: thresholds that it decides by.
    """

    precision: str
    parent_sha256: str
    operating_points: tuple[OperatingPoint, ...]
    ood_score: OODThreshold | None


def find_chromium() -> str:
    """Path of an installed browser that Playwright can drive: LENTIGO_CHROMIUM, or the first found.

    Raises:
        DataError: there is none.
    """
    found = os.environ.get("LENTIGO_CHROMIUM") or next(filter(None, map(shutil.which, _NAMES)), None)
    if found is None or shutil.which(found) is None:
        said = f"{found}: there is no such program" if found else "There is no chromium"
        raise DataError(f"{said}.", "Install one (apt install chromium), or set LENTIGO_CHROMIUM to its path.")
    return found


class Page:
    """A page that `write_page` wrote, open in a browser; a `Predictor`. Close it, or use it in a `with` statement.

    Args:
        path: the .html file.

    Raises:
        BundleError: there is no such file, no page of lentigo, or one that can't classify, such as a changed one.
        DataError: there is no browser.
        MissingExtraError: Playwright is not installed.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        if not self.path.is_file():
            raise BundleError(f"{self.path}: there is no such file.", "`lentigo export MODEL page.html` writes one.")
        self.sha256 = hashlib.sha256(self.path.read_bytes()).hexdigest()
        """SHA-256 of the file, hexadecimal."""
        self._thread = ThreadPoolExecutor(1)
        """Of its own: Playwright allows one browser a thread, and none where an event loop runs, as in notebooks."""
        self._closing = contextlib.ExitStack()
        try:
            self._page = self._thread.submit(self._open).result()
            self._model: dict[str, Any] = self._evaluate("lentigo.model")
            self.engine: str = self._evaluate("lentigo.engine")
            """What computes in it."""
        except BaseException:
            self.close()
            raise

    def _evaluate(self, script: str, argument: object = None) -> Any:
        return self._thread.submit(self._page.evaluate, script, argument).result()

    def _open(self) -> Any:
        try:
            from playwright.sync_api import Error, sync_playwright
        except ModuleNotFoundError:
            raise MissingExtraError("Comparing a page in a browser", "browser") from None
        chromium = find_chromium()
        playwright = self._closing.enter_context(sync_playwright())
        try:
            browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
            self._closing.callback(browser.close)
            page = browser.new_context(offline=True).new_page()
            page.set_default_timeout(_PATIENCE)
            page.goto(self.path.resolve().as_uri())
            if not page.locator("script#config").count():
                raise BundleError(f"{self.path}: this is no page of lentigo.", "Name one that `lentigo export` wrote.")
            page.wait_for_selector("html[data-ready]")
            if page.evaluate("document.body.dataset.state") == "fatal":
                raise BundleError(f"{self.path}: {page.inner_text('#fatal')}", "Write the page again.")
        except Error as error:
            raise BundleError(
                f"{self.path}: the page doesn't run in {chromium} ({_first_line(error)}).", "Write the page again."
            ) from None
        return page

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the browser."""
        self._thread.submit(self._closing.close).result()
        self._thread.shutdown()

    def __repr__(self) -> str:
        return f"<Page {self.name}: {self.engine}, {self.path}>"

    @property
    def name(self) -> str:
        """The model's name."""
        return self._model["name"]

    @property
    def size(self) -> int:
        """Side of the network's square input, in pixels."""
        return self._model["size"]

    @property
    def labels(self) -> LabelSet:
        """What the model distinguishes, in the order of the probabilities."""
        labels = tuple(
            Label(one["id"], one["name"], one["malignant"], one["snomed_ct"] or "", one["snomed_term"] or "")
            for one in self._model["labels"]
        )
        return LabelSet(self.name, labels, self._model["melanoma"])

    @property
    def metadata(self) -> PageMetadata:
        """What the page states."""
        kind = "ort" if self.engine.startswith("onnxruntime") else "own"
        precision, score = self._model["precision"], self._model["ood_score"]
        return PageMetadata(
            _PRECISION.get(kind, {}).get(precision, precision),
            self._model["sha256"],
            tuple(OperatingPoint(**point) for point in self._model["operating_points"]),
            None if score is None else OODThreshold(**score),
        )

    @property
    def origin(self) -> Origin:
        """As far as a page says: who was trained on stays out of pages."""
        nobody = IdSet({})
        shares = tuple(self._model["training_prevalence"])
        return Origin(self._model["source"], {}, shares, math.nan, nobody, nobody, nobody)

    def predict(self, images: NDArray[np.uint8]) -> Outputs:
        """Outputs for images uint8 [N, H, W, 3] of any one size, each handed to the page as a PNG file.

        Raises:
            BundleError: the page fails.
        """
        from playwright.sync_api import Error

        try:
            found = [self._evaluate(_CLASSIFY, _png(image)) for image in images]
        except Error as error:
            raise BundleError(f"{self.path}: the page fails ({_first_line(error)}).", "Write the page again.") from None
        outputs = [{name: np.array(values, np.float32).reshape(shape) for name, shape, values in one} for one in found]
        return Outputs(**{name: np.concatenate([one[name] for one in outputs]) for name in outputs[0]})


def _png(image: NDArray[np.uint8]) -> str:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG", compress_level=1)
    return base64.b64encode(file.getvalue()).decode()


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0]

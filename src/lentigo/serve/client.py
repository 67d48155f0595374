"""A client with the types of the service's own schemas. It is also a `Predictor`: evaluation can measure a service."""

import base64
import io
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydantic import ValidationError

from lentigo.errors import BundleError, ImageError, ServiceError, next_step, reason
from lentigo.labels import LabelSet
from lentigo.runtime import BundleMetadata, Origin, Outputs
from lentigo.runtime.bundle import origin_of
from lentigo.serve.schemas import Classified, ExplainedResult, Health, ModelDetails, Models, Problem, Result

__all__ = ["Client"]

ImageFile = str | os.PathLike[str] | bytes
"""A path, or the bytes of a file."""

_AGAIN = frozenset({429, 503})
_LONGEST_PAUSE = 60.0
_MOST = 16


class Client:
    """Asks a service. Names of files stay here: the service gets numbers instead.

    Args:
        url: of the service.
        model: name of one of its models; None is its first.
        key: if it needs one.
        timeout: seconds to wait for an answer.
        retries: how often to try again when it is busy, after as long as it says.
        transport: of httpx, for tests.
    """

    def __init__(
        self,
        url: str = "http://127.0.0.1:8080",
        *,
        model: str | None = None,
        key: str | None = None,
        timeout: float = 60,
        retries: int = 3,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self.url = url
        self._model = model
        self._retries = retries
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._http = httpx.Client(base_url=url, headers=headers, timeout=timeout, transport=transport)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Client({self.url!r})"

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def classify(self, image: ImageFile, *, prevalence: Mapping[str, float] | None = None) -> Result:
        """The result for one image.

        Args:
            image: a path, or the bytes of a file.
            prevalence: how common each diagnosis is, as for `Classifier.classify`.

        Raises:
            ImageError: the file can't be opened.
            ServiceError: the service can't read the image, refuses the request, or doesn't answer.
        """
        (result,) = self._classify([image], prevalence)
        return result

    def classify_many(
        self, images: Iterable[ImageFile], *, prevalence: Mapping[str, float] | None = None
    ) -> Iterator[Result]:
        """A result for each image, in order, a few of them a request; one that can't be read has an `error`.

        Raises:
            ImageError: a file can't be opened.
            ServiceError: none of a request's images can be read, or the service refuses it or doesn't answer.
        """
        for several in _several(images):
            yield from self._classify(several, prevalence)

    def explain(
        self,
        image: ImageFile,
        diagnosis: str | None = None,
        *,
        method: str = "cam",
        prevalence: Mapping[str, float] | None = None,
    ) -> tuple[Result, bytes]:
        """The result for an image, and a PNG of the evidence for a diagnosis over it.

        Args:
            image: a path, or the bytes of a file.
            diagnosis: id or name; None is the most probable one.
            method: 'cam', 'occlusion' or 'rise', as in `lentigo.explanation`.
            prevalence: as for `classify`.

        Raises:
            ImageError: the file can't be opened.
            ServiceError: as for `classify`.
        """
        asked = self._asked(prevalence, diagnosis) | {"method": method}
        answer = ExplainedResult.model_validate(self._post("/v1/explain", [image], asked))
        return _named(answer.result, image, "0"), base64.b64decode(answer.picture)

    def report(
        self,
        image: ImageFile,
        diagnosis: str | None = None,
        *,
        language: str = "en",
        prevalence: Mapping[str, float] | None = None,
    ) -> str:
        """The report on an image: the text of an HTML file that needs nothing else. It calls the image '0'.

        Args:
            image: a path, or the bytes of a file.
            diagnosis: whose evidence is drawn, id or name; None is the most probable one.
            language: 'en' or 'es'.
            prevalence: as for `classify`.

        Raises:
            ImageError: the file can't be opened.
            ServiceError: as for `classify`.
        """
        asked = self._asked(prevalence, diagnosis) | {"language": language}
        return self._sent("/v1/report", [image], asked).text

    def models(self) -> Models:
        """The models that the service has open."""
        return Models.model_validate(self._request("GET", "/v1/models"))

    def health(self) -> Health:
        """Whether the service runs."""
        return Health.model_validate(self._request("GET", "/healthz"))

    @cached_property
    def details(self) -> ModelDetails:
        """The model: what it states of itself."""
        name = self.models().models[0].name if self._model is None else self._model
        return ModelDetails.model_validate(self._request("GET", f"/v1/models/{name}"))

    @property
    def name(self) -> str:
        """The model's name."""
        return self.details.name

    @property
    def sha256(self) -> str:
        """Hash of the model's file."""
        return self.details.sha256

    @property
    def size(self) -> int:
        """Side of the network's square input, in pixels."""
        return self.details.size

    @cached_property
    def labels(self) -> LabelSet:
        """What the model distinguishes, in the order of the probabilities."""
        return self._metadata.labels

    @cached_property
    def origin(self) -> Origin:
        """What the model was trained on.

        Raises:
            BundleError: a bundle of format 1, whose ids don't travel.
        """
        if self._metadata.format == 1:
            raise BundleError(
                f"{self.url}: {self.name} is a bundle of format 1, whose training ids a service can't pass on.",
                "Upgrade it (lentigo.export.upgrade), or evaluate the file itself.",
            )
        return origin_of(self._metadata, Path(self.url))

    def predict(self, images: NDArray[np.uint8]) -> Outputs:
        """Outputs for images uint8 [N, H, W, 3] at balanced prior, to six decimals; without maps.

        Raises:
            ServiceError: the service refuses an image or has another model than before, or doesn't answer.
        """
        results = [r for several in _several(images) for r in self._classify([_png(i) for i in several], None)]
        for result in results:
            if result.model_sha256 != self.sha256:
                raise ServiceError(f"{self.url}: its model has changed.", "Make a new client, and start again.")
            if result.raw is None:
                raise ServiceError(f"{self.url}: {result.error}", "Send images that can be read.")
        found = [[_number(r.raw.probabilities[c]) for c in self.labels.classes] for r in results if r.raw]
        scores = None
        if any(result.ood_threshold is not None for result in results):
            scores = np.array([_number(result.ood_score) for result in results], np.float32)
        return Outputs(np.array(found, np.float32).reshape(len(results), len(self.labels)), None, scores)

    @cached_property
    def _metadata(self) -> BundleMetadata:
        return BundleMetadata.model_validate(self.details.metadata)

    def _asked(self, prevalence: Mapping[str, float] | None, diagnosis: str | None = None) -> dict[str, str]:
        pairs = None if prevalence is None else ",".join(f"{name}={share}" for name, share in prevalence.items())
        stated = {"model": self._model, "prevalence": pairs, "diagnosis": diagnosis}
        return {name: value for name, value in stated.items() if value is not None}

    def _classify(self, images: Iterable[ImageFile], prevalence: Mapping[str, float] | None) -> list[Result]:
        named = list(images)
        results = Classified.model_validate(self._post("/v1/classify", named, self._asked(prevalence))).results
        if len(results) != len(named):
            raise ServiceError(f"{self.url}: {len(results)} results for {len(named)} images.", "Update the service.")
        return [_named(r, image, str(i)) for i, (r, image) in enumerate(zip(results, named, strict=True))]

    def _post(self, path: str, images: list[ImageFile], asked: dict[str, str]) -> Any:
        return self._sent(path, images, asked).json()

    def _sent(self, path: str, images: list[ImageFile], asked: dict[str, str]) -> httpx.Response:
        files = [("images", (str(i), _content(image))) for i, image in enumerate(images)]
        return self._answer("POST", path, files=files, params=asked)

    def _request(self, method: str, path: str) -> Any:
        return self._answer(method, path).json()

    def _answer(self, method: str, path: str, **more: Any) -> httpx.Response:
        """An answer that is no error; asked for again while the service is busy."""
        for attempt in range(self._retries + 1):
            try:
                answer = self._http.request(method, path, **more)
            except httpx.HTTPError as error:
                said = str(error) or type(error).__name__
                raise ServiceError(f"{self.url}: {said}.", "Check that the service runs at this address.") from None
            if answer.status_code not in _AGAIN or attempt == self._retries:
                break
            time.sleep(_pause(answer))
        if answer.is_success:
            return answer
        raise _error(self.url, answer)


def _several(images: Iterable[Any]) -> Iterator[list[Any]]:
    """A few at a time."""
    remaining = iter(images)
    while some := list(islice(remaining, _MOST)):
        yield some


def _error(url: str, answer: httpx.Response) -> ServiceError:
    try:
        said = Problem.model_validate_json(answer.content)
    except ValidationError:  # from something that stands before the service
        return ServiceError(
            f"{url}: HTTP {answer.status_code} without a problem that lentigo wrote.",
            "Check that the address is a lentigo service.",
            status=answer.status_code,
        )
    return ServiceError(f"{url}: {said.detail}", said.next_step, status=answer.status_code, request_id=said.request_id)


def _pause(answer: httpx.Response) -> float:
    stated = answer.headers.get("Retry-After", "1")
    return min(float(stated), _LONGEST_PAUSE) if stated.isdecimal() else 1.0


def _content(image: ImageFile) -> bytes:
    if isinstance(image, bytes):
        return image
    path = Path(image)
    try:
        return path.read_bytes()
    except OSError as error:
        raise ImageError(f"{path}: {reason(error)}.", next_step(error)) from None


def _named(result: Result, image: ImageFile, sent_as: str) -> Result:
    """The result under the name that the image has here."""
    name = "bytes" if isinstance(image, bytes) else str(Path(image))
    error = result.error
    if error is not None and error.startswith(f"{sent_as}: "):
        error = f"{name}{error[len(sent_as) :]}"
    return result.model_copy(update={"source": name, "error": error})


def _png(image: NDArray[np.uint8]) -> bytes:
    file = io.BytesIO()
    Image.fromarray(image).save(file, format="PNG", compress_level=1)
    return file.getvalue()


def _number(value: float | None) -> float:
    return float("nan") if value is None else value

"""What a worker does with images: limits first, then the classifier, the audit log, and the form of the answer."""

import base64
import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import Any

import numpy as np

from lentigo.audit_log import AuditLog
from lentigo.clinic import fhir_text
from lentigo.errors import DataError, ImageError, LentigoError, MissingExtraError
from lentigo.explanation import draw_explanation, explain
from lentigo.page import report_html
from lentigo.runtime import NOTICE, Classifier, Failure, Verdict
from lentigo.runtime.codecs.header import picture_size
from lentigo.runtime.formats import READABLE, START, sniff
from lentigo.runtime.heatmap_files import encode
from lentigo.serve.answers import Answer, fault
from lentigo.serve.logs import Log

__all__ = ["Answering"]

OK, TOO_LARGE, NO_IMAGE, UNREADABLE = 200, 413, 415, 422

_READS_DICOM = find_spec("pydicom") is not None
_READ = frozenset(kind.name for kind in READABLE) | ({"DICOM"} if _READS_DICOM else set())

_Result = Verdict | Failure


class _Image(io.BytesIO):
    """The bytes of an image under the name that the client gave it."""

    def __init__(self, content: bytes, name: str) -> None:
        super().__init__(content)
        self.name = name


class Answering:
    """Opened models that answer batches.

    Args:
        models: names or paths of bundles.
        batch: most images in a batch.
        max_pixels: most pixels in an image.
        audit_log: file of the audit log; None writes none.
        log: where to write what happens.

    Raises:
        BundleError: a model can't be opened.
        DataError: two models of one name.
        MissingExtraError: the audit log needs a package that is not installed.
    """

    def __init__(self, models: Sequence[str], batch: int, max_pixels: int, audit_log: str | None, log: Log) -> None:
        self._classifiers = [Classifier.load(model, threads=1) for model in models]
        self._max_pixels = max_pixels
        self._audit_log = None if audit_log is None else AuditLog(audit_log)
        self._log = log
        names = [classifier.bundle.name for classifier in self._classifiers]
        if twice := next((name for name in names if names.count(name) > 1), None):
            raise DataError(f"Two models are called {twice!r}.", "Serve each in a service of its own.")
        for classifier in self._classifiers:
            _warm_up(classifier, batch)

    def models(self) -> list[dict[str, Any]]:
        """What the service says of the models."""
        return [_described(classifier) for classifier in self._classifiers]

    def answer(self, asked: Mapping[str, Any], contents: Sequence[bytes]) -> list[Answer]:
        """An answer for each image of a batch; whatever goes wrong, the worker goes on."""
        try:
            return self._answer(asked, contents)
        except DataError as error:  # of the prevalence or the diagnosis that the request names
            return [fault(UNREADABLE, error.message, error.hint)] * len(contents)
        except Exception as error:
            self._log.failure("a batch failed", error)
            if len(contents) > 1:  # requests share batches: one image must not cost those of others their answers
                return [
                    self.answer({**asked, "names": [n]}, [c])[0] for n, c in zip(asked["names"], contents, strict=True)
                ]
            return [_failed()]

    def _answer(self, asked: Mapping[str, Any], contents: Sequence[bytes]) -> list[Answer]:
        classifier = self._classifiers[asked["model"]]
        images = [_Image(content, name) for content, name in zip(contents, asked["names"], strict=True)]
        if asked.get("diagnosis") is not None:
            classifier.labels.find(asked["diagnosis"])  # refused before anything is computed, '' too
        results = self._results(classifier, images, asked.get("prevalence"))
        if unlogged := self._logged(results, contents):
            return [unlogged] * len(contents)
        return [
            self._or_failed(result, classifier, image, asked) for result, image in zip(results, images, strict=True)
        ]

    def _or_failed(self, result: _Result, classifier: Classifier, image: _Image, asked: Mapping[str, Any]) -> Answer:
        """The answer to one image, whatever goes wrong: by now the batch is in the audit log, and isn't tried again."""
        try:
            return self._formed(result, classifier, image, asked)
        except Exception as error:
            self._log.failure("an answer failed", error)
            return _failed()

    def _formed(self, result: _Result, classifier: Classifier, image: _Image, asked: Mapping[str, Any]) -> Answer:
        """The answer in the form that was asked for; images that could not be read have only one."""
        if isinstance(result, Verdict) and asked.get("explain"):
            return _explained(result, classifier, image, asked)
        if isinstance(result, Verdict) and asked.get("report"):
            page = report_html(result, classifier.bundle, language=asked["report"], diagnosis=asked.get("diagnosis"))
            return Answer(OK, result.decision, False, page.encode())
        if isinstance(result, Verdict) and asked.get("fhir"):
            return _as_fhir(result, asked["fhir"])
        return Answer(_status(result, image, self._max_pixels), _decision(result), False, _json(result.to_dict()))

    def _results(
        self, classifier: Classifier, images: Sequence[_Image], prevalence: Mapping[str, float] | None
    ) -> list[_Result]:
        """In order; images with too many pixels are refused without being decoded."""
        refused = {i: error for i, image in enumerate(images) if (error := _refusal(image, self._max_pixels))}
        rest = [image for i, image in enumerate(images) if i not in refused]
        read = iter(classifier.classify_batch(rest, prevalence=prevalence))
        named = (classifier.bundle.name, classifier.sha256, classifier.labels.classes)
        return [
            Failure(images[i].name, str(refused[i]), *named) if i in refused else next(read) for i in range(len(images))
        ]

    def _logged(self, results: Sequence[_Result], contents: Sequence[bytes]) -> Answer | None:
        """Add the results to the audit log; the refusal to answer if that fails."""
        if self._audit_log is None:
            return None
        try:
            self._audit_log.append(results, [hashlib.sha256(content).hexdigest() for content in contents])
        except LentigoError as error:
            self._log.write("error", "the audit log can't be written", reason=str(error))
            return fault(
                503,
                "The audit log can't be written, and nothing is answered that is not in it.",
                "Tell whoever runs the service.",
            )
        return None


def _failed() -> Answer:
    return fault(500, "The service failed on this image.", "")


def _warm_up(classifier: Classifier, batch: int) -> None:
    """Compute a whole batch: then no request waits for what is done once, and memory is what it will be under load."""
    side = classifier.bundle.size
    classifier.classify_batch(np.zeros((batch, side, side, 3), np.uint8))


def _described(classifier: Classifier) -> dict[str, Any]:
    metadata = classifier.bundle.metadata
    return {
        "name": metadata.name,
        "sha256": classifier.sha256,
        "network": metadata.network,
        "precision": metadata.precision,
        "size": metadata.size,
        "parameters": metadata.parameters,
        "labels": list(classifier.labels.classes),
        "heat_maps": classifier.bundle.has_maps,
        "trained_on": metadata.source,
        "licence": metadata.licence,
        "notice": NOTICE,
        "card": classifier.card,
        "metadata": metadata.model_dump(mode="json"),
    }


def _refusal(image: _Image, max_pixels: int) -> ImageError | None:
    """Why an image isn't decoded: too many pixels by its header, or DICOM without what reads it."""
    if _kind(image) == "DICOM" and not _READS_DICOM:
        return ImageError(f"{image.name}: this service reads no DICOM.", "Export it as PNG or JPEG.")
    pixels = _stated_pixels(image)
    if pixels <= max_pixels:
        return None
    return ImageError(
        f"{image.name}: {pixels:,} pixels is more than the {max_pixels:,} that this service reads.",
        "Downscale it first.",
    )


def _kind(image: _Image) -> str:
    """The name of its format by its first bytes; empty for an unknown one."""
    found = sniff(image.getvalue()[:START])
    return found.name if found else ""


def _stated_pixels(image: _Image) -> int:
    """Width times height by the header; 0 if it can't be read."""
    try:
        width, height = picture_size(image.getvalue())
    except Exception:  # Pillow and pydicom raise many kinds; decoding says what is wrong
        return 0
    return width * height


def _status(result: _Result, image: _Image, max_pixels: int) -> int:
    if isinstance(result, Verdict):
        return OK
    if _kind(image) not in _READ:
        return NO_IMAGE
    return TOO_LARGE if _stated_pixels(image) > max_pixels else UNREADABLE


def _decision(result: _Result) -> str:
    return result.decision if isinstance(result, Verdict) else ""


def _explained(verdict: Verdict, classifier: Classifier, image: _Image, asked: Mapping[str, Any]) -> Answer:
    """The verdict with its picture; the picture is drawn anew, and holds nothing of the file but its pixels."""
    made = {"decision": verdict.decision, "model": verdict.model, "model_sha256": verdict.model_sha256}
    diagnosis = verdict.chosen(asked.get("diagnosis")) if verdict.gradable else None
    method = asked.get("method", "cam") if verdict.gradable else None
    if method in (None, "cam"):
        picture = encode(verdict.overlay(asked.get("diagnosis")), made)
    else:
        content = image.getvalue()
        explanation = explain(content, method, diagnosis, model=classifier)
        picture = encode(draw_explanation(explanation, content), {**made, "method": method})
    if asked["explain"] == "png":
        return Answer(OK, verdict.decision, False, picture)
    values = {
        "result": verdict.to_dict(),
        "diagnosis": diagnosis,
        "method": method,
        "picture": base64.b64encode(picture).decode(),
    }
    return Answer(OK, verdict.decision, False, _json(values))


def _as_fhir(verdict: Verdict, version: str) -> Answer:
    """The verdict as a Bundle of FHIR."""
    try:
        text = fhir_text([verdict], version=version)
    except MissingExtraError:
        return fault(406, "This service has no FHIR: the extra `clinic` is not installed.", "Ask for format=json.")
    return Answer(OK, verdict.decision, False, text.encode())


def _json(values: object) -> bytes:
    return json.dumps(values).encode()

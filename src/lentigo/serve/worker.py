"""A worker process: images in over a socket, results out. It alone decodes, so that a bad image can end only itself.

Started by `lentigo.serve.pool` as `python -m lentigo.serve.worker DESCRIPTOR`; ends when the service closes the socket.
"""

import io
import json
import signal
import socket
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from lentigo.errors import DataError, ImageError, LentigoError
from lentigo.runtime import NOTICE, Classifier, Failure, Verdict
from lentigo.runtime.codecs.header import picture_size
from lentigo.runtime.formats import START, sniff
from lentigo.serve.frames import receive_frame, send_frame

__all__ = ["main"]

OK, TOO_LARGE, NO_IMAGE, UNREADABLE, FAILED = 200, 413, 415, 422, 500
"""Statuses of an image: each is what its request gets if no other image of it could be read."""


class _Image(io.BytesIO):
    """The bytes of an image under the name that the client gave it."""

    def __init__(self, content: bytes, name: str) -> None:
        super().__init__(content)
        self.name = name


def main(descriptor: int) -> None:
    """Serve one socket until it closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the service says when to end
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    connection = socket.socket(fileno=descriptor)
    started = receive_frame(connection)
    if started is None:
        return
    settings, _ = started
    try:
        models = [Classifier.load(model, threads=1) for model in settings["models"]]
        _refuse_same_names(models)
    except LentigoError as error:
        send_frame(connection, {"error": [error.message, error.hint]})
        return
    send_frame(connection, {"models": [describe(model) for model in models]})
    while asked := receive_frame(connection):
        header, content = asked
        answers = answer(models[header["model"]], header, _split(content, header["sizes"]), settings["max_pixels"])
        send_frame(connection, [head for head, _ in answers], [body for _, body in answers])


def describe(classifier: Classifier) -> dict[str, Any]:
    """What the service says of a model."""
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
    }


def answer(
    classifier: Classifier, asked: Mapping[str, Any], contents: Sequence[bytes], max_pixels: int
) -> list[tuple[dict[str, Any], bytes]]:
    """Status and size, and body, for each image of a batch."""
    named = [_Image(content, name) for content, name in zip(contents, asked["names"], strict=True)]
    refused = {i: found for i, image in enumerate(named) if (found := _too_large(image, max_pixels))}
    rest = [image for i, image in enumerate(named) if i not in refused]
    try:
        results = iter(classifier.classify_batch(rest, prevalence=asked.get("prevalence")) if rest else [])
    except DataError as error:
        return [_packed(UNREADABLE, {"detail": error.message, "next_step": error.hint}, fault=True) for _ in named]
    answers = []
    for i, image in enumerate(named):
        if i in refused:
            answers.append(_packed(TOO_LARGE, _failure(classifier, image.name, refused[i]).to_dict()))
            continue
        result = next(results)
        answers.append(_packed(_status(result, image), result.to_dict(), _decision(result)))
    return answers


def _packed(status: int, values: object, decision: str = "", *, fault: bool = False) -> tuple[dict[str, Any], bytes]:
    body = json.dumps(values).encode()
    return {"status": status, "size": len(body), "decision": decision, "fault": fault}, body


def _too_large(image: _Image, max_pixels: int) -> ImageError | None:
    """The refusal of an image whose header states too many pixels; what can't be read is left to the decoder."""
    try:
        width, height = picture_size(image.getvalue())
    except Exception:  # Pillow raises many kinds; decoding says what is wrong
        return None
    if width * height <= max_pixels:
        return None
    return ImageError(
        f"{image.name}: {width}x{height} pixels is more than the {max_pixels:,} that this service reads.",
        "Downscale it first.",
    )


def _failure(classifier: Classifier, name: str, error: ImageError) -> Failure:
    return Failure(name, str(error), classifier.bundle.name, classifier.sha256, classifier.labels.classes)


def _status(result: Verdict | Failure, image: _Image) -> int:
    if isinstance(result, Verdict):
        return OK
    kind = sniff(image.getvalue()[:START])
    return UNREADABLE if kind and kind.readable else NO_IMAGE


def _decision(result: Verdict | Failure) -> str:
    return result.decision if isinstance(result, Verdict) else ""


def _split(content: memoryview, sizes: Sequence[int]) -> list[bytes]:
    parts, place = [], 0
    for size in sizes:
        parts.append(bytes(content[place : place + size]))
        place += size
    return parts


def _refuse_same_names(models: Sequence[Classifier]) -> None:
    names = [model.bundle.name for model in models]
    for name in names:
        if names.count(name) > 1:
            raise DataError(f"Two models are called {name!r}.", "Serve each in a service of its own.")


if __name__ == "__main__":
    main(int(sys.argv[1]))

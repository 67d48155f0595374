"""The images in a request's body: read within limits as it arrives, in memory alone.

What the client says of a file (its type, its name) decides nothing; names are kept only for the answer.
"""

import asyncio
import re
from dataclasses import dataclass
from typing import Any

from fastapi import Request
from python_multipart import MultipartParser
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header

from lentigo.serve.problems import ProblemError
from lentigo.serve.settings import Settings

__all__ = ["Buffered", "Upload", "read_uploads"]

_MAX_PARTS = 1000
_NAME_LENGTH = 255
_CLOSE = {"Connection": "close"}


@dataclass(frozen=True)
class Upload:
    """A file that was sent, with the last part of its name."""

    content: bytes
    name: str


class Buffered:
    """Counts the bytes of all bodies that are in memory, up to a limit."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.held = 0

    def add(self, count: int) -> None:
        """Take room for bytes.

        Raises:
            ProblemError: there is none.
        """
        if self.held + count > self.limit:
            raise ProblemError(
                429,
                "The service holds as many bytes of uploads as it may.",
                "Try again after the time in Retry-After.",
                headers={"Retry-After": "1", **_CLOSE},
            )
        self.held += count


async def read_uploads(request: Request, settings: Settings, buffered: Buffered) -> list[Upload]:
    """The images of a request: the parts of a form, or the body itself.

    Raises:
        ProblemError: too large, too slow, incomplete, compressed, empty, or not a form that can be read.
    """
    _refuse_compressed(request)
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    body = await _read(request, settings, buffered)
    uploads = _parts(body, options) if kind == b"multipart/form-data" else [Upload(body, "image")]
    if not uploads or not any(upload.content for upload in uploads):
        raise ProblemError(422, "The request holds no image.", "Send the bytes of an image file, or a form with files.")
    if len(uploads) > settings.max_images:
        raise ProblemError(
            413, f"{len(uploads)} images is more than the {settings.max_images} of one request.", "Send fewer at once."
        )
    return uploads


def _refuse_compressed(request: Request) -> None:
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise ProblemError(415, "The body is compressed.", "Send it as it is.", headers={"Accept-Encoding": "identity"})


async def _read(request: Request, settings: Settings, buffered: Buffered) -> bytes:
    """The whole body; refused by its stated length before it is read, and by its real one while it is."""
    stated = request.headers.get("content-length", "0")
    if stated.isdecimal() and int(stated) > settings.max_bytes:
        raise _too_long(settings)
    held = 0
    parts: list[bytes] = []
    try:
        async with asyncio.timeout(settings.body_timeout):
            while True:
                message = await request.receive()
                if message["type"] == "http.disconnect":
                    raise ProblemError(400, "The connection closed before the body was complete.", headers=_CLOSE)
                if part := message.get("body", b""):
                    buffered.add(len(part))
                    held += len(part)
                    request.scope["state"]["body_bytes"] = request.scope["state"]["body_held"] = held
                    parts.append(part)
                if held > settings.max_bytes:
                    raise _too_long(settings)
                if not message.get("more_body"):
                    return b"".join(parts) if len(parts) != 1 else parts[0]
    except TimeoutError:
        raise ProblemError(
            408,
            f"The body did not arrive within {settings.body_timeout:g} seconds.",
            "Send a smaller image, or use a faster connection.",
            headers=_CLOSE,
        ) from None


def _too_long(settings: Settings) -> ProblemError:
    return ProblemError(
        413,
        f"The body is larger than the {settings.max_bytes:,} bytes that this service reads.",
        "Send fewer images at once, or downscale them.",
        headers=_CLOSE,
    )


def _parts(body: bytes, options: dict[bytes, bytes]) -> list[Upload]:
    """The files of a form, whatever their fields are called; other fields are refused, not ignored."""
    boundary = options.get(b"boundary")
    if not boundary:
        raise ProblemError(400, "The form has no boundary.", "Let the HTTP library write the header Content-Type.")
    form = _Form()
    try:
        parser = MultipartParser(boundary, form.callbacks())  # type: ignore[arg-type]  # its types lack what it documents
        parser.write(body)
        parser.finalize()
    except FormParserError as error:
        raise ProblemError(400, f"The form can't be read ({error}).", "Send it again.") from None
    if not form.ended:
        raise ProblemError(400, "The form is incomplete.", "Send it again.")
    return form.uploads


class _Form:
    """Collects the parts of a form as the parser finds them."""

    def __init__(self) -> None:
        self.uploads: list[Upload] = []
        self.ended = False
        self._headers: dict[bytes, bytes] = {}
        self._field = b""
        self._value = b""
        self._content: list[bytes] = []

    def callbacks(self) -> dict[str, Any]:
        """What the parser calls."""
        return {
            "on_part_begin": self._begin,
            "on_header_begin": self._begin_header,
            "on_header_field": self._add_field,
            "on_header_value": self._add_value,
            "on_header_end": self._end_header,
            "on_part_data": self._add_content,
            "on_part_end": self._end,
            "on_end": self._finish,
        }

    def _begin(self) -> None:
        self._headers, self._content = {}, []

    def _begin_header(self) -> None:
        self._field = self._value = b""

    def _add_field(self, data: bytes, start: int, end: int) -> None:
        self._field += data[start:end]

    def _add_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _end_header(self) -> None:
        self._headers[self._field.lower()] = self._value

    def _add_content(self, data: bytes, start: int, end: int) -> None:
        self._content.append(data[start:end])

    def _end(self) -> None:
        _, options = parse_options_header(self._headers.get(b"content-disposition", b""))
        content = b"".join(self._content)
        field = options.get(b"name", b"").decode("utf-8", "replace")
        if b"filename" not in options and not content:
            raise ProblemError(422, f"The field {field[:50]!r} is empty.", "Send images as files.")
        if len(self.uploads) >= _MAX_PARTS:
            raise ProblemError(413, f"The form has more than {_MAX_PARTS} parts.", "Send fewer images at once.")
        self.uploads.append(Upload(content, _plain_name(options.get(b"filename", b"image"))))

    def _finish(self) -> None:
        self.ended = True


def _plain_name(sent: bytes) -> str:
    """The last part of a file name, without control characters; it names the result and never a file here."""
    name = re.split(r"[/\\]", sent.decode("utf-8", "replace"))[-1]
    return "".join(c for c in name if c.isprintable())[:_NAME_LENGTH] or "image"

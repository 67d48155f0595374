"""uvicorn's HTTP protocol with the limits, and the care with upgrades and trailers, that it lacks."""

import asyncio
from typing import Any, cast

import httptools
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from lentigo.serve.problems import MEDIA_TYPE, problem_body
from lentigo.serve.settings import Settings

__all__ = ["protocol_for"]

_HEADER_BYTES = 64_000


class _Whole:
    """A connection that sends what is written in one step of the event loop together: a header with its body.

    uvicorn writes them one after the other, and two system calls and two packets for each answer cost more than
    everything else that is done for a small request.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._held: list[bytes] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Send later in this step."""
        if not self._held:
            self._loop.call_soon(self.flush)
        self._held.append(data)

    def close(self) -> None:
        """Send what is held, and close."""
        self.flush()
        self._transport.close()

    def flush(self) -> None:
        """Send what is held."""
        held, self._held = self._held, []
        if held and not self._transport.is_closing():
            self._transport.write(b"".join(held))


def _framing(headers: list[tuple[bytes, bytes]]) -> bytes:
    """The header that says where a body ends, if there is one; the parser has checked that there aren't two."""
    found = (b"%s: %s" % header for header in headers if header[0] in (b"content-length", b"transfer-encoding"))
    return next(found, b"")


def protocol_for(settings: Settings) -> type[HttpToolsProtocol]:
    """The protocol class for a configuration: uvicorn makes one of it for each connection."""

    class Protocol(HttpToolsProtocol):
        _deadline: asyncio.TimerHandle | None = None
        _header_bytes = 0
        _framing = b""
        _resuming = False

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
            self._whole = _Whole(transport, self.loop)
            super().connection_made(cast(asyncio.Transport, self._whole))
            if len(self.connections) > settings.max_connections:
                self._end(503, f"More than {settings.max_connections} connections are open.")
            self._expect_header()

        def connection_lost(self, exc: Exception | None) -> None:
            self._header_came()
            super().connection_lost(exc)

        def data_received(self, data: bytes) -> None:
            if self.transport.is_closing():
                return
            self._header_bytes += len(data)  # until something else comes than headers and trailers
            self._unset_keepalive_if_required()
            try:
                self._parse(data)
            except httptools.HttpParserError:
                self.send_400_response("This is no HTTP request.")
            if self._header_bytes > _HEADER_BYTES:
                self._end(431, f"The header is larger than {_HEADER_BYTES:,} bytes.")

        def _parse(self, data: bytes) -> None:
            """Parse what came. Nothing is upgraded here, so that the body after an offer is one all the same.

            httptools ends a request that offers an upgrade at its header, and takes its body for the next request.
            Java's client offers HTTP/2 with each request.
            """
            while data:
                try:
                    self.parser.feed_data(data)
                    return
                except httptools.HttpParserUpgrade as offered:
                    data = data[offered.args[0] :]
                    self._resume()

        def _resume(self) -> None:
            """Go on with a new parser, which is given the header again, without the offer, if a body follows."""
            self.parser = httptools.HttpRequestParser(self)
            self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn has it
            if self._framing:
                self._resuming = True
                self.parser.feed_data(b"POST / HTTP/1.1\r\n" + self._framing + b"\r\n\r\n")

        def eof_received(self) -> bool:  # type: ignore[override]  # uvicorn has no answer to it
            """A client that has sent its request and closed its end still gets its answer."""
            cycle = self.cycle
            if cycle is None or cycle.response_complete:
                self._whole.flush()  # a response of this very step, which closing would lose
                return False
            if cycle.more_body:
                self._end(400, "The connection closed before the body was complete.")
                return False
            cycle.keep_alive = False
            return True

        def on_message_begin(self) -> None:
            if not self._resuming:
                super().on_message_begin()
                self._expect_header()

        def on_url(self, url: bytes) -> None:
            if not self._resuming:
                super().on_url(url)

        def on_header(self, name: bytes, value: bytes) -> None:
            """A header; trailers, which come when the header is complete, are dropped (RFC 9110, section 6.5.1)."""
            if self._deadline:
                super().on_header(name, value)

        def on_headers_complete(self) -> None:
            if self._resuming:
                self._resuming = False
                return
            self._header_came()
            self._framing = _framing(self.headers) if self.parser.should_upgrade() else b""
            self.scope["state"]["connection"] = self
            super().on_headers_complete()

        def on_body(self, body: bytes) -> None:
            self._header_bytes = 0
            super().on_body(body)

        def on_message_complete(self) -> None:
            self._header_bytes = 0
            if not (self._framing and self.parser.should_upgrade()):  # else the body is still to come
                super().on_message_complete()

        def send_400_response(self, msg: str) -> None:
            """What is no HTTP gets a problem like everything else."""
            self._end(400, msg)

        def closing(self) -> bool:
            """Whether nobody waits for an answer any more."""
            return self.transport.is_closing()

        def _expect_header(self) -> None:
            if self._deadline:
                self._deadline.cancel()
            self._deadline = self.loop.call_later(settings.header_timeout, self._end, 408, "The header took too long.")

        def _header_came(self) -> None:
            if self._deadline:
                self._deadline.cancel()
                self._deadline = None
                self._header_bytes = 0

        def _end(self, status: int, detail: str) -> None:
            """Answer without the application, and close."""
            if self.transport.is_closing():
                return
            body = problem_body(status, detail)
            head = f"content-type: {MEDIA_TYPE}\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
            self.transport.write(b"".join((STATUS_LINE[status], head.encode(), body)))
            self.transport.close()

    return Protocol

"""What surrounds every request: its id, the key, the log line, the counters, and a connection that ends well."""

import asyncio
import hashlib
import hmac
import re
import secrets
import time
from collections.abc import Callable, Collection
from contextlib import suppress

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lentigo.serve.problems import MEDIA_TYPE, problem_body
from lentigo.serve.service import Service

__all__ = ["Guard", "digests"]

_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_PROTECTED = ("/v1/", "/metrics")
_ADMIN = "/v1/admin/"
_LINGER_SECONDS = 1.0
_LINGER_BYTES = 4_000_000
_HEADERS = ((b"x-content-type-options", b"nosniff"), (b"cache-control", b"no-store"))


def digests(keys: Collection[str]) -> tuple[bytes, ...]:
    """Hashes of keys: what is compared then has one length."""
    return tuple(hashlib.sha256(key.encode()).digest() for key in keys)


class Guard:
    """ASGI middleware.

    Args:
        app: the application.
        service: whose buffers, metrics and log are used.
        keys: hashes of the keys that open the service; none opens it to all.
        admin_keys: hashes of the keys that open /v1/admin/.
    """

    def __init__(self, app: ASGIApp, service: Service, keys: tuple[bytes, ...], admin_keys: tuple[bytes, ...]) -> None:
        self._app = app
        self._service = service
        self._keys = keys
        self._admin_keys = admin_keys

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = _Exchange(scope, receive, send, lambda: self._release(scope))
        scope.setdefault("state", {})["request_id"] = exchange.request_id
        started = time.perf_counter()
        try:
            if self._may_enter(scope):
                await self._app(scope, exchange.receive, exchange.send)
            else:
                await exchange.refuse(401, "This service needs a key.", "Send it as `Authorization: Bearer KEY`.")
        except Exception as error:  # whatever it is, the client gets an answer and the service goes on
            self._service.log.failure("a request failed", error, request_id=exchange.request_id)
            if not exchange.status:
                await exchange.refuse(500, "The service failed on this request.")
        finally:
            self._release(scope)
            self._record(scope, exchange, time.perf_counter() - started)

    def _may_enter(self, scope: Scope) -> bool:
        path: str = scope["path"]
        if path.startswith(_ADMIN):
            return _matches(scope, self._admin_keys)
        return not self._keys or not path.startswith(_PROTECTED) or _matches(scope, self._keys)

    def _release(self, scope: Scope) -> None:
        """The body isn't needed any more."""
        self._service.buffered.held -= scope["state"].pop("body_held", 0)

    def _record(self, scope: Scope, exchange: "_Exchange", seconds: float) -> None:
        route = getattr(scope.get("route"), "path", "other")  # never the path itself, which may hold a name
        self._service.metrics.requests.labels(route, str(exchange.status)).inc()
        self._service.metrics.seconds.labels(route).observe(seconds)
        self._service.log.write(
            "debug" if route in ("/healthz", "/readyz", "/metrics") else "info",
            "request",
            request_id=exchange.request_id,
            method=scope["method"],
            route=route,
            status=exchange.status or "disconnected",
            ms=round(1000 * seconds, 1),
            images=scope["state"].get("images"),
            bytes=scope["state"].get("body_bytes", 0),
        )


class _Exchange:
    """One request and its response."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, on_answer: Callable[[], None]) -> None:
        self.status = 0
        self._on_answer = on_answer
        headers = {name: value for name, value in scope["headers"] if name in _READ}
        given = headers.get(b"x-request-id", b"")
        self.request_id = given.decode() if _ID.fullmatch(given) else secrets.token_hex(8)
        self._receive = receive
        self._send = send
        self._unread = headers.get(b"content-length", b"0") != b"0" or b"transfer-encoding" in headers
        self._waits = b"expect" in headers  # such a client sends its body only when it is asked for

    async def receive(self) -> Message:
        """The next part of the request."""
        message = await self._receive()
        if not message.get("more_body"):
            self._unread = False
        return message

    async def send(self, message: Message) -> None:
        """The next part of the response."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self._on_answer()  # a client that reads slowly must not keep the room of its body
            given = {name for name, _ in message["headers"]}
            message["headers"] = [
                *message["headers"],
                (b"x-request-id", self.request_id.encode()),
                *((name, value) for name, value in _HEADERS if name not in given),
            ]
            if self._unread and b"connection" not in given:
                message["headers"].append((b"connection", b"close"))
        elif self._unread and self.status != 408 and not message.get("more_body"):
            await self._send({**message, "more_body": True})
            await self._linger()
            message = {"type": "http.response.body"}
        await self._send(message)

    async def refuse(self, status: int, detail: str, next_step: str = "") -> None:
        """Answer with a problem."""
        body = problem_body(status, detail, next_step, request_id=self.request_id)
        headers = [(b"content-type", MEDIA_TYPE.encode()), (b"content-length", str(len(body)).encode())]
        if status == 401:
            headers.append((b"www-authenticate", b"Bearer"))
        await self.send({"type": "http.response.start", "status": status, "headers": headers})
        await self.send({"type": "http.response.body", "body": body})

    async def _linger(self) -> None:
        """Discard some of what the client still sends: closing at once could reset the connection, answer and all."""
        if self._waits:
            return
        discarded = 0
        with suppress(TimeoutError):
            async with asyncio.timeout(_LINGER_SECONDS):
                while self._unread and discarded < _LINGER_BYTES:
                    discarded += len((await self.receive()).get("body", b""))


_READ = frozenset({b"x-request-id", b"content-length", b"transfer-encoding", b"expect"})


def _matches(scope: Scope, keys: tuple[bytes, ...]) -> bool:
    """Whether the request presents one of the keys; all are compared, each in constant time."""
    given = b""
    for name, value in scope["headers"]:
        if name == b"authorization" and value[:7].lower() == b"bearer ":
            given = value[7:].strip()
        if name == b"x-api-key":
            given = value.strip()
    asked = hashlib.sha256(given).digest()
    return sum(hmac.compare_digest(asked, key) for key in keys) > 0

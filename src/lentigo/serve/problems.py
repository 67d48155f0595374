"""Every error as application/problem+json (RFC 9457): what is wrong, and the next step."""

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

__all__ = ["MEDIA_TYPE", "ProblemError", "install_handlers", "problem_body"]

MEDIA_TYPE = "application/problem+json"

_TITLES = {
    400: "The request is not valid HTTP",
    408: "The request took too long to arrive",
    429: "Too many requests at once",
    503: "The service can't answer now",
}
_STEPS = {
    400: "Send the request again, with a library for HTTP.",
    404: "GET /docs lists the addresses.",
    405: "The header Allow names the methods.",
    500: "Try again; if it happens again, report the request id to whoever runs the service.",
}


class ProblemError(Exception):
    """A request that gets an error.

    Args:
        status: of the response.
        detail: what is wrong, as a sentence.
        next_step: what to do about it, as a sentence.
        headers: of the response.
        more: further members of the problem.
    """

    def __init__(
        self,
        status: int,
        detail: str,
        next_step: str = "",
        *,
        headers: Mapping[str, str] | None = None,
        **more: object,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.next_step = next_step
        self.headers = dict(headers or {})
        self.more = more


def problem_body(status: int, detail: str, next_step: str = "", *, request_id: str = "", **more: object) -> bytes:
    """The body of a problem."""
    title = _TITLES.get(status) or HTTPStatus(status).phrase
    values = {
        "type": "about:blank",
        "title": title,
        "status": status,
        "detail": detail,
        "next_step": next_step or _STEPS.get(status, ""),
        "request_id": request_id,
        **more,
    }
    return json.dumps(values).encode()


def install_handlers(app: FastAPI) -> None:
    """Answer every error of an application with a problem."""
    app.add_exception_handler(ProblemError, _on_problem)
    app.add_exception_handler(HTTPException, _on_http)
    app.add_exception_handler(RequestValidationError, _on_invalid)


def response_to(request: Request, error: ProblemError) -> Response:
    """A problem as a response."""
    body = problem_body(
        error.status,
        error.detail,
        error.next_step,
        request_id=request.scope.get("state", {}).get("request_id", ""),
        **error.more,
    )
    return Response(body, error.status, error.headers, MEDIA_TYPE)


async def _on_problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, ProblemError)
    return response_to(request, error)


async def _on_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return response_to(request, ProblemError(error.status_code, f"{error.detail}.", headers=error.headers))


async def _on_invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    faults: list[dict[str, Any]] = [
        {"where": ".".join(map(str, fault["loc"])), "message": fault["msg"]} for fault in error.errors()
    ]
    said = "; ".join(f"{fault['where']}: {fault['message']}" for fault in faults)
    return response_to(request, ProblemError(422, f"{said}.", "GET /docs says what is accepted.", errors=faults))

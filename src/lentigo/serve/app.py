"""The application: routes, errors and documentation around a service."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from fastapi.telemetry import TelemetryConfig
from fastapi_offline import FastAPIOffline
from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response

from lentigo import __version__
from lentigo.runtime import NOTICE
from lentigo.serve.guard import Guard, digests
from lentigo.serve.problems import MEDIA_TYPE, install_handlers, problem_body
from lentigo.serve.routes import admin_routes, problems, routes
from lentigo.serve.schemas import Problem
from lentigo.serve.service import Service
from lentigo.serve.settings import Settings, load_settings
from lentigo.serve.web import web_routes

__all__ = ["create_app"]

_NO_TELEMETRY: TelemetryConfig = {"tracing": False, "metrics": False, "logs": False, "auto_configure": False}
"""FastAPI would send traces, with addresses, and messages of errors wherever variables of OpenTelemetry say."""


def create_app(settings: Settings | None = None, *, service: Service | None = None) -> FastAPI:
    """The service as an ASGI application; its workers start with its lifespan, if they don't run already.

    Args:
        settings: the configuration; None reads the environment.
        service: one that was made from the same settings; None makes one.
    """
    settings = settings or load_settings()
    made = service or Service(settings)
    app = FastAPIOffline(
        title="lentigo",
        version=__version__,
        description=f"{NOTICE}\n\nEvery error is application/problem+json.",
        redoc_url=None,
        static_url="/docs/static",
        lifespan=_lifespan,
        telemetry=_NO_TELEMETRY,
    )
    app.state.service = made
    install_handlers(app)
    app.include_router(routes)
    app.include_router(web_routes)
    if admin_keys := digests(settings.admin_keys()):
        app.include_router(admin_routes)
    _describe_problems(app)
    app.add_middleware(Guard, service=made, keys=digests(settings.keys()), admin_keys=admin_keys)
    if settings.cors_origins:
        app.add_middleware(
            _CORS, allow_origins=settings.cors_origins, allow_methods=["GET", "POST"], allow_headers=["*"]
        )
    return app


class _CORS(CORSMiddleware):
    """Starlette's, with a problem where it refuses."""

    def preflight_response(self, request_headers: Headers) -> Response:
        found = super().preflight_response(request_headers)
        if found.status_code < 400:
            return found
        kept = {name: value for name, value in found.headers.items() if not name.startswith("content-")}
        body = problem_body(found.status_code, f"{bytes(found.body).decode()}.", "Ask whoever runs the service.")
        return Response(body, found.status_code, kept, MEDIA_TYPE)


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    service: Service = app.state.service
    if not service.started:
        await service.start()
    try:
        yield
    finally:
        await service.stop()


def _state_problem(responses: dict[str, Any]) -> None:
    """A route with parameters answers 422 with a problem."""
    if "HTTPValidationError" in str(responses.get("422")):
        responses.update({str(status): said for status, said in problems(422).items()})


def _describe_problems(app: FastAPI) -> None:
    """Put the problem into the OpenAPI document, in place of FastAPI's own validation error."""
    generate = app.openapi

    def openapi() -> dict[str, object]:
        document = generate()
        schemas = document.setdefault("components", {}).setdefault("schemas", {})
        schemas.setdefault("Problem", Problem.model_json_schema())
        for unused in ("HTTPValidationError", "ValidationError"):
            schemas.pop(unused, None)
        for operations in document["paths"].values():
            for operation in operations.values():
                _state_problem(operation["responses"])
        return document

    app.openapi = openapi  # type: ignore[method-assign]  # as FastAPI's documentation does it

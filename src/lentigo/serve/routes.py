"""The addresses of the service. A route reads its request, asks the service, and puts its answers together."""

import json
from collections.abc import Sequence
from typing import Any, Literal

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from lentigo import __version__
from lentigo.errors import DataError, LentigoError
from lentigo.runtime.prevalence import read_pairs
from lentigo.serve.answers import Answer
from lentigo.serve.body import read_uploads
from lentigo.serve.metrics import CONTENT_TYPE
from lentigo.serve.problems import MEDIA_TYPE, ProblemError
from lentigo.serve.query import ClassifyQuery, ExplainQuery, ReportQuery, parameters, read_query
from lentigo.serve.schemas import Classified, ExplainedResult, Health, ModelDetails, Models, Reloaded
from lentigo.serve.service import Service

__all__ = ["admin_routes", "problems", "routes"]

routes = APIRouter()
admin_routes = APIRouter()

_BODY = {
    "requestBody": {
        "required": True,
        "description": "The bytes of one image file, or a form with several. The bytes decide what a file is.",
        "content": {
            "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "properties": {
                        "images": {"type": "array", "items": {"type": "string", "format": "binary"}, "minItems": 1}
                    },
                    "required": ["images"],
                    "additionalProperties": False,
                }
            },
        },
    }
}


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The errors of a route, for the OpenAPI document."""
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {status: {"description": _MEANING[status], "content": content} for status in statuses}


_MEANING = {
    400: "The request can't be read.",
    401: "A key is needed.",
    404: "There is no such model.",
    406: "A format that this service can't write.",
    408: "The body took too long to arrive.",
    409: "A reload isn't finished.",
    413: "Too many bytes, images or pixels.",
    415: "No image of a format that is read.",
    422: "A value isn't valid, or no image of the request could be read.",
    429: "No room now; Retry-After says when.",
    500: "The service failed.",
    503: "No worker could answer.",
}
_OF_IMAGES = problems(400, 401, 404, 408, 413, 415, 422, 429, 500, 503)

_FHIR = {"content": {"application/fhir+json": {"schema": {"type": "object"}}}}


@routes.post(
    "/v1/classify",
    response_model=Classified,
    responses={200: _FHIR, **_OF_IMAGES, **problems(406)},
    openapi_extra={**_BODY, "parameters": parameters(ClassifyQuery)},
    tags=["images"],
)
async def classify(request: Request) -> Response:
    """Classify one or more images. Each has a result in its place; one that can't be read has an `error` there."""
    query = read_query(request, ClassifyQuery)
    task: dict[str, Any] = {"prevalence": _stated(query.prevalence)}
    if query.format == "fhir":
        (answer,) = await _compute(request, query.model, {**task, "fhir": query.fhir_version}, most=1)
        return Response(answer.body, 200, None, "application/fhir+json")
    answers = await _compute(request, query.model, task)
    return Response(
        b'{"results": [' + b", ".join(answer.body for answer in answers) + b"]}", 200, None, "application/json"
    )


@routes.post(
    "/v1/explain",
    response_model=ExplainedResult,
    responses={200: {"content": {"image/png": {"schema": {"type": "string", "format": "binary"}}}}, **_OF_IMAGES},
    openapi_extra={**_BODY, "parameters": parameters(ExplainQuery)},
    tags=["images"],
)
async def explain(request: Request) -> Response:
    """Classify one image, and draw the evidence for a diagnosis over it."""
    query = read_query(request, ExplainQuery)
    task: dict[str, Any] = {"prevalence": _stated(query.prevalence), "diagnosis": query.diagnosis}
    (answer,) = await _compute(request, query.model, {**task, "method": query.method, "explain": query.format}, most=1)
    return Response(answer.body, 200, None, "image/png" if query.format == "png" else "application/json")


@routes.post(
    "/v1/report",
    response_class=Response,
    responses={200: {"content": {"text/html": {"schema": {"type": "string"}}}}, **_OF_IMAGES},
    openapi_extra={**_BODY, "parameters": parameters(ReportQuery)},
    tags=["images"],
)
async def report(request: Request) -> Response:
    """Classify one image, and write the report on it: an HTML file that needs nothing else."""
    query = read_query(request, ReportQuery)
    task = {"prevalence": _stated(query.prevalence), "diagnosis": query.diagnosis, "report": query.language}
    (answer,) = await _compute(request, query.model, task, most=1)
    # To be saved: a browser doesn't open it under the service's address.
    saved = {"Content-Disposition": 'attachment; filename="report.html"'}
    return Response(answer.body, 200, saved, "text/html; charset=utf-8")


@routes.get("/v1/models", response_model=Models, responses=problems(401, 503), tags=["models"])
async def models(request: Request) -> Response:
    """List the models that are open."""
    return JSONResponse({"models": [_brief(model) for model in _service(request).pool.models]})


@routes.get("/v1/models/{name}", response_model=ModelDetails, responses=problems(401, 404, 503), tags=["models"])
async def model_details(request: Request, name: str) -> Response:
    """All that a model states of itself: where it comes from, its thresholds, what was measured."""
    service = _service(request)
    return JSONResponse(service.pool.models[service.find_model(name)])


@routes.get("/healthz", response_model=Health, tags=["state"])
async def healthz(request: Request) -> Health:
    """Tell whether the process runs."""
    return _health(_service(request))


@routes.get(
    "/readyz", response_model=Health, responses={503: {"model": Health, "description": "It can't."}}, tags=["state"]
)
async def readyz(request: Request) -> Response:
    """Tell whether images can be classified now."""
    health = _health(_service(request))
    return JSONResponse(health.model_dump(), 200 if health.status == "ok" else 503)


@routes.get(
    "/metrics",
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}, **problems(401)},
    response_class=Response,
    tags=["state"],
)
async def metrics(request: Request) -> Response:
    """Counters in Prometheus's text format."""
    return Response(_service(request).metrics.text(), media_type=CONTENT_TYPE)


@admin_routes.post("/v1/admin/reload", response_model=Reloaded, responses=problems(401, 409, 500), tags=["models"])
async def reload(request: Request) -> Response:
    """Open the models again. Requests are served meanwhile; if a model can't be opened, the old ones stay."""
    try:
        before, after = await _service(request).reload()
    except LentigoError as error:
        raise ProblemError(500, f"The models were not reloaded: {error.message}", error.hint) from None
    return JSONResponse({"before": before, "after": after})


def _service(request: Request) -> Service:
    found: Service = request.app.state.service
    return found


def _health(service: Service) -> Health:
    status: Literal["ok", "starting", "no worker"] = "ok" if service.started else "starting"
    alive = service.pool.alive
    return Health(status="no worker" if service.started and not alive else status, version=__version__, workers=alive)


def _stated(prevalence: str | None) -> dict[str, object] | None:
    try:
        return None if prevalence is None else read_pairs(prevalence)
    except DataError as error:
        raise ProblemError(422, error.message, error.hint) from None


def _brief(model: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in model.items() if name != "metadata"}


async def _compute(
    request: Request, model: str | None, task: dict[str, Any], *, most: int | None = None
) -> Sequence[Answer]:
    """The answers for the images of a request, of which at least one could be read."""
    service = _service(request)
    service.find_model(model)  # before the body is read
    uploads = await read_uploads(request, service.settings, service.buffered)
    if most is not None and len(uploads) > most:
        raise ProblemError(422, f"{len(uploads)} images, where one is expected.", "Send one image a request.")
    request.scope["state"]["images"] = len(uploads)
    connection = request.scope["state"].get("connection")
    abandoned = connection.closing if connection else lambda: False
    answers = await service.compute(uploads, model, task, abandoned)
    if fault := next((answer for answer in answers if answer.fault), None):
        said = json.loads(fault.body)
        raise ProblemError(fault.status, said["detail"], said["next_step"])
    if all(answer.status != 200 for answer in answers):
        raise _none_read(answers)
    return answers


def _none_read(answers: Sequence[Answer]) -> ProblemError:
    """The problem of a request without any result."""
    values = [json.loads(answer.body) for answer in answers]
    statuses = {answer.status for answer in answers}
    detail = values[0]["error"] if len(values) == 1 else f"None of the {len(answers)} images could be read."
    return ProblemError(statuses.pop() if len(statuses) == 1 else 422, detail, "", results=values)

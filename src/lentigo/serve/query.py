"""What requests state in their addresses: validated in one step, and described in the OpenAPI document from the same.

FastAPI would take each parameter apart again for every request, which was a third of what the front process did in
Python.
"""

from collections import Counter
from typing import Any, Literal, TypeVar

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field, ValidationError

__all__ = ["ClassifyQuery", "ExplainQuery", "ReportQuery", "parameters", "read_query"]


class _ImageQuery(BaseModel):
    model_config = ConfigDict(extra="forbid")  # a misspelt prevalence must not be answered without one

    model: str | None = Field(None, description="Name of a model of /v1/models; the first of them if not given.")
    prevalence: str | None = Field(
        None,
        description="How common each diagnosis is where the images come from: `mel=0.02,nv=0.9,...` for all diagnoses. "
        "Adjusts the probabilities by Bayes' rule; decisions stay in the view of each threshold.",
    )


class ClassifyQuery(_ImageQuery):
    """Of /v1/classify."""

    format: Literal["json", "fhir"] = Field("json", description="fhir: a Bundle, for one image a request.")
    fhir_version: Literal["R5", "R4B"] = Field("R5", description="Of the Bundle.")


class ExplainQuery(_ImageQuery):
    """Of /v1/explain."""

    diagnosis: str | None = Field(None, description="Id or name; the most probable one if not given.")
    method: Literal["cam", "occlusion", "rise"] = Field(
        "cam",
        description="How it is explained: by the class-activation map, or by covering parts of the image (slower).",
    )
    format: Literal["json", "png"] = Field("json", description="Result and picture, or the picture.")


class ReportQuery(_ImageQuery):
    """Of /v1/report."""

    diagnosis: str | None = Field(None, description="Id or name; the most probable one if not given.")
    language: Literal["en", "es"] = Field("en", description="Of the report.")


_MOST = 20
Query = TypeVar("Query", bound=BaseModel)


def read_query(request: Request, kind: type[Query]) -> Query:
    """The values that a request's address states.

    Raises:
        RequestValidationError: a value that isn't allowed, one that is stated twice, or a name that means nothing here;
            it is answered with 422.
    """
    stated = request.query_params.multi_items()
    if len(stated) > _MOST:  # each that means nothing would be named in the answer
        raise RequestValidationError(
            [{"loc": ("query",), "msg": f"{len(stated)} values; at most {_MOST} are read", "type": "too_many"}]
        )
    if twice := next((name for name, times in Counter(name for name, _ in stated).items() if times > 1), None):
        raise RequestValidationError([{"loc": ("query", twice), "msg": "Stated more than once", "type": "repeated"}])
    try:
        return kind.model_validate(dict(stated))
    except ValidationError as error:
        raise RequestValidationError([{**f, "loc": ("query", *f["loc"])} for f in error.errors()]) from None


def parameters(kind: type[BaseModel]) -> list[dict[str, Any]]:
    """The values as parameters of the OpenAPI document."""
    return [
        {"name": name, "in": "query", "required": False, "schema": schema, "description": schema["description"]}
        for name, schema in kind.model_json_schema()["properties"].items()
    ]

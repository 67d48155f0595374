"""What the service answers, typed: the OpenAPI document and the client are made from these."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

__all__ = [
    "Classified",
    "Diagnosis",
    "ExplainedResult",
    "Health",
    "Model",
    "ModelDetails",
    "Models",
    "Problem",
    "RawOutputs",
    "Reloaded",
    "Result",
    "RiskValues",
]


class _Values(BaseModel):
    model_config = ConfigDict(frozen=True, protected_namespaces=())


class Diagnosis(_Values):
    """A diagnosis with its code and its probability."""

    id: str
    name: str
    snomed_ct: str | None
    snomed_term: str | None
    malignant: bool | None
    probability: float = Field(ge=0, le=1)


class RiskValues(_Values):
    """A risk in its views, with its threshold."""

    balanced_prior: float = Field(ge=0, le=1)
    stated_prevalence: float | None = Field(ge=0, le=1)
    threshold: float | None = Field(ge=0, le=1)
    threshold_view: Literal["balanced prior", "training prevalence"] | None
    target_sensitivity: float | None = Field(ge=0, le=1)
    suspicious: bool | None


class RawOutputs(_Values):
    """What the model gave at balanced prior, gradable or not. No result where the image is not gradable."""

    probabilities: dict[str, float | None]
    diagnosis: str | None
    melanoma: float | None = Field(ge=0, le=1)
    malignancy: float | None = Field(ge=0, le=1)


class Result(_Values):
    """A verdict, or a failure where `error` is not null: what `lentigo classify --format json` writes."""

    format: Literal[1]
    source: str = Field(description="Name of the image, as sent.")
    error: str | None = Field(description="Why the image could not be read, and what to do; null if it was.")
    gradable: bool | None = Field(description="Whether the model can judge the image; null if it could not be read.")
    rejection_reasons: tuple[str, ...]
    decision: Literal["suspicious", "negative at threshold", "no threshold", "not gradable"] | None = Field(
        description="No decision means that a lesion is harmless."
    )
    operating_point: str | None
    diagnosis: str | None
    diagnoses: tuple[Diagnosis, ...] | None
    probabilities: dict[str, float] | None
    melanoma: float | None = Field(ge=0, le=1)
    malignancy: float | None = Field(ge=0, le=1)
    view: Literal["balanced prior", "stated prevalence"] | None
    prevalence: dict[str, float] | None
    risks: dict[Literal["melanoma", "malignancy"], RiskValues] | None
    raw: RawOutputs | None
    ood_score: float | None
    ood_threshold: float | None
    next_step: str | None
    model: str
    model_sha256: str = Field(pattern="^[0-9a-f]{64}$")


class Classified(_Values):
    """A result for each image of the request, in order."""

    results: tuple[Result, ...]


class ExplainedResult(_Values):
    """A result and its picture."""

    result: Result
    diagnosis: str | None = Field(description="The diagnosis whose evidence is drawn; null if there is no heat map.")
    method: str | None = Field(description="How it was explained; null if there is no heat map.")
    picture: str = Field(description="PNG, base64: the image beside its heat map, or a statement that there is none.")


class Model(_Values):
    """A model that the service has open."""

    name: str
    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    network: str
    precision: str
    size: int = Field(description="Side of the network's square input, in pixels.")
    parameters: int
    labels: tuple[str, ...] = Field(description="Ids of the diagnoses, in the order of the outputs.")
    heat_maps: bool
    trained_on: str
    licence: str
    notice: str
    card: str = Field(description="What the model reports for itself.")


class ModelDetails(Model):
    """A model with all that it states of itself."""

    metadata: dict[str, Any] = Field(description="As docs/architecture.md describes a bundle's.")


class Models(_Values):
    """The models; the first is used where a request names none."""

    models: tuple[Model, ...]


class Health(_Values):
    """Whether the service runs, and can answer."""

    status: Literal["ok", "starting", "no worker"]
    version: str
    workers: int = Field(description="Number of worker processes that run.")


class Reloaded(_Values):
    """The hashes of the models before and after."""

    before: dict[str, str]
    after: dict[str, str]


class Problem(BaseModel):
    """An error (RFC 9457)."""

    model_config = ConfigDict(extra="allow")

    type: str = "about:blank"
    title: str
    status: int = Field(ge=400, le=599)
    detail: str = Field(description="What is wrong.")
    next_step: str = Field(description="What to do about it.")
    request_id: str = Field(description="To name in a question to whoever runs the service.")

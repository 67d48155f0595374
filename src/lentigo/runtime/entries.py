"""The entries of a bundle's metadata that are kept as plain values: each has the form that its readers rely on.

They may hold more than is named here, which later versions write.
"""

from collections.abc import Callable
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

__all__ = ["Measured", "ParityEntry", "Sha256", "Sources", "SplitEntry", "Start"]

Plain = dict[str, Any]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class _Form(BaseModel):
    model_config = ConfigDict(extra="allow", strict=True, allow_inf_nan=False)


class _Split(_Form):
    protocol: str = Field(min_length=1)
    leaky: bool
    fold: int = Field(ge=0)
    folds: int = Field(2, ge=1)
    seed: int
    sha256: Sha256
    images: dict[str, Annotated[int, Field(ge=0)]] = {}


class _Estimate(_Form):
    value: float | None
    low: float | None = None
    high: float | None = None


class _Source(_Form):
    name: str = Field(min_length=1)
    licence: str


class _Parity(_Form):
    images: int = Field(ge=0)
    largest_difference: float = Field(ge=0)
    same_top_class: float = Field(ge=0, le=1)


def _of(form: Callable[[], type[_Form]], *, empty: bool = False) -> AfterValidator:
    """Plain values that have a form, and stay what they are; or none, where nothing need be stated."""

    def check(values: Plain) -> Plain:
        if values or not empty:
            form().model_validate(values)
        return values

    return AfterValidator(check)


# Forms are looked up when they are needed: a start holds runs, which hold starts.
Start = Annotated[Plain, _of(lambda: _Start, empty=True)]


class _Run(_Form):
    data: str
    licence: str
    citation: str | None = None
    start: Start = {}


class _Start(_Form):
    source: str
    sha256: str | None = None
    parent_start: Start = {}
    run: Annotated[Plain, _of(lambda: _Run, empty=True)] = {}


SplitEntry = Annotated[Plain, _of(lambda: _Split)]
ParityEntry = Annotated[Plain, _of(lambda: _Parity, empty=True)]
Sources = tuple[Annotated[Plain, _of(lambda: _Source)], ...]
Measured = dict[str, dict[str, Annotated[Plain, _of(lambda: _Estimate)]]]

"""The base of what evaluation says: JSON with a schema (`Result.model_json_schema`), and never a NaN.

A number that can't be had is `None`, with the reason beside it.
"""

from typing import Annotated, Any, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainSerializer, WithJsonSchema

from lentigo.labels import KNOWN, LabelSet, find_label_set

__all__ = ["Estimate", "LabelSetField", "Result"]


def _read(value: object) -> object:
    if isinstance(value, str):
        return find_label_set(value)
    return LabelSet.from_dict(value) if isinstance(value, dict) else value


def _write(value: LabelSet) -> str | dict[str, Any]:
    return value.name if KNOWN.get(value.name.lower()) == value else value.to_dict()


LabelSetField = Annotated[
    LabelSet,
    BeforeValidator(_read),
    PlainSerializer(_write),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "object"}]}),
]
"""A label set in a result; one that ships is written as its name."""


class Result(BaseModel):
    """Base of every result: immutable, complete, without NaN or infinity."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    def to_json(self) -> str:
        """As indented JSON."""
        return self.model_dump_json(indent=2)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read back what `to_json` wrote."""
        return cls.model_validate_json(text)


class Estimate(Result):
    """One number and its interval.

    Attributes:
        value: the number; None where it is undefined.
        low: lower end of its interval; None where there is none.
        high: upper end.
        note: why the value or its interval is absent, or what else a reader must know of it.
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    note: str = ""

    def __str__(self) -> str:
        if self.value is None:
            return f"undefined ({self.note})"
        return f"{self.value:.3f}" + (f" ({self.low:.3f} to {self.high:.3f})" if self.low is not None else "")

"""Records of values that people write by hand: a wrong one is refused with its name, its value and what is allowed."""

from collections.abc import Mapping
from types import NoneType
from typing import Any, ClassVar, Literal, Self, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from pydantic import BaseModel, ConfigDict, ValidationError, ValidationInfo, model_validator
from pydantic.fields import FieldInfo
from pydantic.functional_validators import ModelWrapValidatorHandler  # by its first name: pydantic 2.11 added another
from pydantic_core import ErrorDetails

from lentigo.errors import RunError, did_you_mean

__all__ = ["Checked", "allowed"]


class Checked(BaseModel):
    """A frozen record of strict types: "60" is not a number, 1 is not true, NaN and unknown names are refused.

    Attributes:
        subject: what an error calls the record.
    """

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", allow_inf_nan=False)
    subject: ClassVar[str] = "record"

    @model_validator(mode="wrap")
    @classmethod
    def _refuse(cls, values: Any, handler: ModelWrapValidatorHandler[Self], info: ValidationInfo) -> Self:
        if isinstance(values, Mapping):
            values = cls._prepare(values)
        try:
            record = handler(values)
        except ValidationError as error:
            raise _explain(cls, error) from None
        record._check(bool((info.context or {}).get("recorded")))
        return record

    @classmethod
    def _prepare(cls, values: Mapping[str, Any]) -> Mapping[str, Any]:
        """Values as the fields want them; JSON knows lists but no tuples."""
        return {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}

    def _check(self, recorded: bool) -> None:
        """See that the values go together; `recorded` ones were checked when they were written."""


def allowed(annotation: Any, metadata: list[Any] | tuple[Any, ...] = ()) -> str:
    """What a field takes, in words: 'a whole number from 1 to 10'."""
    if hasattr(annotation, "__metadata__"):
        inner = [
            m for part in annotation.__metadata__ for m in (part.metadata if isinstance(part, FieldInfo) else [part])
        ]
        return allowed(get_args(annotation)[0], inner)
    if get_origin(annotation) is Literal:
        return f"one of {', '.join(map(str, get_args(annotation)))}"
    if NoneType in get_args(annotation):
        return f"{allowed(next(part for part in get_args(annotation) if part is not NoneType))}, or null"
    if get_origin(annotation) is tuple:
        first, *others = get_args(annotation)
        count = "a list of values" if others == [...] else f"{1 + len(others)} values"
        return f"{count}, each {allowed(first)}"
    plain = {bool: "true or false", int: "a whole number", float: "a number", str: "a text", dict: "names with values"}
    words = plain.get(get_origin(annotation) or annotation, "a name, or a name with params")
    return f"{words} {_bounds(metadata)}".strip()


def _bounds(metadata: list[Any] | tuple[Any, ...]) -> str:
    """From where to where the values go."""
    words = {Ge: "from {m.ge}", Gt: "above {m.gt}", Le: "to {m.le}", Lt: "to below {m.lt}"}
    return " ".join(words[type(m)].format(m=m) for m in metadata if type(m) in words)


def _explain(cls: type[Checked], error: ValidationError) -> RunError:
    """The first fault, and how many more there are; an unknown name before the one that was probably meant."""
    first, *others = sorted(error.errors(), key=lambda fault: fault["type"] == "missing")
    message, hint = _fault(cls, first)
    more = f" {len(others)} more {'entry is' if len(others) == 1 else 'entries are'} wrong." if others else ""
    return RunError(message + more, hint)


def _fault(cls: type[Checked], fault: ErrorDetails) -> tuple[str, str]:
    known = list(cls.model_fields)
    if not fault["loc"]:
        return f"Not a {cls.subject}: {fault['input']!r}.", f"Its entries: {', '.join(known)}."
    top, value = str(fault["loc"][0]), fault["input"]
    name = ".".join(str(part) for part in fault["loc"] if not str(part).startswith("function-"))
    if top not in known:
        return f"The {cls.subject} has no entry {top!r}.", did_you_mean(top, known)
    if fault["type"] == "missing":
        return f"The {cls.subject} lacks {name}.", "Add it."
    field = cls.model_fields[top]
    if get_origin(field.annotation) is Literal and isinstance(value, str):
        return f"The {cls.subject}'s {name} is {value!r}.", did_you_mean(value, get_args(field.annotation))
    reason = f" ({fault['msg']})" if len(fault["loc"]) > 1 else ""
    return (
        f"The {cls.subject}'s {name} is {value!r}{reason}.",
        f"It must be {allowed(field.annotation, field.metadata)}.",
    )

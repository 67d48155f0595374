"""Parts of a recipe by name: a registry each for losses and callbacks, to which other packages add their own."""

import inspect
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model, model_serializer, model_validator

from lentigo.errors import RunError, did_you_mean

__all__ = ["Named", "Registry"]

T = TypeVar("T")
Make = TypeVar("Make", bound=Callable[..., Any])
_STRICT = ConfigDict(frozen=True, strict=True, extra="forbid", allow_inf_nan=False, arbitrary_types_allowed=True)


class Named(BaseModel):
    """A name and parameters; in JSON the name alone, or `{"name": "focal", "params": {"gamma": 2.0}}`."""

    model_config = _STRICT
    name: str
    params: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _of_name(cls, value: Any) -> Any:
        return {"name": value} if isinstance(value, str) else value

    @model_serializer
    def _short(self) -> str | dict[str, Any]:
        values = {name: getattr(self, name) for name in type(self).model_fields}
        changed = {
            name: value
            for name, value in values.items()
            if value != type(self).model_fields[name].get_default(call_default_factory=True)
        }
        return self.name if changed.keys() == {"name"} else changed

    def __str__(self) -> str:
        return self.name

    def __hash__(self) -> int:
        return hash(self.name)


class Registry(Generic[T]):
    """What can be named in a recipe, by the name of the function or class that makes it.

    Args:
        kind: what an error calls one of them.
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._makers: dict[str, Callable[..., T]] = {}

    def register(self, make: Make) -> Make:
        """Decorate a function or class; its arguments, with types and defaults, are the parameters in a recipe."""
        if make.__name__ in self._makers:
            raise ValueError(f"Two {self.kind}s are called {make.__name__!r}.")
        self._makers[make.__name__] = make
        return make

    @property
    def names(self) -> list[str]:
        """All names, sorted."""
        return sorted(self._makers)

    def parameters(self, name: str) -> list[str]:
        """Parameters of one of them."""
        return list(inspect.signature(self._makers[name]).parameters)

    def make(self, named: Named) -> T:
        """What a recipe names.

        Raises:
            RunError: no such name, an unknown parameter, or a value of another type or out of its range.
        """
        if named.name not in self._makers:
            raise RunError(f"Unknown {self.kind} {named.name!r}.", did_you_mean(named.name, self.names))
        maker = self._makers[named.name]
        given = {key: tuple(value) if isinstance(value, list) else value for key, value in named.params.items()}
        arguments = _arguments(maker)
        try:
            checked = dict(arguments(**given))
        except ValidationError as error:
            fault = error.errors()[0]
            own = ", ".join(arguments.model_fields) or "none"
            name = ".".join(map(str, fault["loc"]))
            value = "" if fault["type"] == "missing" else f" is {fault['input']!r}"
            raise RunError(
                f"{self.kind} {named.name}: {name}{value} ({fault['msg']}).", f"Its parameters: {own}."
            ) from None
        return maker(**checked)


def _arguments(maker: Callable[..., Any]) -> type[BaseModel]:
    """What a maker accepts, as a model of pydantic."""
    fields = {
        p.name: (Any if p.annotation is p.empty else p.annotation, ... if p.default is p.empty else p.default)
        for p in inspect.signature(maker).parameters.values()
    }
    return create_model(maker.__name__, __config__=_STRICT, **fields)  # type: ignore[call-overload]

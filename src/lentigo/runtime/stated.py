"""Reading what a model file says of itself: strictly, and with errors that name the file and the entry."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from lentigo.errors import BundleError, DataError
from lentigo.runtime.metadata import BundleMetadata
from lentigo.written import unprintable

__all__ = ["read_metadata"]

_LINES = "\n\t"
"""What texts for people may have, beside what is shown."""
_ONE_LINE = ("name", "network", "source", "heads")
_AGAIN = "Export it again, or use another copy."


def read_metadata(values: Mapping[str, Any], path: object) -> BundleMetadata:
    """The metadata of a model file, each entry of its type and within its limits.

    Args:
        values: as written, under the names of format 2.
        path: of the file, for errors.

    Raises:
        BundleError: an entry that is missing, of another type, impossible, or contradicts another.
    """
    try:
        _refuse_unprintable(values, path)
        # Read as JSON, in which a number that is written as a text is not a number.
        found = BundleMetadata.model_validate_json(json.dumps(values), strict=True)
    except ValidationError as error:
        raise BundleError(f"{path}: the bundle's metadata are damaged: {_first(error)}.", _AGAIN) from None
    except (TypeError, ValueError, RecursionError) as error:
        raise BundleError(f"{path}: the bundle's metadata are damaged ({error}).", _AGAIN) from None
    _check_labels(found, path)
    return found


def _check_labels(found: BundleMetadata, path: object) -> None:
    """The labels are a set, and have what thresholds were chosen for."""
    try:
        labels = found.labels
    except DataError as error:
        raise BundleError(f"{path}: heads.0.label_set: {error.message}", _AGAIN) from None
    known = {"melanoma": labels.melanoma is not None, "malignancy": labels.knows_malignancy}
    if lacking := next((p.target for p in found.operating_points if not known[p.target]), None):
        raise BundleError(
            f"{path}: operating_points: a threshold for {lacking}, of which its labels {labels} know nothing.", _AGAIN
        )


def _refuse_unprintable(values: Mapping[str, Any], path: object) -> None:
    """Texts of the file are shown in terminals, pages and reports, where such characters would act."""
    for place, text in _texts(values, ""):
        allowed = "" if place.split(".")[0] in _ONE_LINE else _LINES
        if found := unprintable(text, allowed=allowed):
            raise BundleError(f"{path}: {place} holds the character {found!a}, which can't be shown.", _AGAIN)


def _texts(value: Any, place: str) -> Iterator[tuple[str, str]]:
    """All texts, and where each stands; a name that is one itself stands beside its value."""
    if isinstance(value, str):
        yield place, value
    elif isinstance(value, Mapping):
        for name, each in value.items():
            yield f"{place}.{ascii(name)[1:-1]}".strip("."), str(name)
            yield from _texts(each, f"{place}.{ascii(name)[1:-1]}".strip("."))
    elif isinstance(value, list | tuple):
        for i, each in enumerate(value):
            yield from _texts(each, f"{place}.{i}")


def _first(error: ValidationError) -> str:
    """The first fault: where, and what is wrong."""
    fault = error.errors(include_url=False, include_input=False, include_context=False)[0]
    place = ".".join(map(str, fault["loc"]))
    said = fault["msg"].removeprefix("Value error, ")
    return f"{place}: {said}" if place else said

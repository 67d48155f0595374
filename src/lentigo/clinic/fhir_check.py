"""Validation of FHIR by fhir.resources, and of the codes that it lets pass."""

from collections.abc import Iterator
from importlib import import_module
from typing import Any

from lentigo.errors import DataError, did_you_mean, needs_extra

__all__ = ["VERSIONS", "bundle_class", "check_fhir"]

VERSIONS = {"R5": "fhir.resources.bundle", "R4B": "fhir.resources.R4B.bundle"}
"""Supported versions of FHIR, and where fhir.resources defines their Bundle."""


def check_fhir(bundle: dict[str, Any], version: str = "R5") -> None:
    """Check that a Bundle is valid, and that no Observation or DiagnosticReport in it claims to be final.

    fhir.resources checks structure and types, but accepts any word as a code: required codes are checked here, as far
    as the library lists them.

    Args:
        bundle: plain values, as in JSON.
        version: 'R5' or 'R4B'.

    Raises:
        DataError: the Bundle is not valid; the message names the first fault.
        MissingExtraError: the package fhir.resources is not installed.
    """
    try:
        read = bundle_class(version).model_validate(bundle)
    except ValueError as error:  # pydantic's, whose text is long
        raise DataError(f"Not a valid FHIR {version} Bundle: {_first_line(error)}.", "Please report this.") from None
    for fault in (*_wrong_codes(read, "Bundle"), *_overstated(bundle), *_dangling(bundle)):
        raise DataError(f"Not a valid FHIR {version} Bundle: {fault}.", "Please report this.")


def bundle_class(version: str) -> Any:
    """The class of a version's Bundle in fhir.resources.

    Raises:
        DataError: unknown version.
        MissingExtraError: the package is not installed.
    """
    if version not in VERSIONS:
        raise DataError(f"No FHIR version {version!r}.", did_you_mean(version, VERSIONS))
    with needs_extra("FHIR", "clinic"):
        return import_module(VERSIONS[version]).Bundle


def _wrong_codes(resource: Any, place: str) -> Iterator[str]:
    """Codes that are not in the value set that their element requires."""
    for name, field in type(resource).model_fields.items():
        value = getattr(resource, name, None)
        allowed = (field.json_schema_extra or {}).get("enum_values")
        for each in value if isinstance(value, list) else [value]:
            if each is None:
                continue
            if allowed and isinstance(each, str) and each not in allowed:
                yield f"{place}.{name} is {each!r}, not one of {', '.join(allowed)}"
            if hasattr(type(each), "model_fields"):
                yield from _wrong_codes(each, f"{place}.{name}")


def _overstated(bundle: dict[str, Any]) -> Iterator[str]:
    """Results that claim to be final, or whose origin is not marked."""
    for entry in bundle.get("entry", ()):
        resource = entry.get("resource", {})
        kind = resource.get("resourceType")
        if kind not in ("Observation", "DiagnosticReport"):
            continue
        if resource.get("status") != "preliminary":
            yield f"{kind}.status is {resource.get('status')!r}: a model's result is preliminary"
        if "AIAST" not in [label.get("code") for label in resource.get("meta", {}).get("security", ())]:
            yield f"{kind}.meta.security lacks the label AIAST"


def _dangling(bundle: dict[str, Any]) -> Iterator[str]:
    """References within the Bundle to what is not in it."""
    known = {entry.get("fullUrl") for entry in bundle.get("entry", ())}
    for reference in _references(bundle):
        if reference.startswith("urn:uuid:") and reference not in known:
            yield f"{reference} refers to no entry"


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("reference"), str):
            yield value["reference"]
        value = list(value.values())
    if isinstance(value, list):
        for each in value:
            yield from _references(each)


def _first_line(error: Exception) -> str:
    """The first fault that pydantic names, without the value: it may be a patient's."""
    faults: list[Any] = getattr(error, "errors", lambda **_: [])(include_input=False, include_url=False)
    if not faults:
        return type(error).__name__
    return f"{'.'.join(map(str, faults[0]['loc']))}: {faults[0]['msg']}"

"""Results as FHIR: always preliminary, labelled as asserted by artificial intelligence, and checked before they leave.

Sources: HL7 FHIR R5 (5.0.0) and R4B (4.3.0): Observation, DiagnosticReport, Device, DocumentReference, Bundle; the
security label AIAST and the codes for absent data are HL7 Terminology's.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

from lentigo import __version__
from lentigo.clinic.fhir_check import bundle_class, check_fhir
from lentigo.errors import DataError
from lentigo.labels import Label
from lentigo.runtime import NOTICE, Failure, Risk, Verdict
from lentigo.runtime.formats import START, sniff

__all__ = ["fhir_bundle", "fhir_text"]

Resource = dict[str, Any]

_TERMINOLOGY = "http://terminology.hl7.org/CodeSystem"
_AI_LABEL = {
    "system": f"{_TERMINOLOGY}/v3-ObservationValue",
    "code": "AIAST",
    "display": "Artificial Intelligence asserted",
}
_MEDIA_TYPES = {name: f"image/{name.lower()}" for name in ("JPEG", "PNG", "BMP", "TIFF", "WebP", "GIF")}
_MEDIA_TYPES["DICOM"] = "application/dicom"


def fhir_bundle(
    results: Verdict | Failure | Iterable[Verdict | Failure], *, version: str = "R5", subject: str | None = None
) -> Resource:
    """A FHIR Bundle of results: the model as Device; for each image a DocumentReference, an Observation and a report.

    Each Observation and DiagnosticReport is preliminary and has the security label AIAST. Probabilities are components,
    coded in SNOMED CT where the model's label set has codes. An image that is not gradable or could not be read has a
    reason for the absent data, and no diagnosis. A DocumentReference holds an image's SHA-256 and file name, not its
    content. No patient is named beyond `subject`.

    Args:
        results: verdicts and failures.
        version: 'R5' or 'R4B'.
        subject: reference to the patient, such as 'Patient/123'; None leaves it out.

    Returns:
        The Bundle as plain values for JSON.

    Raises:
        DataError: unknown version, no result, or what was made is not valid.
        ImageError: an image was removed or changed since it was classified.
        MissingExtraError: the package fhir.resources is not installed.
    """
    bundle_class(version)  # report what is missing before anything is classified
    several = [results] if isinstance(results, Verdict | Failure) else list(results)
    if not several:
        raise DataError("There is no result to put into a FHIR Bundle.", "Classify at least one image.")
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    devices = {(r.model, r.model_sha256): _entry(_device(r, version)) for r in several}
    entries = list(devices.values())
    for result in several:
        device = devices[result.model, result.model_sha256]["fullUrl"]
        entries += _of_one(result, device, now, {"subject": {"reference": subject}} if subject else {})
    bundle = {"resourceType": "Bundle", "meta": _meta(), "type": "collection", "timestamp": now, "entry": entries}
    check_fhir(bundle, version)
    return bundle


def fhir_text(results: Iterable[Verdict | Failure], *, version: str = "R5", subject: str | None = None) -> str:
    """`fhir_bundle` as indented JSON text, ending in a line break.

    Raises:
        DataError, ImageError, MissingExtraError: as `fhir_bundle`.
    """
    return json.dumps(fhir_bundle(results, version=version, subject=subject), indent=2, allow_nan=False) + "\n"


def _of_one(result: Verdict | Failure, device: str, now: str, about: Resource) -> list[Resource]:
    """Image, observation and report of one result."""
    image = _entry({**_image(result), **about})
    observation = _entry(
        {
            "resourceType": "Observation",
            "meta": _meta(),
            "status": "preliminary",
            "category": [_coded(f"{_TERMINOLOGY}/observation-category", "imaging", "Imaging")],
            "code": {"text": "Skin lesion in a dermoscopic image, as classified by an AI model"},
            **about,
            "issued": now,
            "device": {"reference": device},
            "derivedFrom": [{"reference": image["fullUrl"]}],
            **(_judged(result) if isinstance(result, Verdict) and result.gradable else _absent(result)),
        }
    )
    report = _entry(
        {
            "resourceType": "DiagnosticReport",
            "meta": _meta(),
            "status": "preliminary",
            "code": {"text": "Unverified result of an AI model for a dermoscopic image"},
            **about,
            "issued": now,
            "result": [{"reference": observation["fullUrl"]}],
            "conclusion": _conclusion(result),
        }
    )
    return [image, observation, report]


def _judged(verdict: Verdict) -> Resource:
    """The decision as value; risks and probabilities as components."""
    balanced = f"at {verdict.view}"
    components = [_risk(target, risk) for target, risk in verdict.risks.items()]
    for c, probability in sorted((verdict.probabilities or {}).items(), key=lambda item: -item[1]):
        label = verdict.label(c)
        components.append({"code": _diagnosis(label), **_probability(probability, f"Probability {balanced}")})
    notes = [f"Probabilities are {balanced}.", *(_caveat(verdict.label(c)) for c in verdict.classes)]
    return {
        "valueCodeableConcept": {"text": verdict.decision},
        "note": [{"text": " ".join(filter(None, [verdict.next_step, *notes]))}],
        "component": components,
    }


def _absent(result: Verdict | Failure) -> Resource:
    """No value, and why. The model's raw outputs for such an image are not a result."""
    if isinstance(result, Verdict):
        why = {"code": "not-performed", "display": "Not Performed"}
        said = f"Not gradable: {'; '.join(result.rejection_reasons)}"
    else:
        why = {"code": "error", "display": "Error"}
        said = f"Not read: {_without_place(result)}"
    return {
        "dataAbsentReason": {"coding": [{"system": f"{_TERMINOLOGY}/data-absent-reason", **why}], "text": said},
        "note": [{"text": _conclusion(result)}],
    }


def _risk(target: str, risk: Risk) -> Resource:
    """The risk of melanoma or malignancy in the view that it is decided in."""
    value = risk.at_balanced_prior if risk.at_threshold_view is None else risk.at_threshold_view
    found = {
        "code": {"text": f"Risk of {target}, by an AI model"},
        **_probability(value, f"Probability at {risk.threshold_view or 'balanced prior'}"),
    }
    if risk.threshold is not None:
        found["referenceRange"] = [{"text": f"Suspicious from {risk.threshold:.4f}; a lower risk rules nothing out."}]
    return found


def _probability(value: float, unit: str) -> Resource:
    return {
        "valueQuantity": {"value": round(value, 6), "unit": unit, "system": "http://unitsofmeasure.org", "code": "1"}
    }


def _diagnosis(label: Label) -> Resource:
    """A diagnosis in words, with its code where the label set has one."""
    if not label.snomed_ct:
        return {"text": label.name}
    coding = {"system": "http://snomed.info/sct", "code": label.snomed_ct}
    return {"coding": [coding | ({"display": label.snomed_term} if label.snomed_term else {})], "text": label.name}


def _caveat(label: Label) -> str:
    """What a diagnosis covers beyond its code."""
    return f"{label.name}: {label.note}" if label.note and label.snomed_ct else ""


def _conclusion(result: Verdict | Failure) -> str:
    if isinstance(result, Failure):
        return f"The image could not be read: {_without_place(result)} {NOTICE}"
    return f"Decision of the model {result.model}: {result.decision}. {result.next_step}"


def _without_place(failure: Failure) -> str:
    """What is wrong with an image, with its file's name but without the folders that it came from."""
    return _plain(failure.error.replace(failure.source, Path(failure.source).name))


def _image(result: Verdict | Failure) -> Resource:
    """The image by its hash and its file's name; neither its content nor the folders that it came from."""
    content = result.content() if isinstance(result, Verdict) else None
    attachment: Resource = {"title": _plain(Path(result.source).name) or "image"}
    found: Resource = {"resourceType": "DocumentReference", "status": "current"}
    if content is not None:
        digest = hashlib.sha256(content).hexdigest()
        kind = sniff(content[:START])
        attachment |= {"contentType": _MEDIA_TYPES[kind.name]} if kind and kind.name in _MEDIA_TYPES else {}
        attachment["size"] = len(content)
        found["identifier"] = [{"system": "urn:ietf:rfc:3986", "value": f"ni:///sha-256;{_base64url(digest)}"}]
        found["description"] = f"SHA-256 of the file: {digest}"
    return found | {"content": [{"attachment": attachment}]}


def _base64url(digest: str) -> str:
    from base64 import urlsafe_b64encode

    return urlsafe_b64encode(bytes.fromhex(digest)).rstrip(b"=").decode()


def _device(result: Verdict | Failure, version: str) -> Resource:
    """The model and the software that ran it."""
    r5 = version == "R5"
    kind = {"text": "AI model that classifies dermoscopic images; research software"}
    name = [{"type": "user-friendly-name", ("value" if r5 else "name"): f"lentigo {result.model}"}]
    versions = [("SHA-256 of the model's file", result.model_sha256), ("Version of the software lentigo", __version__)]
    return {
        "resourceType": "Device",
        "identifier": [{"type": {"text": "SHA-256 of the model's file"}, "value": result.model_sha256}],
        "name" if r5 else "deviceName": name,
        "modelNumber": result.model,
        "version": [{"type": {"text": text}, "value": value} for text, value in versions],
        "type": [kind] if r5 else kind,
        "note": [{"text": NOTICE}],
    }


def _meta() -> Resource:
    return {"security": [_AI_LABEL]}


def _coded(system: str, code: str, display: str) -> Mapping[str, Sequence[Mapping[str, str]]]:
    return {"coding": [{"system": system, "code": code, "display": display}]}


def _entry(resource: Resource) -> Resource:
    return {"fullUrl": f"urn:uuid:{uuid4()}", "resource": resource}


def _plain(text: str) -> str:
    """Without control characters and undecodable bytes, which FHIR's strings may not hold."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text).strip()

"""Results as DICOM: a structured report by TID 1500, and the heat map as a secondary capture.

Both belong to the patient and study of the image that they are about, whose identity is copied from it, and nothing
else of its file. Both say that an AI model made them and that nobody verified them. UIDs follow from the image and the
model: the same result made twice is the same object.

Sources: DICOM PS3.16 TID 1500, PS3.3 A.35.13 (Comprehensive 3D SR) and A.8.1 (Secondary Capture).
"""

import json
import os
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_OID, uuid5

import numpy as np

from lentigo import __version__
from lentigo.atomic import refuse_existing, replacing
from lentigo.errors import ImageError, OutputError, needs_extra
from lentigo.runtime import NOTICE, Verdict
from lentigo.runtime.codecs.dicom import HEATMAP, read_dicom_header
from lentigo.runtime.formats import START, sniff

__all__ = ["dicom_heatmap", "dicom_report", "write_dicom"]

_SCHEME = "99LENTIGO"
"""Private coding scheme, for what DICOM and SNOMED CT have no code for."""
_UNVERIFIED = "AI result, not verified by a physician"
_LOSSY = {f"1.2.840.10008.1.2.4.{n}" for n in (50, 51, 81, 91)}
_MEANING = 64
"""Longest meaning of a code, in characters."""
_MADE_BY = "lentigo "
"""How the name of the equipment of each result begins."""
_WITHOUT_VALUE = (
    *("PatientID", "PatientName", "PatientBirthDate", "PatientSex"),
    *("StudyID", "AccessionNumber", "StudyDate", "StudyTime", "ReferringPhysicianName"),
)
"""What the standard asks to be there, if without a value."""


def dicom_report(verdict: Verdict) -> Any:
    """A DICOM structured report (Comprehensive 3D SR, TID 1500) of a verdict on a DICOM image.

    It is preliminary and unverified. Decision and most probable diagnosis are qualitative evaluations, risks and
    probabilities are measurements. An image that is not gradable has neither diagnosis nor numbers, but the reasons.

    Args:
        verdict: of an image that was classified from a DICOM file or its bytes.

    Returns:
        pydicom's Dataset; `write_dicom` writes it.

    Raises:
        ImageError: the image is not DICOM, lacks the UIDs that a report must refer to, or changed since.
        MissingExtraError: highdicom is not installed.
    """
    hd = _highdicom()
    image = _source(verdict)
    observer = hd.sr.ObserverContext(
        observer_type=hd.sr.CodedConcept("121007", "DCM", "Device"),
        observer_identifying_attributes=hd.sr.DeviceObserverIdentifyingAttributes(
            uid=_uid("device", verdict.model_sha256),
            name=f"lentigo {verdict.model}"[:_MEANING],
            manufacturer_name="lentigo",
            model_name=verdict.model[:_MEANING],
            serial_number=verdict.model_sha256,
        ),
    )
    group = hd.sr.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=hd.sr.TrackingIdentifier(
            uid=_uid("lesion", image.SOPInstanceUID, verdict.model_sha256), identifier="Lesion in the image"
        ),
        algorithm_id=hd.sr.AlgorithmIdentification(
            name=f"lentigo {verdict.model}", version=f"{__version__}, sha256 {verdict.model_sha256}"
        ),
        qualitative_evaluations=_evaluations(hd, verdict),
        measurements=_measurements(hd, verdict) or None,
        source_images=[hd.sr.SourceImageForMeasurementGroup(image.SOPClassUID, image.SOPInstanceUID)],
    )
    for said in (_UNVERIFIED, verdict.next_step, NOTICE):
        group[0].ContentSequence.append(_comment(hd, said))
    content = hd.sr.MeasurementReport(
        observation_context=hd.sr.ObservationContext(observer_device_context=observer),
        procedure_reported=hd.sr.CodedConcept("dermoscopy", _SCHEME, "Dermoscopy"),
        imaging_measurements=[group],
        title=hd.sr.CodedConcept("126000", "DCM", "Imaging Measurement Report"),
    )
    report = _made(
        hd.sr.Comprehensive3DSR,
        verdict,
        image,
        evidence=[image],
        content=content,
        series_instance_uid=_uid("report series", image.SOPInstanceUID, verdict.model_sha256),
        series_number=9001,
        sop_instance_uid=_uid("report", image.SOPInstanceUID, verdict.model_sha256, _text(verdict)),
        instance_number=1,
        manufacturer="lentigo",
        is_complete=True,
        is_final=False,
        is_verified=False,
        series_description=f"{_UNVERIFIED}: {verdict.model}"[:_MEANING],
    )
    return _marked(report, verdict)


def dicom_heatmap(verdict: Verdict, diagnosis: str | None = None) -> Any:
    """The figure of `Verdict.overlay` as a DICOM secondary capture; `classify` never takes it for a lesion.

    Args:
        verdict: of an image that was classified from a DICOM file or its bytes.
        diagnosis: id or name; None is the most probable one.

    Returns:
        pydicom's Dataset; `write_dicom` writes it.

    Raises:
        ImageError: the image is not DICOM, lacks the UIDs that it must refer to, or changed since.
        DataError: not a diagnosis of this model.
        MissingExtraError: highdicom is not installed.
    """
    hd = _highdicom()
    image = _source(verdict)
    pixels = np.ascontiguousarray(verdict.overlay(diagnosis).convert("RGB"))
    capture = _made(
        hd.sc.SCImage.from_ref_dataset,
        verdict,
        image,
        ref_dataset=image,
        pixel_array=pixels,
        photometric_interpretation="RGB",
        bits_allocated=8,
        coordinate_system="PATIENT",
        patient_orientation=("L", "F"),
        series_instance_uid=_uid("heat map series", image.SOPInstanceUID, verdict.model_sha256),
        series_number=9002,
        sop_instance_uid=_uid("heat map", image.SOPInstanceUID, verdict.model_sha256, _text(verdict), diagnosis or ""),
        instance_number=1,
        manufacturer="lentigo",
        transfer_syntax_uid="1.2.840.10008.1.2.1",
        series_description=f"{_UNVERIFIED}: {verdict.model}"[:_MEANING],
    )
    # A drawn figure has no orientation in the patient, and an image of skin no side that its file would state.
    capture.PatientOrientation = None
    capture.Laterality = None
    capture.ImageType = ["DERIVED", "SECONDARY"]
    capture.BurnedInAnnotation = "NO"  # that would identify the patient
    capture.DerivationDescription = f"{HEATMAP}, {_UNVERIFIED}"
    capture.SourceImageSequence = [_reference(image)]
    lossy = image.get("LossyImageCompression") == "01" or str(image.file_meta.TransferSyntaxUID) in _LOSSY
    capture.LossyImageCompression = "01" if lossy else "00"
    if lossy:
        capture.LossyImageCompressionRatio = image.get("LossyImageCompressionRatio") or "1"
        if image.get("LossyImageCompressionMethod"):
            capture.LossyImageCompressionMethod = image.LossyImageCompressionMethod
    return _marked(capture, verdict)


def write_dicom(dataset: Any, path: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
    """Write a Dataset as a DICOM file, atomically; returns the path.

    Args:
        dataset: what `dicom_report` or `dicom_heatmap` made.
        path: the file.
        overwrite: whether an earlier result of lentigo may be replaced; nothing else ever is.

    Raises:
        OutputError: the file exists, or can't be written.
    """
    file = refuse_existing(path, overwrite=overwrite)
    if file.exists() and not _is_result(file):  # it could be the very image that the result is about
        raise OutputError(f"{file}: a file that is not a result of lentigo is never replaced.", "Name another file.")
    with replacing(file) as partial:
        dataset.save_as(partial, enforce_file_format=True)
    return file


def _is_result(file: Path) -> bool:
    try:
        header = read_dicom_header(file.read_bytes())
    except (ImageError, OSError):
        return False
    return str(header.get("ManufacturerModelName", "")).startswith(_MADE_BY)


def _highdicom() -> Any:
    with needs_extra("Writing DICOM", "clinic"):
        import highdicom
    return highdicom


def _source(verdict: Verdict) -> Any:
    """The DICOM file that a verdict is about, with all that a report must refer to."""
    content = verdict.content()
    kind = None if content is None else sniff(content[:START])
    if content is None or kind is None or kind.name != "DICOM":
        raise ImageError(
            f"{verdict.source}: not a DICOM file, so it belongs to no study that a DICOM result could be filed in.",
            "Classify the DICOM file, or write JSON or FHIR.",
        )
    image = read_dicom_header(content)
    needed = ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID")
    if missing := [name for name in needed if not image.get(name)]:
        raise ImageError(
            f"{verdict.source}: it has no {', '.join(missing)}, to which a DICOM result must refer.",
            "Export it again from its archive, or write JSON or FHIR.",
        )
    for name in _WITHOUT_VALUE:
        if name not in image:
            setattr(image, name, None)
    return image


def _made(make: Any, verdict: Verdict, image: Any, **arguments: Any) -> Any:
    """An object of highdicom's, which copies an image's identity and refuses what is no value of its element."""
    try:
        return make(**arguments)
    except (ValueError, TypeError, LookupError, AttributeError) as error:
        # The values themselves are a patient's, and stay where they are.
        wrong = [name for name in (*_WITHOUT_VALUE, "SpecificCharacterSet") if not _is_valid(image.get_item(name))]
        what = f"its {', '.join(wrong)}" if wrong else f"an element ({type(error).__name__})"
        raise ImageError(
            f"{verdict.source}: no DICOM result can belong to it: {what} has a value that DICOM doesn't allow.",
            "Correct it in its archive, or write JSON or FHIR.",
        ) from None


def _is_valid(element: Any) -> bool:
    """Whether an element has a value of its kind, or none."""
    from highdicom.enum import PatientSexValues, SpecificCharacterSetValues
    from pydicom.valuerep import DA, TM

    if element is None or element.value in (None, "", b""):
        return True
    kinds = {"PatientSex": PatientSexValues, "SpecificCharacterSet": SpecificCharacterSetValues}
    kind = kinds.get(element.keyword, {"DA": DA, "TM": TM}.get(element.VR, str))
    try:
        several = element.value if element.keyword == "SpecificCharacterSet" else [element.value]
        for value in [several] if isinstance(several, str) else several:
            kind(value.decode("ascii") if isinstance(value, bytes) else value)
    except (ValueError, TypeError):
        return False
    return True


def _evaluations(hd: Any, verdict: Verdict) -> list[Any]:
    """Decision, most probable diagnosis, and reasons, as codes."""
    found = [("decision", "Decision of the AI model", (verdict.decision.replace(" ", "-"), _SCHEME, verdict.decision))]
    if verdict.gradable and verdict.top:
        label = verdict.label(verdict.top)
        value = (label.snomed_ct, "SCT", label.snomed_term) if label.snomed_ct else (label.id, _SCHEME, label.name)
        found.append(("most-probable", "Most probable diagnosis by the AI model", value))
    return [
        hd.sr.QualitativeEvaluation(
            name=hd.sr.CodedConcept(code, _SCHEME, meaning),
            value=hd.sr.CodedConcept(value[0], value[1], (value[2] or value[0])[:_MEANING]),
        )
        for code, meaning, value in found
    ]


def _measurements(hd: Any, verdict: Verdict) -> list[Any]:
    """Risks in the view that they are decided in, and the probability of each diagnosis."""
    values = [
        (f"risk-{target}", f"Risk of {target}, {risk.threshold_view or 'balanced prior'}", at)
        for target, risk in verdict.risks.items()
        for at in [risk.at_balanced_prior if risk.at_threshold_view is None else risk.at_threshold_view]
    ]
    values += [
        (f"p-{c}", f"Probability of {verdict.name(c)}", p)
        for c, p in sorted((verdict.probabilities or {}).items(), key=lambda item: -item[1])
    ]
    one = hd.sr.CodedConcept("1", "UCUM", "no units")
    return [
        hd.sr.Measurement(
            name=hd.sr.CodedConcept(code[:16], _SCHEME, meaning[:_MEANING]), value=round(float(p), 6), unit=one
        )
        for code, meaning, p in values
    ]


def _comment(hd: Any, said: str) -> Any:
    return hd.sr.TextContentItem(
        name=hd.sr.CodedConcept("121106", "DCM", "Comment"),
        value=said,
        relationship_type=hd.sr.RelationshipTypeValues.CONTAINS,
    )


def _reference(image: Any) -> Any:
    from pydicom.dataset import Dataset

    item = Dataset()
    item.ReferencedSOPClassUID = image.SOPClassUID
    item.ReferencedSOPInstanceUID = image.SOPInstanceUID
    return item


def _marked(dataset: Any, verdict: Verdict) -> Any:
    """Which software and model made it."""
    dataset.ManufacturerModelName = f"{_MADE_BY}{verdict.model}"[:_MEANING]
    dataset.DeviceSerialNumber = verdict.model_sha256
    dataset.SoftwareVersions = __version__
    return dataset


def _text(verdict: Verdict) -> str:
    return str({**verdict.to_dict(), "source": ""})


def _uid(*of: str) -> Any:
    """A UID that follows from what it is about."""
    from pydicom.uid import UID

    return UID(f"2.25.{uuid5(NAMESPACE_OID, json.dumps(['lentigo', __version__, *map(str, of)])).int}")

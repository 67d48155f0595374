"""DICOM out: valid, of the same patient and study, marked as an AI's and unverified, never a lesion again."""

import io

import pytest

from lentigo.clinic import dicom_heatmap, dicom_report, write_dicom
from lentigo.errors import ImageError, OutputError
from lentigo.runtime import decode

pydicom = pytest.importorskip("pydicom")

LOCATED = b"\xff\xe1\0\x18Exif\0\0GPS 52.5N 13.4E..."


@pytest.fixture(scope="module")
def verdict(lenient, make_dicom, lesion_jpeg):
    """Of a DICOM file whose JPEG says where it was taken."""
    return lenient.classify(
        make_dicom(frame=lesion_jpeg[:20] + LOCATED[:2] + len(LOCATED[2:]).to_bytes(2) + LOCATED[4:] + lesion_jpeg[20:])
    )


def texts(dataset):
    return [str(e.value) for e in dataset.iterall() if e.VR != "SQ"]


@pytest.mark.parametrize("make", [dicom_report, dicom_heatmap])
def test_both_pass_dciodvfy(verdict, make, tmp_path, dciodvfy):
    assert dciodvfy(write_dicom(make(verdict), tmp_path / "a.dcm")) == []


@pytest.mark.parametrize("make", [dicom_report, dicom_heatmap])
def test_both_pass_dciodvfy_for_what_is_not_gradable(rejecting, make_dicom, make, tmp_path, dciodvfy):
    bare = make_dicom(PatientName=None, PatientID=None, PatientSex=None, StudyID=None, StudyDate=None, StudyTime=None)
    result = make(rejecting.classify(bare))
    assert dciodvfy(write_dicom(result, tmp_path / "a.dcm")) == []
    assert "not gradable" in str(dicom_report(rejecting.classify(bare)))
    assert not any(t.startswith("Probability of") for t in texts(result))


@pytest.mark.parametrize("make", [dicom_report, dicom_heatmap])
def test_both_belong_to_the_patient_and_study_and_say_what_they_are(verdict, make, tmp_path):
    back = pydicom.dcmread(write_dicom(make(verdict), tmp_path / "a.dcm"))
    source = pydicom.dcmread(io.BytesIO(verdict.content()))
    for name in ("PatientName", "PatientID", "PatientBirthDate", "StudyInstanceUID", "AccessionNumber"):
        assert back[name].value == source[name].value
    assert back.SeriesInstanceUID != source.SeriesInstanceUID and back.SOPInstanceUID != source.SOPInstanceUID
    assert "not verified" in back.SeriesDescription and verdict.model in back.ManufacturerModelName
    assert back.DeviceSerialNumber == verdict.model_sha256
    assert source.SOPInstanceUID in texts(back)
    assert b"GPS" not in (tmp_path / "a.dcm").read_bytes()
    assert make(verdict).SOPInstanceUID == back.SOPInstanceUID


def test_a_report_is_preliminary_and_holds_every_probability(verdict):
    report = dicom_report(verdict)
    assert (report.VerificationFlag, report.PreliminaryFlag) == ("UNVERIFIED", "PRELIMINARY")
    said = texts(report)
    assert report.ContentTemplateSequence[0].TemplateIdentifier == "1500"
    numbers = [float(t) for t in said if t.count(".") == 1 and t.replace(".", "").isdigit()]
    for c, p in verdict.probabilities.items():
        assert f"Probability of {verdict.name(c)}" in said
        assert any(n == pytest.approx(p, abs=1e-6) for n in numbers)
    assert verdict.next_step in said and verdict.decision in said


def test_a_heat_map_is_never_classified(lenient, verdict, tmp_path):
    path = write_dicom(dicom_heatmap(verdict), tmp_path / "a.dcm")
    for source in (path, path.read_bytes()):
        with pytest.raises(ImageError, match="picture drawn by lentigo"):
            lenient.classify(source)


def test_what_belongs_to_no_study_is_refused(lenient, lesion_jpeg, make_dicom, verdict, tmp_path):
    with pytest.raises(ImageError, match="not a DICOM file"):
        dicom_report(lenient.classify(lesion_jpeg))
    with pytest.raises(ImageError, match="StudyInstanceUID"):
        dicom_heatmap(lenient.classify(make_dicom(StudyInstanceUID=None)))
    (tmp_path / "mine.dcm").write_bytes(b"mine")
    with pytest.raises(OutputError, match="already exists"):
        write_dicom(dicom_report(verdict), tmp_path / "mine.dcm")


def test_only_an_earlier_result_is_replaced(make_dicom, verdict, tmp_path):
    for content in (b"mine", make_dicom()):
        (tmp_path / "mine.dcm").write_bytes(content)
        with pytest.raises(OutputError, match="not a result of lentigo"):
            write_dicom(dicom_report(verdict), tmp_path / "mine.dcm", overwrite=True)
        assert (tmp_path / "mine.dcm").read_bytes() == content
    for make in (dicom_report, dicom_heatmap, dicom_report):
        write_dicom(make(verdict), tmp_path / "a.dcm", overwrite=True)


def test_results_of_a_real_image_pass_their_validators(real_root, make_dicom, tmp_path, dciodvfy):
    from lentigo import Classifier
    from lentigo.clinic import check_fhir, fhir_bundle
    from lentigo.runtime import find_images

    photo = find_images(real_root)[0].read_bytes()
    height, width = decode(photo).shape[:2]
    classifier = Classifier.load()
    verdict = classifier.classify(make_dicom(frame=photo, Rows=height, Columns=width))
    assert verdict.raw == classifier.classify(photo).raw
    for k, make in enumerate((dicom_report, dicom_heatmap)):
        assert dciodvfy(write_dicom(make(verdict), tmp_path / f"{k}.dcm")) == []
    for version in ("R5", "R4B"):
        check_fhir(fhir_bundle(verdict, version=version), version)


@pytest.mark.parametrize("make", [dicom_report, dicom_heatmap])
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PatientBirthDate", b"19709999"),
        ("StudyDate", b"hello"),
        ("StudyTime", b"99:99 "),
        ("PatientSex", b"Q "),
        ("SpecificCharacterSet", b"NOPE"),
    ],
)
def test_an_identity_that_dicom_does_not_allow_is_named_without_its_value(lenient, make_dicom, make, name, value):
    """Such files exist, and one of them must not stop a watch."""
    good = {"PatientBirthDate": "19700101", "StudyDate": "20260102", "StudyTime": "120000", "PatientSex": "FF"}
    known = good.get(name, "ISO_IR 100")
    content = make_dicom(**{name: known})
    padded = known.encode() + b" " * (len(known) % 2)
    assert content.count(padded) >= 1
    verdict = lenient.classify(content.replace(padded, value.ljust(len(padded))[: len(padded)]))
    with pytest.raises(ImageError, match=f"its {name} has a value that DICOM doesn't allow") as refused:
        make(verdict)
    assert value.decode().strip() not in str(refused.value)

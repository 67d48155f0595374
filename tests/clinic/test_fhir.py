"""Results as FHIR: valid, preliminary, marked as an AI's, without a diagnosis where there is none."""

import copy
import hashlib
import json
import sys
from base64 import urlsafe_b64encode

import pytest

from lentigo.clinic import check_fhir, fhir_bundle, fhir_text
from lentigo.errors import DataError, ImageError, MissingExtraError
from lentigo.runtime import Failure

VERSIONS = pytest.mark.parametrize("version", ["R5", "R4B"])


@pytest.fixture(scope="module")
def verdict(lenient, lesion_jpeg):
    return lenient.classify(lesion_jpeg)


@pytest.fixture(scope="module")
def rejected(rejecting, lesion_jpeg):
    return rejecting.classify(lesion_jpeg)


@pytest.fixture
def failure(verdict):
    path = "/home/doe_jane/broken.jpg"
    return Failure(path, f"{path}: damaged or truncated.", verdict.model, verdict.model_sha256, verdict.classes)


def resources(bundle, kind):
    return [e["resource"] for e in bundle["entry"] if e["resource"]["resourceType"] == kind]


@VERSIONS
def test_a_bundle_is_preliminary_marked_and_leads_to_image_and_model(verdict, lesion_jpeg, version):
    bundle = fhir_bundle(verdict, version=version)
    (observation,), (report,) = resources(bundle, "Observation"), resources(bundle, "DiagnosticReport")
    assert bundle["type"] == "collection"
    for one in (observation, report, bundle):
        assert one["meta"]["security"][0]["code"] == "AIAST"
    assert observation["status"] == report["status"] == "preliminary"
    by_url = {e["fullUrl"]: e["resource"] for e in bundle["entry"]}
    device = by_url[observation["device"]["reference"]]
    assert verdict.model_sha256 in json.dumps(device) and verdict.model == device["modelNumber"]
    image = by_url[observation["derivedFrom"][0]["reference"]]
    digest = urlsafe_b64encode(hashlib.sha256(lesion_jpeg).digest()).decode().rstrip("=")
    assert image["identifier"][0]["value"].endswith(digest)
    assert image["content"][0]["attachment"]["contentType"] == "image/jpeg"
    assert by_url[report["result"][0]["reference"]] is observation
    assert "subject" not in json.dumps(bundle)


@VERSIONS
def test_every_diagnosis_is_a_coded_component_with_its_probability(verdict, version):
    (observation,) = resources(fhir_bundle(verdict, version=version), "Observation")
    coded = {
        c["code"]["coding"][0]["code"]: c["valueQuantity"]["value"]
        for c in observation["component"]
        if "coding" in c["code"]
    }
    assert coded == {verdict.label(c).snomed_ct: round(p, 6) for c, p in verdict.probabilities.items()}
    assert observation["valueCodeableConcept"]["text"] == verdict.decision
    risks = [c for c in observation["component"] if c["code"]["text"].startswith("Risk of")]
    assert len(risks) == len(verdict.risks)
    assert verdict.next_step in observation["note"][0]["text"]


@VERSIONS
def test_what_is_not_gradable_or_not_read_has_no_diagnosis(rejected, failure, version):
    bundle = fhir_bundle([rejected, failure], version=version)
    for observation, code in zip(resources(bundle, "Observation"), ("not-performed", "error"), strict=True):
        assert observation["status"] == "preliminary"
        assert observation["dataAbsentReason"]["coding"][0]["code"] == code
        assert not [k for k in observation if k.startswith("value")] and "component" not in observation
        assert "snomed" not in json.dumps(observation)
    assert "doe_jane" not in json.dumps(bundle)


@VERSIONS
def test_the_patient_is_whom_the_caller_names(verdict, version):
    bundle = fhir_bundle([verdict, verdict], version=version, subject="Patient/7")
    for kind in ("Observation", "DiagnosticReport", "DocumentReference"):
        assert [r["subject"]["reference"] for r in resources(bundle, kind)] == ["Patient/7"] * 2
    assert len(resources(bundle, "Device")) == 1


WRONG = {
    "a status that does not exist": lambda o: o.update(status="prelim"),
    "a final result": lambda o: o.update(status="final"),
    "no AI label": lambda o: o.pop("meta"),
    "a reference to nothing": lambda o: o["device"].update(reference="urn:uuid:none"),
    "an unknown element": lambda o: o.update(certain=True),
    "a wrong type": lambda o: o.update(issued="yesterday"),
    "no code": lambda o: o.pop("code"),
}


@VERSIONS
@pytest.mark.parametrize("fault", WRONG)
def test_the_check_finds_what_the_library_accepts_and_what_it_does_not(verdict, version, fault):
    bundle = copy.deepcopy(fhir_bundle(verdict, version=version))
    check_fhir(bundle, version)
    WRONG[fault](resources(bundle, "Observation")[0])
    with pytest.raises(DataError, match="Not a valid FHIR"):
        check_fhir(bundle, version)


def test_codes_deep_inside_are_checked_too(verdict):
    bundle = copy.deepcopy(fhir_bundle(verdict))
    resources(bundle, "Device")[0]["identifier"][0]["use"] = "sometimes"
    with pytest.raises(DataError, match=r"identifier\.use"):
        check_fhir(bundle)


def test_wrong_requests_are_named(verdict, monkeypatch):
    with pytest.raises(DataError, match="Did you mean 'R4B'"):
        fhir_bundle(verdict, version="R4")
    with pytest.raises(DataError, match="no result"):
        fhir_bundle([])
    monkeypatch.setitem(sys.modules, "fhir.resources.bundle", None)
    with pytest.raises(MissingExtraError, match="clinic"):
        fhir_bundle(verdict)


def test_a_file_that_changed_since_is_refused(lenient, lesion_jpeg, tmp_path):
    path = tmp_path / "a.jpg"
    path.write_bytes(lesion_jpeg)
    verdict = lenient.classify(path)
    assert verdict.image_sha256 == hashlib.sha256(lesion_jpeg).hexdigest()
    path.write_bytes(lesion_jpeg + b"more")
    with pytest.raises(ImageError, match="changed"):
        fhir_bundle(verdict)


def test_names_that_no_text_can_hold_and_pixels_without_a_file(lenient, lesion_jpeg, tmp_path):
    from lentigo.runtime import decode

    strange = tmp_path / "mole\x07\udcff<b>.jpg"
    strange.write_bytes(lesion_jpeg)
    text = fhir_text([lenient.classify(strange), lenient.classify(decode(lesion_jpeg))])
    assert json.loads(text)["resourceType"] == "Bundle"
    text.encode("utf-8")


@VERSIONS
def test_classify_writes_it(run, lesion_jpeg, tmp_path, version):
    (tmp_path / "a.jpg").write_bytes(lesion_jpeg)
    (tmp_path / "b.jpg").write_bytes(lesion_jpeg[:900])
    code, out, _ = run("classify", tmp_path, "--format", "fhir", "--fhir-version", version)
    bundle = json.loads(out)
    check_fhir(bundle, version)
    assert code == 3 and len(resources(bundle, "DiagnosticReport")) == 2
    assert run("classify", tmp_path, "--format", "fhir", "--fhir-version", "R6")[0] == 1
    code, _, err = run("classify", tmp_path, "--fhir-version", "R5")
    assert code == 2 and "needs --format fhir" in err


def test_no_string_of_a_failure_holds_what_acts_on_a_terminal(verdict):
    pytest.importorskip("fhir.resources")
    name = "in/a\x1b[31m\nb.jpg"
    failure = Failure(name, f"{name}: damaged.", verdict.model, verdict.model_sha256, verdict.classes)
    text = fhir_text([failure])
    assert "u001b" not in text and "damaged." in text

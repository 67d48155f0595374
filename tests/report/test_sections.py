"""What the sections of a report say, and what they ask for when their input is absent."""

import json

import jsonschema
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lentigo import evaluation, taxonomy
from lentigo.errors import DataError, LeakError
from lentigo.evaluation import Predictions
from lentigo.evaluation.clinical import operating_points
from lentigo.report import report
from lentigo.report.document import Document, Forest, Gallery, Panels, Table, Text
from lentigo.report.subject import Subject
from lentigo.runtime import Bundle
from tests.evaluation.imagined import make, of


def named(predictions, prefix, **meta):
    """The same predictions of other images and lesions."""
    table = predictions.table.assign(
        image_id=prefix + predictions.table["image_id"], lesion_id=prefix + predictions.table["lesion_id"]
    )
    return Predictions(table, {**predictions.meta, **meta})


@pytest.fixture(scope="module")
def whole(trained_run, bundle_path, tmp_path_factory):
    """Everything that `evaluate` leaves, and a report on it with pictures."""
    folder, root = tmp_path_factory.mktemp("whole"), trained_run.root
    evaluation.evaluate(bundle_path, root=root, own_test=True, out=folder, robustness=True, limit=7, replicates=20)
    report(
        [folder / "predictions.parquet"],
        folder / "report",
        bundle=bundle_path,
        root=root,
        prevalence={"melanoma": 0.03},
        replicates=20,
    )
    return folder


@pytest.fixture(scope="module")
def document(whole):
    return Document.from_json((whole / "report" / "report.json").read_text(encoding="utf-8"))


def section(document, name):
    return next(s for s in document.sections if s.name == name)


def texts(document, name):
    return " ".join(b.text for b in section(document, name).blocks if isinstance(b, Text))


def alone(tmp_path, predictions, **options):
    """The document of predictions with nothing beside them."""
    tmp_path.mkdir(exist_ok=True)
    predictions.save(tmp_path / "predictions.parquet")
    report([tmp_path / "predictions.parquet"], tmp_path / "out", replicates=20, **options)
    return Document.from_json((tmp_path / "out" / "report.json").read_text(encoding="utf-8"))


def test_the_json_obeys_its_schema(whole):
    schema = json.loads((whole / "report" / "report.schema.json").read_text())
    jsonschema.validate(json.loads((whole / "report" / "report.json").read_text()), schema)


def test_all_evidence_is_in_the_json(document):
    (evidence,) = document.evidence.values()
    assert evidence.missing == {}
    assert len(evidence.decision_curves) == 4
    assert len(evidence.reliability) == 4
    assert evidence.prevalence == {"melanoma": 0.03, "malignancy": 0.10}
    for name in ("conformal", "risk_coverage", "ood_rejections", "fairness", "robustness", "mistakes"):
        assert getattr(evidence, name) is not None, name


def test_thresholds_of_the_bundle_are_applied_unchanged(document, whole, bundle_path):
    (evidence,) = document.evidence.values()
    test = Predictions.load(whole / "predictions.parquet")
    metadata = Bundle(bundle_path).metadata
    assert [at.point.threshold for at in evidence.bundle_points] == [p.threshold for p in metadata.operating_points]
    for at in evidence.bundle_points:
        score, positive = operating_points.scores(test, at.point.task)
        flagged = score >= at.point.threshold
        assert at.true_positives == int((flagged & positive).sum())
        assert at.sensitivity.value == pytest.approx(flagged[positive].mean())
    stated = {at.point.task: at.at_clinical_prevalence.prevalence for at in evidence.bundle_points}
    assert stated.get("melanoma", 0.03) == 0.03


def test_numbers_needed_to_biopsy_follow_from_bayes(document):
    (evidence,) = document.evidence.values()
    for at in evidence.validation_points:
        share, clinic = at.at_clinical_prevalence.prevalence, at.at_clinical_prevalence
        hits = at.sensitivity.value * share
        alarms = (1 - at.specificity.value) * (1 - share)
        assert clinic.ppv.value == pytest.approx(hits / (hits + alarms))
        assert clinic.number_needed_to_biopsy.value == pytest.approx((hits + alarms) / hits)


def test_false_flags_are_those_of_the_table(document, whole, bundle_path):
    (evidence,) = document.evidence.values()
    odd = Predictions.load(whole / "predictions.parquet").table["ood_score"]
    assert evidence.ood_rejections.images == int((odd > Bundle(bundle_path).metadata.ood_score.threshold).sum())
    assert any(isinstance(b, Forest) and b.name == "ood-rejections" for b in section(document, "doubt").blocks)


def test_mistakes_have_pictures_on_the_page_alone(document, whole):
    page = (whole / "report" / "index.html").read_text(encoding="utf-8")
    shown = [e for b in section(document, "mistakes").blocks if isinstance(b, Gallery) for e in b.exhibits]
    assert page.count("data:image/jpeg;base64,") == len(shown) > 0
    assert "base64" not in (whole / "report" / "report.json").read_text()


def test_missed_melanomas_come_first(tmp_path):
    labels = np.array([4] * 6 + [5] * 30)
    logits = np.random.default_rng(0).normal(size=(36, 7)) + 3 * np.eye(7)[5]
    found = alone(tmp_path, of(labels, logits))
    cases = [b for b in section(found, "mistakes").blocks if isinstance(b, Table) and "confident errors" in b.caption]
    assert cases[0].caption.startswith("Missed melanoma, called benign: ")


def test_robustness_has_eight_panels(document):
    (panels,) = (b for b in section(document, "robustness").blocks if isinstance(b, Panels))
    assert len(panels.panels) == 8
    assert all(len(p.ticks) == 6 for p in panels.panels)


def test_nothing_is_drawn_of_groups_without_a_known_auc(tmp_path, recwarn):
    p = make(60)
    nevi = Predictions(p.table[p.table["dx"] == "nv"].assign(sex="female"), p.meta)
    blocks = section(alone(tmp_path, nevi), "people").blocks
    assert not any(isinstance(b, Forest) for b in blocks)
    assert not [w for w in recwarn if "identical" in str(w.message)]


def test_groups_have_counts_and_the_proxy_is_flagged(document):
    tables = [b for b in section(document, "people").blocks if isinstance(b, Table)]
    heads = {t.caption.partition(".")[0] for t in tables}
    assert "Diagnosis confirmation (a proxy, not a group of people)" in heads
    sex = next(t for t in tables if t.caption.startswith("Sex"))
    assert sex.columns[:4] == ("group", "images", "lesions", "melanomas")


def test_each_section_without_its_input_names_the_command_that_makes_it(tmp_path):
    found = alone(tmp_path, make(200))
    assert "lentigo report PREDICTIONS --bundle MODEL" in texts(found, "melanoma")
    assert "lentigo evaluate RUN" in texts(found, "melanoma")
    assert "--bundle" in texts(found, "doubt")
    assert "validation.parquet" in texts(found, "doubt")
    assert "lentigo evaluate RUN --robustness" not in texts(found, "robustness")
    assert "lentigo export" in texts(found, "robustness")
    assert "--data ROOT" in texts(found, "mistakes")
    assert "evaluate again" in texts(found, "people")


def test_external_data_are_told_apart(tmp_path):
    found = alone(tmp_path, make(200, protocol="external", part="all", overlap="none of these 200 images bears an id"))
    assert "external data lack" in texts(found, "doubt")
    assert "External data: none of these 200 images bears an id" in texts(found, "origin")


def test_validation_of_another_model_is_not_used(tmp_path):
    test = make(200, split_sha256="a", part="test")
    other = make(150, seed=1, split_sha256="b", part="validation")
    named(other, "V").save(tmp_path / "validation.parquet")
    found = alone(tmp_path, test)
    assert "of another model or split" in texts(found, "doubt")
    named(other, "V", split_sha256="a").save(tmp_path / "validation.parquet")
    (evidence,) = alone(tmp_path, test).evidence.values()
    assert len(evidence.validation_points) == 8
    assert evidence.conformal is not None


def test_validation_that_overlaps_is_refused_and_listed(tmp_path):
    make(200, split_sha256="a", part="test").save(tmp_path / "predictions.parquet")
    make(50, split_sha256="a", part="validation").save(tmp_path / "validation.parquet")
    with pytest.raises(LeakError, match=r"I00000, I00001.*more"):
        Subject.read(tmp_path / "predictions.parquet", replicates=0)


def test_robustness_of_another_model_is_not_used(whole, tmp_path):
    make(100, model_sha256="0" * 64, split_sha256="x", part="test").save(tmp_path / "predictions.parquet")
    (tmp_path / "robustness.json").write_text((whole / "robustness.json").read_text())
    subject = Subject.read(tmp_path / "predictions.parquet", replicates=0)
    assert subject.evidence.robustness is None
    assert "of another model" in subject.evidence.missing["robustness"]


def test_a_damaged_file_beside_the_predictions_is_named(tmp_path):
    make(100).save(tmp_path / "predictions.parquet")
    (tmp_path / "fairness.json").write_text("{")
    with pytest.raises(DataError, match=r"fairness\.json: can't be read"):
        Subject.read(tmp_path / "predictions.parquet", replicates=0)


def test_an_impossible_prevalence_is_refused(tmp_path):
    make(50).save(tmp_path / "predictions.parquet")
    for share in (0, 1, 2):
        with pytest.raises(DataError, match="between 0 and 1"):
            report([tmp_path / "predictions.parquet"], tmp_path / "out", prevalence={"melanoma": share})
    with pytest.raises(DataError, match="Unknown task"):
        report([tmp_path / "predictions.parquet"], tmp_path / "out", prevalence={"nevus": 0.5})


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [("p_mel", np.nan, "sum to 1"), ("p_mel", 3.0, "sum to 1"), ("image_id", "I00000", "twice"), ("dx", "x", "known")],
)
def test_a_table_that_can_not_be_right_is_named_with_its_image(column, value, message, tmp_path):
    path = tmp_path / "predictions.parquet"
    make(20).save(path)
    whole = pq.read_table(path)
    table = whole.to_pandas()
    table.loc[7, column] = value
    pq.write_table(pa.Table.from_pandas(table).replace_schema_metadata(whole.schema.metadata), path)
    with pytest.raises(DataError, match=message) as error:
        report([path], tmp_path / "out", replicates=0)
    assert str(path) in str(error.value)
    assert not (tmp_path / "out").exists()


TABLES = {
    "ten rows": lambda: of([4, 5] * 5, np.eye(7)[[4, 5] * 5] + np.random.default_rng(0).normal(size=(10, 7))),
    "ten rows of one lesion a class": lambda: of(
        [4, 5] * 5, np.random.default_rng(0).normal(size=(10, 7)), lesions=[0, 1] * 5
    ),
    "one melanoma alone": lambda: of([4], np.zeros((1, 7))),
    "nevi only": lambda: of(np.full(20, 5), np.random.default_rng(1).normal(size=(20, 7))),
    "melanomas only": lambda: of(np.full(20, 4), np.random.default_rng(1).normal(size=(20, 7))),
    "all right": lambda: of(np.arange(70) % 7, 9 * np.eye(7)[np.arange(70) % 7]),
    "all the same answer": lambda: of(np.arange(70) % 7, np.zeros((70, 7))),
    "two diagnoses of seven": lambda: of([0, 2] * 20, np.random.default_rng(2).normal(size=(40, 7))),
}


@pytest.mark.parametrize(("table", "replicates"), [*((table, 20) for table in TABLES), ("one melanoma alone", 0)])
def test_poor_tables_give_an_honest_report(table, replicates, tmp_path):
    predictions = TABLES[table]()
    predictions.save(tmp_path / "predictions.parquet")
    page = report([tmp_path / "predictions.parquet"], tmp_path / "out", replicates=replicates)
    text = page.read_text(encoding="utf-8") + (tmp_path / "out" / "report.json").read_text(encoding="utf-8")
    assert "NaN" not in text
    assert ">nan" not in text
    assert "Infinity" not in text
    found = Document.from_json((tmp_path / "out" / "report.json").read_text(encoding="utf-8"))
    present = {taxonomy.CLASSES[k] for k in set(predictions.labels)}
    if len(present & {"mel"}) == 0 or present == {"mel"}:
        assert "No decision curve: A decision curve needs both classes" in texts(found, "decisions")

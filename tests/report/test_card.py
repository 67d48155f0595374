"""Model cards of a tiny bundle."""

import pytest
import yaml

from lentigo import evaluation
from lentigo.errors import DataError
from lentigo.report import report
from lentigo.report.card import model_card
from lentigo.report.subject import Subject
from lentigo.runtime import Bundle
from tests.evaluation.imagined import make


def test_card_carries_the_measured_numbers(bundle_path, synthetic_records, tmp_path):
    path = tmp_path / "predictions.parquet"
    evaluation.predict_own_part(Bundle(bundle_path), synthetic_records).save(path)
    report([path], tmp_path / "out", bundle=bundle_path, replicates=20)
    front = yaml.safe_load((tmp_path / "out" / "README.md").read_text().split("---\n")[1])
    measured = Subject.read(path, replicates=0).metrics.get("balanced_accuracy").value
    found = {m["name"]: m["value"] for m in front["model-index"][0]["results"][0]["metrics"]}
    assert found["Balanced accuracy, decided at the balanced prior, counted on these images"] == pytest.approx(measured)
    assert front["license"]
    assert "Threshold: melanoma" in (tmp_path / "out" / "index.html").read_text()


def test_foreign_bundle_is_refused(bundle_path, tmp_path):
    make(50, model_sha256="0" * 64).save(tmp_path / "predictions.parquet")
    with pytest.raises(DataError, match="were not made by"):
        report([tmp_path / "predictions.parquet"], tmp_path / "out", bundle=bundle_path)


def test_predictions_alone_make_no_card(tmp_path):
    make(50).save(tmp_path / "predictions.parquet")
    with pytest.raises(DataError, match="model card needs more than predictions"):
        model_card(Subject.read(tmp_path / "predictions.parquet", replicates=0))

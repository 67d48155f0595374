"""Model cards of a tiny bundle."""

import json

import pytest
import yaml

from lentigo import evaluation
from lentigo.errors import DataError
from lentigo.report import report
from lentigo.report.card import _sources, model_card
from lentigo.report.subject import Subject
from lentigo.runtime import Bundle
from lentigo.runtime.origins import describe_start
from tests.evaluation.imagined import make


def test_card_carries_the_measured_numbers(bundle_path, synthetic_records, tmp_path):
    path = tmp_path / "predictions.parquet"
    evaluation.predict_own_part(Bundle(bundle_path), synthetic_records).save(path)
    group = {"images": 9, "rejected": {"value": 0.5}, "correct": {"value": 0.4}, "melanomas": 2}
    group |= {"melanoma_sensitivity": {"value": 0.75}}
    of = {"model": "tiny", "data": "phones", "diagnoses": ["nv"], "left_out": {}, "patients": 3, "all": group}
    of |= {key: {"value": 0.25} for key in ("balanced_accuracy", "balanced_accuracy_graded", "false_positives")}
    of |= {"recall": {}, "target_sensitivity": None, "reasons": {}, "tones": {}, "replicates": 0}
    text = json.dumps({**of, "model_sha256": Bundle(bundle_path).sha256})
    (tmp_path / "phone.json").write_text(text)
    report([path], tmp_path / "out", bundle=bundle_path, replicates=20)
    card = (tmp_path / "out" / "README.md").read_text()
    assert "9 pictures taken with phones (phones): 0.500 are rejected" in card
    assert "The weights started from random numbers." in card
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


def test_card_names_the_data_sets_and_the_starting_weights(bundle_path):
    pretrained = {
        "data": "isic2019_84",
        "licence": "",
        "start": {"source": "mobilenet.safetensors", "sha256": "b" * 64},
    }
    of = {"images": 1500, "share": 0.75, "licence": "CC BY 4.0", "citation": ""}
    described = Bundle(bundle_path).metadata.model_copy(
        update={
            "sources": ({"name": "clinic", **of}, {"name": "other", **of}),
            "start": {"source": "first", "sha256": "a" * 64, "run": pretrained},
        }
    )
    assert "| clinic | 1,500 | 75% | CC BY 4.0 | not stated |" in _sources(described)
    assert describe_start(described) == (
        "first (sha256 aaaaaaaaaaaa), trained on isic2019_84 (licence: not stated); these from mobilenet.safetensors "
        "(sha256 bbbbbbbbbbbb)"
    )

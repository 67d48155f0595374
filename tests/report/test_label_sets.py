"""A report of any label set: with a melanoma, with one malignant label, with neither."""

import numpy as np
import pandas as pd
import pytest

from lentigo.errors import DataError
from lentigo.evaluation import Predictions, measure, summarise
from lentigo.evaluation.predictions import probability_columns
from lentigo.labels import BINARY, ISIC2019, PAD_UFES_20, Label, LabelSet
from lentigo.report import report

FIVE = LabelSet("mine", tuple(Label(f"a{i}", f"thing {i}") for i in range(5)))


def imagined(labels: LabelSet, images: int = 200) -> Predictions:
    """Predictions with these labels, two images a lesion."""
    rng = np.random.default_rng(0)
    truth = np.repeat(rng.integers(len(labels), size=images // 2), 2)
    logits = rng.normal(size=(images, len(labels))) + 2 * np.eye(len(labels))[truth]
    table = pd.DataFrame(np.exp(logits), columns=probability_columns(labels))
    table = table.div(table.sum(axis=1), axis=0).assign(
        image_id=[f"I{i}" for i in range(images)],
        lesion_id=[f"L{i // 2}" for i in range(images)],
        dx=[labels.classes[k] for k in truth],
    )
    prior = [1 / len(labels)] * len(labels)
    meta = {"model": "x", "leaky": False, "protocol": "grouped", "label_set": labels.to_dict()}
    return Predictions(table, meta | {"training_prevalence": prior})


@pytest.mark.parametrize("labels", [BINARY, ISIC2019, PAD_UFES_20, FIVE], ids=lambda s: s.name)
def test_a_report_speaks_of_the_labels_there_are(labels, tmp_path):
    predictions = imagined(labels)
    predictions.save(tmp_path / "p.parquet")
    page = report([tmp_path / "p.parquet"], tmp_path / "out", replicates=20).read_text(encoding="utf-8")
    for label in labels.labels:
        assert label.name in page
    assert "Unknown task" not in page
    assert "nevus" not in page or any("nevus" in label.name for label in labels.labels)


def test_a_prevalence_of_what_the_labels_do_not_know_is_refused(tmp_path):
    imagined(BINARY).save(tmp_path / "p.parquet")
    with pytest.raises(DataError, match="Unknown task 'melanoma' for the labels of BINARY"):
        report([tmp_path / "p.parquet"], tmp_path / "out", prevalence={"melanoma": 0.1}, replicates=20)


@pytest.mark.parametrize(
    ("labels", "tasks"),
    [
        (BINARY, {"diagnosis", "malignancy"}),
        (ISIC2019, {"diagnosis", "malignancy", "melanoma"}),
        (FIVE, {"diagnosis"}),
    ],
    ids=lambda s: getattr(s, "name", ""),
)
def test_metrics_are_those_that_the_label_set_can_answer(labels, tasks, tmp_path):
    predictions = imagined(labels)
    predictions.save(tmp_path / "p.parquet")
    again = Predictions.load(tmp_path / "p.parquet")
    assert again.label_set == labels
    assert np.array_equal(again.probabilities, predictions.probabilities)
    metrics = measure(again, replicates=20)
    assert set(metrics.views["equal_prevalence"]) == tasks
    assert metrics.get("balanced_accuracy").low is not None
    assert type(metrics).from_json(metrics.to_json()) == metrics
    text = summarise(metrics)
    assert all(label.name in text for label in labels.labels)

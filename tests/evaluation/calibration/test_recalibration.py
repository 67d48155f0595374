"""Scaling is fitted on validation, measured on test, and never on the same lesions."""

import numpy as np
import pytest

from lentigo.errors import DataError, LeakError
from lentigo.evaluation.calibration.recalibration import (
    METHODS,
    Recalibration,
    log_probabilities,
    recalibrate,
    rescaled,
)
from lentigo.evaluation.calibration.scaling import Scaling
from lentigo.evaluation.predictions import Predictions, probability_columns
from lentigo.labels import HAM10000
from tests.evaluation.imagined import make


def part(name: str, seed: int, sharpness: float = 1.0, **meta) -> Predictions:
    """Predictions whose log-probabilities are `sharpness` times what they would be."""
    predictions = make(1500, seed=seed, part=name, **meta)
    table = rescaled(predictions, Scaling.of_temperature(1 / sharpness)).table
    prefix = name[0].upper()
    return Predictions(
        table.assign(image_id=prefix + table["image_id"], lesion_id=prefix + table["lesion_id"]), predictions.meta
    )


@pytest.fixture(scope="module")
def found():
    return recalibrate(part("validation", 0, 4.0), part("test", 1, 4.0), replicates=50)


def test_temperature_mends_a_model_that_is_too_sure(found):
    assert found.temperature > 1.5
    for view in ("equal_prevalence", "training_prevalence"):
        values = {name: found.methods[name].values[view] for name in METHODS}
        assert values["temperature"]["log_loss"].value < values["none"]["log_loss"].value
        assert values["temperature"]["ece"].value < values["none"]["ece"].value
        assert values["vector"]["log_loss"].value < values["none"]["log_loss"].value


def test_temperature_keeps_decisions_at_equal_prevalence(found):
    given, scaled = (found.methods[m].values["equal_prevalence"]["balanced_accuracy"] for m in METHODS[:2])
    assert given == scaled


def test_json_comes_back_equal(found):
    assert Recalibration.from_json(found.to_json()) == found


def test_unit_temperature_changes_nothing():
    predictions = make(50)
    again = rescaled(predictions, Scaling.of_temperature(1.0))
    assert again.probabilities == pytest.approx(predictions.probabilities)
    assert list(again.table.columns) == list(predictions.table.columns)


def test_temperature_of_the_bundle_is_undone():
    raw = part("test", 1, 4.0)
    cooled = Predictions(rescaled(raw, Scaling.of_temperature(2.5)).table, {**raw.meta, "temperature": 2.5})
    assert rescaled(cooled, Scaling.of_temperature(1.0)).probabilities == pytest.approx(raw.probabilities)
    first, second = (recalibrate(part("validation", 0, 4.0), p).methods for p in (raw, cooled))
    for method in METHODS:
        loss = [m[method].values["equal_prevalence"]["log_loss"].value for m in (first, second)]
        assert loss[0] == pytest.approx(loss[1])


def test_rounded_zeros_have_a_logarithm():
    table = make(10).table
    table.loc[0, probability_columns(HAM10000)] = [1.0, *[0.0] * 6]
    assert np.isfinite(log_probabilities(Predictions(table))).all()


def test_shared_images_and_lesions_are_refused():
    validation, test = part("validation", 0), part("test", 1)
    with pytest.raises(LeakError, match="1495 more"):
        recalibrate(validation, validation)
    shared = test.table.assign(lesion_id=validation.table["lesion_id"].iloc[0])
    with pytest.raises(LeakError, match="lesions"):
        recalibrate(validation, Predictions(shared, test.meta))
    recalibrate(validation, Predictions(shared, {**test.meta, "leaky": True}))  # lesions on both sides by design


def test_unknown_prevalence_is_refused():
    validation = part("validation", 0)
    with pytest.raises(DataError, match="training prevalence"):
        recalibrate(Predictions(validation.table, {}), part("test", 1))

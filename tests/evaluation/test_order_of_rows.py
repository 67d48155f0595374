"""Nothing that is reported for predictions depends on the order of their rows."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lentigo.evaluation import (
    Predictions,
    conformal,
    decision_curve,
    fairness,
    find_mistakes,
    measure,
    ood_rejections,
    operating_points,
    reliability_diagram,
    risk_coverage,
)
from tests.evaluation.imagined import make

VALIDATION = make(150, seed=99, part="validation", split_sha256="a")


def everything(predictions):
    """All results as JSON."""
    point = operating_points.choose(VALIDATION, "melanoma", 0.9)
    sets = conformal.calibrate(VALIDATION)
    return {
        "metrics": measure(predictions, replicates=10),
        "fairness": fairness(predictions, replicates=10),
        "decisions": decision_curve(predictions, "malignancy", replicates=10),
        "reliability": reliability_diagram(predictions, answer="mel", replicates=10),
        "selective": risk_coverage(predictions, replicates=10),
        "conformal": conformal.assess(sets, predictions, replicates=10),
        "point": operating_points.apply(point, predictions, clinical_prevalence=0.02, replicates=10),
        "odd": ood_rejections(predictions, 0.9, 0.05, replicates=10),
        "mistakes": find_mistakes(predictions),
    }


def numbers(value, path=""):
    """Leaves of a JSON value by their place."""
    if isinstance(value, dict):
        return {k: v for name, inner in value.items() for k, v in numbers(inner, f"{path}/{name}").items()}
    if isinstance(value, list):
        return {k: v for i, inner in enumerate(value) for k, v in numbers(inner, f"{path}/{i}").items()}
    return {path: value}


@settings(max_examples=5, deadline=None)
@given(st.integers(0, 10_000), st.integers(40, 150))
def test_results_are_the_same_in_any_order(seed, images):
    rng = np.random.default_rng(seed)
    table = make(images, seed=seed, part="test", split_sha256="a").table
    lesion = table["lesion_id"].astype("category").cat.codes
    table = table.assign(
        image_id="T" + table["image_id"],
        lesion_id="T" + table["lesion_id"],
        sex=np.array(["male", "female"])[rng.integers(0, 2, lesion.max() + 1)[lesion]],
        ood_score=rng.random(images),
    )
    meta = {**make(7).meta, "part": "test", "split_sha256": "a"}
    shuffled = table.sample(frac=1, random_state=seed).reset_index(drop=True)
    first, again = everything(Predictions(table, meta)), everything(Predictions(shuffled, meta))
    for name in first:
        one, other = (numbers(json.loads(found[name].to_json())) for found in (first, again))
        assert one.keys() == other.keys(), name
        for place, value in one.items():
            expected = pytest.approx(value, rel=1e-12, abs=1e-9) if isinstance(value, float) else value
            assert other[place] == expected, (name, place)

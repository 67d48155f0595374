from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.utils.class_weight import compute_class_weight

from lentigo import taxonomy
from lentigo.data.records import Records, make_table
from lentigo.data.sampling import class_weights, draw_weighted, oversample
from lentigo.data.splits import Split
from lentigo.errors import DataError


def made(train: list[str], rest: tuple[str, ...] = ("nv",) * 50, *, binary: bool = False) -> Split:
    """A split whose training part has these diagnoses, between test images that must never count."""
    dx = [*rest, *train, *rest]
    part = ["test"] * len(rest) + ["train"] * len(train) + ["validation"] * len(rest)
    rows = pd.DataFrame({"image_id": [f"i{i}" for i in range(len(dx))], "dx": dx, "path": "x.jpg"})
    if binary:
        rows = rows.drop(columns="dx").assign(malignant=[d in taxonomy.MALIGNANT for d in dx])
    records = Records(make_table(rows), "made", Path("made"))
    manifest = pd.DataFrame({"image_id": records.ids, "group": records.ids, "part": part})
    return Split(records, manifest, "grouped", False, 0, 5, 0, "0" * 64)


diagnoses = st.lists(st.sampled_from(taxonomy.CLASSES), min_size=1, max_size=60)


@settings(max_examples=30, deadline=None)
@given(diagnoses)
def test_balanced_weights_are_scikit_learns(train: list[str]) -> None:
    weights = class_weights(made(train))
    present = sorted(set(train))
    expected = compute_class_weight("balanced", classes=np.array(present), y=np.array(train))
    np.testing.assert_allclose(weights[taxonomy.class_index(present)], expected)
    assert (weights > 0).sum() == len(present)


@settings(max_examples=30, deadline=None)
@given(diagnoses, st.floats(0, 0.99999))
def test_effective_weights_follow_the_formula(train: list[str], beta: float) -> None:
    split = made(train)
    weights = class_weights(split, "effective", beta=beta)
    labels = split.train.labels
    assert weights[labels].mean() == pytest.approx(1)
    counts = np.bincount(labels, minlength=7)[labels]
    # w_c x E(n_c) is the same for all classes, E(n) being the sum of beta^0 to beta^(n - 1).
    effective = np.array([(beta ** np.arange(n)).sum() for n in counts])
    np.testing.assert_allclose(weights[labels] * effective, (weights[labels] * effective)[0], rtol=1e-6)


def test_beta_goes_from_equal_to_balanced() -> None:
    split = made(["nv"] * 30 + ["mel"] * 3)
    weights = class_weights(split, "effective", beta=0)
    assert weights[taxonomy.CLASSES.index("nv")] == weights[taxonomy.CLASSES.index("mel")]
    np.testing.assert_allclose(class_weights(split, "effective", beta=0.999999), class_weights(split), rtol=1e-4)


def test_benign_and_malignant() -> None:
    split = made(["nv"] * 6 + ["mel"] * 2, binary=True)
    np.testing.assert_allclose(class_weights(split, target="malignant"), [8 / 12, 8 / 4])
    np.testing.assert_allclose(class_weights(split), [8 / 12, 8 / 4])  # its own labels are these two


def test_a_weighted_epoch_is_balanced_and_replayable() -> None:
    split = made(["nv"] * 900 + ["mel"] * 90 + ["df"] * 10)
    drawn = draw_weighted(split, 3, seed=1)
    assert drawn.shape == (1000,)
    counts = np.bincount(split.train.labels[drawn])
    np.testing.assert_allclose(counts[counts > 0], 1000 / 3, atol=60)
    np.testing.assert_array_equal(drawn, draw_weighted(split, 3, seed=1))
    assert not np.array_equal(drawn, draw_weighted(split, 4, seed=1))
    assert not np.array_equal(drawn, draw_weighted(split, 3, seed=2))


def test_an_effective_epoch_lies_between() -> None:
    split = made(["nv"] * 900 + ["df"] * 100)
    share = (split.train.labels[draw_weighted(split, 0, scheme="effective", beta=0.99)] != 5).mean()
    n = np.array([900, 100])
    expected = n * (1 - 0.99) / (1 - 0.99**n)
    assert share == pytest.approx((expected / expected.sum())[1], abs=0.04)


@settings(max_examples=30, deadline=None)
@given(diagnoses.filter(lambda train: len(set(train)) > 1), st.integers(0, 1000))
def test_oversampling_keeps_all_and_evens_out(train: list[str], seed: int) -> None:
    split = made(train)
    drawn = oversample(split, seed=seed)
    np.testing.assert_array_equal(drawn[: len(train)], np.arange(len(train)))
    counts = np.bincount(split.train.labels[drawn])
    assert set(counts[counts > 0]) == {np.bincount(split.train.labels).max()}
    np.testing.assert_array_equal(drawn, oversample(split, seed=seed))


def test_oversampling_never_reaches_other_parts() -> None:
    split = made(["nv"] * 8 + ["mel"] * 2)
    ids = set(split.train.ids[oversample(split)])
    assert ids.isdisjoint([*split.test.ids, *split.validation.ids])


def test_wrong_calls_say_what_to_do() -> None:
    split = made(["nv", "mel"])
    with pytest.raises(DataError, match="balanced, effective"):
        class_weights(split, "inverse")  # type: ignore[arg-type]
    with pytest.raises(DataError, match="dx, malignant"):
        draw_weighted(split, 0, target="age")  # type: ignore[arg-type]
    with pytest.raises(DataError, match="not 1"):
        class_weights(split, "effective", beta=1)
    with pytest.raises(DataError, match="no training images"):
        class_weights(made([]))
    with pytest.raises(DataError, match="one class only"):
        oversample(made(["nv", "nv"]))

"""Every metric agrees with scikit-learn to 1e-9, plain and under weights."""

from dataclasses import FrozenInstanceError

import numpy as np
import pytest
from sklearn import metrics as sk

from lentigo.evaluation.metrics.confusion import Decisions
from lentigo.evaluation.metrics.ranking import sensitivity_at, specificity_at
from lentigo.evaluation.metrics.scorer import Scorer
from lentigo.evaluation.tasks import View, tasks_of, view
from tests.evaluation.imagined import make

EXACT = 1e-9


def settings():
    for seed, images in ((0, 80), (1, 700)):
        for name in ("equal_prevalence", "training_prevalence"):
            for task in ("diagnosis", "malignancy", "melanoma"):
                yield pytest.param((seed, images, name, task), id=f"{images}-{name}-{task}")


@pytest.fixture(params=settings())
def case(request):
    """A scorer, what it scores, and weights: all ones or the counts of a resample."""
    seed, images, name, task = request.param
    predictions = make(images, seed=seed)
    seen = view(predictions, name)
    weights = np.random.default_rng(seed).integers(0, 4, images).astype(float)
    weights[np.unique(predictions.labels, return_index=True)[1]] = 1  # no class goes missing
    scorer = Scorer(seen, tasks_of(predictions)[task], predictions.labels)
    return scorer, predictions, np.stack([np.ones(images), weights])


def test_decisions(case):
    scorer, _, weights = case
    y, d, found = scorer.labels, scorer.decisions, scorer(weights)
    classes = range(len(scorer.task.classes))
    for r, w in enumerate(weights):
        options = {"sample_weight": w}
        assert found["accuracy"][r] == pytest.approx(sk.accuracy_score(y, d, **options), abs=EXACT)
        assert found["balanced_accuracy"][r] == pytest.approx(sk.balanced_accuracy_score(y, d, **options), abs=EXACT)
        assert found["mcc"][r] == pytest.approx(sk.matthews_corrcoef(y, d, **options), abs=EXACT)
        assert found["kappa"][r] == pytest.approx(sk.cohen_kappa_score(y, d, **options), abs=EXACT)
        for average in ("macro", "weighted", None):
            expected = sk.precision_recall_fscore_support(
                y, d, average=average, labels=classes, zero_division=0 if average else np.nan, **options
            )
            for name, value in zip(("precision", "recall", "f1"), expected[:3], strict=True):
                names = [f"{name}.{average}"] if average else [f"{name}.{c}" for c in scorer.task.classes]
                assert [found[n][r] for n in names] == pytest.approx(np.ravel(value), abs=EXACT, nan_ok=True)
        specificity = [sk.recall_score(y != k, d != k, **options) for k in classes]
        assert [found[f"specificity.{c}"][r] for c in scorer.task.classes] == pytest.approx(specificity, abs=EXACT)
        assert found["specificity.macro"][r] == pytest.approx(np.mean(specificity), abs=EXACT)
        assert (scorer.confusion(weights)[r] == sk.confusion_matrix(y, d, labels=classes, **options)).all()


def test_ranking(case):
    scorer, _, weights = case
    y, p, found = scorer.labels, scorer.probabilities, scorer(weights)
    one_hot = np.eye(len(scorer.task.classes))[y]
    for r, w in enumerate(weights):
        for average in ("macro", "weighted", None):
            area = sk.roc_auc_score(one_hot, p, average=average, sample_weight=w)
            precision = sk.average_precision_score(one_hot, p, average=average, sample_weight=w)
            names = [average] if average else scorer.task.classes
            assert [found[f"auc.{n}"][r] for n in names] == pytest.approx(np.ravel(area), abs=EXACT)
            assert [found[f"average_precision.{n}"][r] for n in names] == pytest.approx(np.ravel(precision), abs=EXACT)
        for k, c in enumerate(scorer.task.classes):
            fpr, tpr, _ = sk.roc_curve(y == k, p[:, k], sample_weight=w, drop_intermediate=False)
            at_specificity, at_sensitivity = tpr[fpr <= 0.2 + 1e-12].max(), 1 - fpr[tpr >= 0.95 - 1e-12].min()
            assert found[f"sensitivity_at_80_specificity.{c}"][r] == pytest.approx(at_specificity, abs=EXACT)
            assert found[f"specificity_at_95_sensitivity.{c}"][r] == pytest.approx(at_sensitivity, abs=EXACT)


def test_pairwise_auc(case):
    """Hand and Till; scikit-learn takes no weights for it, so the weighted value is that of repeated images."""
    scorer, _, weights = case
    found = scorer(weights)["auc.pairwise"]
    for r, w in enumerate(weights):
        rows = np.repeat(np.arange(len(w)), w.astype(int))
        y, p = scorer.labels[rows], scorer.probabilities[rows]
        if len(scorer.task.classes) == 2:
            expected = sk.roc_auc_score(y, p[:, 1])
        else:
            expected = sk.roc_auc_score(y, p, multi_class="ovo", average="macro")
        assert found[r] == pytest.approx(expected, abs=EXACT)


def test_proper_scores(case):
    scorer, predictions, weights = case
    y, p, found = scorer.labels, scorer.probabilities, scorer(weights)
    classes = np.arange(len(scorer.task.classes))
    for r, w in enumerate(weights):
        if scorer.balanced:  # each diagnosis weighs the same
            w = w / np.bincount(predictions.labels, w)[predictions.labels]  # noqa: PLW2901
        assert found["log_loss"][r] == pytest.approx(sk.log_loss(y, p, labels=classes, sample_weight=w), abs=EXACT)
        expected = sk.brier_score_loss(classes[y], p if len(classes) > 2 else p[:, 1], sample_weight=w, labels=classes)
        assert found["brier"][r] == pytest.approx(expected, abs=EXACT)


def test_ties_count_half():
    """Probabilities of few distinct values, as a quantized model gives them."""
    predictions = make(500, seed=5)
    coarse = np.round(predictions.probabilities * 8) + 0.125
    p = coarse / coarse.sum(axis=1, keepdims=True)
    found = Scorer(View("equal_prevalence", p, balanced=True), tasks_of(predictions)["diagnosis"], predictions.labels)(
        np.ones((1, 500))
    )
    expected = sk.roc_auc_score(predictions.labels, p, multi_class="ovr")
    assert found["auc.macro"][0] == pytest.approx(expected, abs=EXACT)
    expected = sk.average_precision_score(np.eye(7)[predictions.labels], p)
    assert found["average_precision.macro"][0] == pytest.approx(expected, abs=EXACT)


def test_weights_are_repetitions(case):
    """A weighted value is that of the table with each image repeated as often as its weight."""
    scorer, predictions, weights = case
    rows = np.repeat(np.arange(len(predictions)), weights[1].astype(int))
    name = "equal_prevalence" if scorer.balanced else "training_prevalence"
    seen = view(predictions, name)
    repeated = Scorer(View(name, seen.probabilities[rows], seen.balanced), scorer.task, predictions.labels[rows])
    weighted, plain = scorer(weights[1:]), repeated(np.ones((1, len(rows))))
    for metric in weighted:
        if "ece" not in metric or metric == "ece":  # the bins of equal mass are those of the unweighted table
            assert weighted[metric] == pytest.approx(plain[metric], abs=EXACT, nan_ok=True), metric


def test_the_calibration_error_of_all_diagnoses_is_the_mean_of_each(case):
    scorer, _, _ = case
    found = scorer(np.ones((1, len(case[1]))))
    each = [found[f"ece.{c}"][0] for c in scorer.task.classes]
    assert found["ece.macro"][0] == pytest.approx(np.mean(each), abs=EXACT)


def test_a_positive_below_every_negative_is_counted_as_missed():
    tp, fp = np.array([[0.0, 1, 1, 2]]), np.array([[0.0, 0, 1, 1]])
    assert sensitivity_at(tp, fp, 1.0)[0] == 0.5
    assert specificity_at(tp, fp, 1.0)[0] == 0
    assert specificity_at(tp, fp, 0.5)[0] == 1


def test_matrices_whose_margins_are_kept_do_not_change():
    decisions = Decisions(np.ones((1, 2, 2)))
    with pytest.raises(FrozenInstanceError):
        decisions.matrices = np.zeros((1, 2, 2))


def test_a_class_without_an_image_is_known_to_be_absent():
    predictions = make(80, seed=0)
    labels = np.where(predictions.labels == 3, 5, predictions.labels)
    scorer = Scorer(view(predictions, "equal_prevalence"), tasks_of(predictions)["diagnosis"], labels)
    assert scorer.present.tolist() == [index != 3 for index in range(7)]

"""What scaling does to calibration: fitted on validation, measured on test, method beside method."""

from typing import cast

import numpy as np
from scipy.special import log_softmax

from lentigo.evaluation.calibration.scaling import Scaling, fit_temperature, fit_vector
from lentigo.evaluation.leaks import refuse_same_images
from lentigo.evaluation.metrics.measure import measure
from lentigo.evaluation.predictions import Predictions
from lentigo.evaluation.provenance import Provenance
from lentigo.evaluation.result import Estimate, Result

__all__ = ["METHODS", "MethodResult", "Recalibration", "log_probabilities", "recalibrate", "rescaled"]

METHODS = ("none", "temperature", "vector")
MEASURED = ("log_loss", "brier", "ece", "ece_equal_mass", "ece.macro", "balanced_accuracy", "auc.macro")
FLOOR = float(np.finfo(np.float32).tiny)
"""Smallest probability whose logarithm is taken; those computed in 4 bytes may have been rounded to 0."""


class MethodResult(Result):
    """One way of scaling.

    Attributes:
        scale: factor of each class's log-probability.
        offset: added to each class's log-probability.
        values: metrics on test by view and name, of the task 'diagnosis'.
    """

    scale: tuple[float, ...]
    offset: tuple[float, ...]
    values: dict[str, dict[str, Estimate]]


class Recalibration(Result):
    """Ways of scaling beside each other.

    Attributes:
        temperature: fitted on validation; above 1 where the model was overconfident.
        validation, test: where the fit and the values come from.
        methods: by name, in the order of `METHODS`; 'none' is the network without any temperature.
        replicates, seed: of the bootstrap.
    """

    temperature: float
    validation: Provenance
    test: Provenance
    methods: dict[str, MethodResult]
    replicates: int
    seed: int


def recalibrate(validation: Predictions, test: Predictions, *, replicates: int = 0, seed: int = 0) -> Recalibration:
    """Fit temperature and vector scaling on validation and measure both on test.

    Scaling acts on log-probabilities at the balanced prior, after undoing the temperature that the predictions were
    made with; the fit is to the validation images as they are mixed, with the training prevalence added.

    Args:
        validation: predictions to fit on.
        test: predictions to measure on.
        replicates: bootstrap resamples for intervals of 95 %; 0 for none.
        seed: their seed.

    Raises:
        LeakError: an image or lesion is in both.
        DataError: the training prevalence is unknown.
    """
    refuse_same_images(validation, test)
    logits, labels, prevalence = log_probabilities(validation), validation.labels, validation.training_prevalence
    temperature = fit_temperature(logits, labels, prevalence=prevalence)
    scalings = {
        "none": Scaling.of_temperature(1.0),
        "temperature": Scaling.of_temperature(temperature),
        "vector": fit_vector(logits, labels, prevalence=prevalence),
    }
    methods = {}
    for name, scaling in scalings.items():
        metrics = measure(rescaled(test, scaling), replicates=replicates, seed=seed)
        methods[name] = MethodResult(
            scale=tuple(scaling.scale.tolist()),
            offset=tuple(scaling.offset.tolist()),
            values={view: {m: metrics.get(m, view=view) for m in MEASURED} for view in metrics.views},
        )
    return Recalibration(
        temperature=temperature,
        validation=Provenance.of(validation),
        test=Provenance.of(test),
        methods=methods,
        replicates=replicates,
        seed=seed,
    )


def log_probabilities(predictions: Predictions) -> np.ndarray:
    """Log-probabilities at the balanced prior before any temperature [N, K]: logits less their log-sum-exp.

    The temperature that was applied is read from `meta`; without one there none is undone.
    """
    applied = cast(float, predictions.meta.get("temperature", 1.0))
    return log_softmax(np.log(np.maximum(predictions.probabilities, FLOOR)) * applied, axis=1)


def rescaled(predictions: Predictions, scaling: Scaling) -> Predictions:
    """The same predictions with another scaling instead of the temperature that they were made with."""
    scaled = predictions.replaced(scaling(log_probabilities(predictions)))
    return Predictions(scaled.table, {k: v for k, v in predictions.meta.items() if k != "temperature"})

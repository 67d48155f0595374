"""A run's answers for an image and its quarter turn: with the mirror images of `FlipTTA`, all eight symmetries."""

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from lentigo import data
from lentigo.errors import RunError
from lentigo.evaluation import Predictions, predict_part
from lentigo.evaluation.calibration.scaling import fit_temperature
from lentigo.evaluation.predict import Part
from lentigo.training import Run

__all__ = ["predict_turned"]


def predict_turned(run: Run, part: Part) -> Predictions:
    """Predict a part of a run's split from each image and its quarter turn; the temperature is fitted to these logits.

    Raises:
        RunError: the run has a frozen base, which sees each image once, or has not finished.
    """
    if run.recipe.frozen_base:
        raise RunError(f"{run.path}: a frozen base sees each image as it is alone.", "Unset turns or frozen_base.")
    validation, logits = _logits(run, "validation")
    temperature = fit_temperature(logits, run.labels(validation), prevalence=np.array(run.class_prior))
    if part != "validation":
        _, logits = _logits(run, part)
    once = predict_part(run, part)  # the same readable images in the same order
    return once.replaced(softmax(logits / temperature, axis=1), temperature=temperature, turns=True)


def _logits(run: Run, part: Part) -> tuple[data.Records, NDArray[np.floating]]:
    """The readable records of a part, and the mean of the logits of both."""
    pixels = data.load_pixels(run.split.records, run.recipe.size)
    readable = pixels.readable(run.split.part(part))
    squares, network = pixels.of(readable), run.placed_network()
    turned = np.ascontiguousarray(np.rot90(squares, axes=(1, 2)))
    return readable, (run.logits(squares, network=network) + run.logits(turned, network=network)) / 2

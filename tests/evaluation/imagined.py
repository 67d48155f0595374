"""Predictions of an imagined model, with known behaviour."""

import numpy as np
import pandas as pd

from lentigo import taxonomy
from lentigo.evaluation.predictions import Predictions, probability_columns
from lentigo.labels import HAM10000

MIX = (0.033, 0.051, 0.110, 0.011, 0.111, 0.670, 0.014)
"""Share of each diagnosis in HAM10000, rounded to sum to 1."""


def make(images: int = 400, seed: int = 0, skill: float = 2.0, mix=MIX, per_lesion: int = 2, **meta) -> Predictions:
    """Softmax of noise plus `skill` on the true class; a lesion's 1 to `per_lesion` images share half the noise."""
    rng = np.random.default_rng(seed)
    lesion = np.repeat(np.arange(images), rng.integers(1, per_lesion + 1, images))[:images]
    labels = rng.choice(7, images, p=np.asarray(mix) / np.sum(mix))[lesion]
    labels[:7] = np.arange(7)[lesion[:7]] if min(mix) > 0 else labels[:7]
    noise = rng.normal(size=(images, 7))[lesion] * 0.7 + rng.normal(size=(images, 7)) * 0.7
    return of(labels, noise + skill * np.eye(7)[labels], lesion, training_prevalence=list(MIX), **meta)


def of(labels, logits, lesions=None, **meta) -> Predictions:
    """Predictions with these labels [N], logits [N, 7] and lesions [N]."""
    labels, logits = np.asarray(labels), np.asarray(logits, dtype=float)
    probabilities = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    lesions = np.arange(len(labels)) if lesions is None else lesions
    table = pd.DataFrame(probabilities, columns=probability_columns(HAM10000))
    table.insert(0, "image_id", [f"I{i:05d}" for i in range(len(labels))])
    table.insert(1, "lesion_id", [f"L{i:05d}" for i in lesions])
    table.insert(2, "dx", [taxonomy.CLASSES[i] for i in labels])
    return Predictions(table, {"model": "imagined", "leaky": False, "protocol": "grouped", **meta})

"""How often real lesions are rejected as out of distribution: what refusing to judge costs."""

import numpy as np
from numpy.typing import NDArray

from lentigo.errors import DataError
from lentigo.evaluation.metrics.confusion import ratio
from lentigo.evaluation.predictions import Predictions
from lentigo.evaluation.provenance import Provenance
from lentigo.evaluation.result import Estimate, Result
from lentigo.evaluation.statistics.estimates import estimate
from lentigo.evaluation.statistics.intervals import bootstrap

__all__ = ["OODRejections", "ood_rejections"]


class OODRejections(Result):
    """Lesions whose OOD score exceeds the OOD threshold, although they are lesions like those of training.

    Attributes:
        threshold: the OOD threshold, chosen on validation images.
        target_fpr: share of false positives that it was chosen for.
        provenance: of the predictions.
        images: rejected ones.
        share: of all images.
        share_of: of each diagnosis's images.
        replicates, seed: of the bootstrap.
    """

    threshold: float
    target_fpr: float
    provenance: Provenance
    images: int
    share: Estimate
    share_of: dict[str, Estimate]
    replicates: int
    seed: int


def ood_rejections(
    predictions: Predictions, threshold: float, target_fpr: float, *, replicates: int = 0, seed: int = 0
) -> OODRejections:
    """Count the lesions that are rejected as out of distribution.

    Args:
        predictions: of a bundle, with a column `ood_score`.
        threshold: an OOD score above it is out of distribution.
        target_fpr: share of false positives that the threshold was chosen for.
        replicates: bootstrap resamples for intervals of 95 %; 0 for none.
        seed: their seed.

    Raises:
        DataError: the predictions have no OOD score.
    """
    if "ood_score" not in predictions.table.columns:
        raise DataError("The predictions have no OOD score.", "Predict with a bundle instead of a run.")
    rejected = predictions.table["ood_score"].to_numpy(dtype=float) > threshold
    of_label = np.eye(len(predictions.label_set))[predictions.labels]
    among = np.column_stack([np.ones(len(rejected)), of_label]).astype(bool)

    def shares(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """Share of all, then of each diagnosis [R, 1 + K]."""
        return ratio(weights @ (among & rejected[:, None]), weights @ among)

    plain = shares(np.ones((1, len(rejected))))[0]
    many = bootstrap(shares, predictions.labels, predictions.groups, replicates, seed)
    lesions = [len(set(predictions.groups[mask])) for mask in among.T]
    names = ("it", *predictions.label_set.classes)
    found = [
        estimate(
            value,
            None if many is None else many[:, k],
            [lesions[k]],
            trials=lesions[k],
            undefined=f"no image shows {names[k]}",
        )
        for k, value in enumerate(plain)
    ]
    return OODRejections(
        threshold=threshold,
        target_fpr=target_fpr,
        provenance=Provenance.of(predictions),
        images=int(rejected.sum()),
        share=found[0],
        share_of=dict(zip(predictions.label_set.classes, found[1:], strict=True)),
        replicates=replicates,
        seed=seed,
    )

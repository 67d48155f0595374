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
    """Lesions whose OOD score lies above a limit, although they are lesions like those of training.

    Attributes:
        threshold: the limit, chosen on validation images.
        wanted: share of false positives that it was chosen for.
        provenance: of the predictions.
        images: flagged ones.
        share: of all images.
        share_of: of each diagnosis's images.
        replicates, seed: of the bootstrap.
    """

    threshold: float
    wanted: float
    provenance: Provenance
    images: int
    share: Estimate
    share_of: dict[str, Estimate]
    replicates: int
    seed: int


def ood_rejections(
    predictions: Predictions, threshold: float, wanted: float, *, replicates: int = 0, seed: int = 0
) -> OODRejections:
    """Count the lesions that are rejected as out of distribution.

    Args:
        predictions: of a bundle, with a column `ood_score`.
        threshold: an OOD score above it is out of distribution.
        wanted: share of false positives that the threshold was chosen for.
        replicates: bootstrap resamples for intervals of 95 %; 0 for none.
        seed: their seed.

    Raises:
        DataError: the predictions have no OOD score.
    """
    if "ood_score" not in predictions.table.columns:
        raise DataError("The predictions have no OOD score.", "Predict with a bundle instead of a run.")
    odd = predictions.table["ood_score"].to_numpy(dtype=float) > threshold
    among = np.column_stack([np.ones(len(odd)), np.eye(len(predictions.label_set))[predictions.labels]]).astype(bool)

    def shares(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """Share of all, then of each diagnosis [R, 1 + K]."""
        return ratio(weights @ (among & odd[:, None]), weights @ among)

    plain = shares(np.ones((1, len(odd))))[0]
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
        wanted=wanted,
        provenance=Provenance.of(predictions),
        images=int(odd.sum()),
        share=found[0],
        share_of=dict(zip(predictions.label_set.classes, found[1:], strict=True)),
        replicates=replicates,
        seed=seed,
    )

"""Local features: what two photographs of one lesion share, from whatever distance and angle they were taken.

Sources: Lowe, 'Distinctive image features from scale-invariant keypoints', IJCV 60:91-110, 2004 (OpenCV's SIFT);
Arandjelovic, Zisserman, 'Three things everyone should know to improve object retrieval', CVPR 2012 (RootSIFT).
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

__all__ = ["Features", "count_consistent", "extract_features", "normalise"]

LONGEST_SIDE = 200
"""Larger images are reduced to this many pixels before features are looked for: more of them cost more time."""
MOST = 256
"""Features that are kept of an image, the strongest ones."""
CONTRAST = 0.005
"""Weakest feature that counts, as OpenCV counts it: skin is smooth, so this is a third of Lowe's value."""
RATIO = 0.85
"""A match counts if the second best is further away by at least this factor (Lowe, section 7.1)."""
TOLERANCE = 4.0
"""Pixels by which a matched feature may miss its place under the common transform."""
SCALES = (1 / 3, 3.0)
"""Magnifications of one photograph against the other that are believed."""
SQUASHED = 1.6
"""Largest ratio of the magnifications along two directions that is believed; 4:3 squashed to a square has 1.33."""
SPREAD = 5.0
"""Pixels over which the consistent features must spread, as standard deviation: else they are one spot."""


@dataclass(frozen=True)
class Features:
    """Local features of one image.

    Attributes:
        points: places (x, y) in pixels, float32 [K, 2].
        descriptors: SIFT histograms of 4 x 4 cells of 8 directions, uint8 [K, 128].
    """

    points: NDArray[np.float32]
    descriptors: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.points)


def extract_features(luma: Image.Image) -> Features:
    """The strongest local features of a grey image."""
    reduced = luma.copy()
    reduced.thumbnail((LONGEST_SIDE, LONGEST_SIDE), Image.Resampling.BOX)
    detector = cv2.SIFT_create(nfeatures=MOST, contrastThreshold=CONTRAST)  # type: ignore[attr-defined]  # not shared: unsafe in threads
    keypoints, descriptors = detector.detectAndCompute(np.asarray(reduced), None)
    if descriptors is None:
        return Features(np.zeros((0, 2), np.float32), np.zeros((0, 128), np.uint8))
    points = np.array([k.pt for k in keypoints[:MOST]], dtype=np.float32)
    return Features(points, descriptors[:MOST].astype(np.uint8))


def normalise(descriptors: NDArray[np.uint8]) -> NDArray[np.float32]:
    """RootSIFT: the roots of histograms that sum to 1, float32 [K, 128] of unit length."""
    histograms = descriptors.astype(np.float32)
    return np.sqrt(histograms / np.maximum(histograms.sum(axis=1, keepdims=True), 1.0))


def count_consistent(a: Features, b: Features, least: int, *, squashed: bool = False) -> int:
    """How many features of two images match and are where one similarity transform puts them.

    Features match that are each other's nearest and pass the ratio test. The transform (shift, turn, magnification) is
    found by RANSAC with OpenCV's fixed seed, so that the count is the same in every run.

    Args:
        a, b: the features of the images.
        least: the smallest count of interest, 4 or more; 0 comes back where fewer features match.
        squashed: whether one may be squashed against the other, as copies of data sets at other sizes often are.
    """
    if min(len(a), len(b)) < least:
        return 0
    rows, columns = _match(normalise(a.descriptors), normalise(b.descriptors), least)
    if len(rows) < least:
        return 0
    left, right = a.points[rows], b.points[columns]
    estimate = cv2.estimateAffine2D if squashed else cv2.estimateAffinePartial2D
    transform, kept = estimate(left, right, method=cv2.RANSAC, ransacReprojThreshold=TOLERANCE)
    if transform is None:
        return 0
    inside = kept.ravel().astype(bool)
    large, small = np.linalg.svd(transform[:, :2], compute_uv=False)
    spread = min(left[inside].std(axis=0).min(), right[inside].std(axis=0).min())
    believed = SCALES[0] < small and large < SCALES[1] and large < SQUASHED * small and spread > SPREAD
    return int(inside.sum()) if believed else 0


def _match(a: NDArray[np.float32], b: NDArray[np.float32], least: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows of two sets of unit vectors that match; none as soon as fewer than `least` can."""
    similarity = a @ b.T
    rows = np.arange(len(a))
    best = similarity.argmax(axis=1)
    nearest = similarity[rows, best]
    similarity[rows, best] = -1.0
    second = similarity.max(axis=1)
    similarity[rows, best] = nearest
    # Unit vectors: the squared distance is 2 - 2 cos.
    distinct = np.flatnonzero(1.0 - nearest < RATIO**2 * (1.0 - second))
    if len(distinct) < least:
        return distinct[:0], distinct[:0]
    # Few rows are left: their columns alone are searched for a better partner.
    mutual = distinct[similarity[:, best[distinct]].max(axis=0) <= nearest[distinct]]
    return mutual, best[mutual]

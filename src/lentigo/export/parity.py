"""Proof that nothing was lost on the way from the trained network to the bundle."""

from dataclasses import asdict, dataclass

import numpy as np
import torch

from lentigo import data
from lentigo.errors import BundleError
from lentigo.export.graph import ExportModule, squares
from lentigo.runtime import Bundle

__all__ = ["IMAGES", "TOLERANCE", "Parity", "check_parity"]

TOLERANCE = 1e-4
"""Largest difference of a probability that is let through."""
OOD_TOLERANCE = 1e-3
"""Largest relative difference of an OOD score that is let through."""
IMAGES = 500
"""Real images that are compared."""


@dataclass(frozen=True)
class Parity:
    """What the comparison of a bundle with its network found.

    Attributes:
        images: number of images compared, each at its own size.
        largest_difference: of any probability.
        same_top_class: share of images with the same most probable diagnosis.
        largest_map_difference: of any value of a class-activation map, relative to the largest value of the maps.
        largest_ood_difference: relative to the OOD score.
    """

    images: int
    largest_difference: float
    same_top_class: float
    largest_map_difference: float
    largest_ood_difference: float

    @property
    def holds(self) -> bool:
        """Whether the bundle says what the network says."""
        return (
            self.largest_difference < TOLERANCE
            and self.same_top_class == 1.0
            and self.largest_ood_difference < OOD_TOLERANCE
        )

    def to_dict(self) -> dict[str, float]:
        """As plain values."""
        return asdict(self)


@torch.inference_mode()
def check_parity(bundle: Bundle, explained: ExportModule, records: data.Records, images: int = IMAGES) -> Parity:
    """Compare a bundle with the network that it was made from, on the pixels of real files.

    Args:
        bundle: the exported file.
        explained: the network, with the crop and resize of torch before it.
        records: images to compare on; of more than `images`, evenly spread ones are taken.

    Raises:
        BundleError: they differ.
    """
    chosen = np.unique(np.linspace(0, len(records) - 1, min(images, len(records))).astype(int))
    differences, same, map_differences, ood_differences = [], [], [], []
    for path in records.table["path"].iloc[chosen]:
        image = records.decode(path)[None]
        probabilities, cam, ood_score = bundle.run(image)
        wanted, wanted_cam, expected_ood = (t.numpy() for t in explained(squares(image, bundle.metadata.size)))
        differences.append(np.abs(probabilities - wanted).max())
        same.append(probabilities.argmax() == wanted.argmax())
        map_differences.append(np.abs(cam - wanted_cam).max() / np.abs(wanted_cam).max())
        ood_differences.append(np.abs(ood_score / expected_ood - 1).max())
    parity = Parity(
        len(chosen),
        float(np.max(differences)),
        float(np.mean(same)),
        float(np.max(map_differences)),
        float(np.max(ood_differences)),
    )
    if not parity.holds:
        raise BundleError(
            f"{bundle.path}: the bundle differs from its network: probabilities by up to "
            f"{parity.largest_difference:.1e}, OOD score by up to {parity.largest_ood_difference:.1e} of "
            f"itself, another top class on {1 - parity.same_top_class:.1%} of the images.",
            "Don't use it; report this with the versions of torch and onnxruntime.",
        )
    return parity

"""Verify a bundle against the network that it was made from, on real images, by a policy for each precision."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from itertools import groupby
from types import MappingProxyType

import numpy as np
import torch
from numpy.typing import NDArray

from lentigo import data
from lentigo.errors import BundleError
from lentigo.export.module import ExportModule, squares
from lentigo.progress import track
from lentigo.runtime import Bundle, Outputs, Predictor

__all__ = ["IMAGES", "POLICIES", "Parity", "Policy", "check_parity"]

IMAGES = 500
"""Real images that are compared."""
BATCH = 16
"""Images of one size that are computed at once, at most."""


_FAULTY = {
    True: ("its network", "Don't use it; report this with the versions of torch and onnxruntime."),
    False: ("what it was made from", "Keep more layers in higher precision (keep=), or calibrate on more images."),
}
"""What a faulty bundle differs from, and what to do, by whether that is the network in torch."""


@dataclass(frozen=True)
class Policy:
    """What a bundle may differ by from its network.

    Attributes:
        probability: largest difference of a probability.
        same_top_class: smallest share of images with the same most probable class.
        map_difference: largest difference of a value of a map, relative to the largest value of the image's maps.
        ood_difference: largest difference of an OOD score, relative to the score.
    """

    probability: float
    same_top_class: float
    map_difference: float
    ood_difference: float


POLICIES = MappingProxyType(
    {
        "fp32": Policy(probability=1e-4, same_top_class=1.0, map_difference=1e-3, ood_difference=1e-3),
        "fp16": Policy(probability=5e-3, same_top_class=0.995, map_difference=2e-2, ood_difference=2e-2),
        "int8": Policy(probability=1e-1, same_top_class=0.97, map_difference=3e-1, ood_difference=5e-1),
    }
)
"""By precision of the weights. Rounding decides in 32 bits; a smaller precision changes the model, so that thresholds
are chosen on its own file."""


@dataclass(frozen=True)
class Parity:
    """What the comparison of a bundle with its network found.

    Attributes:
        precision: whose policy applies.
        images: number of images compared, each at its own size.
        largest_difference: of any probability.
        same_top_class: share of images with the same most probable class.
        largest_map_difference: of any value of a class-activation map, relative to the largest value of the image's
            maps; None of a network without exact maps.
        largest_ood_difference: relative to the OOD score; None where there is none.
    """

    precision: str
    images: int
    largest_difference: float
    same_top_class: float
    largest_map_difference: float | None
    largest_ood_difference: float | None

    @property
    def faults(self) -> list[str]:
        """What the policy doesn't let through, in words; a difference that is no number is a fault."""
        policy = POLICIES[self.precision]
        found = []
        for what, value, most in (
            ("probabilities by up to", self.largest_difference, policy.probability),
            ("maps by up to (relative)", self.largest_map_difference, policy.map_difference),
            ("OOD scores by up to (relative)", self.largest_ood_difference, policy.ood_difference),
        ):
            if value is not None and not value <= most:
                found.append(f"{what} {value:.1e}, more than {most:.0e}")
        if not self.same_top_class >= policy.same_top_class:
            found.append(f"a different top class on {1 - self.same_top_class:.1%} of the images")
        return found

    @property
    def holds(self) -> bool:
        """Whether the bundle computes what the network computes, as its precision's policy has it."""
        return not self.faults

    def to_dict(self) -> dict[str, object]:
        """As plain values."""
        return asdict(self)


def check_parity(
    bundle: Bundle,
    reference: ExportModule | Predictor,
    records: data.Records,
    images: int = IMAGES,
    *,
    enforce: bool = True,
) -> Parity:
    """Compare a bundle with the network, or the bundle, that it was made from, on the pixels of real files.

    Args:
        bundle: the finished file.
        reference: the network, before which the crop and resize of torch come, or another predictor.
        records: readable images to compare on; of more than `images`, evenly spread ones are taken.
        enforce: whether a violation of the policy is an error, or only found in what is returned.

    Raises:
        BundleError: they differ by more than the policy of the bundle's precision lets through.
    """
    chosen = np.unique(np.linspace(0, len(records) - 1, min(images, len(records))).astype(int))
    paths = records.table["path"].iloc[chosen].tolist()
    answer = partial(_computed, reference, bundle.size) if isinstance(reference, ExportModule) else reference.predict
    found = [_differences(bundle, answer(batch), batch) for batch in _batches(records, paths)]
    probability, same, cam, ood = zip(*found, strict=True)
    parity = Parity(
        precision=bundle.metadata.precision,
        images=len(paths),
        largest_difference=float(np.max(probability)),
        same_top_class=float(np.sum(same) / len(paths)),
        largest_map_difference=_largest(cam),
        largest_ood_difference=_largest(ood),
    )
    if enforce and not parity.holds:
        what, next_step = _FAULTY[isinstance(reference, ExportModule)]
        raise BundleError(
            f"{bundle.path}: the bundle differs from {what}: {'; '.join(parity.faults)}.",
            next_step,
        )
    return parity


def _batches(records: data.Records, paths: list[str]) -> Iterator[NDArray[np.uint8]]:
    """Images [N, H, W, 3] in batches of one size, in order."""
    with ThreadPoolExecutor() as pool:
        decoded = track(pool.map(records.decode, paths), "Verifying the bundle", len(paths))
        for _, same in groupby(decoded, key=np.shape):
            batch: list[NDArray[np.uint8]] = []
            for image in same:
                batch.append(image)
                if len(batch) == BATCH:
                    yield np.stack(batch)
                    batch = []
            if batch:
                yield np.stack(batch)


@torch.inference_mode()
def _computed(module: ExportModule, size: int, images: NDArray[np.uint8]) -> Outputs:
    """What the network computes of images uint8 [N, H, W, 3]."""
    values = zip(module.output_names, module(squares(images, size)), strict=True)
    return Outputs(**{name: value.numpy() for name, value in values if name in Outputs._fields})


def _differences(
    bundle: Bundle, expected: Outputs, images: NDArray[np.uint8]
) -> tuple[float, int, float | None, float | None]:
    """Largest differences of probabilities, maps and OOD scores, and the number of images with the same top class."""
    actual = bundle.predict(images)
    cam = ood = None
    for name in Outputs._fields:
        if (getattr(actual, name) is None) != (getattr(expected, name) is None):
            has, lacks = ("bundle", "network") if getattr(expected, name) is None else ("network", "bundle")
            raise BundleError(
                f"{bundle.path}: the {has} has an output {name!r}, but the {lacks} has none.", "Export it again."
            )
    if actual.cam is not None and expected.cam is not None:
        largest = np.abs(expected.cam).max(axis=(1, 2, 3))
        cam = float((np.abs(actual.cam - expected.cam).max(axis=(1, 2, 3)) / largest).max())
    if actual.ood_score is not None and expected.ood_score is not None:
        ood = float(np.abs(actual.ood_score / expected.ood_score - 1).max())
    same = int((actual.probabilities.argmax(1) == expected.probabilities.argmax(1)).sum())
    return float(np.abs(actual.probabilities - expected.probabilities).max()), same, cam, ood


def _largest(values: tuple[float | None, ...]) -> float | None:
    known = [v for v in values if v is not None]
    return float(np.max(known)) if known else None

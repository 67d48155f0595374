"""The verdict on one image, in words that never reassure falsely."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lentigo import taxonomy

__all__ = ["NOTICE", "Verdict"]

NOTICE = (
    "Research tool, not a medical device. "
    "A changing, bleeding or new lesion needs a clinician regardless of this result."
)


@dataclass(frozen=True)
class Verdict:
    """The result for one image.

    Attributes:
        source: path or name of the image.
        probabilities: by diagnosis id; calibrated, for a population in which `prevalence` holds.
        prevalence: 'equal', or what the caller stated.
        decision: 'suspicious' or 'negative at threshold', at the operating point.
        operating_point: the point in words.
        gradable: whether the image is one that the model can judge at all.
        reasons: why it is not, empty otherwise.
        ood_score: how unlike the training images it is; the limit is in the bundle's metadata.
        model: name of the bundle.
    """

    source: str
    probabilities: Mapping[str, float]
    prevalence: str
    decision: str
    operating_point: str
    gradable: bool
    reasons: tuple[str, ...]
    ood_score: float
    model: str
    _cam: NDArray[np.float32] = field(repr=False, compare=False)
    _image: NDArray[np.uint8] = field(repr=False, compare=False)

    @property
    def diagnoses(self) -> list[tuple[str, float]]:
        """Full names and probabilities, the most probable first."""
        ranked = sorted(self.probabilities.items(), key=lambda item: -item[1])
        return [(taxonomy.DIAGNOSES[c].name, p) for c, p in ranked]

    @property
    def top(self) -> str:
        """Id of the most probable diagnosis."""
        return max(self.probabilities, key=lambda c: self.probabilities[c])

    @property
    def melanoma(self) -> float:
        """Probability of melanoma."""
        return self.probabilities["mel"]

    @property
    def malignancy(self) -> float:
        """Probability of melanoma, basal cell carcinoma or actinic keratosis / intraepithelial carcinoma."""
        return sum(self.probabilities[c] for c in taxonomy.MALIGNANT)

    @property
    def next_step(self) -> str:
        """What to do with this result; never that nothing needs to be done."""
        if not self.gradable:
            return f"Not gradable: {'; '.join(self.reasons)}. Take another image, or have the lesion seen. {NOTICE}"
        if self.decision == "suspicious":
            return f"Have this lesion examined by a clinician. {NOTICE}"
        return f"This result does not rule out cancer. {NOTICE}"

    def heatmap(self, diagnosis: str | None = None) -> NDArray[np.float32]:
        """Where the evidence for a diagnosis lies: float32 [H, W] in 0..1 over the input image.

        The positive part of the class-activation map, scaled to a maximum of one; zero outside of the central square,
        which the model doesn't see.

        Args:
            diagnosis: id or name; without it the most probable one.
        """
        chosen = taxonomy.diagnosis(diagnosis).id if diagnosis else self.top
        cam = np.maximum(self._cam[taxonomy.CLASSES.index(chosen)], 0)
        if cam.max() > 0:
            cam = cam / cam.max()
        height, width = self._image.shape[:2]
        side = min(height, width)
        square = Image.fromarray(cam).resize((side, side), Image.Resampling.BILINEAR)
        heat = np.zeros((height, width), np.float32)
        top, left = (height - side) // 2, (width - side) // 2
        heat[top : top + side, left : left + side] = np.asarray(square)
        return heat

    def overlay(self, diagnosis: str | None = None) -> Image.Image:
        """The image with the heat map on it, warm where the evidence lies; its longer side is at most 800 pixels."""
        heat = self.heatmap(diagnosis)[..., None]
        warm = np.stack([np.full_like(heat, 255), 200 * (1 - heat), np.zeros_like(heat)], axis=-1)[..., 0, :]
        mixed = self._image * (1 - 0.6 * heat) + warm * 0.6 * heat
        picture = Image.fromarray(mixed.round().astype(np.uint8))
        picture.thumbnail((800, 800))
        return picture

    def to_dict(self) -> dict[str, object]:
        """As plain values for JSON."""
        return {
            "source": self.source,
            "diagnosis": self.top,
            "probabilities": {c: round(p, 6) for c, p in self.probabilities.items()},
            "melanoma": round(self.melanoma, 6),
            "malignancy": round(self.malignancy, 6),
            "prevalence": self.prevalence,
            "decision": self.decision,
            "operating_point": self.operating_point,
            "gradable": self.gradable,
            "reasons": list(self.reasons),
            "ood_score": round(self.ood_score, 3),
            "next_step": self.next_step,
            "model": self.model,
        }

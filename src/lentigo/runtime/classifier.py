"""Classifier.load(...).classify(images): pixels in, verdicts out."""

import os
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lentigo import taxonomy
from lentigo.errors import ImageError
from lentigo.runtime.bundle import Bundle, Outputs
from lentigo.runtime.images import ImageSource, decode
from lentigo.runtime.shipped import find_bundle
from lentigo.runtime.verdict import Verdict

__all__ = ["Classifier", "Failure"]


@dataclass(frozen=True)
class Failure:
    """An image that could not be classified: its path, what is wrong and what to do."""

    source: str
    error: str


class Classifier:
    """A model, ready to judge images. Make one with `Classifier.load`."""

    def __init__(self, bundle: Bundle) -> None:
        self.bundle = bundle

    @classmethod
    def load(cls, model: str | os.PathLike[str] | None = None, *, threads: int = 0) -> "Classifier":
        """Open a model.

        Args:
            model: name of a model that ships with lentigo, or path of a bundle; without it the default one.
            threads: threads of the computation; 0 leaves it to ONNX Runtime.

        Raises:
            BundleError: no such model, or not a bundle.
        """
        return cls(Bundle(find_bundle(model), threads=threads))

    def classify(self, source: ImageSource, *, prevalence: Mapping[str, float] | None = None) -> Verdict:
        """Judge one image.

        Args:
            source: a path, the bytes of a file, a Pillow image, or an array uint8 [H, W, 3].
            prevalence: how common each diagnosis id is where the image comes from; without it, equally common.

        Raises:
            ImageError: the image can't be read.
        """
        image = decode(source)
        return self._verdict(_name(source), image, self.bundle.run(image[None]), prevalence)

    def classify_many(
        self, sources: Iterable[ImageSource], *, prevalence: Mapping[str, float] | None = None
    ) -> Iterator[Verdict | Failure]:
        """Judge many images, in order; an unreadable one gives a `Failure` in its place and the rest goes on."""

        def one(source: ImageSource) -> Verdict | Failure:
            try:
                return self.classify(source, prevalence=prevalence)
            except ImageError as error:
                return Failure(_name(source), str(error))

        workers = os.cpu_count() or 1
        with ThreadPoolExecutor(workers) as pool:
            waiting = []
            # Only as many images in memory as keep all workers busy.
            for source in sources:
                waiting.append(pool.submit(one, source))
                if len(waiting) > 4 * workers:
                    yield waiting.pop(0).result()
            for future in waiting:
                yield future.result()

    def _verdict(
        self,
        name: str,
        image: NDArray[np.uint8],
        outputs: Outputs,
        prevalence: Mapping[str, float] | None,
    ) -> Verdict:
        by_id = dict(zip(taxonomy.CLASSES, map(float, outputs.probabilities[0]), strict=True))
        decision, point = self._decide(by_id)
        ood_score = float(outputs.ood_score[0])
        reasons = self._reasons(image, ood_score)
        if prevalence is not None:
            weighted = {c: p * prevalence[c] for c, p in by_id.items()}
            by_id = {c: p / sum(weighted.values()) for c, p in weighted.items()}
        return Verdict(
            source=name,
            probabilities=by_id,
            prevalence="equal" if prevalence is None else "stated",
            decision=decision,
            operating_point=point,
            gradable=not reasons,
            reasons=reasons,
            ood_score=ood_score,
            model=self.bundle.metadata.name,
            _cam=outputs.cam[0],
            _image=image,
        )

    def _decide(self, probabilities: Mapping[str, float]) -> tuple[str, str]:
        """Compare the risks, at equal prevalence as when the thresholds were chosen, with the operating points."""
        risks = {"melanoma": probabilities["mel"], "malignancy": sum(probabilities[c] for c in taxonomy.MALIGNANT)}
        points = self.bundle.metadata.operating_points
        words = "; ".join(
            f"{p.target} risk of at least {p.threshold:.3f} (sensitivity {p.target_sensitivity:.2f} on validation)"
            for p in points
        )
        suspicious = any(risks[p.target] >= p.threshold for p in points)
        return "suspicious" if suspicious else "negative at threshold", words

    def _reasons(self, image: NDArray[np.uint8], ood_score: float) -> tuple[str, ...]:
        """Why an image can't be judged."""
        height, width = image.shape[:2]
        size = self.bundle.metadata.size
        reasons = []
        if min(height, width) < size:
            reasons.append(f"{width}x{height} pixels are fewer than the {size}x{size} that the model sees")
        if float(image.std(axis=(0, 1)).max()) < 2:
            reasons.append("the image is blank")
        limit = self.bundle.metadata.ood_score.threshold
        if not ood_score <= limit:  # not a number is out of distribution too
            reasons.append(
                f"it is unlike the dermoscopic images that the model learned from (OOD score {ood_score:.2f}, "
                f"limit {limit:.2f})"
            )
        return tuple(reasons)


def _name(source: object) -> str:
    if isinstance(source, bytes):
        return "bytes"
    if isinstance(source, np.ndarray):
        return "array"
    if isinstance(source, Image.Image):
        return getattr(source, "filename", "") or "image"
    if isinstance(source, str | os.PathLike):
        return str(Path(os.fsdecode(source)))
    return type(source).__name__

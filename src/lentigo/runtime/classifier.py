"""Classifier.load(...).classify(images): pixels in, verdicts out."""

import os
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from operator import length_hint
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lentigo.arguments import checked
from lentigo.errors import BundleError, ImageError
from lentigo.runtime.bundle import Bundle
from lentigo.runtime.clinical import encode
from lentigo.runtime.decisions import NOT_GRADABLE, decide, risks, threshold_words
from lentigo.runtime.failure import Failure
from lentigo.runtime.gradability import rejection_reasons
from lentigo.runtime.images import ImageSource
from lentigo.runtime.kept import KeptImage
from lentigo.runtime.predictor import Outputs
from lentigo.runtime.prevalence import check_prevalence, restate
from lentigo.runtime.shipped import describe, find_bundle
from lentigo.runtime.sources import name_of, read_source, several
from lentigo.runtime.verdict import Verdict

__all__ = ["Classifier"]

_BATCH = 4
"""Maximum number of images in one batch: more take longer, because they leave the processor's cache."""
_BATCH_PIXELS = 4_000_000
"""Maximum number of pixels in a batch of several images, and the number after which no further image is read before
those that were read have their results."""

_Readable = tuple[str, ImageSource, NDArray[np.uint8]]
"""Name, where the pixels can be read again, and the pixels [H, W, 3]."""


class Classifier:
    """A model, ready to classify images. Make one with `Classifier.load`.

    It is pickled and copied by its file's path, which must then still contain the same model: process pools work.

    Attributes:
        bundle: the model's file, opened.
        labels: the diagnoses that it distinguishes, in the order of its outputs.
        sha256: hash of its file, hexadecimal.
    """

    def __init__(self, bundle: Bundle, *, threads: int = 0) -> None:
        self.bundle = bundle
        self.labels = bundle.labels
        self.sha256 = bundle.sha256
        self._threads = threads
        self._path = str(bundle.path.absolute())  # the working directory may differ when it is unpickled
        described = bundle.metadata
        self._training = dict(zip(self.labels.classes, described.training_prevalence, strict=True))
        self._thresholds = threshold_words(described.operating_points, self.labels, described.no_operating_point)

    @classmethod
    @checked
    def load(cls, model: str | os.PathLike[str] | None = None, *, threads: int = 0) -> "Classifier":
        """Open a model.

        Args:
            model: name of a model that ships with lentigo, or path of a bundle; None is the default model.
            threads: number of inference threads; 0 lets ONNX Runtime choose.

        Raises:
            BundleError: unknown model, or not a bundle.
        """
        return cls(Bundle(find_bundle(model), threads=threads), threads=threads)

    def __repr__(self) -> str:
        described = self.bundle.metadata
        return (
            f"Classifier({described.name!r}: {described.network}, {len(self.labels)} diagnoses, "
            f"{described.size}x{described.size} pixels, {str(self.bundle.path)!r})"
        )

    def __reduce__(self) -> tuple[object, ...]:
        return _reopen, (self._path, self.sha256, self._threads)

    @property
    def card(self) -> str:
        """What the model reports for itself: size, training data, split, measurements, licence and notice."""
        return describe(self.bundle)

    def classify(
        self,
        source: ImageSource,
        *,
        prevalence: Mapping[str, float] | None = None,
        clinical: Mapping[str, object] | None = None,
    ) -> Verdict:
        """Classify one image.

        Args:
            source: a path, the bytes of a file, an open file, a Pillow image, or an array uint8 [H, W, 3].
            prevalence: how common each diagnosis is where the image comes from, by id or name, on any scale. It
                restates the probabilities by Bayes' rule; the decision stays at balanced prior, where the thresholds
                were chosen.
            clinical: what is known of the patient, such as {'age': 54, 'sex': 'male', 'site': 'back'}, for a model that
                takes it; what is left out is missing.

        Raises:
            ImageError: the image can't be read, or is a picture drawn by lentigo.
            DataError: the prevalence is incomplete or impossible, or clinical values that the model doesn't take.
        """
        known = {} if clinical is None else encode(self.bundle.metadata.inputs, [clinical])
        return self._classify(source, self._stated(prevalence), known)

    def classify_many(
        self, sources: Iterable[ImageSource], *, prevalence: Mapping[str, float] | None = None
    ) -> Iterator[Verdict | Failure]:
        """Classify many images lazily and in order, with only a few of them in memory at a time.

        Args:
            sources: any number of what `classify` takes.
            prevalence: as for `classify`, for all of them.

        Yields:
            A `Verdict`, or a `Failure` for an image that can't be read; the remaining images are still classified.

        Raises:
            ImageError: a single image instead of several.
            DataError: the prevalence is incomplete or impossible.
        """
        return self._in_threads(several(sources), self._stated(prevalence))

    def classify_batch(
        self, sources: Iterable[ImageSource], *, prevalence: Mapping[str, float] | None = None
    ) -> list[Verdict | Failure]:
        """Classify images that fit in memory together; images of the same size share batches.

        Args:
            sources: several of what `classify` takes, or an array uint8 [N, H, W, 3].
            prevalence: as for `classify`, for all of them.

        Returns:
            A `Verdict` or a `Failure` for each, in order.

        Raises:
            ImageError: a single image instead of several.
            DataError: the prevalence is incomplete or impossible.
        """
        return self._together(several(sources), self._stated(prevalence))

    def _classify(
        self, source: ImageSource, stated: Mapping[str, float] | None, known: Mapping[str, NDArray]
    ) -> Verdict:
        name = name_of(source)
        kept, pixels = read_source(source)
        return self._verdict(name, kept, pixels, self._run(pixels[None], name, known), 0, stated)

    def _in_threads(
        self, sources: Iterable[ImageSource], stated: Mapping[str, float] | None
    ) -> Iterator[Verdict | Failure]:
        workers = os.cpu_count() or 1
        # With few images each gets a thread of its own; with many, small batches take less time for each.
        size = max(1, min(_BATCH, length_hint(sources, _BATCH * workers) // workers))
        remaining = iter(sources)
        with ThreadPoolExecutor(workers) as pool:
            waiting: deque[Future[list[Verdict | Failure]]] = deque()
            # No more images in memory than it takes to keep all workers busy.
            while group := list(islice(remaining, size)):
                waiting.append(pool.submit(self._together, group, stated))
                if len(waiting) > 2 * workers:
                    yield from waiting.popleft().result()
            while waiting:
                yield from waiting.popleft().result()

    def _together(self, sources: Iterable[ImageSource], stated: Mapping[str, float] | None) -> list[Verdict | Failure]:
        """Results in order; images of one size that are read one after the other share a batch."""
        results: dict[int, Verdict | Failure] = {}
        read: dict[int, _Readable] = {}
        for i, source in enumerate(sources):
            try:
                read[i] = (name_of(source), *read_source(source))
            except ImageError as error:
                results[i] = self.failure(source, error)
            if sum(pixels.size for _, _, pixels in read.values()) >= 3 * _BATCH_PIXELS:
                results |= self._batches(read, stated)
                read.clear()
        results |= self._batches(read, stated)
        return [results[i] for i in range(len(results))]

    def _batches(
        self, read: Mapping[int, _Readable], stated: Mapping[str, float] | None
    ) -> dict[int, Verdict | Failure]:
        """Results by position; what a batch fails on is tried alone, so that an image costs only itself."""
        results: dict[int, Verdict | Failure] = {}
        for group in _of_one_size({i: pixels.shape for i, (_, _, pixels) in read.items()}):
            first = read[group[0]][0]
            try:
                outputs = self._run(np.stack([read[i][2] for i in group]), first)
            except ImageError as error:
                alone = {i: self._batches({i: read[i]}, stated)[i] for i in group if len(group) > 1}
                results |= alone or {group[0]: self.failure(first, error)}
                continue
            results |= {i: self._verdict(*read[i], outputs, k, stated) for k, i in enumerate(group)}
        return results

    def _stated(self, prevalence: Mapping[str, float] | None) -> dict[str, float] | None:
        return None if prevalence is None else check_prevalence(prevalence, self.labels)

    def failure(self, source: ImageSource, error: ImageError) -> Failure:
        """The row of an image that could not be read."""
        return Failure(name_of(source), str(error), self.bundle.metadata.name, self.sha256, self.labels.classes)

    def _run(self, images: NDArray[np.uint8], name: str, known: Mapping[str, NDArray] | None = None) -> Outputs:
        try:
            return self.bundle.predict(images, **(known or {}))
        except Exception as error:  # ONNX Runtime's errors share no base class; huge images run out of memory
            raise ImageError(f"{name}: inference failed ({error}).", "Downscale the image first.") from None

    def _verdict(
        self,
        name: str,
        source: ImageSource,
        pixels: NDArray[np.uint8],
        outputs: Outputs,
        k: int,
        stated: Mapping[str, float] | None,
    ) -> Verdict:
        """The verdict on one image, from the k-th outputs."""
        described = self.bundle.metadata
        balanced = dict(zip(self.labels.classes, map(float, outputs.probabilities[k]), strict=True))
        score = None if outputs.ood_score is None else float(outputs.ood_score[k])
        limit = None if described.ood_score is None else described.ood_score.threshold
        reasons = rejection_reasons(
            pixels,
            outputs.probabilities[k],
            score,
            size=described.size,
            ood_threshold=limit,
        )
        restated = None if stated is None or reasons else restate(balanced, stated)
        training = {} if reasons else restate(balanced, self._training)
        found = {} if reasons else risks(balanced, restated, training, self.labels, described.operating_points)
        return Verdict(
            source=name,
            gradable=not reasons,
            rejection_reasons=reasons,
            decision=NOT_GRADABLE if reasons else decide(found),
            operating_point=self._thresholds,
            probabilities=None if reasons else restated or balanced,
            prevalence=stated,
            risks=found,
            ood_score=score,
            ood_threshold=limit,
            model=described.name,
            model_sha256=self.sha256,
            _balanced=balanced,
            _labels=self.labels,
            _cam=None if outputs.cam is None else outputs.cam[k].copy(),  # not a view that keeps the whole batch
            _image=KeptImage.of(source, pixels),
        )


def _reopen(path: str, sha256: str, threads: int) -> Classifier:
    """The inverse of pickling."""
    found = Classifier.load(Path(path), threads=threads)
    if found.sha256 != sha256:
        raise BundleError(f"{path}: the model has changed since it was pickled.", "Load it again and pickle that.")
    return found


def _of_one_size(shapes: Mapping[int, tuple[int, ...]]) -> Iterator[Sequence[int]]:
    """Positions of images of the same shape, in batches of at most `_BATCH` and `_BATCH_PIXELS`."""
    by_shape: dict[tuple[int, ...], list[int]] = {}
    for i, shape in shapes.items():
        by_shape.setdefault(shape, []).append(i)
    for shape, members in by_shape.items():
        step = max(1, min(_BATCH, _BATCH_PIXELS // (shape[0] * shape[1])))
        yield from (members[start : start + step] for start in range(0, len(members), step))

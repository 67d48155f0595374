"""Classifier.load(...).classify(images): pixels in, verdicts out."""

import os
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import IO, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lentigo.errors import BundleError, ImageError
from lentigo.runtime.bundle import Bundle
from lentigo.runtime.decisions import NOT_GRADABLE, decide, risks, threshold_words
from lentigo.runtime.failure import Failure
from lentigo.runtime.gradability import rejection_reasons
from lentigo.runtime.heatmap_files import is_heatmap
from lentigo.runtime.images import ImageSource, contents_of, decode
from lentigo.runtime.kept import KeptImage
from lentigo.runtime.predictor import Outputs
from lentigo.runtime.prevalence import check_prevalence, restate
from lentigo.runtime.shipped import describe, find_bundle
from lentigo.runtime.verdict import Verdict

__all__ = ["Classifier"]

_BATCH_PIXELS = 16_000_000
"""Maximum number of pixels in one batch."""


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

    @classmethod
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

    def classify(self, source: ImageSource, *, prevalence: Mapping[str, float] | None = None) -> Verdict:
        """Classify one image.

        Args:
            source: a path, the bytes of a file, an open file, a Pillow image, or an array uint8 [H, W, 3].
            prevalence: how common each diagnosis is where the image comes from, by id or name, on any scale. It
                restates the probabilities by Bayes' rule; the decision stays at balanced prior, where the thresholds
                were chosen.

        Raises:
            ImageError: the image can't be read, or is a heat map drawn by lentigo.
            DataError: the prevalence is incomplete or impossible.
        """
        return self._classify(source, self._stated(prevalence))

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
        return self._in_threads(_several(sources), self._stated(prevalence))

    def classify_batch(
        self, sources: Iterable[ImageSource], *, prevalence: Mapping[str, float] | None = None
    ) -> list[Verdict | Failure]:
        """Classify images that fit in memory together; images of the same size are batched.

        Args:
            sources: several of what `classify` takes, or an array uint8 [N, H, W, 3].
            prevalence: as for `classify`, for all of them.

        Returns:
            A `Verdict` or a `Failure` for each, in order.

        Raises:
            ImageError: a single image instead of several.
            DataError: the prevalence is incomplete or impossible.
        """
        stated = self._stated(prevalence)
        results: dict[int, Verdict | Failure] = {}
        read: dict[int, tuple[str, ImageSource, NDArray[np.uint8]]] = {}
        for i, source in enumerate(_several(sources)):
            try:
                read[i] = (_name(source), *_read(source))
            except ImageError as error:
                results[i] = self._failure(source, error)
        for group in _of_one_size({i: pixels.shape for i, (_, _, pixels) in read.items()}):
            first = read[group[0]][0]
            outputs = self._run(np.stack([read[i][2] for i in group]), first)
            for k, i in enumerate(group):
                results[i] = self._verdict(*read[i], outputs, k, stated)
        return [results[i] for i in range(len(results))]

    def _classify(self, source: ImageSource, stated: Mapping[str, float] | None) -> Verdict:
        name = _name(source)
        kept, pixels = _read(source)
        return self._verdict(name, kept, pixels, self._run(pixels[None], name), 0, stated)

    def _in_threads(
        self, sources: Iterable[ImageSource], stated: Mapping[str, float] | None
    ) -> Iterator[Verdict | Failure]:
        def one(source: ImageSource) -> Verdict | Failure:
            try:
                return self._classify(source, stated)
            except ImageError as error:
                return self._failure(source, error)

        workers = os.cpu_count() or 1
        with ThreadPoolExecutor(workers) as pool:
            waiting: deque[Future[Verdict | Failure]] = deque()
            # No more images in memory than it takes to keep all workers busy.
            for source in sources:
                waiting.append(pool.submit(one, source))
                if len(waiting) > 4 * workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()

    def _stated(self, prevalence: Mapping[str, float] | None) -> dict[str, float] | None:
        return None if prevalence is None else check_prevalence(prevalence, self.labels)

    def _failure(self, source: ImageSource, error: ImageError) -> Failure:
        return Failure(_name(source), str(error), self.bundle.metadata.name, self.sha256, self.labels.classes)

    def _run(self, images: NDArray[np.uint8], name: str) -> Outputs:
        try:
            return self.bundle.predict(images)
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
        points = described.operating_points
        training = dict(zip(self.labels.classes, described.training_prevalence, strict=True))
        found = {} if reasons else risks(balanced, restated, restate(balanced, training), self.labels, points)
        return Verdict(
            source=name,
            gradable=not reasons,
            rejection_reasons=reasons,
            decision=NOT_GRADABLE if reasons else decide(found),
            operating_point=threshold_words(points, self.labels, described.no_operating_point),
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


def _read(source: ImageSource) -> tuple[ImageSource, NDArray[np.uint8]]:
    """Where the pixels can be read again, and the pixels."""
    name, kept = _name(source), source
    if hasattr(source, "read") and not isinstance(source, Image.Image):
        try:
            kept = contents_of(cast(IO[bytes], source))
        except ImageError as error:
            raise ImageError(f"{name}: {error.message}", error.hint) from None
    if is_heatmap(kept):
        raise ImageError(
            f"{name}: a heat map drawn by lentigo, not an image of a lesion.",
            "Classify the original image.",
        )
    try:
        return kept, decode(kept)
    except ImageError as error:
        raise ImageError(error.message.replace("the given image", name, 1), error.hint) from None


def _name(source: object) -> str:
    """The name of an image in results."""
    if isinstance(source, str | os.PathLike):
        return str(Path(os.fsdecode(source)))
    if isinstance(source, bytes | bytearray | memoryview):
        return "bytes"
    if isinstance(source, np.ndarray):
        return "array"
    if isinstance(source, Image.Image):
        return str(getattr(source, "filename", "") or "image")
    name = getattr(source, "name", None)
    return name if isinstance(name, str) else type(source).__name__


def _several(sources: Iterable[ImageSource]) -> Iterable[ImageSource]:
    """Refuse a single image where several are expected: a path would be iterated by character, an image by row."""
    one = isinstance(sources, str | bytes | bytearray | memoryview | os.PathLike | Image.Image) or hasattr(
        sources, "read"
    )
    if one or (isinstance(sources, np.ndarray) and sources.ndim != 4):
        raise ImageError(f"{_name(sources)}: a single image instead of several.", "Pass a list, or use classify().")
    return sources


def _of_one_size(shapes: Mapping[int, tuple[int, ...]]) -> Iterator[Sequence[int]]:
    """Positions of images of the same shape, in batches of at most `_BATCH_PIXELS`."""
    by_shape: dict[tuple[int, ...], list[int]] = {}
    for i, shape in shapes.items():
        by_shape.setdefault(shape, []).append(i)
    for shape, members in by_shape.items():
        step = max(1, _BATCH_PIXELS // (shape[0] * shape[1]))
        yield from (members[start : start + step] for start in range(0, len(members), step))

"""One image as a comparison sees it: its verdict, its embedding, and by what it is recognised again."""

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lentigo.errors import DataError
from lentigo.runtime import Bundle, Classifier, Verdict, decode
from lentigo.runtime.images import ImageSource

__all__ = ["Described", "content_hash", "describe", "opened", "refuse_copies", "unit"]


@dataclass(frozen=True)
class Described:
    """An image that a model has seen.

    Attributes:
        verdict: what the model says of it.
        embedding: of length 1, float32 [D].
        pixels: uint8 [H, W, 3].
    """

    verdict: Verdict
    embedding: NDArray[np.float32]
    pixels: NDArray[np.uint8]


def opened(model: Classifier | str | os.PathLike[str] | None) -> Classifier:
    """The classifier itself, or the one of a name or path; it must give embeddings.

    Raises:
        BundleError: no such model, or it gives no embeddings.
    """
    classifier = model if isinstance(model, Classifier) else Classifier.load(model)
    bundle: Bundle = classifier.bundle
    if bundle.metadata.embedding is None:
        bundle.embed(np.zeros((1, bundle.size, bundle.size, 3), np.uint8))  # says why it gives none
    return classifier


def describe(source: ImageSource, classifier: Classifier) -> Described:
    """An image's verdict, embedding and pixels.

    Raises:
        ImageError: it can't be read, or is a picture drawn by lentigo.
    """
    verdict = classifier.classify(source)
    pixels = decode(source)
    return Described(verdict, unit(classifier.bundle.embed(pixels[None]))[0], pixels)


def refuse_copies(paths: Sequence[Path], seen: Sequence[Described]) -> None:
    """Refuse the same picture in two places.

    Raises:
        DataError: it is there twice; both places are named.
    """
    known: dict[int, int] = {}
    for i, found in enumerate(seen):
        if (first := known.setdefault(int(content_hash(found.pixels)), i)) != i:
            raise DataError(f"{paths[first]} and {paths[i]} are the same picture.", "Leave one of them out.")


def unit(vectors: NDArray) -> NDArray[np.float32]:
    """Vectors [N, D] scaled to length 1; zeros stay zeros."""
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return (vectors / np.maximum(lengths, np.finfo(np.float32).tiny)).astype(np.float32)


def content_hash(pixels: NDArray[np.uint8]) -> np.uint64:
    """The first eight bytes of the SHA-256 of an image's size and pixels: copies in any lossless format share it."""
    digest = hashlib.sha256(f"{pixels.shape}".encode() + np.ascontiguousarray(pixels).tobytes()).digest()
    return np.frombuffer(digest[:8], "<u8")[0].astype(np.uint64)

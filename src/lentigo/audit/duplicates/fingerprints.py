"""What duplicates are found by: of each image a checksum, a thumbnail and local features, from one decoding."""

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lentigo.audit.duplicates.local_features import Features, extract_features
from lentigo.data.records import Problem, Records, none_readable
from lentigo.errors import ImageError, reason
from lentigo.progress import track

__all__ = ["THUMBNAIL", "Fingerprint", "Fingerprints", "join", "take_fingerprint", "take_fingerprints"]

THUMBNAIL = 64
"""Side of the thumbnails in pixels."""


@dataclass(frozen=True)
class Fingerprint:
    """What is kept of one image.

    Attributes:
        checksum: SHA-256 of the file, or of the pixels where a source holds them as one array; hexadecimal.
        thumbnail: luma uint8 [64, 64] of the whole frame, whatever its shape.
        features: local features, as `local_features.extract_features` finds them.
    """

    checksum: str
    thumbnail: NDArray[np.uint8]
    features: Features


@dataclass(frozen=True)
class Fingerprints:
    """What is kept of all readable images of a data set.

    Attributes:
        ids: image ids, object array [N].
        checksums: object array [N].
        thumbnails: uint8 [N, 64, 64].
        features: one for each image.
        problems: the images that could not be read, and why.
        sources: which of several data sets each image is of, int64 [N]; zeros without it.
    """

    ids: NDArray
    checksums: NDArray
    thumbnails: NDArray[np.uint8]
    features: tuple[Features, ...]
    problems: tuple[Problem, ...] = ()
    sources: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def several(self) -> bool:
        """Whether the images are of several data sets."""
        return self.sources is not None and len(np.unique(self.sources)) > 1


def take_fingerprints(records: Records) -> Fingerprints:
    """Decode every image once and keep what duplicates are found by, with as many threads as there are cores.

    Raises:
        DataError: none of the images can be read.
    """
    # Pillow and OpenCV let other threads run while they work.
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        taken = pool.map(lambda path: _try(records, path), records.table["path"])
        results = list(track(taken, "Taking fingerprints", len(records)))
    found = [(i, r) for i, r in zip(records.ids, results, strict=True) if isinstance(r, Fingerprint)]
    problems = tuple(
        Problem(str(i), str(r), "unreadable image")
        for i, r in zip(records.ids, results, strict=True)
        if isinstance(r, ImageError)
    )
    if not found:
        raise none_readable(records, problems[0])
    return Fingerprints(
        np.array([i for i, _ in found], dtype=object),
        np.array([r.checksum for _, r in found], dtype=object),
        np.stack([r.thumbnail for _, r in found]),
        tuple(r.features for _, r in found),
        problems,
        records.source_numbers[[isinstance(r, Fingerprint) for r in results]],
    )


def join(first: Fingerprints, second: Fingerprints) -> Fingerprints:
    """The fingerprints of both."""
    sources = [
        np.zeros(len(prints), np.int64) if prints.sources is None else prints.sources for prints in (first, second)
    ]
    return Fingerprints(
        np.concatenate([first.ids, second.ids]),
        np.concatenate([first.checksums, second.checksums]),
        np.concatenate([first.thumbnails, second.thumbnails]),
        (*first.features, *second.features),
        (*first.problems, *second.problems),
        np.concatenate(sources),
    )


def take_fingerprint(rgb: NDArray[np.uint8], checksum: str = "") -> Fingerprint:
    """The fingerprint of one decoded image, uint8 [H, W, 3]."""
    luma = Image.fromarray(rgb).convert("L")
    thumbnail = np.asarray(luma.resize((THUMBNAIL, THUMBNAIL), Image.Resampling.BILINEAR))
    return Fingerprint(checksum, thumbnail, extract_features(luma))


def _try(records: Records, path: str) -> Fingerprint | ImageError:
    try:
        rgb = records.decode(path)
        content = Path(path).read_bytes() if records.pixels is None else rgb.tobytes()
        return take_fingerprint(rgb, hashlib.sha256(content).hexdigest())
    except ImageError as error:
        return error
    except OSError as error:  # gone, or locked, between the two readings
        return ImageError(f"{path}: {reason(error)}.")

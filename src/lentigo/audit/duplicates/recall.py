"""Copies that are made to see how many of them a search finds."""

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lentigo.audit.duplicates.fingerprints import Fingerprints, join, take_fingerprint
from lentigo.audit.duplicates.search import Duplicate, Search, find_duplicates
from lentigo.data.records import Records
from lentigo.errors import ImageError
from lentigo.runtime import decode

__all__ = ["COPIES", "Recall", "find_with_recall"]

PROBES = 200
"""Images that copies are made of."""
MARK = "\N{NULL}copy "
"""Begins the id of a copy: no image has such an id."""


@dataclass(frozen=True)
class Recall:
    """How many copies that were made on purpose a search found.

    Attributes:
        kind: how they were made.
        made: how many there were.
        found: how many were paired with the image that they were made of.
    """

    kind: str
    made: int
    found: int

    def __str__(self) -> str:
        return f"{self.kind} {self.found} of {self.made}"


def _resized(image: Image.Image) -> Image.Image:
    return image.resize((max(1, round(image.width * 0.6)), max(1, round(image.height * 0.6))))


def _recompressed(image: Image.Image) -> Image.Image:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=50)
    return Image.fromarray(decode(file.getvalue()))


def _mirrored(image: Image.Image) -> Image.Image:
    return image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)


def _cropped(image: Image.Image) -> Image.Image:
    """Without a tenth at each side."""
    width, height = image.width // 10, image.height // 10
    return image.crop((width, height, image.width - width, image.height - height))


COPIES: Mapping[str, Callable[[Image.Image], Image.Image]] = {
    "resized": _resized,
    "recompressed": _recompressed,
    "mirrored": _mirrored,
    "cropped": _cropped,
}


def find_with_recall(
    records: Records, prints: Fingerprints, search: Search, seed: int = 0
) -> tuple[tuple[Duplicate, ...], tuple[Recall, ...]]:
    """Duplicates, and how many copies of some images the same search finds among all the others.

    Args:
        records: the images.
        prints: their fingerprints.
        search: 'exact' or 'approximate'.
        seed: of the choice of images.
    """
    order = np.random.default_rng(seed).permutation(len(prints))[:PROBES]
    paths = dict(zip(records.ids, records.table["path"], strict=True))
    sources = np.zeros(len(prints), np.int64) if prints.sources is None else prints.sources
    made = []
    for row in order:
        try:
            rgb = records.decode(paths[prints.ids[row]])
        except ImageError:  # gone since its fingerprint was taken
            continue
        made += [(kind, str(prints.ids[row]), sources[row], rgb) for kind in COPIES]
    if not made:
        return find_duplicates(prints, search=search), ()
    copies = _take(made)
    pairs = find_duplicates(join(prints, copies), search=search)
    found = {(d.first, d.second) for d in pairs}
    counts = {
        kind: [(MARK + f"{kind} {original}", original) in found for k, original, *_ in made if k == kind]
        for kind in COPIES
    }
    recall = tuple(Recall(kind, len(hits), sum(hits)) for kind, hits in counts.items())
    return tuple(d for d in pairs if not d.first.startswith(MARK) and not d.second.startswith(MARK)), recall


def _take(made: list[tuple[str, str, int, NDArray[np.uint8]]]) -> Fingerprints:
    """The fingerprints of the copies."""
    taken = [
        replace(take_fingerprint(np.asarray(COPIES[kind](Image.fromarray(rgb)))), checksum=f"{kind} {original}")
        for kind, original, _, rgb in made
    ]
    return Fingerprints(
        np.array([MARK + f"{kind} {original}" for kind, original, *_ in made], dtype=object),
        np.array([t.checksum for t in taken], dtype=object),
        np.stack([t.thumbnail for t in taken]),
        tuple(t.features for t in taken),
        (),
        np.array([source for _, _, source, _ in made], np.int64),
    )

"""Similar known lesions: the nearest of an index by embedding, never the image itself nor its lesion."""

import os
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lentigo.arguments import checked
from lentigo.comparison.described import Described, content_hash, describe, opened
from lentigo.comparison.index import Index, load_index
from lentigo.comparison.pictures import picture_file, side_by_side
from lentigo.errors import DataError, ImageError
from lentigo.runtime import NOTICE, Classifier, decode, find_images
from lentigo.runtime.perceptual import near_duplicates, perceptual_hashes
from lentigo.texts import text

__all__ = ["Neighbour", "Similar", "nearest", "similar"]

MOST = 50
"""Neighbours that can be asked for."""


@dataclass(frozen=True)
class Neighbour:
    """A known lesion, by its nearest image.

    Attributes:
        image_id, lesion_id: in the index.
        diagnosis: id of the label.
        name: of the diagnosis.
        distance: 1 minus the cosine between the embeddings, 0 to 2.
    """

    image_id: str
    lesion_id: str
    diagnosis: str
    name: str
    distance: float


@dataclass(frozen=True)
class Similar:
    """The known lesions that are nearest to an image; a hint.

    Attributes:
        source: path or name of the image.
        neighbours: the nearest first, one for each lesion; empty of an image that is not gradable.
        rejection_reasons: why it is not gradable; empty otherwise.
        left_out: lesions that were left out because the image, a copy of it, or its lesion is in the index.
        index: what was searched, in words.
        hint: how to read it; shown with every result.
    """

    source: str
    neighbours: tuple[Neighbour, ...]
    rejection_reasons: tuple[str, ...]
    left_out: tuple[str, ...]
    index: str
    hint: str

    def to_dict(self) -> dict[str, object]:
        """As plain values for JSON."""
        return asdict(self)

    def __str__(self) -> str:
        lines = [f"{self.source}: nearest of {self.index}"]
        if self.rejection_reasons:
            lines.append(f"  not gradable: {'; '.join(self.rejection_reasons)}; not compared")
        lines += [
            f"  {n.distance:.3f}  {n.name} ({n.diagnosis})  image {n.image_id}, lesion {n.lesion_id}"
            for n in self.neighbours
        ]
        if self.left_out:
            lines.append(f"  left out, as the image or its lesion: {', '.join(self.left_out)}")
        return "\n".join([*lines, f"  {self.hint}"]) + "\n"


@checked
def similar(
    image: str | os.PathLike[str],
    index: Index | str | os.PathLike[str],
    model: Classifier | str | os.PathLike[str] | None = None,
    *,
    count: int = 5,
    image_id: str | None = None,
    lesion_id: str | None = None,
    images: str | os.PathLike[str] | None = None,
    out: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
) -> Similar:
    """The known lesions nearest to an image.

    Left out are the image itself, by id, by its pixels and by its perceptual hash, and all images of its lesion.
    Another photograph of the same lesion is recognised only by `lesion_id`.

    Args:
        image: the file.
        index: an index, or its file.
        model: the bundle that the index was made with; None is the default model.
        count: number of lesions, 1 to 50.
        image_id: the image's id, if it may be in the index; without it the file's name.
        lesion_id: its lesion's id, if known.
        images: a folder with the indexed images, named after their ids, to draw from; needs `out`.
        out: picture to write, the image beside its neighbours; needs `images`.
        overwrite: replace that picture.

    Raises:
        ImageError: the image can't be read.
        BundleError: the index is of another model, or the model gives no embeddings.
        DataError: not an index, a count out of range, or images that are not in the folder.
        OutputError: the picture exists or can't be written.
    """
    if not 1 <= count <= MOST:
        raise DataError(f"{count} neighbours.", f"Ask for 1 to {MOST}.")
    if (images is None) != (out is None):
        raise DataError("A picture of the neighbours needs the folder of images and the file to write.", "Give both.")
    known = index if isinstance(index, Index) else load_index(index)
    classifier = opened(model)
    known.refuse_other(classifier.bundle)
    picture = None if out is None else picture_file(out, overwrite=overwrite)
    found = describe(image, classifier)
    hidden = _own(known, found, image_id or Path(image).stem, lesion_id)
    gradable = found.verdict.gradable
    rows = nearest(known, found.embedding[None], hidden[None], count)[0] if gradable else []
    result = Similar(
        source=str(image),
        neighbours=tuple(_neighbour(known, row, distance, classifier) for row, distance in rows),
        rejection_reasons=found.verdict.rejection_reasons,
        left_out=tuple(sorted(set(known.lesions[np.isin(known.groups, known.groups[hidden])].tolist()))),
        index=f"{len(known):,} images of {known.source} ({'training part' if known.part == 'train' else 'all'})",
        hint=f"{text('comparison.similar')} {NOTICE}",
    )
    if images is not None and picture is not None:
        _draw(result, found, Path(images), picture)
    return result


def nearest(
    index: Index, vectors: NDArray[np.float32], hidden: NDArray[np.bool_], count: int
) -> list[list[tuple[int, float]]]:
    """For each vector [M, D] the rows of the nearest images of `count` lesions, with distances.

    Args:
        index: what to search.
        vectors: of length 1.
        hidden: what must not be found, bool [M, N]; neither is anything of the same group.
        count: lesions wanted; fewer are found where there are fewer.
    """
    known = index.vectors
    found = []
    for vector, own in zip(vectors, hidden, strict=True):
        distances = np.clip(1 - known @ vector, 0, 2)
        allowed = ~np.isin(index.groups, index.groups[own])
        rows: dict[int, tuple[int, float]] = {}
        for row in np.argsort(distances, kind="stable"):
            if allowed[row]:
                rows.setdefault(int(index.groups[row]), (int(row), float(distances[row])))
            if len(rows) == count:
                break
        found.append(list(rows.values()))
    return found


def _own(index: Index, image: Described, image_id: str, lesion_id: str | None) -> NDArray[np.bool_]:
    """What in the index is the image, a copy of it, or of its lesion: bool [N]."""
    same = (index.ids == image_id) | (index.contents == content_hash(image.pixels))
    same |= near_duplicates(index.pictures, perceptual_hashes(image.pixels))
    return same if lesion_id is None else same | (index.lesions == lesion_id)


def _neighbour(index: Index, row: int, distance: float, classifier: Classifier) -> Neighbour:
    diagnosis = str(index.diagnoses[row])
    name = classifier.labels[diagnosis].name
    return Neighbour(str(index.ids[row]), str(index.lesions[row]), diagnosis, name, distance)


def _draw(result: Similar, image: Described, folder: Path, out: Path) -> None:
    paths = {path.stem: path for path in find_images(folder)}
    absent = [n.image_id for n in result.neighbours if n.image_id not in paths]
    if absent:
        raise DataError(f"{folder}: no image {absent[0]}.", "Name the folder of the images that were indexed.")
    pictures: Sequence[NDArray[np.uint8]] = [image.pixels, *(_read(paths[n.image_id]) for n in result.neighbours)]
    captions: Iterable[list[str]] = [
        [Path(result.source).name, "the image"],
        *([n.name, f"distance {n.distance:.3f}", n.image_id] for n in result.neighbours),
    ]
    side_by_side(pictures, list(captions), result.hint, out)


def _read(path: Path) -> NDArray[np.uint8]:
    try:
        return decode(path)
    except ImageError as error:
        raise DataError(f"{error.message}", error.hint) from None

"""All lesions of one patient: the one least like the others (the 'ugly duckling' sign).

Source of the sign: Grob and Bonerandi, 'The ugly duckling sign', Archives of Dermatology 134:103, 1998. The statistic
is the modified z-score, with its limit of 3.5: Iglewicz and Hoaglin, How to Detect and Handle Outliers, 1993.
"""

import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lentigo.arguments import checked
from lentigo.comparison.described import Described, describe, opened, refuse_copies, unit
from lentigo.comparison.pictures import picture_file, side_by_side
from lentigo.comparison.visits import rows_of
from lentigo.errors import DataError
from lentigo.progress import track
from lentigo.runtime import NOTICE, Classifier
from lentigo.runtime.files import selected_images
from lentigo.texts import text

__all__ = ["LIMIT", "MINIMUM", "Outlier", "UglyDuckling", "scores", "ugly_duckling"]

LIMIT = 3.5
"""Modified z-score above which a lesion stands out."""
MINIMUM = 5
"""Gradable lesions that a patient must have: of fewer nobody can say what is usual."""
_TO_DEVIATION = 1.4826
"""A median absolute deviation times this is a standard deviation of a normal distribution."""


@dataclass(frozen=True)
class Outlier:
    """A lesion among the patient's others.

    Attributes:
        lesion: its id, or the file.
        images: its files.
        distance: median over the other lesions of 1 minus the cosine of the embeddings.
        score: modified z-score of that distance among all lesions of the patient.
        decision: what the model decides for its first image, whatever the score.
    """

    lesion: str
    images: tuple[str, ...]
    distance: float
    score: float
    decision: str


@dataclass(frozen=True)
class UglyDuckling:
    """A patient's lesions, the least like the others first; a hint.

    Attributes:
        lesions: those that are gradable.
        stands_out: whether the first one's score is above `LIMIT`.
        not_gradable: files that were not compared.
        model, model_sha256: what described them.
        hint: how to read it; shown with every result.
    """

    lesions: tuple[Outlier, ...]
    stands_out: bool
    not_gradable: tuple[str, ...]
    model: str
    model_sha256: str
    hint: str

    def to_dict(self) -> dict[str, object]:
        """As plain values for JSON."""
        return asdict(self)

    def __str__(self) -> str:
        first = self.lesions[0]
        stands = f"its score is {'above' if self.stands_out else 'not above'} {LIMIT}"
        lines = [f"Least like the others: {first.lesion} ({stands})"]
        lines += [f"  {o.score:6.2f}  {o.distance:.3f}  {o.lesion}  [{o.decision}]" for o in self.lesions]
        if self.not_gradable:
            lines.append(f"Not gradable, not compared: {', '.join(self.not_gradable)}")
        return "\n".join([*lines, self.hint]) + "\n"


@checked
def ugly_duckling(
    lesions: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    model: Classifier | str | os.PathLike[str] | None = None,
    *,
    out: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
) -> UglyDuckling:
    """Find the lesion of a patient that is least like the patient's others.

    Args:
        lesions: files, folders or patterns, each image a lesion of its own; or a CSV table with the columns `image`
            and, if known, `lesion_id` and `patient_id`, paths relative to it. Several images of a lesion count as one.
        model: a bundle with embeddings; None is the default model.
        out: picture to write, the lesions in this order.
        overwrite: replace that picture.

    Raises:
        DataError: fewer than `MINIMUM` gradable lesions, several patients, or the same picture twice.
        ImageError: an image can't be read, or there is none.
        BundleError: no such model, or it gives no embeddings.
        OutputError: the picture exists or can't be written.
    """
    by_lesion = _lesions(lesions)
    if len(by_lesion) < MINIMUM:
        raise DataError(_too_few(len(by_lesion), "lesions"), _MORE)
    picture = None if out is None else picture_file(out, overwrite=overwrite)
    classifier = opened(model)
    named = [(lesion, path) for lesion, paths in by_lesion.items() for path in paths]
    seen = [describe(path, classifier) for _, path in track(named, "Comparing", len(named))]
    refuse_copies([path for _, path in named], seen)
    gradable: dict[str, list[tuple[Path, Described]]] = {}
    for (lesion, path), found in zip(named, seen, strict=True):
        if found.verdict.gradable:
            gradable.setdefault(lesion, []).append((path, found))
    if len(gradable) < MINIMUM:
        raise DataError(_too_few(len(gradable), "gradable lesions"), _MORE)
    vectors = unit(np.stack([np.mean([d.embedding for _, d in images], axis=0) for images in gradable.values()]))
    distances, modified = scores(vectors)
    found_all = [
        Outlier(
            lesion,
            tuple(str(path) for path, _ in images),
            round(float(distances[i]), 6),
            round(float(modified[i]), 4),
            images[0][1].verdict.decision,
        )
        for i, (lesion, images) in enumerate(gradable.items())
    ]
    ordered = sorted(found_all, key=lambda o: (-o.score, o.lesion))
    result = UglyDuckling(
        lesions=tuple(ordered),
        stands_out=ordered[0].score > LIMIT,
        not_gradable=tuple(str(p) for (_, p), d in zip(named, seen, strict=True) if not d.verdict.gradable),
        model=classifier.bundle.name,
        model_sha256=classifier.sha256,
        hint=f"{text('comparison.ugly_duckling')} {NOTICE}",
    )
    if picture is not None:
        pictures = [gradable[o.lesion][0][1].pixels for o in ordered]
        captions = [[Path(o.lesion).name, f"score {o.score:.2f}", o.decision] for o in ordered]
        side_by_side(pictures, captions, result.hint, picture)
    return result


def scores(vectors: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Median distance of each of N vectors of length 1 to the others, and its modified z-score: [N] each.

    The scale is the median absolute deviation, at least 1 % of the median distance, so that lesions which are all alike
    don't make the smallest difference a large one.
    """
    apart = np.clip(1 - vectors.astype(np.float64) @ vectors.T.astype(np.float64), 0, 2)
    others = ~np.eye(len(vectors), dtype=bool)
    distances = np.median(apart[others].reshape(len(vectors), -1), axis=1)
    middle = np.median(distances)
    spread = _TO_DEVIATION * np.median(np.abs(distances - middle))
    return distances, (distances - middle) / max(spread, 0.01 * middle, 1e-6)


def _lesions(named: str | os.PathLike[str] | Iterable[str | os.PathLike[str]]) -> dict[str, list[Path]]:
    """Files by lesion."""
    files = [named] if isinstance(named, str | os.PathLike) else list(named)
    if len(files) == 1 and Path(files[0]).suffix.lower() == ".csv":
        return _tabled(Path(files[0]))
    return {str(path): [path] for path in selected_images(files)}


def _tabled(file: Path) -> dict[str, list[Path]]:
    rows = rows_of(file, required=("image",), known=("image", "lesion_id", "patient_id"))
    patients = sorted({row["patient_id"] for row in rows if "patient_id" in row})
    if len(patients) > 1:
        raise DataError(f"{file}: {len(patients)} patients.", "Compare the lesions of one patient at a time.")
    found: dict[str, list[Path]] = {}
    for row in rows:
        found.setdefault(row.get("lesion_id") or row["image"], []).append(file.parent / row["image"])
    stated = {row["lesion_id"] for row in rows if row.get("lesion_id")}
    if unnamed := next((r["image"] for r in rows if not r.get("lesion_id") and r["image"] in stated), None):
        raise DataError(
            f"{file}: {unnamed!r} is the lesion of one row and the image of another.", "Give each row a lesion_id."
        )
    return found


def _too_few(count: int, what: str) -> str:
    return f"{count} {what if count != 1 else what.removesuffix('s')}: too few to say which is unlike the others."


_MORE = f"Name at least {MINIMUM} gradable lesions of the patient."

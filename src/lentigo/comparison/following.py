"""One lesion over time: how each probability, its size and its colour differ between images."""

import math
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date
from itertools import pairwise
from pathlib import Path

from lentigo.arguments import checked
from lentigo.comparison.described import Described, describe, opened, refuse_copies
from lentigo.comparison.measuring import Measured, lesion_in, measure
from lentigo.comparison.pictures import outlined, picture_file, side_by_side
from lentigo.comparison.visits import Visit
from lentigo.errors import DataError
from lentigo.runtime import NOTICE, Classifier
from lentigo.runtime.decisions import printed
from lentigo.texts import text

__all__ = ["Change", "FollowUp", "follow"]


@dataclass(frozen=True)
class Change:
    """An image of the lesion, and what differs from the first image that could be graded.

    Attributes:
        image: the file.
        day: when it was taken.
        decision: what the model decides for this image.
        rejection_reasons: why it is not gradable; then there are no probabilities.
        probabilities: at the balanced prior, by diagnosis.
        probability_changes: each less that of the first gradable image; None for that one and where not gradable.
        distance: 1 minus the cosine of the embeddings of this image and the first gradable one; None likewise.
        measured: size and colour; None without a mask.
        area_ratio: area over that of the first image with a mask; None for that one and without a mask.
        colour_difference: CIE 1976 colour difference from the first image with a mask; None likewise.
        contrast_difference: the same of the lesion's contrast to the skin around it, which exposure changes less.
    """

    image: str
    day: date
    decision: str
    rejection_reasons: tuple[str, ...]
    probabilities: dict[str, float] | None
    probability_changes: dict[str, float] | None
    distance: float | None
    measured: Measured | None
    area_ratio: float | None
    colour_difference: float | None
    contrast_difference: float | None


@dataclass(frozen=True)
class FollowUp:
    """The images of one lesion in order of their dates; a hint.

    Attributes:
        changes: one for each image, the earliest first.
        model, model_sha256: what graded them.
        hint: how to read it; shown with every result.
    """

    changes: tuple[Change, ...]
    model: str
    model_sha256: str
    hint: str

    def to_dict(self) -> dict[str, object]:
        """As plain values for JSON."""
        values = asdict(self)
        for change in values["changes"]:
            change["day"] = change["day"].isoformat()
        return values

    def __str__(self) -> str:
        lines = [line for change in self.changes for line in (f"{change.day}  {change.image}", *_words(change))]
        return "\n".join([*lines, self.hint]) + "\n"


@checked
def follow(
    visits: Sequence[Visit],
    model: Classifier | str | os.PathLike[str] | None = None,
    *,
    out: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
) -> FollowUp:
    """Compare the images of one lesion over time.

    Two pictures of one lesion differ even when they are taken in one sitting: results/comparison.md measures how much.
    A change here may be the camera's, and a lesion that changes may show none.

    Args:
        visits: at least two, each on its own day, in any order; see `read_visits`.
        model: a bundle with embeddings; None is the default model.
        out: picture to write, the images side by side with the masks' outlines.
        overwrite: replace that picture.

    Raises:
        DataError: fewer than two images, two on one day, the same picture twice, or a mask that doesn't fit.
        ImageError: an image can't be read.
        BundleError: no such model, or it gives no embeddings.
        OutputError: the picture exists or can't be written.
    """
    ordered = sorted(visits, key=lambda visit: visit.day)
    _refuse_too_few(ordered)
    picture = None if out is None else picture_file(out, overwrite=overwrite)
    classifier = opened(model)
    seen = [describe(visit.image, classifier) for visit in ordered]
    refuse_copies([visit.image for visit in ordered], seen)
    masks = [None if v.mask is None else lesion_in(v.mask, d.pixels.shape) for v, d in zip(ordered, seen, strict=True)]
    sizes = [None if m is None else measure(d.pixels, m) for m, d in zip(masks, seen, strict=True)]
    graded = next((i for i, d in enumerate(seen) if d.verdict.gradable), None)
    sized = next((i for i, s in enumerate(sizes) if s is not None), None)
    changes = []
    for i, (visit, found, size) in enumerate(zip(ordered, seen, sizes, strict=True)):
        later = found if graded is not None and i > graded and found.verdict.gradable else None
        first = None if sized is None or i <= sized else sizes[sized]
        changes.append(_change(visit, found, size, later and seen[graded or 0], first))
    hint = f"{text('comparison.follow')} {NOTICE}"
    result = FollowUp(tuple(changes), classifier.bundle.name, classifier.sha256, hint)
    if picture is not None:
        pictures = [d.pixels if m is None else outlined(d.pixels, m) for d, m in zip(seen, masks, strict=True)]
        captions = [[f"{c.day}  {Path(c.image).name}", *_words(c)] for c in changes]
        side_by_side(pictures, captions, result.hint, picture)
    return result


def _refuse_too_few(visits: Sequence[Visit]) -> None:
    if len(visits) < 2:
        raise DataError(f"{len(visits)} image: nothing to compare it with.", "Name two or more images of the lesion.")
    for before, after in pairwise(visits):
        if before.day == after.day:
            raise DataError(
                f"{before.image} and {after.image} have one date, {before.day}.",
                "Keep one of them, or correct the date: their order isn't known.",
            )


def _change(
    visit: Visit, found: Described, size: Measured | None, first: Described | None, sized: Measured | None
) -> Change:
    """`first` and `sized` are what to compare with, if anything."""
    verdict = found.verdict
    probabilities = None if verdict.probabilities is None else dict(verdict.probabilities)
    before = None if first is None else first.verdict.probabilities
    moved = None
    if before is not None and probabilities is not None:
        moved = {c: round(p - before[c], 6) for c, p in probabilities.items()}
    compared = None if size is None or sized is None else (size, sized)
    return Change(
        image=str(visit.image),
        day=visit.day,
        decision=verdict.decision,
        rejection_reasons=verdict.rejection_reasons,
        probabilities=probabilities,
        probability_changes=moved,
        distance=None if first is None else round(float(1 - first.embedding @ found.embedding), 6),
        measured=size,
        area_ratio=None if compared is None else round(compared[0].area / compared[1].area, 4),
        colour_difference=None if compared is None else round(math.dist(compared[0].colour, compared[1].colour), 2),
        contrast_difference=None
        if compared is None
        else round(math.dist(compared[0].contrast, compared[1].contrast), 2),
    )


def _words(change: Change) -> list[str]:
    """What is known of an image, a line each."""
    lines = []
    if change.probabilities is None:
        lines.append(f"not gradable: {'; '.join(change.rejection_reasons)}")
    else:
        moved = change.probability_changes or {}
        shown = sorted(change.probabilities, key=lambda c: -change.probabilities[c])  # type: ignore[index]
        lines.append(change.decision)
        values = {c: printed(change.probabilities[c], 2) for c in shown}
        lines += [f"{c} {values[c]}" + (f" ({moved[c]:+.2f})" if moved else "") for c in shown]
    if change.measured is not None:
        ratio = "" if change.area_ratio is None else f" (x{change.area_ratio:.2f})"
        border = ", reaches the border" if change.measured.touches_border else ""
        lines.append(f"area {change.measured.area:.1%} of the image{ratio}{border}")
    if change.colour_difference is not None:
        lines.append(f"colour differs by {change.colour_difference:.1f} (CIE 1976)")
        lines.append(f"contrast to skin by {change.contrast_difference:.1f}")
    return lines

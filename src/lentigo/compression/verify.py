"""Whether two artefacts say the same of real images: numbers, classes and decisions, by a policy for each precision."""

import json
import os
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from lentigo import data
from lentigo.atomic import write_text
from lentigo.compression.differences import ALLOWED, Answers, Difference, difference, path_of
from lentigo.compression.quantization.images import decoded
from lentigo.errors import BundleError, DataError
from lentigo.page.browser import Page
from lentigo.render.markdown import table
from lentigo.runtime import Bundle, Outputs, Predictor
from lentigo.runtime.litert import LiteRT
from lentigo.runtime.shipped import find_bundle

__all__ = ["Verification", "verify", "verify_files"]

IMAGES = 500
"""Real images that are compared, unless stated otherwise."""


@dataclass(frozen=True)
class Verification:
    """A comparison of artefacts on the same images.

    Attributes:
        path, sha256: of the first artefact.
        data: name of the data set.
        images: images compared.
        seen: those of them that the first was trained or tuned on, on which models are surer than on others.
        differences: one for each other artefact.
    """

    path: str
    sha256: str
    data: str
    images: int
    seen: int
    differences: tuple[Difference, ...]

    @property
    def holds(self) -> bool:
        """Whether all of them say the same, as their policies have it."""
        return all(difference.holds for difference in self.differences)

    def to_dict(self) -> dict[str, object]:
        """As plain values."""
        return {**asdict(self), "holds": self.holds, "policies": {k: asdict(v) for k, v in ALLOWED.items()}}

    def to_markdown(self) -> str:
        """A table, then what the policies don't let through."""
        head = ["artefact", "precision", "bytes", "probability", "map", "OOD score", "class", "decision", "rejection"]
        rows = [
            [
                Path(d.path).name,
                d.precision,
                f"{d.bytes:,}",
                _pair(d.largest, d.mean),
                _pair(d.largest_map, d.mean_map),
                _pair(d.largest_ood, d.mean_ood),
                *(("–" if v is None else f"{v:.1%}") for v in (d.same_class, d.same_decision, d.same_rejection)),
            ]
            for d in self.differences
        ]
        seen = f", {self.seen} of which it was trained or tuned on" if self.seen else ", none of which it has seen"
        lines = [
            f"Compared with {Path(self.path).name} on {self.images} images of {self.data}{seen}.",
            "Differences: largest (mean). Class, decision, rejection: share of images with the same one.",
            "",
            table(head, rows, right=range(2, len(head))),
            "",
        ]
        for d in self.differences:
            verdict = "within the policy" if d.holds else f"violates the policy: {'; '.join(d.faults)}"
            lines.append(f"{Path(d.path).name} ({d.allowed}): {verdict}.")
            lines += [f"Note: {note}." for note in d.notes]
        return "\n".join(lines)


def verify(bundle: Predictor, others: Sequence[Predictor], records: data.Records, images: int = IMAGES) -> Verification:
    """Compare artefacts with a first one on the pixels of real files.

    Images that the first one has not been trained or tuned on are taken where there are any.

    Args:
        bundle: the first.
        others: fp32, fp16, int8, packed or of another runtime: any predictors with the same classes.
        records: where the images are drawn from, evenly.
        images: number of them, at most.

    Raises:
        BundleError: artefacts with other classes.
        DataError: no image, or nothing to compare.
    """
    if not others:
        raise DataError("There is nothing to compare with.", "Name one or more other artefacts.")
    for other in others:
        if other.labels.classes != bundle.labels.classes:
            raise BundleError(
                f"{other.name} distinguishes {other.labels}, {bundle.name} {bundle.labels}.",
                "Compare models with the same classes in the same order.",
            )
    if images < 1:
        raise DataError(f"{images} images: nothing would be compared.", "Take at least one.")
    seen = bundle.origin.seen(records.ids) | bundle.origin.seen(records.table["lesion_id"])
    pool = records if seen.all() else records.take(records.ids[~seen])
    rows = np.unique(np.linspace(0, len(pool) - 1, min(images, len(pool))).astype(int))
    models = [bundle, *others]
    answers: list[list[Outputs]] = [[] for _ in models]
    for image in decoded(pool.take(pool.ids[rows]), "Comparing"):
        for model, found in zip(models, answers, strict=True):
            found.append(model.predict(image))
    first, *rest = [Answers(model, found) for model, found in zip(models, answers, strict=True)]
    return Verification(
        path_of(bundle),
        bundle.sha256,
        records.name,
        images=len(answers[0]),
        seen=len(answers[0]) if seen.all() else 0,
        differences=tuple(difference(first, other) for other in rest),
    )


def verify_files(
    bundle: str | os.PathLike[str],
    others: Sequence[str | os.PathLike[str]],
    root: str | os.PathLike[str],
    *,
    images: int = IMAGES,
    out: str | os.PathLike[str] | None = None,
) -> Verification:
    """`verify` for paths, or names of shipped models; `out`, a .json or .md file, gets the result.

    Raises:
        BundleError, DataError: as in `verify`; or a file is no artefact, or `out` has another ending.
        MissingExtraError: a page or a .tflite file, without what runs it.
    """
    if out is not None and Path(out).suffix not in (".json", ".md"):
        raise DataError(f"{out}: a result is written as .json or .md.", "Rename it.")
    with ExitStack() as closing:
        opened = [_open(path, closing) for path in (bundle, *others)]
        found = verify(opened[0], opened[1:], data.read(root), images)
    if out is not None:
        as_json = json.dumps(found.to_dict(), indent=2)
        write_text(out, (as_json if Path(out).suffix == ".json" else found.to_markdown()) + "\n")
    return found


def _open(path: str | os.PathLike[str], closing: ExitStack) -> Predictor:
    suffix = Path(path).suffix.lower()
    if suffix == ".html":
        return closing.enter_context(Page(path))
    return LiteRT(path) if suffix == ".tflite" else Bundle(find_bundle(path))


def _pair(largest: float | None, mean: float | None) -> str:
    return "–" if largest is None or mean is None else f"{largest:.1e} ({mean:.1e})"

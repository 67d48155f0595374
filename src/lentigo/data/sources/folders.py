"""Any tree with one folder a class, perhaps below one folder a part: `melanoma/`, or `train/benign/`.

A class folder is named after a diagnosis, in any spelling that `taxonomy.diagnosis` knows, or 'benign' and 'malignant';
a part folder 'train', 'val' or 'test', which is kept in the column `source`. Images may lie in folders of their own
within a class folder. Kaggle's 'Melanoma Skin Cancer Dataset of 10000 Images' has that layout. Such trees know no
lesions, which is reported.
"""

import re
from collections import Counter, defaultdict
from pathlib import Path

import pandas as pd

from lentigo.data.records import Problem, Records, make_table
from lentigo.data.sources.image_files import ImageFiles, NotFound, is_companion, plain_id, same_bytes
from lentigo.data.sources.label_columns import contradict
from lentigo.data.sources.labels import interpret_labels, is_label, report_reduced
from lentigo.data.sources.manifest import find_manifest
from lentigo.data.sources.metadata import report_no_lesions
from lentigo.data.sources.usable import usable_rows
from lentigo.errors import DataError
from lentigo.labels import BINARY, HAM10000, LabelSet
from lentigo.taxonomy import plain_name

__all__ = ["LAYOUT", "PRECEDENCE", "detect", "read"]

LAYOUT = "class folders such as melanoma/ and nevus/ or benign/ and malignant/, perhaps in train/ and test/"
PRECEDENCE = 90

PARTS = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
    "testing": "test",
}


def detect(root: Path, labels: LabelSet | None = None) -> bool:
    """Whether a folder, or the part folders in it, hold at least two class folders."""
    if not root.is_dir():
        return False
    parts = [f for f in _folders(root) if f.name.lower() in PARTS]
    return any(sum(is_label(f.name, labels) for f in _folders(place)) >= 2 for place in [root, *parts])


def read(root: Path, labels: LabelSet | None = None) -> Records:
    """Read a tree of class folders; an image's class is the nearest folder above it that is named after one.

    An image's id is its name without suffix, or its path below the root where names occur twice in the tree. Left out
    and reported are images in no class folder, in two that contradict each other, be it by a link, masks and thumbnails
    such as `a_segmentation.png` beside `a.jpg`, and images that share their name within one class folder of one part,
    where one may be the mask or thumbnail of the other; of files with the same bytes there one is kept. Files of one
    name and the same bytes in two classes are one image with two labels.

    Raises:
        DataError: classes named by numbers, or no usable image.
    """
    files = ImageFiles.below(root)
    below = [path.relative_to(root.absolute()) for path in files.images]
    unique = all(count == 1 for count in Counter(plain_id(path.name) for path in below).values())
    words = [_label(path, labels) for path in below]
    rows = pd.DataFrame(
        {
            "image_id": [plain_id(path.name) if unique else _path_id(path) for path in below],
            "source": [next((PARTS[p.lower()] for p in path.parts[:-1] if p.lower() in PARTS), None) for path in below],
        },
        dtype=object,
    )
    rows = rows.join(interpret_labels(words, str(root), labels))
    linked = _linked_labels(below, files.again, files.root, labels)
    faults = _faults(below, linked, words, labels)
    found = _alike(files.images, below, words, rows, labels)
    kept, problems = usable_rows(rows, found, words, faults, labels)
    problems += [*(report_reduced(words, str(root)) if labels is None else []), *files.problems]
    if kept.empty:
        raise DataError(
            f"{root}: none of the {len(rows)} images below it can be used"
            + (f"; the first: {problems[0]}." if problems else "."),
            f"Name the folders after {labels or 'diagnoses, or benign and malignant'}, and put each image in one.",
        )
    problems.append(report_no_lesions(root, "a table with lesion ids can be read instead"))
    table = make_table(kept, labels or HAM10000)
    if labels in (None, BINARY) and _is_melanoma10000([path.with_suffix("") for path in below]):
        manifest = find_manifest("melanoma10000")
        return Records(table, manifest.name, root, tuple(problems), (), None, manifest.licence, manifest.citation)
    return Records(table, "folders", root, tuple(problems), label_set=labels or HAM10000)


def _folders(root: Path) -> list[Path]:
    return [entry for entry in root.iterdir() if entry.is_dir() and not entry.name.startswith(".")]


def _label(path: Path, labels: LabelSet | None) -> str | None:
    """The name of the nearest class folder above a file, else of its own folder."""
    above = [name for name in reversed(path.parts[:-1]) if name.lower() not in PARTS]
    return next((name for name in above if is_label(name, labels)), above[-1] if above else None)


def _path_id(path: Path) -> str:
    return (path.parent / plain_id(path.name)).as_posix()


def _linked_labels(
    below: list[Path], again: dict[Path, Path], root: Path, labels: LabelSet | None
) -> list[list[str | None]]:
    """What the paths through links to a folder above an image, which is listed under another path, say of it."""
    folders = [(link.relative_to(root), first.relative_to(root)) for link, first in again.items()]
    return [
        [_label(link / path.relative_to(first), labels) for link, first in folders if path.is_relative_to(first)]
        for path in below
    ]


def _faults(
    below: list[Path], linked: list[list[str | None]], words: list[str | None], labels: LabelSet | None
) -> list[Problem | None]:
    """Images below two class folders that contradict each other, such as `nevus/melanoma/`."""
    faults: list[Problem | None] = []
    for path, others, label in zip(below, linked, words, strict=True):
        above = [name for name in (*path.parts[:-1], *others) if name is not None and is_label(name, labels)]
        against = next((name for name in above if contradict(label, name, labels)), None)
        reason = f"it lies below {against} and {label}: neither is used"
        faults.append(Problem("", reason, "contradictory label") if against else None)
    return faults


def _alike(
    images: tuple[Path, ...],
    below: list[Path],
    labels: list[str | None],
    rows: pd.DataFrame,
    label_set: LabelSet | None,
) -> list[Path | NotFound]:
    """Each image as it is, unless others have its name and it can't be told which is the picture."""
    found: list[Path | NotFound] = list(images)
    named = defaultdict(list)
    for i, path in enumerate(below):
        named[plain_id(path.name).lower()].append(i)
    for i, path in enumerate(below):
        if is_companion(path, named):
            found[i] = NotFound("mask or thumbnail", "it is named after another image and shows no lesion of its own")
    for members in named.values():
        for i in members[1:]:
            equal = next((j for j in members if j < i and same_bytes(images[i], images[j])), None)
            if equal is not None and contradict(labels[i], labels[equal], label_set):
                for one, other in ((i, equal), (equal, i)):
                    reason = f"the same bytes as {below[other]}, which says {labels[other]}: neither is used"
                    found[one] = NotFound("contradictory label", reason)
        by_class = defaultdict(list)
        for i in members:
            by_class[(rows["source"].iloc[i], labels[i] and plain_name(labels[i]))].append(i)
        for places in by_class.values():
            first, *others = places
            equal_all = all(same_bytes(images[first], images[i]) for i in others)
            for i in others if equal_all else places if others else []:
                kind = "identical file" if equal_all else "ambiguous image"
                reason = f"the same bytes as {below[first]}" if equal_all else f"{len(places)} different files share it"
                found[i] = NotFound(kind, reason)
    return found


def _is_melanoma10000(below: list[Path]) -> bool:
    """Whether a tree has the names of the 10,000-image set: `train/benign/melanoma_0.jpg`, numbered to 10,604."""
    names = [re.fullmatch(r"(?:train|test)/(?:benign|malignant)/melanoma_(\d+)", path.as_posix()) for path in below]
    return all(name is not None and int(name.group(1)) < 10_605 for name in names)

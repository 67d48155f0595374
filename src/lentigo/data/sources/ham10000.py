"""HAM10000 as published and as repackaged: 10,015 dermatoscopic images of seven diagnoses.

Layouts: `images/`, the two part folders of Kaggle's and Dataverse's copies, or all images beside the metadata; folders
in these are looked through. The metadata table has eight columns, or seven in Kaggle's copy (no `dataset`). Other
images in the same layout are read as well, but not called HAM10000.

Source: Tschandl, Rosendahl, Kittler, 'The HAM10000 dataset', Scientific Data 5:180161, 2018. Licence CC BY-NC 4.0.
"""

from pathlib import Path

from lentigo.data.records import Problem, Records, make_table
from lentigo.data.sources.delimited import read_table
from lentigo.data.sources.identity import is_ham10000
from lentigo.data.sources.image_files import ImageFiles, NotFound, is_companion, packed_hint, plain_id
from lentigo.data.sources.label_columns import read_labels
from lentigo.data.sources.labels import interpret_labels, report_reduced
from lentigo.data.sources.manifest import find_manifest
from lentigo.data.sources.metadata import read_known_pairs
from lentigo.data.sources.usable import usable_rows
from lentigo.data.sources.values import clean_values, gather_columns, objects
from lentigo.errors import DataError

__all__ = ["LAYOUT", "PRECEDENCE", "detect", "read"]

LAYOUT = "HAM10000_metadata.csv with its images beside it, in images/ or in the two part folders"
PRECEDENCE = 40

METADATA_NAMES = ("HAM10000_metadata.csv", "HAM10000_metadata", "HAM10000_metadata.tab")
IMAGE_FOLDERS = ("images", "ham10000_images_part_1", "ham10000_images_part_2")
"""In lower case: Kaggle's copy has its part folders in capitals or not."""
NEEDED = ("lesion_id", "image_id", "dx")
OPTIONAL = ("dx_type", "age", "sex", "localization", "dataset")


def detect(root: Path) -> bool:
    """Whether a folder holds this source."""
    return bool(_find_metadata(root))


def read(root: Path) -> Records:
    """Read the metadata and find each row's image; nothing is decoded yet.

    Rows that can't be used are left out and reported in `Records.problems`, images without a row as well. A row without
    a lesion id is left out, for its group is unknown.

    Raises:
        DataError: there is no metadata, it lacks a column, or no row is usable.
    """
    paths = _find_metadata(root)
    if not paths:
        raise DataError(f"{root}: no {METADATA_NAMES[0]} here.", "Name the folder that contains it.")
    path, *unread = paths
    metadata = read_table(path, NEEDED)
    labels, faults, notes = read_labels(metadata, str(path))
    rows, problems = gather_columns(metadata, str(path))
    rows["image_id"] = objects(name and plain_id(name) for name in metadata["image_id"])
    rows = rows.join(interpret_labels(labels, str(path)))
    rows, values = clean_values(rows, lesions=False)
    faults = [f or _lesion_fault(lesion) for f, lesion in zip(faults, rows["lesion_id"], strict=True)]
    images, elsewhere = _images(root, set(rows["image_id"].dropna()))
    found = [images.find(i) if i else NotFound("missing image id", "it names no image") for i in rows["image_id"]]
    kept, dropped = usable_rows(rows, found, labels, faults)
    if kept.empty:
        raise DataError(
            f"{root}: none of the {len(metadata)} metadata rows has a usable image; the first: {dropped[0]}.",
            packed_hint(root) or "Put the images into images/ (or keep the two part folders) beside the metadata.",
        )
    known = set(kept["image_id"])
    problems += [
        *(Problem(str(p), f"only {path.name} is read", "table not read", "ignored") for p in unread),
        *notes,
        *report_reduced(labels, str(path)),
        *dropped,
        *(problem for problem in values if problem.file in known),
        *images.problems,
        *images.extra(rows["image_id"].dropna()),
        *elsewhere,
    ]
    table = make_table(kept)
    pairs = tuple(read_known_pairs(root))
    if not is_ham10000(table["image_id"]):
        return Records(table, "ham10000_layout", root, tuple(problems), pairs)
    manifest = find_manifest("ham10000")
    return Records(table, "ham10000", root, tuple(problems), pairs, None, manifest.licence, manifest.citation)


def _find_metadata(root: Path) -> list[Path]:
    """The metadata, in whatever case its name is written; the first of `METADATA_NAMES` counts."""
    if not root.is_dir():
        return []
    names = [name.lower() for name in METADATA_NAMES]
    found = [p for p in root.iterdir() if p.name.lower() in names and p.is_file()]
    return sorted(found, key=lambda p: (names.index(p.name.lower()), p.name))


def _lesion_fault(lesion: str | None) -> Problem | None:
    return None if lesion else Problem("", "no lesion id, so its group is unknown", "missing lesion id")


def _images(root: Path, ids: set[str]) -> tuple[ImageFiles, list[Problem]]:
    """The images to look among, and what lies elsewhere.

    Those of the layout's own folders, if any row's image is there: what has the same names elsewhere may be masks or
    thumbnails. Without such folders, those anywhere below the root.
    """
    everything = ImageFiles.below(root)
    home = everything.only(lambda path: _at_home(path, everything.root))
    plain = {image_id.lower() for image_id in ids}
    if not any(plain_id(path.name).lower() in plain for path in home.images):
        return everything, []
    at_home = set(home.images)
    reason = "it is outside the image folders"
    return home, [
        Problem(str(path), reason, "extra image", "ignored")
        for path in everything.images
        if path not in at_home and not is_companion(path, plain)
    ]


def _at_home(path: Path, root: Path) -> bool:
    first, *rest = path.relative_to(root).parts
    return not rest or first.lower() in IMAGE_FOLDERS

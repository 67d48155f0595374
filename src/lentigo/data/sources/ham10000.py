"""HAM10000 as published and as repackaged: 10,015 dermatoscopic images of seven diagnoses.

Layouts: `images/`, the two part folders of Kaggle's and Dataverse's copies, or all images beside the metadata. The
metadata table has eight columns, or seven in Kaggle's copy (no `dataset`).

Source: Tschandl, Rosendahl, Kittler, 'The HAM10000 dataset', Scientific Data 5:180161, 2018. Licence CC BY-NC 4.0.
"""

from pathlib import Path

import pandas as pd

from lentigo import taxonomy
from lentigo.data.records import Problem, Records, make_table
from lentigo.data.sources.delimited import read_table
from lentigo.data.sources.manifest import find_manifest
from lentigo.data.sources.metadata import read_known_pairs
from lentigo.errors import DataError

__all__ = ["detect", "read"]

METADATA_NAMES = ("HAM10000_metadata.csv", "HAM10000_metadata", "HAM10000_metadata.tab")
IMAGE_FOLDERS = ("images", "HAM10000_images_part_1", "HAM10000_images_part_2", ".")
NEEDED = ("lesion_id", "image_id", "dx")
OPTIONAL = ("dx_type", "age", "sex", "localization", "dataset")


def detect(root: Path) -> bool:
    """Whether a folder holds this source."""
    return any((root / name).is_file() for name in METADATA_NAMES)


def read(root: Path) -> Records:
    """Read the metadata and find each row's image; nothing is decoded yet.

    Rows that can't be used are left out and reported in `Records.problems`, images without a row as well.

    Raises:
        DataError: there is no metadata, it lacks a column, or no row is usable.
    """
    metadata = _read_metadata(root)
    images, problems = _find_images(root)
    rows: list[dict[str, object]] = []
    seen: set[str] = set()
    for row in metadata.to_dict("records"):
        problem = _check(row, images, seen)
        if problem:
            problems.append(problem)
            continue
        image_id = str(row["image_id"])
        seen.add(image_id)
        if row.get("age") is not None and pd.isna(pd.to_numeric(row["age"], errors="coerce")):
            problems.append(Problem(image_id, f"age {row['age']!r} is no number", "bad age", "kept"))
        rows.append(
            {
                "image_id": image_id,
                "lesion_id": row["lesion_id"],
                "dx": taxonomy.diagnosis(str(row["dx"])).id,
                "dx_type": row.get("dx_type"),
                "age": row.get("age"),
                "sex": row.get("sex"),
                "site": row.get("localization"),
                "source": row.get("dataset"),
                "path": str(images[image_id]),
            }
        )
    named = {str(i) for i in metadata["image_id"].dropna()}
    problems += [
        Problem(str(path), "no row in the metadata names this image", "extra image", "ignored")
        for image_id, path in sorted(images.items())
        if image_id not in named
    ]
    if not rows:
        raise DataError(
            f"{root}: none of the {len(metadata)} metadata rows has a usable image.",
            "Put the .jpg files into images/ (or keep the two part folders) beside the metadata.",
        )
    table = make_table(pd.DataFrame(rows).sort_values("image_id"))
    manifest = find_manifest("ham10000")
    pairs = tuple(read_known_pairs(root))
    return Records(table, "ham10000", root, tuple(problems), pairs, None, manifest.licence, manifest.citation)


def _read_metadata(root: Path) -> pd.DataFrame:
    path = next((root / name for name in METADATA_NAMES if (root / name).is_file()), None)
    if path is None:
        raise DataError(f"{root}: no {METADATA_NAMES[0]} here.", "Give the folder that holds it.")
    return read_table(path, NEEDED)


def _find_images(root: Path) -> tuple[dict[str, Path], list[Problem]]:
    """Images by id; an id that lies in two folders is taken from the first and reported.

    Kaggle's copy names its part folders in capitals or in small letters.
    """
    images: dict[str, Path] = {}
    problems = []
    for name in IMAGE_FOLDERS:
        folder = next((root / n for n in (name, name.lower()) if (root / n).is_dir()), root / name)
        for path in sorted(p for p in folder.glob("*.[jJ][pP]*[gG]") if p.is_file()):
            if path.stem in images:
                problems.append(Problem(str(path), f"same id as {images[path.stem]}", "duplicate file", "ignored"))
            else:
                images[path.stem] = path.absolute()
    return images, problems


def _check(row: dict, images: dict[str, Path], seen: set[str]) -> Problem | None:
    """The reason why a row can't be used, if there is one."""
    image_id = row["image_id"]
    if image_id is None:
        return Problem(f"row with lesion {row['lesion_id']}", "the row has no image id", "missing image id")
    if image_id in seen:
        return Problem(image_id, "a second row for this image id", "duplicate id")
    try:
        taxonomy.diagnosis(row["dx"] or "")
    except DataError as error:
        return Problem(image_id, str(error), "unknown label")
    if row["lesion_id"] is None:
        return Problem(image_id, "no lesion id, so its group is unknown", "missing lesion id")
    if image_id not in images:
        return Problem(image_id, f"{image_id}.jpg is in none of the image folders", "missing image")
    if images[image_id].stat().st_size == 0:
        return Problem(str(images[image_id]), "the file is empty", "empty image")
    return None

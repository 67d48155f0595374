"""Any tree with one folder a class, perhaps below one folder a part: `melanoma/`, or `train/benign/`.

A class folder is named after a diagnosis, in any spelling that `taxonomy.diagnosis` knows, or 'benign' and 'malignant';
a part folder 'train', 'val' or 'test', which is kept in the column `source`. Kaggle's 'Melanoma Skin Cancer Dataset of
10000 Images' has that layout. Such trees know no lesions, which is reported.
"""

import re
from collections import Counter
from pathlib import Path

import pandas as pd

from lentigo.data.records import Records, make_table
from lentigo.data.sources.image_files import usable_rows
from lentigo.data.sources.labels import interpret_labels, is_label
from lentigo.data.sources.manifest import find_manifest
from lentigo.data.sources.metadata import report_no_lesions
from lentigo.errors import DataError
from lentigo.runtime.walking import find_images

__all__ = ["detect", "read"]

PARTS = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
    "testing": "test",
}


def detect(root: Path) -> bool:
    """Whether a folder, or the part folders in it, hold at least two class folders."""
    if not root.is_dir():
        return False
    parts = [f for f in _folders(root) if f.name.lower() in PARTS]
    return any(sum(is_label(f.name) for f in _folders(place)) >= 2 for place in [root, *parts])


def read(root: Path) -> Records:
    """Read a tree of class folders; an image's class is the folder that it lies in.

    An image's id is its name without suffix, or its path below the root where names occur twice in the tree. Images
    in a folder whose name is no known label are left out and reported.

    Raises:
        DataError: classes named by numbers, or no usable image.
    """
    paths = [path.absolute() for path in find_images(root)]
    below = [path.relative_to(root.absolute()).with_suffix("") for path in paths]
    unique = all(count == 1 for count in Counter(path.stem for path in paths).values())
    rows = pd.DataFrame(
        {
            "image_id": [path.name if unique else path.as_posix() for path in below],
            "label": [path.parent.name if path.parent.name else None for path in below],
            "source": [next((PARTS[p.lower()] for p in path.parts[:-1] if p.lower() in PARTS), None) for path in below],
            "path": [str(path) for path in paths],
        },
        dtype=object,
    )
    rows = rows.join(interpret_labels(rows["label"].tolist(), str(root)))
    kept, problems = usable_rows(rows)
    if kept.empty:
        raise DataError(
            f"{root}: none of the {len(rows)} images below it lies in a folder named after a diagnosis.",
            "Name the folders after diagnoses, or 'benign' and 'malignant'.",
        )
    problems.append(report_no_lesions(root, "a table with lesion ids can be read instead"))
    table = make_table(kept)
    if _is_melanoma10000(below):
        manifest = find_manifest("melanoma10000")
        return Records(table, manifest.name, root, tuple(problems), (), None, manifest.licence, manifest.citation)
    return Records(table, "folders", root, tuple(problems))


def _folders(root: Path) -> list[Path]:
    return [entry for entry in root.iterdir() if entry.is_dir()]


def _is_melanoma10000(below: list[Path]) -> bool:
    """Whether a tree has the names of the 10,000-image set: `train/benign/melanoma_0.jpg`."""
    return all(re.fullmatch(r"(train|test)/(benign|malignant)/melanoma_\d+", path.as_posix()) for path in below)

"""Any table with a column of image files and a column of labels.

Recognised are the column names of `IMAGE_COLUMNS` and `LABEL_COLUMNS`, and for the rest those of `Records.table` and
`patient_id`. An image is named by its path, from the table's folder or absolute, or by its id: the name of a file
anywhere below that folder, without suffix.
"""

from pathlib import Path

import pandas as pd

from lentigo.data.records import COLUMNS, Records, make_table
from lentigo.data.sources.delimited import read_header, read_table
from lentigo.data.sources.image_files import index_images, usable_rows
from lentigo.data.sources.labels import interpret_labels
from lentigo.data.sources.metadata import HAM10000_NAMES, report_no_lesions
from lentigo.errors import DataError

__all__ = ["IMAGE_COLUMNS", "LABEL_COLUMNS", "detect", "read"]

IMAGE_COLUMNS = ("path", "file", "filename", "filepath", "image_path", "image", "image_id", "image_name", "isic_id")
"""Names of the column that says where an image is; the first that a table has counts."""

LABEL_COLUMNS = ("dx", "label", "diagnosis", "class", "benign_malignant", "malignant", "target")
"""Names of the column that holds the label; the first that a table has counts. In the last two, 1 is malignant."""

FLAGS = {"0": "benign", "0.0": "benign", "false": "benign", "1": "malignant", "1.0": "malignant", "true": "malignant"}

SUFFIXES = (".csv", ".tsv", ".tab")


def detect(root: Path) -> bool:
    """Whether a file is a table of images and labels, or a folder holds one."""
    return bool(_find_tables(root))


def read(root: Path) -> Records:
    """Read a table of images and labels. Rows that can't be used are left out and reported.

    Raises:
        DataError: several tables in the folder, a broken table, labels that are numbers, or no usable row.
    """
    tables = _find_tables(root)
    if len(tables) != 1:
        names = ", ".join(t.name for t in tables) or "none"
        raise DataError(f"{root}: one table of images and labels is needed, found {names}.", "Give the table itself.")
    path = tables[0].absolute()
    table = read_table(path).rename(columns=str.lower).rename(columns=HAM10000_NAMES)
    if table.columns.duplicated().any():
        raise DataError(f"{path}: two columns have one name but for their case.", "Rename one of them.")
    where = next(name for name in IMAGE_COLUMNS if name in table.columns)
    truth = next(name for name in LABEL_COLUMNS if name in table.columns)
    labels = table[truth].tolist()
    if truth in ("malignant", "target"):
        labels = [FLAGS.get(str(word).lower(), word) for word in labels]
    rows = pd.DataFrame({c: table[c] for c in (*COLUMNS, "patient_id") if c in table.columns}, dtype=object)
    found = _find_images(path.parent, table[where].tolist())
    if "image_id" not in rows:
        rows["image_id"] = pd.Series(_ids(table[where].tolist()), dtype=object)  # pandas would make None a nan
    rows = rows.drop(columns=["dx", "malignant", "path"], errors="ignore")
    rows = rows.join(interpret_labels(labels, str(path)))
    rows["path"] = pd.Series([image and str(image) for image in found], dtype=object)
    kept, problems = usable_rows(rows)
    if kept.empty:
        raise DataError(
            f"{path}: none of its {len(rows)} rows is usable; the first: {problems[0]}.", "Check its paths and labels."
        )
    if "lesion_id" not in kept or kept["lesion_id"].isna().all():
        problems.append(report_no_lesions(path, "add a column lesion_id"))
    return Records(make_table(kept), "table", path, tuple(problems))


def _find_tables(root: Path) -> list[Path]:
    candidates = [root] if root.is_file() else sorted(root.iterdir())
    return [p for p in candidates if p.suffix.lower() in SUFFIXES and _has_columns({n.lower() for n in read_header(p)})]


def _has_columns(names: set[str]) -> bool:
    return bool(names & set(IMAGE_COLUMNS)) and bool(names & set(LABEL_COLUMNS))


def _ids(names: list[str | None]) -> list[str | None]:
    """File names without suffix, or the whole paths where two folders hold files of one name."""
    stems = [name and Path(name).stem for name in names]
    return stems if len(set(stems)) == len(set(names)) else names


def _find_images(folder: Path, names: list[str | None]) -> list[Path | None]:
    """The file of each name: a path below the folder, or else the id of an image anywhere below it."""
    paths = [None if name is None else (folder / name).absolute() for name in names]
    if all(path is None or path.is_file() for path in paths):
        return paths
    images, _ = index_images(folder)
    return [p if p is None or p.is_file() else images.get(str(n)) for p, n in zip(paths, names, strict=True)]

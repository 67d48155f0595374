"""Any table with a column of image files and one or more columns of labels.

Recognised are the column names of `IMAGE_COLUMNS`, `label_columns.LABEL_COLUMNS` (and ISIC's `diagnosis_1` to
`diagnosis_5`), and for the rest those of `values.COLUMN_NAMES`. An image is named by its path, from the table's folder
or absolute, or by its id or file name anywhere below that folder.

Paths don't leave the table's folder unless the caller allows it: absolute ones elsewhere, `..` and addresses such as
`file:` are reported. Links inside of the folder are followed, wherever they lead.
"""

import os
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePath, PureWindowsPath

import pandas as pd

from lentigo.data.records import Records, make_table
from lentigo.data.sources.delimited import TABLE_SUFFIXES, read_header, read_table
from lentigo.data.sources.identity import published_in
from lentigo.data.sources.image_files import ImageFiles, NotFound, plain_id
from lentigo.data.sources.label_columns import has_labels, read_labels
from lentigo.data.sources.labels import interpret_labels, report_reduced
from lentigo.data.sources.metadata import report_no_lesions
from lentigo.data.sources.usable import usable_rows
from lentigo.data.sources.values import clean_values, gather_columns, objects
from lentigo.errors import DataError
from lentigo.labels import HAM10000, PAD_UFES_20, LabelSet
from lentigo.runtime.formats import image_format

__all__ = ["IMAGE_COLUMNS", "LAYOUT", "PRECEDENCE", "detect", "read"]

LAYOUT = "one table (.csv, .tsv) with columns such as path and label"
PRECEDENCE = 100

IMAGE_COLUMNS = (
    "path", "file", "filename", "file_name", "filepath", "file_path", "image_path", "image", "image_id", "image_name",
    "isic_id", "img_id", "imageid",
)  # fmt: skip
"""Names of the column that says where an image is; the first that a table has counts."""

ID_COLUMNS = ("image_id", "imageid", "isic_id", "image_name", "img_id")
"""Names of the column that holds ids; without one, ids are the names of the files."""

_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:")


def detect(root: Path) -> bool:
    """Whether a file is a table of images and labels, or a folder holds one."""
    return bool(_find_tables(root))


def read(root: Path, label_set: LabelSet | None = None, *, outside: bool = False) -> Records:
    """Read a table of images and labels. Rows that can't be used are left out and reported.

    Args:
        root: the table, or the folder that holds it; of a folder, images that no row names are reported.
        label_set: whose ids, names and aliases the labels are; without it PAD-UFES-20's where they are its six codes,
            else HAM10000's, or benign and malignant.
        outside: whether its paths may leave its folder.

    Raises:
        DataError: several tables in the folder, a broken table, labels that are numbers, or no usable row.
    """
    tables = _find_tables(root)
    if len(tables) != 1:
        names = ", ".join(t.name for t in tables) or "none"
        raise DataError(f"{root}: one table of images and labels is needed, found {names}.", "Give the table itself.")
    path = tables[0].absolute()
    table = read_table(path)
    where = next(name for name in IMAGE_COLUMNS if name in table.columns)
    own = label_set or (PAD_UFES_20 if _is_pad_ufes(table) else None)
    labels, faults, notes = read_labels(table, str(path), label_set=own)
    rows, problems = gather_columns(table, str(path))
    images = _images(path, root, table[where].tolist(), outside)
    found = _find_images(path.parent, table[where].tolist(), images, outside)
    rows["image_id"] = objects(_ids(table, where, found))
    rows = rows.join(interpret_labels(labels, str(path), own))
    rows, values = clean_values(rows)
    kept, dropped = usable_rows(rows, found, labels, faults, own)
    if kept.empty:
        raise DataError(
            f"{path}: none of its {len(rows)} rows is usable; the first: {dropped[0]}.",
            "Check its paths and labels; own labels are stated by a label set (--labels FILE).",
        )
    known = set(kept["image_id"])
    reduced = report_reduced(labels, str(path)) if own is None else []
    problems += [*notes, *reduced, *dropped, *(v for v in values if v.file in known)]
    if images is not None and root.is_dir():
        problems += [*images.problems, *images.extra(rows["image_id"].dropna())]
    if "lesion_id" not in kept or kept["lesion_id"].isna().all():
        problems.append(report_no_lesions(path, "add a column lesion_id"))
    own = own or HAM10000
    origin = published_in(kept["image_id"])
    licence, citation = (origin.licence, origin.citation) if origin else ("", "")
    made = make_table(kept, own)
    return Records(made, "table", path, tuple(problems), licence=licence, citation=citation, label_set=own)


def _is_pad_ufes(table: pd.DataFrame) -> bool:
    """Whether the labels are PAD-UFES-20's codes in its own column, one that no other label set has among them."""
    words = {text for text in table["diagnostic"] if text is not None} if "diagnostic" in table.columns else set()
    return words <= {c.upper() for c in PAD_UFES_20.classes} and bool(words & {"ACK", "NEV", "SEK"})


def _find_tables(root: Path) -> list[Path]:
    candidates = [root] if root.is_file() else sorted(p for p in root.iterdir() if not p.name.startswith("."))
    return [p for p in candidates if p.suffix.lower() in TABLE_SUFFIXES and _has_columns(set(read_header(p)))]


def _has_columns(names: set[str]) -> bool:
    return bool(names & set(IMAGE_COLUMNS)) and has_labels(names)


def _ids(table: pd.DataFrame, where: str, found: Sequence[Path | NotFound]) -> list[str | None]:
    """The ids that a table states, or file names without suffix, or whole paths where two images have one name."""
    column = next((name for name in ID_COLUMNS if name in table.columns), where)
    names = table[column].tolist()
    plain = [name and plain_id(name) for name in names]
    named: dict[str, dict[str, Path | NotFound]] = defaultdict(dict)
    for short, name, place in zip(plain, names, found, strict=True):
        if short and name:
            named[short][name] = place
    return names if any(map(_differ, named.values())) else plain


def _differ(named: Mapping[str, Path | NotFound]) -> bool:
    """Whether names with one id are of several images, not spellings of one: two files, or folders in which none is."""
    files = {place for place in named.values() if isinstance(place, Path)}
    folders = {PurePath(name.replace("\\", "/")).parent for name in named}
    return len(files) > 1 or (len(folders) > 1 and any(isinstance(place, NotFound) for place in named.values()))


def _images(path: Path, root: Path, names: Sequence[str | None], outside: bool) -> ImageFiles | None:
    """The images below the table's folder; None where the table was given itself and every path leads to a file."""
    if not root.is_dir() and all(
        name is None or isinstance(_place(path.parent, name, outside), Path | NotFound) for name in names
    ):
        return None
    return ImageFiles.below(path.parent)


def _find_images(
    folder: Path, names: Sequence[str | None], images: ImageFiles | None, outside: bool
) -> list[Path | NotFound]:
    """The file of each name, or why it can't be used."""
    found: list[Path | NotFound] = []
    for name in names:
        place = NotFound("missing image id", "it names no image") if name is None else _place(folder, name, outside)
        if isinstance(place, Path):
            if images is not None:
                images.use(place)
            place = _unread(place) or place
        found.append(place or (images.find(name) if images and name else NotFound("missing image", "no such file")))
    return found


def _unread(path: Path) -> NotFound | None:
    """Why a file that a table names is no image that can be read, by its content."""
    kind = image_format(path)
    if kind is None:
        return NotFound("no image", f"{path.name} is not an image")
    if not kind.readable:
        return NotFound("unread format", f"{path.name}: {kind.name} is not supported; {kind.next_step}")
    return None


def _place(folder: Path, name: str, outside: bool) -> Path | NotFound | None:
    """The file at a path, None where there is none, or why the path isn't followed."""
    if _ADDRESS.match(name):
        return NotFound("outside the folder", f"{name!r} is an address, which is never opened")
    leaves = NotFound(
        "outside the folder",
        f"{name!r} leads out of the table's folder; put the table above its images, or allow it in reading "
        "(outside=True, --outside)",
    )
    if PureWindowsPath(name).drive and not Path(name).is_absolute():  # a path of another system
        return leaves
    for spelling in dict.fromkeys((name, name.replace("\\", "/"))):
        path = Path(os.path.normpath(folder / spelling))
        if not (outside or path.is_relative_to(folder) or path.is_relative_to(folder.resolve())):
            return leaves
        try:
            if path.is_file():
                return path
        except (OSError, ValueError):  # a name that is too long, or holds a zero byte
            return None
    return None

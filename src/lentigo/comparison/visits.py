"""Images of one lesion with their dates: from a CSV table, from file names or from Exif, as the user states."""

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Literal

from lentigo.arguments import checked
from lentigo.errors import DataError, did_you_mean
from lentigo.runtime import find_images, is_heatmap
from lentigo.runtime.codecs.header import read_exif
from lentigo.runtime.files import selected_images
from lentigo.runtime.tables import read_table

__all__ = ["Visit", "read_visits", "rows_of"]

Dates = Literal["names", "exif"]
EARLIEST = date(1900, 1, 1)
_IN_NAME = re.compile(r"(?<!\d)(\d{4})([-_.]?)(\d{2})\2(\d{2})(?!\d)")
_EXIF_IFD, _TAKEN = 0x8769, 0x9003
_COLUMNS = ("image", "date", "mask", "lesion_id")


@dataclass(frozen=True)
class Visit:
    """An image of a lesion on a day.

    Attributes:
        image: the file.
        day: when it was taken.
        mask: file of the lesion's mask, of the image's size; None without one.
    """

    image: Path
    day: date
    mask: Path | None = None


@checked
def read_visits(
    named: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    *,
    dates: Dates | None = None,
    masks: str | os.PathLike[str] | None = None,
) -> list[Visit]:
    """The visits of one lesion.

    Args:
        named: a CSV table with the columns `image`, `date` (YYYY-MM-DD) and, if known, `mask` and `lesion_id`, paths
            relative to it; or image files, folders or patterns.
        dates: of images, where the dates are: 'names' for one date in each file's name, as 2024-05-31 or 20240531;
            'exif' for the time at which a camera says that it took the image. The files' own times say when they were
            copied, and are never taken.
        masks: of images, a folder of masks named after them, with or without '_segmentation' or '_mask'.

    Raises:
        DataError: not a table, a column is missing or unknown, several lesions; a date that is missing, can't be read
            or can't be; no mask for an image, or more than one.
        ImageError: no image.
    """
    files = [named] if isinstance(named, str | os.PathLike) else list(named)
    if len(files) == 1 and Path(files[0]).suffix.lower() == ".csv":
        if dates is not None or masks is not None:
            raise DataError(f"{files[0]}: a table states its own dates and masks.", "Leave out --dates and --masks.")
        return _tabled(Path(files[0]))
    if dates not in ("names", "exif"):
        what = "It is not stated where the dates are" if dates is None else f"Dates from {dates!r}"
        raise DataError(f"{what}.", "State --dates names or --dates exif, or name a CSV table of image and date.")
    day_of = _from_name if dates == "names" else _from_exif
    found = selected_images(files)
    folder = None if masks is None else _masks(Path(masks))
    return [Visit(path, day_of(path), None if folder is None else _mask_of(path, folder)) for path in found]


def _tabled(file: Path) -> list[Visit]:
    rows = rows_of(file, required=("image", "date"), known=_COLUMNS)
    lesions = sorted({row["lesion_id"] for row in rows if row.get("lesion_id")})
    if len(lesions) > 1:
        raise DataError(f"{file}: {len(lesions)} lesions ({', '.join(lesions[:3])}).", "Follow one lesion at a time.")
    return [
        Visit(
            file.parent / row["image"],
            _iso(row["date"], f"{file}, line {number}"),
            file.parent / row["mask"] if row.get("mask") else None,
        )
        for number, row in enumerate(rows, 2)
    ]


def rows_of(file: Path, required: Sequence[str], known: Sequence[str]) -> list[dict[str, str]]:
    """The rows of a CSV table, cells stripped.

    Raises:
        DataError: as `read_table`, or it lacks a column, has an unknown one, or no row.
    """
    header, lines = read_table(file)
    if missing := [name for name in required if name not in header]:
        raise DataError(f"{file}: the column {missing[0]!r} is missing.", f"Columns: {', '.join(known)}.")
    if unknown := [name for name in header if name not in known]:
        raise DataError(f"{file}: unknown column {unknown[0]!r}.", did_you_mean(unknown[0], known))
    rows = []
    for number, cells in lines:
        if empty := [name for name in required if not cells[name]]:
            raise DataError(f"{file}, line {number}: {empty[0]!r} is empty.", "Fill it in, or remove the line.")
        rows.append(cells)
    if not rows:
        raise DataError(f"{file}: no row below the header.", "Name each image in a row.")
    return rows


def _possible(day: date, where: str) -> date:
    """A day on which an image can have been taken: what is wrong in it would put the images in another order."""
    if not EARLIEST <= day <= date.today() + timedelta(days=1):  # it may be tomorrow already where it was taken
        raise DataError(f"{where}: no image was taken on {day}.", "Correct the date, or the clock of this machine.")
    return day


def _iso(text: str, where: str) -> date:
    try:
        return _possible(datetime.strptime(text, "%Y-%m-%d").date(), where)
    except ValueError:
        raise DataError(f"{where}: the date {text!r} can't be read.", "Write it as 2024-05-31.") from None


def _from_name(path: Path) -> date:
    found = {m.group(0): m for m in _IN_NAME.finditer(path.stem)}
    if len(found) != 1:
        what = f"{len(found)} dates" if found else "no date"
        raise DataError(f"{path}: {what} in its name.", "Write one as 2024-05-31, or state the dates in a CSV table.")
    (match,) = found.values()
    return _iso("-".join(match.group(1, 3, 4)), str(path))


def _from_exif(path: Path) -> date:
    try:
        taken = read_exif(path.read_bytes()).get_ifd(_EXIF_IFD).get(_TAKEN)
    except Exception:  # Pillow raises many kinds for damage
        raise DataError(f"{path}: can't be read.", "Check the path and the file.") from None
    try:
        return _possible(datetime.strptime(str(taken or "").strip()[:10], "%Y:%m:%d").date(), str(path))
    except ValueError:
        what = f"its Exif date {taken!r} can't be read" if taken else "it states no Exif date"
        raise DataError(f"{path}: {what}.", "State the dates in a CSV table.") from None


def _masks(folder: Path) -> dict[str, list[Path]]:
    found: dict[str, list[Path]] = {}
    for path in find_images(folder) if folder.is_dir() else ():
        if not is_heatmap(path):
            found.setdefault(re.sub(r"_(segmentation|mask)$", "", path.stem), []).append(path)
    if not found:
        raise DataError(f"{folder}: no masks there.", "Name a folder of masks named after the images.")
    return found


def _mask_of(image: Path, masks: dict[str, list[Path]]) -> Path:
    found = masks.get(image.stem, [])
    if len(found) != 1:
        raise DataError(
            f"{image}: {len(found) or 'no'} mask{'s' if found else ''} for it.",
            "Name its mask after it, or state the masks in a CSV table.",
        )
    return found[0]

"""Find the image files of a source by their ids, and tell the rows that can be used from those that can't."""

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from lentigo.data.records import Problem
from lentigo.runtime.walking import find_images

__all__ = ["index_images", "packed_hint", "report_extra", "usable_rows"]


def index_images(root: Path) -> tuple[dict[str, Path], list[Problem]]:
    """All images below a folder by id, the name without suffix; an id found twice keeps the first and is reported."""
    images: dict[str, Path] = {}
    problems = []
    for path in find_images(root):
        if path.stem in images:
            problems.append(Problem(str(path), f"same id as {images[path.stem]}", "duplicate file", "ignored"))
        else:
            images[path.stem] = path.absolute()
    return images, problems


def packed_hint(root: Path) -> str:
    """What to do about archives that were never unpacked: '' where there are none."""
    packed = [root] if root.suffix.lower() == ".zip" else sorted(root.rglob("*.zip")) if root.is_dir() else []
    names = ", ".join(path.name for path in packed)
    return f"Unpack {names} there first: lentigo reads no archives." if packed else ""


def report_extra(images: dict[str, Path], named: Iterable[str]) -> list[Problem]:
    """Images that no row of the source's table names."""
    known = set(named)
    return [
        Problem(str(path), "no row of the table names this image", "extra image", "ignored")
        for image_id, path in sorted(images.items())
        if image_id not in known
    ]


def usable_rows(rows: pd.DataFrame) -> tuple[pd.DataFrame, list[Problem]]:
    """The rows whose label and image file can be used, sorted by image id, and why the others can't.

    Args:
        rows: columns image_id and path (both None where unknown), kind and reason as `interpret_labels` gives them.
    """
    problems: list[Problem] = []
    keep: list[int] = []
    seen: set[str] = set()
    for i, row in enumerate(rows.to_dict("records")):
        problem = _fault(row["image_id"], row["path"], row["kind"], row["reason"], seen)
        if problem:
            problems.append(problem)
        else:
            keep.append(i)
        seen.add(row["image_id"])
    return rows.iloc[keep].sort_values("image_id"), problems


def _fault(
    image_id: str | None, path: str | None, kind: str | None, reason: str | None, seen: set[str]
) -> Problem | None:
    """What is wrong with a row; the pixels of its image are not looked at."""
    if image_id is None:
        return Problem("a row of the table", "it names no image", "missing image id")
    if image_id in seen:
        return Problem(image_id, "a second row for this image id", "duplicate id")
    if kind is not None and reason is not None:
        return Problem(image_id, reason, kind)
    if path is None or not Path(path).is_file():
        return Problem(image_id, "its image file is missing", "missing image")
    if Path(path).stat().st_size == 0:
        return Problem(path, "the file is empty", "empty image")
    return None

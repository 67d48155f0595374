"""One picture under several names: images whose files, or pixels in an array, are the same bytes.

Whatever they are called, they show one lesion. Of two diagnoses at least one is wrong, and with two lesion ids they
could be split apart, so that a model would be tested on what it was trained on.
"""

import hashlib
from collections import defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from lentigo.data.records import Problem, Records

__all__ = ["identical_images", "same_picture", "settle_identical"]

_SAMPLE = 1 << 10


def settle_identical(records: Records) -> Records:
    """Leave out identical images whose labels differ, and link those whose lesion ids do; both are reported."""
    table = records.table
    label = table["dx"].fillna(table["malignant"].map({True: "malignant", False: "benign"}))
    lost: set[int] = set()
    links: list[tuple[str, str]] = []
    problems: list[Problem] = []
    for group in same_picture(records):
        first, ids = group[0], [str(records.ids[i]) for i in group]
        if label.iloc[group].nunique() > 1:
            lost.update(group)
            for i, image_id in zip(group, ids, strict=True):
                other = next(j for j in group if label.iloc[j] != label.iloc[i])
                reason = f"the same picture as {records.ids[other]}, which says {label.iloc[other]}: neither is used"
                problems.append(Problem(image_id, reason, "contradictory label"))
        elif table["lesion_id"].iloc[group].nunique() > 1:
            links += [(ids[0], other) for other in ids[1:]]
            reason = f"the same picture as {records.ids[first]}, under another lesion id: a split keeps them together"
            problems += [Problem(image_id, reason, "identical image", "kept") for image_id in ids[1:]]
    kept = table.drop(index=sorted(lost)).reset_index(drop=True) if lost else table
    return replace(records, table=kept, problems=(*records.problems, *problems), links=(*records.links, *links))


def same_picture(records: Records) -> list[list[int]]:
    """Positions of the records by picture, for each picture that several of them show.

    Images of a packed data set, which would all have to be decoded, are not compared: what packs them has done so.
    """
    pixels = records.pixels
    if pixels is None:
        return identical_images(records.table["path"])
    if not isinstance(pixels, np.ndarray):
        return []
    rows = [int(path.rpartition("#")[2]) for path in records.table["path"]]
    return _grouped(range(len(rows)), [_hash(pixels[row].tobytes()) for row in rows])


def identical_images(paths: Sequence[str] | pd.Series) -> list[list[int]]:
    """Positions of files with the same bytes, for each content that several have; unreadable ones have none.

    Few files are read whole: those that another is like in size and in a kilobyte from the middle.
    """
    files = [Path(path) for path in paths]
    found = [list(range(len(files)))]
    for mark in (_size, _middle, _content):
        found = [again for group in found for again in _grouped(group, [mark(files[i]) for i in group])]
    return sorted(found)


def _grouped(members: Sequence[int], marks: Sequence[Hashable]) -> list[list[int]]:
    """The members by their marks, where several have the same; None is nobody's mark."""
    by_mark: dict[Hashable, list[int]] = defaultdict(list)
    for i, mark in zip(members, marks, strict=True):
        by_mark[mark].append(i)
    return [group for mark, group in by_mark.items() if mark is not None and len(group) > 1]


def _size(file: Path) -> int | None:
    try:
        return file.stat().st_size
    except OSError:
        return None


def _middle(file: Path) -> bytes | None:
    try:
        with file.open("rb", buffering=0) as stream:
            stream.seek(file.stat().st_size // 2)
            return stream.read(_SAMPLE)
    except OSError:
        return None


def _content(file: Path) -> bytes | None:
    try:
        return _hash(file.read_bytes())
    except OSError:
        return None


def _hash(content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=16).digest()

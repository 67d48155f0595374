"""Several data sets as one: what two of them have in common is found by ids and bytes, and the one named first counts.

An image id names the same image in all of them; ISIC's 'ISIC_0001140' and 'ISIC_0001140_downsampled' are one. So are
files with the same bytes, whatever they are called. A lesion or patient id with letters in it names the same
lesion or patient; a bare number doesn't: every clinic counts from 1.
"""

import re
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lentigo.data.identical import identical_images
from lentigo.data.records import Problem, Records, Source, make_table
from lentigo.errors import DataError, DataWarning
from lentigo.runtime.fingerprints import image_identity

__all__ = ["CONTRADICTORY", "join", "set_aside"]

TWICE = "image of an earlier data set"
CONTRADICTORY = "contradictory label"
_BARE_NUMBER = re.compile(r"[\W\d_]+")


def join(parts: Sequence[Records], names: Sequence[str]) -> Records:
    """Join data sets with the same labels. One `DataWarning` counts what is left out.

    Of an image that is in several data sets, the row of the one named first is kept. Where its labels differ, neither
    is kept, except the main data set's, the first: its parts must not depend on what is joined to it. Lesion and
    patient ids that such an image has in several data sets become `links`, so that groups join.

    Args:
        parts: two data sets or more.
        names: what to call them in the column `data_set`.

    Raises:
        DataError: the labels differ, or two data sets have one name.
    """
    main = parts[0]
    for part in parts[1:]:
        if part.label_set != main.label_set:
            raise DataError(
                f"{part.root} has the labels of {part.label_set}, {main.root} those of {main.label_set}.",
                "Map the labels: --map FILE.",
            )
    if twice := [name for name, count in Counter(names).items() if count > 1]:
        raise DataError(f"Two data sets are called {twice[0]!r}.", "Rename the folder of one of them.")
    rows = pd.concat(_in_one_namespace(parts, names), ignore_index=True)
    same = _same_images(rows)  # by files, while the paths are theirs
    if any(part.pixels is not None for part in parts):
        rows["path"] = [f"{path.rpartition('#')[0] or path}#{row}" for row, path in enumerate(rows["path"])]
    lost, problems = _found_again(rows, same)
    if problems:
        kinds = Counter(problem.kind for problem in problems)
        listed = ", ".join(f"{kind} {n:,}" for kind, n in kinds.items())
        warnings.warn(f"{' + '.join(names)}: {len(problems):,} skipped ({listed})", DataWarning, stacklevel=1)
    return Records(
        make_table(rows[~lost], main.label_set),
        "+".join(names),
        main.root,
        (*(p for part in parts for p in part.problems), *problems),
        tuple(dict.fromkeys(pair for part in parts for pair in part.known_pairs)),
        _Pictures(parts) if any(part.pixels is not None for part in parts) else None,
        _licences({name: part.licence for name, part in zip(names, parts, strict=True)}),
        " ".join(dict.fromkeys(part.citation for part in parts if part.citation)),
        main.label_set,
        any(part.outside for part in parts),
        tuple(
            Source(n, Path(p.root), p.licence, p.citation, p.known_pairs, p.label_set, outside=p.outside, links=p.links)
            for n, p in zip(names, parts, strict=True)
        ),
        tuple(dict.fromkeys((*(pair for part in parts for pair in part.links), *_links(rows, lost, same)))),
    )


def set_aside(records: Records) -> dict[str, str]:
    """Ids that were left out because their label is contradicted or an earlier image is the same, and why.

    Where several data sets were joined, an id of that name may still be there, from another one.
    """
    ends = tuple(f" of {source.name}" for source in records.sources)
    found = {p.file: p.reason for p in records.problems if p.kind in (TWICE, CONTRADICTORY) and p.severity == "dropped"}
    return found | {file.removesuffix(end): reason for file, reason in found.items() for end in ends}


class _Pictures:
    """Images of data sets of which some hold theirs as an array, by their row among all rows."""

    def __init__(self, parts: Sequence[Records]) -> None:
        self._places = [(part, path) for part in parts for path in part.table["path"]]

    def __getitem__(self, row: int, /) -> NDArray[np.uint8]:
        part, path = self._places[row]
        return part.decode(path)


def _in_one_namespace(parts: Sequence[Records], names: Sequence[str]) -> list[pd.DataFrame]:
    """The tables with the column `data_set`, and numbers that an earlier data set also gave made different."""
    tables: list[pd.DataFrame] = []
    for part, name in zip(parts, names, strict=True):
        table = part.table.assign(data_set=name, source=part.table["source"].fillna(name))
        for column in ("lesion_id", "patient_id"):
            if column not in table:
                continue
            taken = {i for earlier in tables if column in earlier for i in earlier[column].dropna()}
            clash = [i in taken and _BARE_NUMBER.fullmatch(str(i)) is not None for i in table[column]]
            table[column] = table[column].where(~np.array(clash, bool), f"{name}:" + table[column].astype(str))
        tables.append(table)
    return tables


def _found_again(rows: pd.DataFrame, same: Sequence[tuple[int, int]]) -> tuple[NDArray[np.bool_], list[Problem]]:
    """Which rows are left out [N], and a problem for each: their images are in an earlier data set."""
    label = rows["dx"].fillna(rows["malignant"].map({True: "malignant", False: "benign"}))
    lost, problems = np.zeros(len(rows), bool), []
    for first, again in same:
        image_id, name, earlier = rows["image_id"][again], rows["data_set"][again], rows["data_set"][first]
        lost[again] = True
        if label[first] == label[again]:
            same_id = image_identity(image_id) == image_identity(rows["image_id"][first])
            which = "an image of this id" if same_id else f"this image as {rows['image_id'][first]}"
            reason = f"{earlier} has {which}"
            problems.append(Problem(f"{image_id} of {name}", reason, TWICE))
            continue
        said = f"{earlier} says {label[first]!r}, {name} says {label[again]!r}"
        if earlier == rows["data_set"][0]:
            problems.append(Problem(f"{image_id} of {name}", f"{said}: that of {earlier} counts", CONTRADICTORY))
        else:
            problems += [
                Problem(f"{image_id} of {one}", f"{said}: neither is used", CONTRADICTORY)
                for one in ((name,) if lost[first] else (earlier, name))
            ]
            lost[first] = True
    return lost, problems


def _same_images(rows: pd.DataFrame) -> list[tuple[int, int]]:
    """Pairs of rows: the first of an image, and each row of it in another data set."""
    first: dict[str, int] = {}
    found: dict[int, int] = {}
    for row, (image_id, name) in enumerate(zip(rows["image_id"], rows["data_set"], strict=True)):
        earlier = first.setdefault(image_identity(image_id), row)
        if rows["data_set"][earlier] != name:
            found[row] = earlier
    for earlier, *others in identical_images(rows["path"]):
        for row in others:
            if rows["data_set"][earlier] != rows["data_set"][row]:
                found.setdefault(row, earlier)
    return [(found[row], row) for row in sorted(found)]


def _links(rows: pd.DataFrame, lost: NDArray[np.bool_], same: Sequence[tuple[int, int]]) -> tuple[tuple[str, str], ...]:
    """Pairs of kept images whose lesions, or patients, are one under two ids: an image that both have says so.

    An image that has no patient in one data set is linked to its patient in the other.
    """
    links: dict[tuple[str, str], None] = {}
    kept = rows[~lost]
    for column in ("lesion_id", "patient_id"):
        if column not in rows:
            continue
        some = kept.dropna(subset=column).drop_duplicates(column).set_index(column)["image_id"].to_dict()
        for first, again in same:
            one = some.get(rows[column][first], None if lost[first] else rows["image_id"][first])
            other = some.get(rows[column][again])
            if one is not None and other is not None and one != other:
                links[one, other] = None
    return tuple(links)


def _licences(of: Mapping[str, str]) -> str:
    """One licence for all, or that of each; '' where none states any."""
    if len(set(of.values())) == 1:
        return next(iter(of.values()))
    return "; ".join(f"{name}: {licence or 'not stated'}" for name, licence in of.items())

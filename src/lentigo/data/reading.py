"""Read a data set, or several as one."""

import os
from collections.abc import Sequence
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Any

from lentigo.arguments import checked
from lentigo.data import sources
from lentigo.data.joining import CONTRADICTORY, join
from lentigo.data.records import Records
from lentigo.data.sources import Labels, load_manifests
from lentigo.errors import DataError
from lentigo.labels import LabelMapping, LabelSet, find_mapping, read_mapping

__all__ = ["LabelMap", "Root", "read"]

Root = str | PathLike[str] | Sequence[str | PathLike[str]]
"""A data set's folder or file, or those of several."""

LabelMap = str | PathLike[str] | LabelMapping | None
"""A mapping between label sets, a CSV or JSON file of one, or none: those that ship."""


@checked
def read(
    root: Root,
    *,
    labels: Labels | Sequence[Labels] = None,
    mapping: LabelMap | Sequence[LabelMap] = None,
    strict: bool = False,
    outside: bool = False,
) -> Records:
    """Read a data set in any layout that lentigo knows, or several as one.

    What is skipped, ignored or kept with a problem is listed in `Records.problems`, and one `DataWarning` counts it for
    each data set, and one what several have in common. Linked files and folders are followed, wherever they lead.

    Of several data sets the first is the main one. The others are brought to its labels; what has no target there is
    left out and counted. Of an image that several have, the row of the one named first is kept: name better copies
    before worse ones. The table has the column `data_set`; see `joining.join` for how groups join.

    Args:
        root: the folder or file that holds it, or a sequence of them; a folder that holds nothing but one other, papers
            and archives aside, is looked through.
        labels: the diagnoses that class folders or a table distinguish: a label set, the name of one that ships, or a
            CSV or JSON file; without it, that of a file label_set.csv or label_set.json beside the data, else what the
            words say. For several data sets one for all, or one for each.
        mapping: from the labels of further data sets to those of the main one, where they differ: one for all, or one
            for each; without it those that ship.
        strict: stop at anything wrong instead of leaving bad rows out and reporting them.
        outside: whether a table may name images outside of its own folder, by absolute paths or `..`.

    Raises:
        DataError: no known layout, one that has other labels than those stated, an ambiguous one, a broken table, no
            usable row, a place that can't be read, or, if strict, any problem at all; of several data sets also: the
            same one twice, or labels without a mapping.
    """
    roots = [root] if isinstance(root, str | PathLike) else list(root)
    if not roots:
        raise DataError("There is no data set to read.", "Name its folder.")
    stated, mappings = _one_for_each(labels, len(roots), "label set"), _one_for_each(mapping, len(roots), "mapping")
    if len(roots) == 1:
        if mappings[0] is not None:
            raise DataError(f"{os.fspath(roots[0])}: there are no other labels to map.", "Omit the mapping.")
        return sources.read(roots[0], labels=stated[0], strict=strict, outside=outside)
    _refuse_twice(roots)
    parts = [
        sources.read(one, labels=own, strict=strict, outside=outside) for one, own in zip(roots, stated, strict=True)
    ]
    found = [_mapping(part, parts[0].label_set, own) for part, own in zip(parts, mappings, strict=True)]
    if any(one is not None for one in mappings) and not any(found):
        raise DataError(f"All data sets have the labels of {parts[0].label_set} already.", "Omit the mapping.")
    brought = [part if own is None else part.mapped(own) for part, own in zip(parts, found, strict=True)]
    joined = join(brought, _names(roots, parts))
    against = [problem for problem in joined.problems if problem.kind == CONTRADICTORY]
    if strict and against:
        count, first = len(against), against[0]
        raise DataError(f"{joined.name}: {count} contradictory labels; the first: {first}.", "Correct them.")
    described = [
        replace(source, root=Path(place).expanduser().absolute(), label_set=part.label_set, mapping=own)
        for source, place, part, own in zip(joined.sources, roots, parts, found, strict=True)
    ]
    return replace(joined, sources=tuple(described))


def _one_for_each(given: object, count: int, what: str) -> list[Any]:
    """What is stated for each of so many data sets."""
    if given is None or isinstance(given, LabelSet | LabelMapping | str | PathLike):
        return [given] * count
    each = list(given)  # type: ignore[call-overload]
    if len(each) not in (0, 1, count):
        raise DataError(f"{len(each)} {what}s for {count} data sets.", "State one for all, or one for each.")
    return each * count if len(each) == 1 else each or [None] * count


def _refuse_twice(roots: Sequence[str | PathLike[str]]) -> None:
    places = [Path(root).expanduser().resolve() for root in roots]
    for i, place in enumerate(places):
        if place in places[:i]:
            raise DataError(f"{os.fspath(roots[i])}: this data set is named twice.", "Name each once.")


def _mapping(records: Records, to: LabelSet, stated: LabelMap) -> LabelMapping | None:
    """What brings records to the labels of the main data set; None where they have them."""
    own = records.label_set
    if own == to:
        return None
    if set(own.labels) == set(to.labels):  # in another order
        return LabelMapping(own, to, tuple((c, c) for c in own.classes))
    try:
        return find_mapping(to, own) if stated is None else read_mapping(stated, own, to)
    except DataError as error:
        raise DataError(f"{records.root}: {error.message}", error.hint) from None


def _names(roots: Sequence[str | PathLike[str]], parts: Sequence[Records]) -> list[str]:
    """What to call each: its own name where it is a data set that lentigo knows, else that of its folder or file."""
    names: list[str] = []
    for root, part in zip(roots, parts, strict=True):
        place = Path(root).expanduser().resolve()
        plain = (place.name if place.is_dir() else place.stem).replace("+", "_")
        name = part.name if part.name in load_manifests() and part.name not in names else plain
        number = 2
        while name in names:
            name, number = f"{plain}_{number}", number + 1
        names.append(name)
    return names

"""Read a data set, or several as one."""

import os
from collections.abc import Sequence
from dataclasses import replace
from os import PathLike
from pathlib import Path

from lentigo.data import sources
from lentigo.data.joining import CONTRADICTORY, join
from lentigo.data.records import Records
from lentigo.data.sources import Labels, load_manifests
from lentigo.errors import DataError
from lentigo.labels import LabelMapping, LabelSet, find_mapping, read_mapping

__all__ = ["Mapping", "Root", "read"]

Root = str | PathLike[str] | Sequence[str | PathLike[str]]
"""A data set's folder or file, or those of several."""

Mapping = str | PathLike[str] | LabelMapping | None
"""A mapping between label sets, a CSV or JSON file of one, or none: those that ship."""


def read(
    root: Root,
    *,
    labels: Labels | Sequence[Labels] = None,
    mapping: Mapping = None,
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
        mapping: from the labels of further data sets to those of the main one, where they differ; without it those that
            ship.
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
    stated = _labels_of_each(labels, len(roots))
    if len(roots) == 1:
        if mapping is not None:
            raise DataError(f"{os.fspath(roots[0])}: there are no other labels to map.", "Omit the mapping.")
        return sources.read(roots[0], labels=stated[0], strict=strict, outside=outside)
    _refuse_twice(roots)
    parts = [
        sources.read(one, labels=own, strict=strict, outside=outside) for one, own in zip(roots, stated, strict=True)
    ]
    brought = [parts[0], *(_brought(part, parts[0].label_set, mapping) for part in parts[1:])]
    joined = join(brought, _names(roots, parts))
    against = [problem for problem in joined.problems if problem.kind == CONTRADICTORY]
    if strict and against:
        raise DataError(
            f"{joined.name}: {len(against)} contradictory labels; the first: {against[0]}.", "Correct them."
        )
    own_labels = zip(joined.sources, parts, strict=True)
    return replace(joined, sources=tuple(replace(source, label_set=part.label_set) for source, part in own_labels))


def _labels_of_each(labels: Labels | Sequence[Labels], count: int) -> list[Labels]:
    """The label set that is stated for each of so many data sets."""
    if labels is None or isinstance(labels, LabelSet | str | PathLike):
        return [labels] * count
    each = list(labels)
    if len(each) not in (0, 1, count):
        raise DataError(f"{len(each)} label sets for {count} data sets.", "State one for all, or one for each.")
    return each * count if len(each) == 1 else each or [None] * count


def _refuse_twice(roots: Sequence[str | PathLike[str]]) -> None:
    places = [Path(root).expanduser().resolve() for root in roots]
    for i, place in enumerate(places):
        if place in places[:i]:
            raise DataError(f"{os.fspath(roots[i])}: this data set is named twice.", "Name each once.")


def _brought(records: Records, to: LabelSet, mapping: Mapping) -> Records:
    """Records with the labels of the main data set."""
    own = records.label_set
    if own == to:
        return records
    if set(own.labels) == set(to.labels):  # in another order
        return records.mapped(LabelMapping(own, to, tuple((c, c) for c in own.classes)))
    try:
        return records.mapped(find_mapping(to, own) if mapping is None else read_mapping(mapping, own, to))
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

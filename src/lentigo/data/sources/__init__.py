"""Readers, one file a layout, and the detection of the layout from what lies on disk.

A new layout is one file in this package: each module here that has a `LAYOUT` is found by itself. It has

    LAYOUT: str                     what lies on disk, in words
    PRECEDENCE: int                 modules of a low number are asked first; general layouts have 90 and more
    detect(root: Path) -> bool      whether it is this layout, at little cost
    read(root: Path) -> Records     all of it, with what is left out in `problems`
"""

import pkgutil
import warnings
from dataclasses import replace
from functools import cache
from importlib import import_module
from os import PathLike
from pathlib import Path
from types import ModuleType

from lentigo.data.identical import settle_identical
from lentigo.data.records import Problem, Records
from lentigo.data.sources import folders, table
from lentigo.data.sources.delimited import TABLE_SUFFIXES
from lentigo.data.sources.image_files import is_text, packed_hint
from lentigo.data.sources.manifest import Manifest, RemoteFile, find_manifest, list_manifests, load_manifests
from lentigo.data.sources.metadata import read_known_pairs
from lentigo.errors import DataError, DataWarning, next_step, reason
from lentigo.labels import LabelSet, read_label_set
from lentigo.runtime.formats import image_format
from lentigo.written import read_text

__all__ = ["Labels", "Manifest", "RemoteFile", "find_manifest", "list_manifests", "load_manifests", "read"]

Labels = LabelSet | str | PathLike[str] | None
"""A label set, the name of one that ships, a CSV or JSON file of one, or none."""


def read(
    root: str | PathLike[str],
    *,
    labels: Labels = None,
    strict: bool = False,
    outside: bool = False,
) -> Records:
    """Read a data set in any layout that lentigo knows.

    What is skipped, ignored or kept with a problem is listed in `Records.problems`, and one `DataWarning` counts it.
    Of images that are the same picture under two names none is used where their labels differ. Linked files and folders
    are followed, wherever they lead.

    Args:
        root: the folder or file that holds it; a folder that holds nothing but one other, papers and archives aside,
            is looked through.
        labels: the diagnoses that class folders or a table distinguish: a label set, the name of one that ships, or a
            CSV or JSON file; without it, that of a file label_set.csv or label_set.json beside the data, else what the
            words say.
        strict: stop at anything wrong instead of leaving bad rows out and reporting them.
        outside: whether a table may name images outside of its own folder, by absolute paths or `..`.

    Raises:
        DataError: no known layout, one that has other labels than those stated, an ambiguous one, a broken table, no
            usable row, a place that can't be read, or, if strict, any problem at all.
    """
    start = Path(root).expanduser()
    if not start.exists():
        raise DataError(f"{start}: there is no such folder or file.", "Check the path.")
    if not is_text(start.absolute()):
        raise DataError(f"{str(start)!a}: this path is not in UTF-8.", "Rename the folder or file.")
    try:
        stated = None if labels is None else read_label_set(labels)
        records = _read(start.resolve() if ".." in start.parts else start, stated, outside)
    except OSError as error:
        raise DataError(f"{error.filename or start}: {reason(error)}.", next_step(error)) from None
    if strict and records.problems:
        first = records.problems[0]
        raise DataError(
            f"{start}: {len(records.problems)} problems; the first: {first}.", "Fix them, or read without strict."
        )
    if records.problems:
        line = f"{start}: {records.problem_summary()}. To list them: lentigo data audit {start}"
        warnings.warn(line, DataWarning, stacklevel=1)  # here, so that one text is shown once, whoever reads
    return replace(records, outside=True) if outside else records


def _read(start: Path, labels: LabelSet | None, outside: bool) -> Records:
    """Find the layout, through folders that hold nothing but one other, and read it."""
    place, beside = start, list[Problem]()
    while (reader := _reader_of(place, stated := labels or _beside(place))) is None:
        inner, passed = _below(place)
        if len(inner) != 1:
            looked_for = (f"{reader.LAYOUT} ({reader.__name__.rpartition('.')[2]})" for reader in _readers())
            hint = packed_hint(start) or _wrong_encoding(place) or f"Looked for {'; '.join(looked_for)}."
            raise DataError(f"{start}: no known data set layout was found here.", hint)
        place = inner[0]
        beside += passed
    records: Records
    if reader is table:
        records = table.read(place, stated, outside=outside)
    else:
        records = folders.read(place, stated) if reader is folders else reader.read(place)
    if stated is not None and len(records) and records.label_set != stated:
        raise DataError(
            f"{place}: this layout has the labels of {records.label_set}, not those of {stated}.",
            "Omit the label set; `lentigo evaluate --map` converts labels.",
        )
    settled = settle_identical(records)
    if not len(settled):
        first = settled.problems[len(records.problems)]
        raise DataError(
            f"{place}: none of its {len(records)} images can be used; the first: {first}.",
            "Give each picture one diagnosis.",
        )
    pairs = _published_pairs(settled)
    return replace(settled, problems=(*settled.problems, *beside), known_pairs=pairs)


def _wrong_encoding(place: Path) -> str:
    """What to do about tables whose columns can't be read: '' where there are none."""
    tables = [place] if place.is_file() else sorted(place.iterdir())
    for path in (p for p in tables if p.suffix.lower() in TABLE_SUFFIXES and p.is_file()):
        try:
            read_text(path)
        except UnicodeError as error:
            return f"{path.name} can't be read as a text: {error}."
    return ""


def _published_pairs(records: Records) -> tuple[tuple[str, str], ...]:
    """The pairs that lie beside the images, and those of HAM10000 that lentigo knows, whatever copy or part this is.

    An ISIC id names the same image everywhere. A copy without the published table would otherwise be split with near-
    duplicates on two sides. Source: Abhishek, Jain, Hamarneh, Scientific Data 12:196, 2025.
    """
    beside, ids = {frozenset(pair) for pair in records.known_pairs}, set(records.ids)
    published = read_known_pairs(Path(__file__).parent)
    added = [pair for pair in published if ids.issuperset(pair) and frozenset(pair) not in beside]
    return (*records.known_pairs, *added)


def _reader_of(place: Path, labels: LabelSet | None) -> ModuleType | None:
    """The first reader whose layout this is."""
    return next((r for r in _readers() if (r.detect(place, labels) if r is folders else r.detect(place))), None)


@cache
def _readers() -> tuple[ModuleType, ...]:
    """Every module here that states a layout, in the order in which they are asked."""
    modules = [import_module(f"{__name__}.{found.name}") for found in pkgutil.iter_modules(__path__)]
    return tuple(sorted((m for m in modules if hasattr(m, "LAYOUT")), key=lambda m: m.PRECEDENCE))


def _beside(place: Path) -> LabelSet | None:
    """The label set that somebody put beside the data, if there is one."""
    folder = place if place.is_dir() else place.parent
    found = [path for path in (folder / "label_set.csv", folder / "label_set.json") if path.is_file()]
    if len(found) > 1:
        raise DataError(f"{folder}: label_set.csv and label_set.json both define a label set.", "Keep one of them.")
    return read_label_set(found[0]) if found else None


def _below(place: Path) -> tuple[list[Path], list[Problem]]:
    """The folders in a folder that may hold the data, and the images and tables beside them, which won't be read."""
    if not place.is_dir():
        return [], []
    entries = [e for e in sorted(place.iterdir()) if not e.name.startswith(".") and e.name != "__MACOSX"]
    why = "it is beside the folder that contains the data"
    passed = [
        Problem(str(entry), why, "beside the data", "ignored")
        for entry in entries
        if entry.is_file() and (entry.suffix.lower() in TABLE_SUFFIXES or image_format(entry) is not None)
    ]
    return [entry for entry in entries if entry.is_dir()], passed

"""Pairs of images that show one lesion, as an audit or anybody's table names them: what splits are joined by."""

import csv
import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from lentigo.arguments import checked
from lentigo.data.records import Records
from lentigo.data.sources.image_files import find_id
from lentigo.errors import DataError, reason
from lentigo.written import read_text

__all__ = ["Pairs", "hash_pairs", "read_pairs"]


@dataclass(frozen=True)
class Pairs:
    """Pairs that were read.

    Attributes:
        joining: pairs of image ids of the records.
        passed_over: pairs that name an image which is not among the records.
    """

    joining: tuple[tuple[str, str], ...] = ()
    passed_over: tuple[tuple[str, str], ...] = ()

    def notices(self) -> list[str]:
        """What was read, for people; nothing where there was nothing to read."""
        lines = [f"Joined by {len(self.joining):,} pairs"] if self.joining else []
        if self.passed_over:
            first = " and ".join(self.passed_over[0])
            lines.append(
                f"{len(self.passed_over):,} pairs name an image that is not among the records; the first: {first}"
            )
        return lines


def hash_pairs(pairs: Iterable[tuple[str, str]]) -> str:
    """SHA-256 over pairs, hexadecimal: the same whatever their order and that of the two images in each."""
    lines = sorted({",".join(sorted(pair)) for pair in pairs})
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


@checked
def read_pairs(path: str | os.PathLike[str], records: Records) -> Pairs:
    """Read pairs of images that show one lesion.

    Args:
        path: the folder that `lentigo data audit` wrote, its audit.json, or a CSV table whose first two columns are the
            images of each pair, by id or by file name, with or without a line of headings.
        records: the images.

    Raises:
        DataError: no such file, neither of these, a line without two images, or not one pair of these images.
    """
    file = Path(path)
    file = file / "audit.json" if file.is_dir() else file
    known = set(records.ids)
    named = [
        (_id(a, known), _id(b, known)) for a, b in (_from_audit(file) if file.suffix == ".json" else _from_csv(file))
    ]
    if file.suffix != ".json" and len(named) > 1 and not set(named[0]) & known:
        named = named[1:]  # the headings
    joining = tuple(pair for pair in named if known.issuperset(pair))
    if named and not joining:
        raise DataError(
            f"{file}: not one of its {len(named)} pairs is of the {len(records)} images of {records.root}.",
            "Give the audit of this data set.",
        )
    return Pairs(joining, tuple(pair for pair in named if not known.issuperset(pair)))


def _id(name: str, known: set[str]) -> str:
    """The image id that a name stands for, or the name."""
    return find_id(name.strip(), known) or name.strip()


def _from_audit(file: Path) -> Iterator[tuple[str, str]]:
    try:
        content = json.loads(read_text(file))
        if not str(content["schema"]).startswith("lentigo.audit/"):
            raise ValueError(f"its schema is {content['schema']!r}")
        for duplicate in content["duplicates"]:
            yield str(duplicate["first"]), str(duplicate["second"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{file}: not a lentigo audit ({reason(error)}).",
            "Create one with lentigo data audit, or give a CSV table.",
        ) from None


def _from_csv(file: Path) -> Iterator[tuple[str, str]]:
    try:
        rows = list(csv.reader(read_text(file).splitlines()))
    except (OSError, ValueError, csv.Error) as error:
        raise DataError(
            f"{file}: not a readable table of pairs ({reason(error)}).", "Give a CSV table, UTF-8."
        ) from None
    for number, row in enumerate(rows, start=1):
        if not any(cell.strip() for cell in row):
            continue
        if len(row) < 2 or not row[0].strip() or not row[1].strip():
            raise DataError(f"{file}, line {number}: not two images.", "Write two image ids a line, comma-separated.")
        yield row[0], row[1]

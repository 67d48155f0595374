"""Give the rows of a pixel array their image and lesion ids back, from a table of the same images in the same order."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import pandas as pd

from lentigo.data.records import Problem
from lentigo.data.sources.delimited import read_table
from lentigo.data.sources.image_files import plain_id

__all__ = ["HAM10000_NAMES", "join_metadata", "read_ham10000_metadata", "read_known_pairs", "report_no_lesions"]

JOINED = ("image_id", "lesion_id", "dx_type", "age", "sex", "site", "source")

HAM10000_NAMES = {"localization": "site", "dataset": "source"}
"""Columns of HAM10000's metadata that have another name in `Records.table`."""

KNOWN_PAIRS = "known_cross_lesion_duplicates.csv"


def read_ham10000_metadata(path: Path) -> pd.DataFrame:
    """A table with the columns of HAM10000's metadata, renamed to those of `Records.table`."""
    return read_table(path, ("lesion_id", "image_id", "dx")).rename(columns=HAM10000_NAMES)


def read_known_pairs(folder: Path) -> Iterator[tuple[str, str]]:
    """Published cross-lesion duplicates of HAM10000, as pairs of image ids, if their table lies in the folder.

    The table as published names files, `ISIC_0033481.jpg`; a copy that names ids is taken as well.

    Source: Abhishek, Jain, Hamarneh, Scientific Data 12:196, 2025.
    """
    path = folder / KNOWN_PAIRS
    if path.is_file():
        for row in read_table(path, ("from_img", "to_img")).to_dict("records"):
            if row["from_img"] and row["to_img"]:
                yield plain_id(row["from_img"]), plain_id(row["to_img"])


def join_metadata(
    rows: pd.DataFrame, tables: Iterable[tuple[Path, pd.DataFrame]], file: Path, hint: str
) -> tuple[pd.DataFrame, list[Problem]]:
    """Fill in what the first table that describes exactly these rows knows.

    A table describes the rows if it has as many, and the same diagnosis in each: over thousands of rows that can't
    happen by chance, while any other order or selection shows at once.

    Args:
        rows: column dx, None where the label is unusable, and any of the columns to fill.
        tables: candidate tables with the columns of `Records.table`, dx among them, and the files they come from.
        file: the source, for the problem that is reported when no table fits.
        hint: which table to put where.

    Returns:
        The rows, filled if a table fits, and the problems met.
    """
    problems: list[Problem] = []
    for path, table in tables:
        if len(table) == len(rows) and ((table["dx"].to_numpy() == rows["dx"].to_numpy()) | rows["dx"].isna()).all():
            known = {column: table[column].to_numpy() for column in JOINED if column in table.columns}
            return rows.assign(**known), problems
        problems.append(Problem(str(path), f"its rows are not those of {file.name}", "metadata not joined", "ignored"))
    return rows, [*problems, report_no_lesions(file, hint)]


def report_no_lesions(where: Path, hint: str) -> Problem:
    """That a source doesn't know which images show one lesion: no split of it can be trusted as it is."""
    reason = f"no lesion ids, so images of one lesion can't be kept together; {hint}"
    return Problem(str(where), reason, "no lesion ids", "kept")

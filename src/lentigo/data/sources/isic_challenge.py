"""ISIC challenges: 2018 task 3, 2019 and 2020, with their truth tables, and any folder in the layout of one.

Looked for anywhere below the root, beside or above the images: a one-hot truth table (`image,MEL,NV,BCC,AKIEC,...` of
2018, with AK, SCC and UNK in 2019), or the table of 2020 (`image_name,patient_id,...,benign_malignant,target`).
`source` says which part of the challenge an image is from, 'train', 'val' or 'test', where the table's name does.

2018 has the seven diagnoses of HAM10000. 2019 has eight of its own, with AK and SCC apart; rows of UNK are left out and
reported. 2020 knows only benign and malignant; its patients are kept in the column `patient_id`, and a patient is never
split.

Sources: Codella et al., arXiv:1902.03368, 2018; Hernández-Pérez et al., Scientific Data 11:641, 2024; Rotemberg et al.,
Scientific Data 8:34, 2021.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from lentigo.data.records import Problem, Records, make_table
from lentigo.data.sources.delimited import TABLE_SUFFIXES, read_header, read_table
from lentigo.data.sources.identity import is_isic, is_isic2018
from lentigo.data.sources.image_files import ImageFiles, NotFound, packed_hint, plain_id
from lentigo.data.sources.label_columns import read_labels
from lentigo.data.sources.labels import interpret_labels
from lentigo.data.sources.manifest import find_manifest
from lentigo.data.sources.metadata import report_no_lesions
from lentigo.data.sources.usable import usable_rows
from lentigo.data.sources.values import clean_values, gather_columns, objects
from lentigo.errors import DataError
from lentigo.labels import HAM10000, ISIC2019, LabelSet
from lentigo.runtime.walking import walk

__all__ = ["LAYOUT", "PRECEDENCE", "detect", "read"]

LAYOUT = "the truth table of ISIC 2018 task 3, 2019 or 2020, with the images below the same folder"
PRECEDENCE = 50

ONE_HOT_2018 = ("mel", "nv", "bcc", "akiec", "bkl", "df", "vasc")
ONE_HOT_2019 = ("mel", "nv", "bcc", "ak", "bkl", "df", "vasc", "scc", "unk")
TRUTH_2020 = ("image_name", "patient_id", "benign_malignant", "target")

GROUND_TRUTH = "groundtruth"
PARTS = {"training": "train", "train": "train", "validation": "val", "test": "test"}

_FLAGS = {"true": "1", "false": "0"}
IDS = ("image", "image_name", "image_id", "isic_id")
"""What the challenges' tables call the image."""
SUPPLIED = ("lesion_id", "patient_id", "age", "sex", "site", "dx_type")


def detect(root: Path) -> bool:
    """Whether a file is the truth table of a challenge, or such a table lies anywhere below a folder."""
    return bool(_find_truth(root))


def read(root: Path) -> Records:
    """Read the truth tables of one challenge, join what is known of each image, and find its file.

    Raises:
        DataError: truth tables of several challenges, a broken table, or no usable row.
    """
    tables = _find_truth(root)
    root = root if root.is_dir() else root.parent
    names = sorted(set(tables.values()))
    nameless = [path for path in tables if GROUND_TRUTH not in path.name.lower()]
    if len(names) != 1 or (nameless and len(tables) > 1):
        listed = ", ".join(str(path.relative_to(root)) for path in tables) or "none"
        raise DataError(
            f"{root}: the truth table of one challenge is needed, found {listed}.",
            "Give the folder of one challenge, or the table itself.",
        )
    read_truth = [_read_truth(path, name) for path, name in tables.items()]
    truth = pd.concat([rows for rows, _, _ in read_truth], ignore_index=True)
    others = [path for path in _tables(root) if path not in tables]
    supplements = [_describe(read_table(path), path) for path in others if set(IDS) & set(read_header(path))]
    truth, contradictory = _join_supplements([rows for rows, _, _ in supplements], truth)
    truth, missing = clean_values(truth)
    values = [*(value for _, _, found in (*read_truth, *supplements) for value in found), *contradictory, *missing]
    files, label_set = ImageFiles.below(root), ISIC2019 if names[0] == "isic2019" else HAM10000
    meaning = interpret_labels(truth["label"].tolist(), str(root), label_set if label_set is ISIC2019 else None)
    rows = truth.drop(columns=["label", "fault"]).join(meaning)
    found = [files.find(i) if i else NotFound("missing image id", "it names no image") for i in truth["image_id"]]
    kept, faults = usable_rows(rows, found, truth["label"].tolist(), truth["fault"].tolist(), label_set)
    if kept.empty:
        raise DataError(
            f"{root}: none of the {len(truth)} rows of the truth table is usable; the first: {faults[0]}.",
            packed_hint(root) or "Put the images below the same folder as the table.",
        )
    known = set(kept["image_id"])
    problems = [note for _, found, _ in (*read_truth, *supplements) for note in found]
    problems += [*faults, *(p for p in dict.fromkeys(values) if p.file in known)]
    problems += [*files.problems, *files.extra(truth["image_id"].dropna())]
    if kept["lesion_id"].isna().all():
        problems.append(report_no_lesions(root, "put the challenge's table of lesions or metadata below it"))
    table = make_table(kept, label_set)
    return _as_challenge(names[0], root, table, tuple(problems), tuple(_duplicates(others)), label_set)


def _as_challenge(
    name: str,
    root: Path,
    table: pd.DataFrame,
    problems: tuple[Problem, ...],
    pairs: tuple[tuple[str, str], ...],
    label_set: LabelSet,
) -> Records:
    """The records under the name of a challenge, if its images are ISIC's, or else of its layout."""
    is_it = is_isic2018 if name == "isic2018" else is_isic
    if not is_it(table["image_id"]):
        return Records(table, f"{name}_layout", root, problems, pairs, label_set=label_set)
    manifest = find_manifest(name)
    return Records(table, name, root, problems, pairs, None, manifest.licence, manifest.citation, label_set)


def _tables(root: Path) -> list[Path]:
    """The tables below a folder, or the one that was given."""
    return [root] if root.is_file() else [p for p in walk(root).files if p.suffix.lower() in TABLE_SUFFIXES]


def _find_truth(root: Path) -> dict[Path, str]:
    """Truth tables below a folder and the challenge that each is of.

    A table that is named ground truth goes before others, which may be somebody's predictions in the same format; of
    2020's two versions only the newer counts.
    """
    found = {}
    for path in _tables(root):
        header = set(read_header(path))
        if "image" in header and set(ONE_HOT_2018) <= header:
            found[path] = "isic2018"
        elif "image" in header and set(ONE_HOT_2019[:8]) <= header:
            found[path] = "isic2019"
        elif set(TRUTH_2020) <= header:
            found[path] = "isic2020"
    named = {path: name for path, name in found.items() if GROUND_TRUTH in path.name.lower()}
    found = named or found
    newer = {path.with_name(path.name.replace("_v2.csv", ".csv")) for path in found if path.name.endswith("_v2.csv")}
    return {path: name for path, name in found.items() if path not in newer}


Described = tuple[pd.DataFrame, list[Problem], list[Problem]]
"""Rows of a table, and what is wrong with the table and with single values."""


def _read_truth(path: Path, name: str) -> Described:
    """Columns image_id, label, fault (a problem, or None) and source, and what else the table knows."""
    table = read_table(path)
    if name == "isic2020":
        labels, faults, notes = read_labels(_benign_or_malignant(table), str(path))
    else:
        labels, faults, notes = _read_flags(table, str(path))
    rows, found, values = _describe(table, path)
    words = path.stem.lower().replace("-", "_").split("_")
    part = next((PARTS[word] for word in words if word in PARTS), None)
    if part is not None or "source" not in rows:
        rows["source"] = objects([part] * len(rows))
    return rows.assign(label=objects(labels), fault=objects(faults)), [*notes, *found], values


def _describe(table: pd.DataFrame, path: Path) -> Described:
    """Columns image_id and those of `values.COLUMN_NAMES` that a table has, in one spelling."""
    rows, notes = gather_columns(table, str(path))
    rows["image_id"] = objects(_id(row) for row in table.to_dict("records"))
    rows, values = clean_values(rows, lesions=False)
    return rows, notes, values


def _read_flags(table: pd.DataFrame, where: str) -> tuple[list[str | None], list[Problem | None], list[Problem]]:
    """One label a row from its flags, as `read_labels`, which other columns of labels must not contradict."""
    columns = [c for c in (*ONE_HOT_2018, *ONE_HOT_2019[3:4], *ONE_HOT_2019[7:]) if c in table.columns]
    texts = table[columns].apply(lambda cells: cells.str.lower().replace(_FLAGS))
    hot = texts.apply(pd.to_numeric, errors="coerce").to_numpy(dtype=float)
    wrong = [_flag_fault(row, flags) for row, flags in zip(table[columns].to_dict("records"), hot, strict=True)]
    one = [fault is None and flags.sum() == 1 for fault, flags in zip(wrong, hot, strict=True)]
    labels = [columns[at] if single else None for at, single in zip(hot.argmax(axis=1), one, strict=True)]
    _, faults, notes = read_labels(table, where, label_set=ISIC2019 if "ak" in columns else None, flags=labels)
    return labels, [flag or fault for flag, fault in zip(wrong, faults, strict=True)], notes


def _flag_fault(row: dict[str, str | None], flags: np.ndarray) -> Problem | None:
    """The problem of a row that flags more than one diagnosis, or has in it what is no flag."""
    stated = [column.upper() for column, flag in zip(row, flags, strict=True) if flag == 1]
    strange = [column for column, flag in zip(row, flags, strict=True) if flag not in (0, 1)]
    if len(stated) > 1:
        return Problem("", f"it is flagged {' and '.join(stated)}: neither is used", "contradictory label")
    if strange and any(row.values()):
        return Problem("", f"{strange[0].upper()} is {row[strange[0]] or 'empty'}, which is not 0 or 1", "bad flag")
    return None


def _benign_or_malignant(table: pd.DataFrame) -> pd.DataFrame:
    """2020's labels, benign or malignant first: its diagnoses are mostly unknown, but must not contradict them."""
    plain = table["benign_malignant"].str.lower()
    others = [c for c in ("diagnosis", "target") if c in table.columns]
    return table[others].assign(dx=plain)


def _id(row: dict) -> str | None:
    name = next((row[column] for column in IDS if row.get(column) is not None), None)
    return None if name is None else plain_id(name)


def _join_supplements(supplements: list[pd.DataFrame], truth: pd.DataFrame) -> tuple[pd.DataFrame, list[Problem]]:
    """Add lesion, patient, age, sex, site and type of diagnosis from the tables that come beside the truth.

    Rows of one image that contradict each other, in one table or in two, leave it without that value, which is
    reported; without its lesion or patient it is left out.
    """
    problems = []
    for column in SUPPLIED:
        pairs = [part[["image_id", column]].dropna() for part in (truth, *supplements) if column in part.columns]
        if not pairs:
            truth[column] = objects([None] * len(truth))
            continue
        every = pd.concat(pairs).drop_duplicates()
        twice = every["image_id"].duplicated(keep=False)
        values = every[~twice].set_index("image_id")[column]
        against = every[twice].groupby("image_id")[column].agg(lambda stated: " and ".join(map(repr, stated[:2])))
        truth[column] = objects(values.get(i) for i in truth["image_id"])
        kind = f"contradictory {column.replace('_', ' ')}"
        for row in np.flatnonzero(truth["image_id"].isin(against.index)):
            image_id = truth.at[row, "image_id"]
            said = f"its rows say {against[image_id]}"
            if column in ("lesion_id", "patient_id"):
                truth.at[row, "fault"] = Problem("", f"{said}: neither is used", kind)
            else:
                problems.append(Problem(image_id, f"{said}; it counts as missing", kind, "kept"))
    return truth.drop(columns=[c for c in ("patient_id",) if truth[c].isna().all()]), problems


def _duplicates(paths: list[Path]) -> list[tuple[str, str]]:
    """Pairs of images that the authors of 2020 found to be duplicates, if their table lies here."""
    tables = [read_table(p) for p in paths if {"image_name_1", "image_name_2"} <= set(read_header(p))]
    return [(row["image_name_1"], row["image_name_2"]) for table in tables for row in table.to_dict("records")]

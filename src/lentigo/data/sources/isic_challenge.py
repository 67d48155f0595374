"""ISIC challenges: 2018 task 3, 2019 and 2020, with their truth tables, and any folder in the layout of one.

Looked for anywhere below the root, beside or above the images: a one-hot truth table (`image,MEL,NV,BCC,AKIEC,...` of
2018, with AK, SCC and UNK in 2019), or the table of 2020 (`image_name,patient_id,...,benign_malignant,target`).
`source` says which part of the challenge an image is from, 'train', 'val' or 'test', where the table's name does.

2018 and 2019 are sources of the seven diagnoses: rows of SCC and UNK are dropped and reported. 2020 knows only benign
and malignant; its patients are kept in the column `patient_id`, and a patient is never split.

Sources: Codella et al., arXiv:1902.03368, 2018; Hernández-Pérez et al., Scientific Data 11:641, 2024; Rotemberg et al.,
Scientific Data 8:34, 2021.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from lentigo.data.records import Records, make_table
from lentigo.data.sources.delimited import read_header, read_table
from lentigo.data.sources.image_files import index_images, packed_hint, report_extra, usable_rows
from lentigo.data.sources.labels import interpret_labels
from lentigo.data.sources.manifest import find_manifest
from lentigo.data.sources.metadata import report_no_lesions
from lentigo.errors import DataError

__all__ = ["detect", "read"]

ONE_HOT_2018 = ("MEL", "NV", "BCC", "AKIEC", "BKL", "DF", "VASC")
ONE_HOT_2019 = ("MEL", "NV", "BCC", "AK", "BKL", "DF", "VASC", "SCC", "UNK")
TRUTH_2020 = ("image_name", "patient_id", "benign_malignant", "target")

GROUND_TRUTH = "groundtruth"
PARTS = {"training": "train", "train": "train", "validation": "val", "test": "test"}

SUPPLEMENT = {
    "image": "image_id",
    "image_name": "image_id",
    "age_approx": "age",
    "anatom_site_general": "site",
    "anatom_site_general_challenge": "site",
    "diagnosis_confirm_type": "dx_type",
    "diagnosis confirm type": "dx_type",
}
"""Columns of the challenges' tables that have another name in `Records.table`."""

DX_TYPES = {
    "histopathology": "histo",
    "serial imaging showing no change": "follow_up",
    "single image expert consensus": "consensus",
    "confocal microscopy with consensus dermoscopy": "confocal",
}
"""How ISIC says what HAM10000 calls `dx_type`."""


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
    truth = pd.concat([_read_truth(path, name) for path, name in tables.items()], ignore_index=True)
    truth = _join_supplements(root, truth, list(tables))
    images, problems = index_images(root)
    rows = truth.join(interpret_labels(truth["label"].tolist(), str(root)))
    rows["path"] = pd.Series([str(images[i]) if i in images else None for i in rows["image_id"]], dtype=object)
    kept, faults = usable_rows(rows)
    problems += [*faults, *report_extra(images, truth["image_id"].dropna())]
    if kept.empty:
        raise DataError(
            f"{root}: none of the {len(truth)} rows of the truth table is usable; the first: {problems[0]}.",
            packed_hint(root) or "Put the images below the same folder as the table.",
        )
    if kept["lesion_id"].isna().all():
        problems.append(report_no_lesions(root, "put the challenge's table of lesions or metadata below it"))
    manifest = find_manifest(names[0])
    pairs = tuple(_duplicates(root))
    return Records(make_table(kept), names[0], root, tuple(problems), pairs, None, manifest.licence, manifest.citation)


def _find_truth(root: Path) -> dict[Path, str]:
    """Truth tables below a folder and the challenge that each is of.

    A table that is named ground truth goes before others, which may be somebody's predictions in the same format; of
    2020's two versions only the newer counts.
    """
    found = {}
    for path in [root] if root.is_file() else sorted(root.rglob("*.csv")):
        header = set() if path.name.startswith(".") else set(read_header(path))
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


def _read_truth(path: Path, name: str) -> pd.DataFrame:
    """Columns image_id, label, source, and for 2020 what else the table knows."""
    table = read_table(path)
    words = path.stem.lower().replace("-", "_").split("_")
    part = next((PARTS[word] for word in words if word in PARTS), None)
    if name == "isic2020":
        labels = table["benign_malignant"].str.lower()
        rows = table.rename(columns=SUPPLEMENT).assign(label=labels)
        rows = rows.drop(columns=["diagnosis", "benign_malignant", "target"], errors="ignore")
    else:
        columns = [c for c in (*ONE_HOT_2018, *ONE_HOT_2019[3:4], *ONE_HOT_2019[7:]) if c in table.columns]
        hot = table[columns].apply(pd.to_numeric, errors="coerce").to_numpy(dtype=float)
        one = ((hot == 0) | (hot == 1)).all(axis=1) & (hot.sum(axis=1) == 1)
        names = np.array(columns, dtype=object)[hot.argmax(axis=1)]
        rows = pd.DataFrame({"image_id": table["image"], "label": np.where(one, names, None)}, dtype=object)
    return rows.assign(source=part)


def _join_supplements(root: Path, truth: pd.DataFrame, known: list[Path]) -> pd.DataFrame:
    """Add lesion, age, sex, site and type of diagnosis from the tables that come beside the truth."""
    for column in ("lesion_id", "age", "sex", "site", "dx_type"):
        if column not in truth.columns:
            truth[column] = None
    for path in sorted(root.rglob("*.csv")):
        if path in known or not {"image", "image_name"} & set(read_header(path)):
            continue
        table = read_table(path).rename(columns=SUPPLEMENT)
        by_id = table.drop_duplicates("image_id").set_index("image_id")
        for column in ("lesion_id", "age", "sex", "site", "dx_type"):
            if column in by_id.columns:
                truth[column] = truth[column].fillna(truth["image_id"].map(by_id[column]))
    truth["dx_type"] = truth["dx_type"].replace(DX_TYPES)
    return truth


def _duplicates(root: Path) -> list[tuple[str, str]]:
    """Pairs of images that the authors of 2020 found to be duplicates, if their table lies here."""
    paths = [p for p in sorted(root.rglob("*.csv")) if {"image_name_1", "image_name_2"} <= set(read_header(p))]
    return [(row["image_name_1"], row["image_name_2"]) for path in paths for row in read_table(path).to_dict("records")]

"""What the records' table says: counts, shares and gaps, per class. Pictures are not opened here."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from lentigo.data.records import Records
from lentigo.errors import DataError
from lentigo.labels import Label

__all__ = ["FIELDS", "UNKNOWN", "Summary", "class_names", "summarise"]

FIELDS = ("dx_type", "sex", "site", "source")
"""Columns of `Records.table` with a few values each."""

UNKNOWN = "unknown"
"""What represents a missing value; HAM10000 writes it out in words for some fields."""

AGE_STEP = 5
"""Years in a bin: HAM10000 rounds to these."""


@dataclass(frozen=True)
class Summary:
    """Numbers of a data set. Columns or index 'class' are those of `classes`, malignant ones first.

    Attributes:
        classes: index class; columns name, kind ('malignant', 'benign' or 'not stated'), malignant
            (whether the kind is), images, lesions, share (of the images), and text (what is known of the label).
        fields: for each of `FIELDS` that the source knows, images by value (index, commonest first) and class.
        ages: index class; columns known, q25, median, q75; empty where the source knows no ages.
        age_bins: images by first year of a bin of 5 years (index) and class (columns).
        ages_zero: images with age 0.
        ages_rounded: share of the known ages that are whole multiples of 5.
        missing: images without a value, by field (index: age and `FIELDS`) and class (columns); all images of the class
            for a field that the source doesn't know.
        per_lesion: number of lesions (values) by how many images they have (index).
        lesions_known: whether the source names lesions; if not, every image counts as one.
        same_lesion: share of the images whose lesion has another image.
        leak: the share of a random fifth of the images, on average, whose lesion is also among the other four fifths.
        shortcut: for age, sex, site and source, where known, the area under the ROC curve for malignant against benign
            if each image is ranked by how common malignancy is among the images of the same value: on the same images,
            so an upper bound; 0.5 is nothing, 1 everything. Empty where all images are malignant, or none.
        labels: class of each image [N].
        median_age: of all images; NaN where the source knows no ages.
    """

    classes: pd.DataFrame
    fields: Mapping[str, pd.DataFrame]
    ages: pd.DataFrame
    age_bins: pd.DataFrame
    ages_zero: int
    ages_rounded: float
    missing: pd.DataFrame
    per_lesion: pd.Series
    lesions_known: bool
    same_lesion: float
    leak: float
    shortcut: pd.Series
    labels: pd.Series
    median_age: float

    @property
    def images(self) -> int:
        """Number of images."""
        return len(self.labels)

    @property
    def lesions(self) -> int:
        """Number of lesions."""
        return int(self.per_lesion.sum())

    def numbers(self) -> dict[str, object]:
        """What each figure of the table shows, by the figure's name, in JSON types."""
        return {
            "classes": self.classes.drop(columns="text").to_dict("index"),
            "images_per_lesion": {
                "lesions": {str(k): int(n) for k, n in self.per_lesion.items()},
                "images_with_same_lesion": self.same_lesion,
                "random_test_images_with_same_lesion_in_training": self.leak,
            },
            "age": {
                "quartiles": self.ages.to_dict("index"),
                "bins": {c: {str(age): int(n) for age, n in self.age_bins[c].items()} for c in self.age_bins},
                "zero": self.ages_zero,
                "multiples_of_5": self.ages_rounded,
            },
            "missing": self.missing.to_dict("index"),
            "shortcut": self.shortcut.to_dict(),
        } | {field: counts.to_dict() for field, counts in self.fields.items()}


def class_names(records: Records) -> pd.Series:
    """The class of each image: its diagnosis, or benign or malignant where the source gives none."""
    kind = records.table["malignant"].map({True: "malignant", False: "benign"})
    return records.table["dx"].where(records.table["dx"].notna(), kind).rename("class")


def summarise(records: Records) -> Summary:
    """Count what the table of a data set holds.

    Raises:
        DataError: there are no records.
    """
    if len(records) == 0:
        raise DataError(f"{records.root}: there are no records to describe.", "Read a data set that has images.")
    labels = class_names(records)
    classes = _classes(records, labels)
    known = {c: _values(records, c) for c in FIELDS if records.table[c].notna().any()}
    fields = {c: _cross(values, labels, classes.index) for c, values in known.items()}
    age = records.table["age"]
    bins = (age // AGE_STEP * AGE_STEP).dropna().astype(int)
    per_image = records.table.groupby("lesion_id")["image_id"].transform("size").to_numpy()
    stated = records.table["malignant"].notna().to_numpy()
    malignant = records.table.loc[stated, "malignant"].to_numpy(dtype=bool)
    tellers = {"age": age} | {c: values for c, values in known.items() if c != "dx_type"}
    return Summary(
        classes=classes,
        fields=fields,
        ages=_ages(age, labels, classes.index),
        age_bins=_cross(bins, labels.loc[bins.index], classes.index).sort_index(),
        ages_zero=int((age == 0).sum()),
        ages_rounded=float((age.dropna() % AGE_STEP == 0).mean()) if age.notna().any() else 0.0,
        missing=_missing(records, labels, classes.index),
        per_lesion=records.table.groupby("lesion_id").size().value_counts().sort_index().rename("lesions"),
        lesions_known=bool((records.table["lesion_id"] != records.table["image_id"]).any()),
        same_lesion=float((per_image > 1).mean()),
        leak=_leak(per_image),
        shortcut=_shortcuts({c: values[stated] for c, values in tellers.items()}, malignant),
        labels=labels,
        median_age=float(age.median()),
    )


def _classes(records: Records, labels: pd.Series) -> pd.DataFrame:
    """Classes that occur, malignant ones first, each part by id."""
    table = records.table.assign(**{"class": labels})
    found = table.groupby("class").agg(
        malignant=("malignant", "first"), images=("image_id", "size"), lesions=("lesion_id", "nunique")
    )
    known = {label.id: label for label in records.label_set.labels} if records.table["dx"].notna().any() else {}
    found.insert(0, "name", pd.Series({c: known[c].name if c in known else c for c in found.index}))
    found["kind"] = found["malignant"].map({True: "malignant", False: "benign"}).fillna("not stated")
    found["malignant"] = found["kind"] == "malignant"
    found["text"] = pd.Series({c: _text(known[c]) if c in known else "" for c in found.index})
    found["share"] = found["images"] / len(records)
    return found.loc[sorted(found.index, key=lambda c: (not found.loc[c, "malignant"], c))]


def _text(label: Label) -> str:
    """The code of a label and what it covers."""
    return f"SNOMED CT {label.snomed_ct}. {label.note}".strip() if label.snomed_ct else label.note


def _values(records: Records, column: str) -> pd.Series:
    return records.table[column].where(records.table[column].notna(), UNKNOWN)


def _cross(values: pd.Series, labels: pd.Series, classes: pd.Index) -> pd.DataFrame:
    """Images by value, commonest first and unknown ones last, and class."""
    counts = pd.crosstab(values, labels).reindex(columns=classes, fill_value=0)
    order = sorted(counts.index, key=lambda v: (v == UNKNOWN, -counts.loc[v].sum(), str(v)))
    return counts.loc[order].rename_axis(index=None, columns=None)


def _ages(age: pd.Series, labels: pd.Series, classes: pd.Index) -> pd.DataFrame:
    known = age.dropna()
    groups = known.groupby(labels.loc[known.index])
    columns = {"known": groups.size(), "q25": groups.quantile(0.25), "median": groups.median()}
    return pd.DataFrame({**columns, "q75": groups.quantile(0.75)}).reindex([c for c in classes if c in groups.groups])


def _missing(records: Records, labels: pd.Series, classes: pd.Index) -> pd.DataFrame:
    gaps = {"age": records.table["age"].isna()} | {c: _values(records, c) == UNKNOWN for c in FIELDS}
    rows = {c: gap.groupby(labels).sum().reindex(classes) for c, gap in gaps.items()}
    return pd.DataFrame(rows).T.astype(int)


def _leak(per_image: np.ndarray, share: float = 0.2) -> float:
    """How much of a random test part, without regard to lesions, has a same-lesion image outside it.

    An image of a lesion with k images has none if its k - 1 same-lesion images were all drawn for the test part too: n
    - 1 of N - 1 draws are left for them.
    """
    total = len(per_image)
    test = round(total * share)
    within = np.ones(total)
    for same_lesion in range(1, int(per_image.max())):
        drawn = max(test - same_lesion, 0) / max(total - same_lesion, 1)
        within[per_image > same_lesion] *= drawn
    return float(np.where(per_image > 1, 1 - within, 0).mean())


def _shortcuts(tellers: Mapping[str, pd.Series], malignant: np.ndarray) -> pd.Series:
    """Area under the ROC curve by field, of the share of malignant images among those with the same value."""
    if malignant.all() or not malignant.any():
        return pd.Series(dtype=float)
    from sklearn.metrics import roc_auc_score

    areas = {}
    for field, values in tellers.items():
        if values.notna().any():
            share = pd.Series(malignant).groupby(values.fillna(-1).to_numpy()).transform("mean")
            areas[field] = float(roc_auc_score(malignant, share))
    return pd.Series(areas, dtype=float)

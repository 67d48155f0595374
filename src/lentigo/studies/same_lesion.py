"""The paired design: the same test images, their same-lesion images in training or not, everything else alike.

From each of half the lesions with several images one image is tested. In one arm the lesion's other images are
trained on. In the other arm as many images of other lesions take their place, of the same diagnoses where there
are enough. What differs between the arms is what a same-lesion image in training is worth.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lentigo import data
from lentigo.data.protocols import VALIDATION_SHARE
from lentigo.errors import DataError

__all__ = ["ABSENT", "PRESENT", "Arms", "pair_arms"]

PRESENT, ABSENT = "same_lesion_present_leaky", "same_lesion_absent"
"""Names of the arms."""


@dataclass(frozen=True)
class Arms:
    """Two splits with one test part.

    Attributes:
        splits: by name of the arm.
        exchanged: how many training images differ.
    """

    splits: Mapping[str, data.Split]
    exchanged: int


def pair_arms(records: data.Records, seed: int = 0) -> Arms:
    """Split a data set in the two ways.

    Args:
        records: the images.
        seed: of every draw.

    Raises:
        DataError: no lesion has more than one image, or too few other images to put in the place of same-lesion images.
    """
    table = pd.DataFrame({"image_id": records.ids, "group": data.find_groups(records), "dx": records.table["dx"]})
    generator = np.random.default_rng(seed)
    # Groups that disagree in their diagnosis would test the label and not the leak.
    several = table.groupby("group").filter(lambda rows: len(rows) > 1 and rows["dx"].nunique() == 1)
    tested_groups = _half_of_each(several.drop_duplicates("group"), generator)
    if not len(tested_groups):
        raise DataError(f"{records.name} has no lesions with several images.", "This needs same-lesion images.")
    inside = table["group"].isin(tested_groups)
    shuffled = table[inside].iloc[generator.permutation(int(inside.sum()))]
    tested = shuffled.drop_duplicates("group")["image_id"]
    same_lesion = table[inside & ~table["image_id"].isin(tested)]
    rest = table[~inside]
    validation = _share_of_groups(rest, generator)
    stand_ins = _like(same_lesion, rest[~rest["group"].isin(validation)], generator)
    part = pd.Series("train", index=table["image_id"])
    part[table.loc[table["group"].isin(validation), "image_id"]] = "validation"
    part[tested] = "test"
    with_same_lesion, without = part.copy(), part.copy()
    with_same_lesion[stand_ins] = "unused"
    without[same_lesion["image_id"]] = "unused"
    return Arms(
        {
            PRESENT: _freeze(records, table, with_same_lesion, PRESENT, True, seed),
            ABSENT: _freeze(records, table, without, ABSENT, False, seed),
        },
        len(stand_ins),
    )


def _half_of_each(lesions: pd.DataFrame, generator: np.random.Generator) -> NDArray:
    """Groups of half the lesions of each diagnosis, at least one."""
    halves = [
        generator.choice(rows["group"], max(1, len(rows) // 2), replace=False) for _, rows in lesions.groupby("dx")
    ]
    return np.concatenate(halves) if halves else np.array([])


def _share_of_groups(rest: pd.DataFrame, generator: np.random.Generator) -> NDArray:
    groups = rest["group"].unique()
    return generator.choice(groups, len(groups) // VALIDATION_SHARE, replace=False)


def _like(same_lesion: pd.DataFrame, others: pd.DataFrame, generator: np.random.Generator) -> list[str]:
    """As many other images of each diagnosis as there are same-lesion images; of all where one has too few."""
    chosen: list[str] = []
    for dx, rows in same_lesion.groupby("dx"):
        same = others.loc[others["dx"] == dx, "image_id"]
        # At least half of a rare diagnosis stays in training, or the arm without it would not know it.
        chosen += generator.choice(same, min(len(rows), len(same) // 2), replace=False).tolist()
    free = others.loc[~others["image_id"].isin(chosen), "image_id"]
    lacking = len(same_lesion) - len(chosen)
    if lacking > len(free):
        raise DataError("There are too few other images to replace the same-lesion images.", "This needs more lesions.")
    return chosen + generator.choice(free, lacking, replace=False).tolist()


def _freeze(
    records: data.Records, table: pd.DataFrame, part: pd.Series, name: str, leaky: bool, seed: int
) -> data.Split:
    manifest = table[["image_id", "group"]].assign(part=part.loc[table["image_id"]].to_numpy())
    return data.freeze(records, manifest, name, leaky, 0, 1, seed)

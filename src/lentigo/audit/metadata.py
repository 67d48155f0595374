"""What is wrong with the table beside the images: missing, impossible and contradictory values."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lentigo.data.records import Problem, Records
from lentigo.runtime.clinical import OLDEST

__all__ = ["SEXES", "SITES", "find_contradictions", "find_faults", "find_missing"]

SEXES = frozenset({"female", "male", "other"})
"""As the readers of data sets spell them."""

SITES = frozenset(
    {
        # HAM10000
        "abdomen", "acral", "back", "chest", "ear", "face", "foot", "genital", "hand", "lower extremity", "neck",
        "scalp", "trunk", "upper extremity",
        # ISIC 2019 and 2020
        "anterior torso", "head/neck", "lateral torso", "oral/genital", "palms/soles", "posterior torso", "torso",
    }
)  # fmt: skip
"""Sites of the body as the public data sets name them."""

UNKNOWN = frozenset({"", "unknown", "n/a", "na", "none"})
"""Words for a missing value."""


def find_missing(records: Records) -> dict[str, int]:
    """Records without a value, or with a word that says so: a count for each column on patient and source."""
    columns = ("dx", "dx_type", "age", "sex", "site", "source")
    return {column: int((~_known(records.table[column])).sum()) for column in columns}


def find_faults(records: Records) -> Iterator[Problem]:
    """Values that can't be true: ages below 0 or above 120 years, unknown sexes and sites."""
    table = records.table
    wrong_age = table["age"].notna() & ~table["age"].between(0, OLDEST)
    for image_id, age in table.loc[wrong_age, ["image_id", "age"]].itertuples(index=False):
        yield Problem(image_id, f"an age of {age:g} years", "impossible age", "kept")
    for column, known in (("sex", SEXES), ("site", SITES)):
        strange = _known(table[column]) & ~table[column].astype(str).str.strip().str.lower().isin(known)
        for image_id, value in table.loc[strange, ["image_id", column]].itertuples(index=False):
            yield Problem(image_id, f"the {column} {value!r}", f"unknown {column}", "kept")


def find_contradictions(records: Records, lesions: NDArray) -> Iterator[Problem]:
    """Lesions, named for each record in `lesions` [N], whose images have different sexes or sites."""
    for column in ("sex", "site"):
        values = records.table[column].where(_known(records.table[column]))
        several = values.groupby(lesions).nunique()
        for lesion in several.index[several > 1]:
            inside = values[(lesions == lesion) & values.notna().to_numpy()]
            named = ", ".join(f"{records.ids[i]} {value}" for i, value in inside.items())
            yield Problem(str(lesion), f"one lesion, several values: {named}", f"contradictory {column}", "kept")


def _known(values: pd.Series) -> NDArray[np.bool_]:
    missing = values.isna() | values.astype(str).str.strip().str.lower().isin(UNKNOWN)
    return ~missing.to_numpy(dtype=bool)

"""What is known of a patient beside the image: from words to the optional inputs that a bundle declares.

Nothing is guessed: an age such as '85+', or a site that the model was not trained with, is an error. What is empty or
'unknown' is missing, which every such model allows. How a diagnosis was confirmed (`dx_type`) says that it was
suspected or treated, is known only afterwards, and is refused by name.
"""

import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lentigo.errors import DataError, did_you_mean
from lentigo.runtime.metadata import OptionalInput
from lentigo.runtime.tables import read_table

__all__ = ["FORBIDDEN", "OLDEST", "encode", "read_clinical"]

FORBIDDEN = ("dx_type", "diagnosis_confirm_type", "dx", "diagnosis", "lesion_id", "dataset")
"""Columns that are no clinical input: they are the answer, or known only after it."""
OLDEST = 120
"""Age in years above which an entry is an error."""
_MISSING = ("", "unknown", "nan", "none", "na", "n/a")


def encode(
    inputs: Sequence[OptionalInput], rows: Sequence[Mapping[str, object]], where: str = "metadata"
) -> dict[str, NDArray]:
    """Values of a bundle's optional inputs for N images: [N] for each input.

    Args:
        inputs: that the bundle declares.
        rows: for each image, what is known by the input's name; None, NaN, '' and 'unknown' are missing.
        where: the source, for errors.

    Raises:
        DataError: the model has no such input, an age that is not a number from 0 to 120, or an unknown category.
    """
    declared = {one.name: one for one in inputs}
    for row in rows:
        for name in row:
            refuse_name(name, declared, where)
    return {
        name: np.array(
            [_value(one, row.get(name), where) for row in rows], np.float32 if one.kind == "number" else np.int64
        )
        for name, one in declared.items()
    }


def read_clinical(table: str | os.PathLike[str], inputs: Sequence[OptionalInput]) -> dict[str, dict[str, str]]:
    """A CSV with the column `image` and a column for any of a model's inputs: what is known by file name.

    Every value is checked before anything is classified.

    Raises:
        DataError: the model takes no metadata, the table can't be read, lacks `image`, names an image twice, has a
            column that is no input, or a value that `encode` refuses.
    """
    file = Path(table)
    if not inputs:
        raise DataError("This model takes no metadata.", "Use one that was fused with them: lentigo fuse.")
    header, rows = read_table(file)
    if "image" not in header:
        raise DataError(f"{file}: the column 'image' is missing.", "Name each image's file in it.")
    declared = {one.name: one for one in inputs}
    for name in header:
        if name != "image":
            refuse_name(name, declared, str(file))
    found: dict[str, dict[str, str]] = {}
    for number, row in rows:
        image = row.pop("image")
        if not image or image in found:
            what = f"{image} is named twice" if image else "the image is empty"
            raise DataError(f"{file}, line {number}: {what}.", "Keep one line for each image.")
        encode(inputs, [row], f"{file}, line {number}")
        found[image] = row
    return found


def refuse_name(name: str, declared: Mapping[str, OptionalInput], where: str) -> None:
    """Refuse what a model doesn't take.

    Raises:
        DataError: a column that never is an input, or that this model lacks.
    """
    if name in FORBIDDEN:
        raise DataError(
            f"{where}: {name!r} is never an input: it is the answer, or known only after it.", "Leave the column out."
        )
    if name not in declared:
        raise DataError(f"{where}: the model has no input {name!r}.", did_you_mean(name, declared))


def _value(one: OptionalInput, value: object, where: str) -> float:
    text = "" if value is None or (isinstance(value, float) and math.isnan(value)) else str(value).strip()
    if text.lower() in _MISSING:
        return one.missing
    if one.kind == "category":
        if text.lower() not in one.categories:
            raise DataError(
                f"{where}: the model doesn't know the {one.name} {text!r}.",
                f"{did_you_mean(text, one.categories)} Leave it empty if it is none of these.",
            )
        return one.categories.index(text.lower())
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 <= number <= OLDEST:
        raise DataError(
            f"{where}: the {one.name} {text!r} is not a number from 0 to {OLDEST}.",
            "Give it in years, or leave it empty.",
        )
    return number

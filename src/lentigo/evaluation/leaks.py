"""Refuse to test on what a temperature or a threshold was chosen on. `predict` refuses what a model learned from."""

from collections.abc import Sequence

import numpy as np

from lentigo.errors import LeakError
from lentigo.evaluation.predictions import Predictions
from lentigo.evaluation.provenance import Provenance

__all__ = ["listed", "refuse_same_images", "refuse_same_part"]

SHOWN = 5


def refuse_same_images(chosen: Predictions, applied: Predictions) -> None:
    """Refuse to test on images, or lesions, that a temperature or threshold was chosen on.

    Raises:
        LeakError: with the number of such images and the first of them.
    """
    bad = applied.table["image_id"].isin(chosen.table["image_id"])
    if not applied.meta.get("leaky"):
        bad |= np.isin(applied.groups, chosen.groups)
    _refuse(applied.table.loc[bad, "image_id"].tolist(), "The threshold was chosen on these images or lesions")


def refuse_same_part(chosen: Provenance, applied: Provenance) -> None:
    """Refuse to test on the part of the split that a threshold was chosen on; needs no image ids.

    Raises:
        LeakError: same split and same part.
    """
    if applied.part is not None and (chosen.split_sha256, chosen.part) == (applied.split_sha256, applied.part):
        raise LeakError(f"The threshold was chosen on the {applied.part} part itself.", "Apply it to the test part.")


def listed(images: Sequence[str]) -> str:
    """The first few of some ids, and how many more there are."""
    more = f" and {len(images) - SHOWN} more" if len(images) > SHOWN else ""
    return f"{', '.join(map(str, images[:SHOWN]))}{more}"


def _refuse(images: list[str], reason: str) -> None:
    if images:
        raise LeakError(f"{reason}: {listed(images)}.", "Evaluate on the split's test part.")

"""The one predictions table: a model's outputs, a row an image. All that is reported is computed from it alone."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from lentigo import taxonomy
from lentigo.errors import DataError

__all__ = ["PROBABILITIES", "Predictions"]

PROBABILITIES = tuple(f"p_{c}" for c in taxonomy.CLASSES)
"""Names of the probability columns, in the order of `taxonomy.CLASSES`."""

_META_KEY = b"lentigo"


@dataclass(frozen=True)
class Predictions:
    """One row an image.

    Attributes:
        table: columns image_id, lesion_id, group, dx (the truth), the seven of `PROBABILITIES`, and what is known of
            the patient (age, sex, site, dx_type, source). The probabilities assume that the seven diagnoses are
            equally common: see `at_prevalence`.
        meta: where they come from: model, model_sha256, split_sha256, protocol, leaky, part, training_prevalence
            (a list of seven), temperature (that the logits were divided by), versions.
    """

    table: pd.DataFrame
    meta: Mapping[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        missing = [c for c in ("image_id", "lesion_id", "dx", *PROBABILITIES) if c not in self.table.columns]
        if missing:
            raise DataError(f"The predictions lack the columns {', '.join(missing)}.")
        if len(self.table) == 0:
            raise DataError("The predictions are empty.", "Predict on a part that has images.")
        if self.table["image_id"].duplicated().any():
            twice = self.table.loc[self.table["image_id"].duplicated(), "image_id"].iloc[0]
            raise DataError(f"The predictions hold image {twice} twice.", "Predict each image once.")
        self._refuse(~self.table["dx"].isin(taxonomy.CLASSES), "has no known diagnosis in dx")
        self._refuse(pd.isna(self.groups), "has no lesion")
        sums_to_one = np.abs(self.probabilities.sum(axis=1) - 1) <= 1e-3  # False for NaN
        fine = sums_to_one & (self.probabilities >= 0).all(axis=1)
        self._refuse(~fine, "has probabilities that are not numbers of 0 to 1 that sum to 1")

    def _refuse(self, bad: NDArray[np.bool_] | pd.Series, reason: str) -> None:
        if np.any(bad):
            first = self.table["image_id"].iloc[int(np.argmax(bad))]
            raise DataError(f"Image {first} {reason}; {int(np.sum(bad))} of {len(self)} predictions are so.")

    def __len__(self) -> int:
        return len(self.table)

    @property
    def probabilities(self) -> NDArray[np.float64]:
        """Probabilities [N, 7] in the order of `taxonomy.CLASSES`, at the balanced prior."""
        return self.table[list(PROBABILITIES)].to_numpy(dtype=np.float64)

    @property
    def labels(self) -> NDArray[np.int64]:
        """True diagnoses, positions in `taxonomy.CLASSES` [N]."""
        return taxonomy.class_index(self.table["dx"].tolist())

    @property
    def correct(self) -> NDArray[np.bool_]:
        """Whether the most probable diagnosis is the true one [N]."""
        return self.probabilities.argmax(axis=1) == self.labels

    @property
    def groups(self) -> NDArray:
        """What to resample by: the split's group where known, else the lesion id; object array [N]."""
        return self.table["group" if "group" in self.table.columns else "lesion_id"].to_numpy(dtype=object)

    @property
    def training_prevalence(self) -> NDArray[np.float64]:
        """Share of each diagnosis in training [7].

        Raises:
            DataError: `meta` doesn't say, or not with seven positive shares.
        """
        if self.meta.get("training_prevalence") is None:
            raise DataError("The predictions don't say how common the diagnoses were in training.")
        return _shares(self.meta["training_prevalence"])

    def at_prevalence(self, prevalence: Mapping[str, float] | NDArray | None = None) -> NDArray[np.float64]:
        """Probabilities [N, 7] where the diagnoses are as common as stated, by Bayes' rule.

        Args:
            prevalence: share of each diagnosis; without it, that of the training images.

        Raises:
            DataError: not seven positive shares, or the predictions don't know those of training.
        """
        if isinstance(prevalence, Mapping):
            prevalence = np.array([prevalence[c] for c in taxonomy.CLASSES])
        share = self.training_prevalence if prevalence is None else _shares(prevalence)
        weighted = self.probabilities * share
        return weighted / weighted.sum(axis=1, keepdims=True)

    def save(self, path: Path) -> None:
        """Write as Parquet; `meta` goes into the file's metadata."""
        table = pa.Table.from_pandas(self.table, preserve_index=False)
        meta = {**(table.schema.metadata or {}), _META_KEY: json.dumps(dict(self.meta)).encode()}
        pq.write_table(table.replace_schema_metadata(meta), path)

    @classmethod
    def load(cls, path: Path) -> "Predictions":
        """Read a saved table.

        Raises:
            DataError: not a predictions table, or one with a row that can't be right; the message names the image.
        """
        try:
            table = pq.read_table(path)
            meta = json.loads((table.schema.metadata or {})[_META_KEY])
        except (OSError, pa.ArrowInvalid, KeyError, ValueError) as error:
            raise DataError(f"{path}: not a predictions table ({error}).", "Make one with lentigo evaluate.") from None
        try:
            return cls(table.to_pandas(), meta)
        except DataError as error:
            raise DataError(f"{path}: {error.message}", error.hint) from None


def _shares(values: object) -> NDArray[np.float64]:
    """Seven positive shares, scaled to sum to 1."""
    share = np.asarray(values, dtype=np.float64)
    if share.shape != (len(taxonomy.CLASSES),) or not (share > 0).all() or not np.isfinite(share).all():
        raise DataError(f"A prevalence is seven positive shares, not {values}.")
    return share / share.sum()

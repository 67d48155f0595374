"""The one predictions table: a model's outputs, a row an image. All that is reported is computed from it alone."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from lentigo.errors import DataError, reason
from lentigo.labels import HAM10000, LabelSet
from lentigo.runtime.clinical import OLDEST

__all__ = ["Predictions", "probability_columns"]

_META_KEY = b"lentigo"
_AGAIN = "Predict again, or correct the table."


@dataclass(frozen=True)
class Predictions:
    """One row an image.

    Attributes:
        table: columns image_id, lesion_id, group, dx (the true diagnosis), a probability `p_<id>` of each label of the
            label set, and what is known of the patient (age, sex, site, dx_type, source). The probabilities assume that
            the diagnoses are equally common: see `at_prevalence`.
        meta: where they come from: model, model_sha256, split_sha256, protocol, leaky, part, training_prevalence
            (a list, a share for each label), temperature (that the logits were divided by), versions; and label_set,
            without which the labels are HAM10000's.
    """

    table: pd.DataFrame
    meta: Mapping[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        needed = ("image_id", "lesion_id", "dx", *probability_columns(self.label_set))
        missing = [c for c in needed if c not in self.table.columns]
        if missing:
            raise DataError(f"The predictions lack the columns {', '.join(missing)}.", _AGAIN)
        unknown = sorted(c for c in self.table.columns if str(c).startswith("p_") and c not in needed)
        if unknown:
            raise DataError(
                f"The predictions have columns of other labels than {self.label_set.name}'s: {', '.join(unknown)}.",
                _AGAIN,
            )
        if len(self.table) == 0:
            raise DataError("The predictions are empty.", "Predict on a part that has images.")
        if self.table["image_id"].duplicated().any():
            twice = self.table.loc[self.table["image_id"].duplicated(), "image_id"].iloc[0]
            raise DataError(f"The predictions contain image {twice} twice.", "Predict each image once.")
        for column in ("image_id", "lesion_id"):
            texts = [isinstance(value, str) and bool(value.strip()) for value in self.table[column]]
            self._refuse(~np.array(texts), f"has no {column} that is a text")
        self._refuse(~self.table["dx"].isin(self.label_set.classes), "has no known diagnosis in dx")
        self._refuse(pd.isna(self.groups), "has no lesion")
        self._check_numbers()
        self._check_prevalence()
        sums_to_one = np.abs(self.probabilities.sum(axis=1) - 1) <= 1e-3  # False for NaN
        fine = sums_to_one & (self.probabilities >= 0).all(axis=1)
        self._refuse(~fine, "has probabilities that are not in 0 to 1 or don't sum to 1")

    def _check_numbers(self) -> None:
        """Numbers where numbers belong; an age may be missing."""
        numeric = [*probability_columns(self.label_set), *(["age"] if "age" in self.table else [])]
        for column in numeric:
            values = self.table[column]
            if not pd.api.types.is_numeric_dtype(values) and values.notna().any():
                raise DataError(f"The column {column} of the predictions does not hold numbers.", _AGAIN)
        if "age" in self.table:
            ages = pd.to_numeric(self.table["age"])
            self._refuse(ages.notna() & ~ages.between(0, OLDEST), f"has an age outside 0 to {OLDEST} years")

    def _check_prevalence(self) -> None:
        """A share for each label, where any are known; whether all are positive matters only to who uses them."""
        values = self.meta.get("training_prevalence")
        if values is None:
            return
        try:
            share = np.asarray(values, dtype=np.float64)
        except (TypeError, ValueError):
            share = np.empty(0)
        if share.shape != (len(self.label_set),) or not (share >= 0).all() or not np.isfinite(share).all():
            raise DataError(
                f"The training prevalence of the predictions is not {len(self.label_set)} shares, but {values}.", _AGAIN
            )

    def _refuse(self, bad: NDArray[np.bool_] | pd.Series, reason: str) -> None:
        if np.any(bad):
            first = self.table["image_id"].iloc[int(np.argmax(bad))]
            affected = f"{int(np.sum(bad))} of {len(self)} predictions are affected"
            raise DataError(f"Image {first} {reason}; {affected}.", _AGAIN)

    def __repr__(self) -> str:
        model, part = self.meta.get("model", "unknown model"), self.meta.get("part", "images")
        return f"<Predictions of {model}: {len(self):,} rows, {part}, {self.label_set.name}>"

    def __len__(self) -> int:
        return len(self.table)

    @cached_property
    def label_set(self) -> LabelSet:
        """What the model distinguishes."""
        values = self.meta.get("label_set")
        return HAM10000 if values is None else LabelSet.from_dict(values)  # type: ignore[arg-type]  # from JSON

    @property
    def probabilities(self) -> NDArray[np.float64]:
        """Probabilities [N, K] in the order of `label_set`, at the balanced prior."""
        return self.table[probability_columns(self.label_set)].to_numpy(dtype=np.float64)

    @property
    def labels(self) -> NDArray[np.int64]:
        """True diagnoses, positions in `label_set` [N]."""
        return self.label_set.index(self.table["dx"])

    @property
    def majority(self) -> str:
        """The commonest label: that which the label set states, or else the commonest in training, or among these
        images where that is unknown."""
        if self.label_set.majority is not None:
            return self.label_set.majority
        known = self.meta.get("training_prevalence") is not None
        shares = self.training_prevalence if known else np.bincount(self.labels, minlength=len(self.label_set))
        return self.label_set.classes[int(np.argmax(shares))]

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
        """Share of each diagnosis in training [K].

        Raises:
            DataError: `meta` doesn't say, or not with a positive share for each label.
        """
        if self.meta.get("training_prevalence") is None:
            raise DataError("The predictions lack the training prevalence.", _AGAIN)
        return self._shares(self.meta["training_prevalence"])

    def at_prevalence(self, prevalence: Mapping[str, float] | NDArray | None = None) -> NDArray[np.float64]:
        """Probabilities [N, K] where the diagnoses are as common as stated, by Bayes' rule.

        Args:
            prevalence: share of each diagnosis; without it, that of the training images.

        Raises:
            DataError: not a positive share for each label, or the predictions don't know those of training.
        """
        if isinstance(prevalence, Mapping):
            prevalence = np.array([prevalence.get(c, np.nan) for c in self.label_set.classes])
        share = self.training_prevalence if prevalence is None else self._shares(prevalence)
        weighted = self.probabilities * share
        return weighted / weighted.sum(axis=1, keepdims=True)

    def replaced(self, probabilities: NDArray, **meta: object) -> "Predictions":
        """The same images with other probabilities [N, K] and entries of `meta`."""
        values = dict(zip(probability_columns(self.label_set), np.asarray(probabilities).T, strict=True))
        return Predictions(self.table.assign(**values), {**self.meta, **meta})

    def _shares(self, values: object) -> NDArray[np.float64]:
        """Positive shares [K], scaled to sum to 1."""
        try:
            share = np.asarray(values, dtype=np.float64)
        except (TypeError, ValueError):  # texts, or lists of several lengths
            share = np.empty(0)
        if share.shape != (len(self.label_set),) or not (share > 0).all() or not np.isfinite(share).all():
            raise DataError(
                f"A prevalence is {len(self.label_set)} positive shares, not {values}.",
                f"Give one for each of {', '.join(self.label_set.classes)}.",
            )
        return share / share.sum()

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
            meta = dict(json.loads((table.schema.metadata or {})[_META_KEY]))
        except (OSError, pa.ArrowInvalid, KeyError, TypeError, ValueError) as error:
            raise DataError(
                f"{path}: not a predictions table ({reason(error)}).", "Create one: lentigo evaluate."
            ) from None
        try:
            return cls(table.to_pandas(), meta)
        except DataError as error:
            raise DataError(f"{path}: {error.message}", error.hint) from None


def probability_columns(label_set: LabelSet) -> list[str]:
    """Names of the probability columns, in the order of a label set."""
    return [f"p_{c}" for c in label_set.classes]

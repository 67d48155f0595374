"""Pictures taken with a phone, without a dermatoscope: what they do to a model that learned from dermoscopic images.

They are outside what the models are for. What counts is how many are rejected, and what becomes of the rest.
"""

import io
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lentigo import data
from lentigo.data.records import none_readable
from lentigo.evaluation.metrics.confusion import ratio
from lentigo.evaluation.predict import refuse_seen
from lentigo.evaluation.result import Estimate, Result
from lentigo.evaluation.statistics.estimates import estimate
from lentigo.evaluation.statistics.intervals import bootstrap
from lentigo.labels import find_mapping
from lentigo.runtime import Classifier, Failure, Verdict
from lentigo.runtime.metadata import OperatingPoint
from lentigo.written import read_text

__all__ = ["PhoneGroup", "PhonePictures", "phone_pictures"]

TONES = ("fitspatrick", "fitzpatrick", "fitzpatrick_skin_type")
"""Names of the column with the Fitzpatrick skin type, 1 to 6; PAD-UFES-20 spells it the first way."""
UNKNOWN = "not stated"


class PhoneGroup(Result):
    """What becomes of some of the pictures.

    Attributes:
        images: how many.
        rejected: share that is not gradable.
        correct: share whose first diagnosis is correct, rejected ones included as if they had been graded.
        melanomas: how many show melanoma.
        melanoma_sensitivity: share of these at or above the model's threshold of melanoma, rejected ones included.
    """

    images: int
    rejected: Estimate
    correct: Estimate
    melanomas: int
    melanoma_sensitivity: Estimate


class PhonePictures(Result):
    """What phone pictures do to a model. Intervals are of 95 %, from resamples of patients.

    Attributes:
        model, model_sha256: which.
        data: name of the data set.
        diagnoses: ids of those that model and data both know; others are not counted.
        left_out: what was not counted, by reason.
        patients: groups that resamples are drawn from.
        all: all pictures.
        balanced_accuracy: over `diagnoses`, as if none were rejected.
        balanced_accuracy_graded: of those that are not rejected.
        recall: of each diagnosis, as if none were rejected.
        false_positives: share of the pictures of other lesions at or above the threshold of melanoma.
        target_sensitivity: on validation, that this threshold was chosen for; None where the model has none.
        reasons: rejected pictures by reason, without its figures; one may have several.
        tones: by Fitzpatrick type, and of those without one.
        replicates: bootstrap resamples.
    """

    model: str
    model_sha256: str
    data: str
    diagnoses: tuple[str, ...]
    left_out: dict[str, int]
    patients: int
    all: PhoneGroup
    balanced_accuracy: Estimate
    balanced_accuracy_graded: Estimate
    recall: dict[str, Estimate]
    false_positives: Estimate
    target_sensitivity: float | None
    reasons: dict[str, int]
    tones: dict[str, PhoneGroup]
    replicates: int

    def sentence(self) -> str:
        """The outcome in one sentence, for a card."""
        found = self.all
        return (
            f"{found.images:,} pictures taken with phones ({self.data}): {found.rejected} are rejected; balanced "
            f"accuracy over {len(self.diagnoses)} diagnoses, as if none were, {self.balanced_accuracy}; of "
            f"{found.melanomas} melanomas, {found.melanoma_sensitivity} are at or above the threshold of melanoma, and "
            f"of the other lesions {self.false_positives}."
        )


def phone_pictures(
    model: str | os.PathLike[str], root: str | os.PathLike[str], *, replicates: int = 1000, seed: int = 0
) -> PhonePictures:
    """Measure a bundle on pictures that were taken with a phone, such as PAD-UFES-20.

    Args:
        model: name or path of a bundle.
        root: the data set; its labels are brought to the model's by a mapping that ships.
        replicates: bootstrap resamples.
        seed: of the resamples.

    Raises:
        BundleError: no such bundle.
        DataError: the data can't be read, there is no mapping, or no image can be read.
        LeakError: the bundle has seen some of these pictures.
    """
    classifier = Classifier.load(model)
    read = data.read(root)
    records = read.mapped(find_mapping(classifier.labels, read.label_set))
    refuse_seen(classifier.bundle, records)
    verdicts = list(classifier.classify_many(records.table["path"]))
    usable = np.array([not isinstance(v, Failure) for v in verdicts])
    if not usable.any():
        raise none_readable(records, next(v.error for v in verdicts if isinstance(v, Failure)))
    left_out = Counter(p.kind for p in records.problems if p.severity == "dropped")
    left_out.update({"unreadable image": int((~usable).sum())} if not usable.all() else {})
    groups = data.find_groups(records)[usable]
    records = records.take(records.ids[usable])
    given = [v for v in verdicts if not isinstance(v, Failure)]
    labels = records.labels
    first = records.label_set.index([str(v.raw["diagnosis"]) for v in given])
    point = next((p for p in classifier.bundle.metadata.operating_points if p.target == "melanoma"), None)
    seen = _Seen(
        labels, groups, first == labels, np.array([not v.gradable for v in given]),
        _alarms(classifier, given, point), labels == _melanoma(records), point is not None, replicates, seed,
    )  # fmt: skip
    known = [c for i, c in enumerate(records.label_set.classes) if (labels == i).any()]
    everything = np.ones(len(labels), bool)
    tones = _tones(read, records)
    return PhonePictures(
        model=classifier.bundle.name,
        model_sha256=classifier.sha256,
        data=Path(root).resolve().name,
        diagnoses=tuple(known),
        left_out=dict(left_out),
        patients=len(set(groups)),
        all=seen.group(everything),
        balanced_accuracy=seen.balanced(everything),
        balanced_accuracy_graded=seen.balanced(~seen.rejected),
        recall={c: seen.share(seen.correct, labels == records.label_set.index([c])[0]) for c in known},
        false_positives=seen.alarm_share(~seen.melanoma),
        target_sensitivity=None if point is None else point.target_sensitivity,
        reasons=dict(Counter(reason.partition(" (")[0] for v in given for reason in v.rejection_reasons)),
        tones={tone: seen.group((tones == tone).to_numpy()) for tone in sorted(set(tones))},
        replicates=replicates,
    )


class _Seen:
    """What the model answered for N pictures, and shares of them with their intervals."""

    def __init__(
        self,
        labels: NDArray[np.int64],
        groups: NDArray,
        correct: NDArray[np.bool_],
        rejected: NDArray[np.bool_],
        alarm: NDArray[np.bool_],
        melanoma: NDArray[np.bool_],
        has_alarm: bool,
        replicates: int,
        seed: int,
    ) -> None:
        self.labels, self.groups, self.correct, self.rejected = labels, groups, correct, rejected
        self.alarm, self.melanoma, self.has_alarm = alarm, melanoma, has_alarm
        self.replicates, self.seed = replicates, seed

    def share(self, hit: NDArray[np.bool_], among: NDArray[np.bool_]) -> Estimate:
        """Share of some pictures that are a hit."""

        def shares(weights: NDArray[np.float64]) -> NDArray[np.float64]:
            return ratio(weights @ (hit & among), weights @ among)

        return self._estimate(shares, among, "there is no such picture", plain=True)

    def alarm_share(self, among: NDArray[np.bool_]) -> Estimate:
        """Share of some pictures at or above the threshold of melanoma."""
        if not self.has_alarm:
            return Estimate(value=None, note="the model has no threshold of melanoma")
        return self.share(self.alarm, among)

    def balanced(self, among: NDArray[np.bool_]) -> Estimate:
        """Mean over the diagnoses of the share of some pictures of each whose first diagnosis is correct."""
        of_label = [(self.labels == label) & among for label in np.unique(self.labels)]

        def mean(weights: NDArray[np.float64]) -> NDArray[np.float64]:
            return np.mean([ratio(weights @ (one & self.correct), weights @ one) for one in of_label], axis=0)

        return self._estimate(mean, among, "a diagnosis has no such picture")

    def group(self, among: NDArray[np.bool_]) -> PhoneGroup:
        """What becomes of some pictures."""
        return PhoneGroup(
            images=int(among.sum()),
            rejected=self.share(self.rejected, among),
            correct=self.share(self.correct, among),
            melanomas=int((among & self.melanoma).sum()),
            melanoma_sensitivity=self.alarm_share(among & self.melanoma),
        )

    def _estimate(self, statistic, among: NDArray[np.bool_], undefined: str, *, plain: bool = False) -> Estimate:  # type: ignore[no-untyped-def]  # as `bootstrap` takes it
        value = float(statistic(np.ones((1, len(self.labels))))[0])
        many = bootstrap(statistic, self.labels, self.groups, self.replicates, self.seed)
        patients = len(set(self.groups[among]))
        return estimate(value, many, [patients], trials=patients if plain else None, undefined=undefined)


def _alarms(classifier: Classifier, verdicts: Sequence[Verdict], point: OperatingPoint | None) -> NDArray[np.bool_]:
    """Whether the risk of melanoma reaches its threshold, of rejected pictures too: bool [N]."""
    if point is None:
        return np.zeros(len(verdicts), bool)
    probabilities = np.array([list(v.raw["probabilities"].values()) for v in verdicts])  # type: ignore[attr-defined]
    if point.view == "training_prevalence":
        probabilities = probabilities * np.array(classifier.bundle.metadata.training_prevalence)
        probabilities /= probabilities.sum(1, keepdims=True)
    melanoma = classifier.labels.index([str(classifier.labels.melanoma)])[0]
    return probabilities[:, melanoma] >= point.threshold


def _melanoma(records: data.Records) -> int:
    """Position of melanoma; -1 where the label set has none."""
    alarm = records.label_set.melanoma
    return -1 if alarm is None else int(records.label_set.index([alarm])[0])


def _tones(read: data.Records, records: data.Records) -> pd.Series:
    """Fitzpatrick type of each record, as text; read from the data set's table, whose reader has no use for it."""
    table = read.root if read.root.is_file() else None
    rows: Mapping[str, str] = {}
    if table is not None and table.suffix.lower() in (".csv", ".tsv"):
        found = pd.read_csv(io.StringIO(read_text(table)), dtype=str, sep=None, engine="python")
        column = next((c for c in found.columns if c.lower() in TONES), None)
        if column is not None:
            names = found.iloc[:, 0].str.rpartition("/")[2].str.replace(r"\.[A-Za-z]+$", "", regex=True)
            types = found[column].str.extract(r"^([1-6])")[0]
            rows = dict(zip(names, "type " + types, strict=True))
    return records.table["image_id"].map(rows).fillna(UNKNOWN)

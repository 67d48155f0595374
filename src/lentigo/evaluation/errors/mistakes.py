"""The most instructive errors: the worst of each kind, the confusion matrix, and labels that may be wrong."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lentigo.evaluation.predictions import Predictions, probability_columns
from lentigo.evaluation.provenance import Provenance
from lentigo.evaluation.result import Result
from lentigo.labels import LabelSet

__all__ = ["KINDS", "Case", "Confusion", "LabelIssue", "Mistakes", "Neighbour", "find_mistakes"]

KINDS = (
    "missed melanoma, called benign",
    "melanoma, called another malignancy",
    "missed malignancy, called benign",
    "false alarm",
    "another mix-up",
)
"""The worst first."""

ALIKE = 3
"""Neighbours of a mistake."""
KNOWN = ("age", "sex", "site", "dx_type", "source")
CAUTION = (
    "A label is suspect if the model, which was not trained on the image, is as confident of another diagnosis as it "
    "usually is of that diagnosis's own images. Usually the model is wrong, not the label, especially where "
    "histopathology confirmed it: review the image before changing any label."
)


class Neighbour(Result):
    """An image that the model answers nearly like a mistaken one.

    Attributes:
        image_id: which.
        truth: its diagnosis.
        distance: Hellinger distance of the two answers, 0 to 1.
    """

    image_id: str
    truth: str
    distance: float


class Case(Result):
    """One image and what the model reported for it.

    Attributes:
        image_id, lesion_id: which.
        truth, decision: diagnosis ids; the decision is the most probable at the balanced prior.
        kind: of `KINDS`.
        probabilities: by diagnosis id.
        known: age, sex, site, dx_type and source, '' where unknown.
        same_lesion: other images of the lesion that are mistaken in the same way; they are not listed.
        alike: the images of another part that the model answers most like this one, one per lesion; none where no such
            part was given.
    """

    image_id: str
    lesion_id: str
    truth: str
    decision: str
    kind: str
    probabilities: dict[str, float]
    known: dict[str, str]
    same_lesion: int
    alike: tuple[Neighbour, ...] = ()


class Confusion(Result):
    """One diagnosis taken for another.

    Attributes:
        truth, decision: diagnosis ids.
        images, lesions: how many.
        share: of all images of the true diagnosis.
    """

    truth: str
    decision: str
    images: int
    lesions: int
    share: float


class LabelIssue(Result):
    """A label that may be wrong.

    Attributes:
        image_id, lesion_id: which.
        given, suggested: the label, and what the model is sure of instead.
        margin: probability of the suggested less that of the given.
        dx_type: how the label was established, '' where unknown.
    """

    image_id: str
    lesion_id: str
    given: str
    suggested: str
    margin: float
    dx_type: str


class Mistakes(Result):
    """What a model gets wrong.

    Attributes:
        provenance: what was examined.
        images_of_kind: mistaken images by `KINDS`.
        worst: the worst case of each lesion, by kind, most confident errors first; at most `per_kind` of each.
        per_kind: the largest number of one kind in `worst`.
        confusions: from the most images to the fewest.
        label_issues: likely label issues, the largest margin first.
        caution: how label issues are to be read.
    """

    provenance: Provenance
    images_of_kind: dict[str, int]
    worst: tuple[Case, ...]
    per_kind: int
    confusions: tuple[Confusion, ...]
    label_issues: tuple[LabelIssue, ...]
    caution: str = CAUTION


def find_mistakes(predictions: Predictions, *, per_kind: int = 12, reference: Predictions | None = None) -> Mistakes:
    """Find the mistakes of a predictions table, at the balanced prior.

    Args:
        predictions: what to examine.
        per_kind: how many of each kind to list, one image a lesion.
        reference: the same model's predictions of other images, such as the validation part, among which to look for
            neighbours: a case whose neighbours are of its true diagnosis was nearly correct.
    """
    labels, p = predictions.labels, predictions.probabilities
    decisions = p.argmax(axis=1)
    kinds = _kinds(predictions.label_set, labels, decisions)
    return Mistakes(
        provenance=Provenance.of(predictions),
        images_of_kind={kind: int((kinds == k).sum()) for k, kind in enumerate(KINDS)},
        worst=tuple(
            case
            for k in range(len(KINDS))
            for case in _worst(predictions, decisions, kinds == k, k, per_kind, reference)
        ),
        per_kind=per_kind,
        confusions=_confusions(predictions, decisions),
        label_issues=_label_issues(predictions),
    )


def _kinds(label_set: LabelSet, labels: NDArray[np.int64], decisions: NDArray[np.int64]) -> NDArray[np.int64]:
    """Position in `KINDS` of each image [N], -1 where the decision is correct."""
    malignant = np.isin(np.array(label_set.classes), label_set.malignant)
    benign = np.isin(np.array(label_set.classes), label_set.benign)
    melanoma = np.array([label_set.classes[label] == label_set.melanoma for label in labels])
    truth, decided, cleared = malignant[labels], malignant[decisions], benign[decisions]
    conditions = [
        labels == decisions,
        melanoma & cleared,
        melanoma & decided,
        truth & cleared,
        benign[labels] & decided,
    ]
    return np.select(conditions, [-1, 0, 1, 2, 3], default=4)


def _worst(
    predictions: Predictions,
    decisions: NDArray[np.int64],
    mask: NDArray[np.bool_],
    kind: int,
    count: int,
    reference: Predictions | None,
) -> list[Case]:
    """Most confident errors first: those that give the true diagnosis the lowest probability."""
    classes, columns = predictions.label_set.classes, probability_columns(predictions.label_set)
    own = predictions.probabilities[np.arange(len(predictions)), predictions.labels]
    rows = np.flatnonzero(mask)
    rows = rows[np.argsort(own[rows], kind="stable")]
    lesions = predictions.table["lesion_id"].iloc[rows]
    same_lesion = lesions.value_counts() - 1
    first = rows[~lesions.duplicated().to_numpy()][:count]
    cases = []
    for row, record in zip(first, predictions.table.iloc[first].to_dict("records"), strict=True):
        cases.append(
            Case(
                image_id=record["image_id"],
                lesion_id=record["lesion_id"],
                truth=record["dx"],
                decision=classes[decisions[row]],
                kind=KINDS[kind],
                probabilities={c: float(record[name]) for c, name in zip(classes, columns, strict=True)},
                known={name: _text(record.get(name)) for name in KNOWN},
                same_lesion=int(same_lesion[record["lesion_id"]]),
                alike=_alike(predictions.probabilities[row], reference) if reference else (),
            )
        )
    return cases


def _alike(answer: NDArray[np.float64], reference: Predictions) -> tuple[Neighbour, ...]:
    """Nearest answers by Hellinger's distance, sqrt(1 - sum(sqrt(p q))), one image a lesion."""
    overlap = np.sqrt(reference.probabilities * answer).sum(axis=1)
    distance = np.sqrt(np.clip(1 - overlap, 0, 1))
    order = np.argsort(distance, kind="stable")
    nearest = order[~pd.Series(reference.groups[order]).duplicated().to_numpy()][:ALIKE]
    table = reference.table.iloc[nearest]
    return tuple(
        Neighbour(image_id=image_id, truth=dx, distance=float(d))
        for image_id, dx, d in zip(table["image_id"], table["dx"], distance[nearest], strict=True)
    )


def _text(value: object) -> str:
    if value is None or pd.isna(value) or value == "unknown":
        return ""
    return f"{value:.0f}" if isinstance(value, float) else str(value)


def _confusions(predictions: Predictions, decisions: NDArray[np.int64]) -> tuple[Confusion, ...]:
    table = predictions.table[["lesion_id", "dx"]].assign(decision=np.array(predictions.label_set.classes)[decisions])
    total = table["dx"].value_counts()
    wrong = table[table["dx"] != table["decision"]].groupby(["dx", "decision"])["lesion_id"]
    found = [
        Confusion(truth=t, decision=d, images=len(ids), lesions=ids.nunique(), share=len(ids) / int(total[t]))
        for (t, d), ids in wrong
    ]
    return tuple(sorted(found, key=lambda c: (-c.images, c.truth, c.decision)))


def _label_issues(predictions: Predictions) -> tuple[LabelIssue, ...]:
    """Confident learning (Northcutt, Jiang, Chuang, Journal of Artificial Intelligence Research 70:1373, 2021).

    A class's threshold is the mean probability of the images that bear its label (equation 2); an image belongs to the
    most probable of the classes whose threshold it reaches (equation 1), and is suspected if that isn't its label but
    the decision.
    """
    labels, p = predictions.labels, predictions.probabilities
    present = np.unique(labels)
    thresholds = np.full(p.shape[1], np.inf)
    thresholds[present] = [p[labels == k, k].mean() for k in present]
    reached = np.where(p >= thresholds, p, -1.0)
    suggested = reached.argmax(axis=1)
    rows = np.flatnonzero((reached.max(axis=1) > 0) & (suggested != labels) & (suggested == p.argmax(axis=1)))
    margin = p[rows, suggested[rows]] - p[rows, labels[rows]]
    return _describe(predictions, rows[np.argsort(-margin, kind="stable")], suggested)


def _describe(
    predictions: Predictions, rows: NDArray[np.int64], suggested: NDArray[np.int64]
) -> tuple[LabelIssue, ...]:
    p, labels = predictions.probabilities, predictions.labels
    records: Sequence[dict] = predictions.table.iloc[rows].to_dict("records")
    return tuple(
        LabelIssue(
            image_id=record["image_id"],
            lesion_id=record["lesion_id"],
            given=record["dx"],
            suggested=predictions.label_set.classes[suggested[row]],
            margin=float(p[row, suggested[row]] - p[row, labels[row]]),
            dx_type=_text(record.get("dx_type")),
        )
        for row, record in zip(rows, records, strict=True)
    )

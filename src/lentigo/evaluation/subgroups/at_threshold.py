"""Which groups of people a model's own threshold serves worse: sensitivity by sex, age band and site."""

from lentigo.evaluation.clinical.operating_points import OperatingPoint, scores
from lentigo.evaluation.predictions import Predictions
from lentigo.evaluation.result import Result
from lentigo.evaluation.subgroups.fairness import groups_of

__all__ = ["BEHIND", "LESIONS", "GroupSensitivity", "behind", "sensitivity_by_group"]

FACTORS = ("sex", "age", "site")
LESIONS = 50
"""Groups with fewer lesions are left out."""
BEHIND = 0.08
"""A group this far below all images is named."""


class GroupSensitivity(Result):
    """What a threshold finds in one group.

    Attributes:
        factor, name: such as 'sex' and 'female'.
        lesions: of the group, whatever they are.
        positives: images of the group that show what is looked for.
        found: how many of them reach the threshold.
        behind: sensitivity among all images less the group's, 0 to 1; negative where the group's is higher.
    """

    factor: str
    name: str
    lesions: int
    positives: int
    found: int
    behind: float

    def __str__(self) -> str:
        return f"{self.factor} {self.name} {self.found} of {self.positives}"


def sensitivity_by_group(predictions: Predictions, point: OperatingPoint) -> tuple[GroupSensitivity, ...]:
    """Sensitivity at a threshold in each group of at least 50 lesions that has a positive image, the worst first.

    Args:
        predictions: what the threshold is applied to; a factor that the table lacks has no groups.
        point: the threshold.

    Raises:
        DataError: the point's task is unknown for these labels.
    """
    score, positive = scores(predictions, point.task, point.view)
    flagged, lesions, everywhere = score >= point.threshold, predictions.groups, 0.0
    if positive.any():
        everywhere = float(flagged[positive].mean())
    found = []
    for factor, column in groups_of(predictions.table).items():
        for name in column.dropna().unique() if factor in FACTORS else ():
            inside = (column == name).to_numpy()
            count, caught = int((inside & positive).sum()), int((inside & positive & flagged).sum())
            if count and len(set(lesions[inside])) >= LESIONS:
                found.append(
                    GroupSensitivity(
                        factor=factor,
                        name=str(name),
                        lesions=len(set(lesions[inside])),
                        positives=count,
                        found=caught,
                        behind=everywhere - caught / count,
                    )
                )
    return tuple(sorted(found, key=lambda group: (-group.behind, group.factor, group.name)))


def behind(predictions: Predictions, point: OperatingPoint) -> tuple[GroupSensitivity, ...]:
    """The groups of `sensitivity_by_group` more than 8 points below all images."""
    return tuple(group for group in sensitivity_by_group(predictions, point) if group.behind > BEHIND)

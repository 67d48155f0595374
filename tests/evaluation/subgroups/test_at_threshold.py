"""Groups that a threshold serves worse are found by count, whatever the other groups do."""

import numpy as np

from lentigo.evaluation.clinical.operating_points import OperatingPoint
from lentigo.evaluation.predictions import Predictions
from lentigo.evaluation.subgroups.at_threshold import behind, sensitivity_by_group
from tests.evaluation.imagined import of

POINT = OperatingPoint(
    task="melanoma",
    answer="melanoma",
    view="equal_prevalence",
    target=0.95,
    threshold=0.5,
    sensitivity=None,
    specificity=None,
    provenance=None,
    warnings=(),
)


def imagined(found_women: int, found_men: int, lesions: int = 60) -> Predictions:
    """20 melanomas of each sex, of which so many reach the threshold, among so many lesions of each."""
    labels = np.tile(np.repeat([4, 5], [20, lesions - 20]), 2)
    logits = np.zeros((2 * lesions, 7))
    logits[:found_women, 4] = logits[lesions : lesions + found_men, 4] = 9
    table = of(labels, logits)
    return Predictions(table.table.assign(sex=np.repeat(["female", "male"], lesions), site="unknown"), table.meta)


def test_the_worse_group_is_named_with_its_counts():
    (worst,) = behind(imagined(12, 18), POINT)
    assert (worst.name, worst.found, worst.positives, worst.lesions) == ("female", 12, 20, 60)
    assert worst.behind == 30 / 40 - 12 / 20
    assert str(worst) == "sex female 12 of 20"
    assert [group.name for group in sensitivity_by_group(imagined(12, 18), POINT)] == ["female", "male"]


def test_small_differences_and_small_groups_are_not():
    assert behind(imagined(17, 18), POINT) == ()
    assert behind(imagined(0, 20, lesions=49), POINT) == ()
    assert sensitivity_by_group(imagined(12, 18), POINT.model_copy(update={"threshold": 0.0}))[0].behind == 0

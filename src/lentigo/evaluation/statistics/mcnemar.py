"""McNemar's test of two models' decisions on the same images, exact and mid-p.

Source: Fagerland, Lydersen, Laake, The McNemar test for binary matched-pairs data, BMC Med Res Methodol 13:91, 2013,
which finds the exact test too cautious and recommends the mid-p.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom

from lentigo.evaluation.result import Result

__all__ = ["McNemar", "mcnemar"]


class McNemar(Result):
    """Disagreements of two models, one image a lesion.

    Attributes:
        lesions: how many were compared.
        first_only: lesions that only the first model classifies correctly.
        second_only: lesions that only the second classifies correctly.
        p_exact: two-sided exact conditional p.
        p_mid: two-sided mid-p, the one to use.
    """

    lesions: int
    first_only: int
    second_only: int
    p_exact: float
    p_mid: float


def mcnemar(first_right: NDArray[np.bool_], second_right: NDArray[np.bool_], groups: NDArray) -> McNemar:
    """Test whether two models are correct equally often.

    The test holds for independent images only, so that the first image of each lesion is used, in the order given.

    Args:
        first_right: whether the first model is correct [N].
        second_right: the same for the second [N].
        groups: lesion of each image [N].
    """
    _, one = np.unique(groups.astype(str), return_index=True)
    a, b = first_right[one], second_right[one]
    first_only, second_only = int((a & ~b).sum()), int((~a & b).sum())
    both, fewer = first_only + second_only, min(first_only, second_only)
    exact = min(1.0, 2 * float(binom.cdf(fewer, both, 0.5)))
    mid = min(1.0, 2 * float(binom.cdf(fewer, both, 0.5)) - float(binom.pmf(fewer, both, 0.5)))
    return McNemar(lesions=len(one), first_only=first_only, second_only=second_only, p_exact=exact, p_mid=mid)

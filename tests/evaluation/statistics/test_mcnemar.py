"""McNemar's test against published and exact values."""

import numpy as np
import pytest
from scipy.stats import binomtest

from lentigo.evaluation.statistics.mcnemar import mcnemar


def table(both: int, first: int, second: int, neither: int):
    a = np.repeat([True, True, False, False], [both, first, second, neither])
    b = np.repeat([True, False, True, False], [both, first, second, neither])
    return mcnemar(a, b, np.arange(len(a)))


def test_published_example():
    """Fagerland 2013, airway hyper-responsiveness: exact p 0.070, mid-p 0.039."""
    found = table(1, 1, 7, 12)
    assert (found.first_only, found.second_only, found.lesions) == (1, 7, 21)
    assert found.p_exact == pytest.approx(0.0703, abs=5e-5)
    assert found.p_mid == pytest.approx(0.0391, abs=5e-5)


@pytest.mark.parametrize(("first", "second"), [(0, 1), (3, 3), (5, 12), (40, 20)])
def test_exact_is_the_binomial_test(first, second):
    found = table(5, first, second, 5)
    assert found.p_exact == pytest.approx(binomtest(first, first + second).pvalue, abs=1e-9)
    assert found.p_mid <= found.p_exact


def test_no_disagreement():
    assert table(5, 0, 0, 5).p_mid == 1


def test_images_of_one_lesion_count_once():
    right, wrong = np.ones(40, bool), np.zeros(40, bool)
    found = mcnemar(right, wrong, np.repeat(np.arange(4), 10))
    assert (found.lesions, found.first_only) == (4, 4)

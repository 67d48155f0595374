"""Cells of tables."""

import pytest

from lentigo.render.markdown import p_value


@pytest.mark.parametrize(
    ("p", "words"), [(None, "–"), (0.0, "below 0.001"), (0.0009, "below 0.001"), (0.0385, "0.038"), (1.0, "1.000")]
)
def test_no_p_is_zero(p, words):
    assert p_value(p) == words

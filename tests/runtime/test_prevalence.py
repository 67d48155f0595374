"""A stated prevalence: checked whole, found by any name, and never silently used where it makes no sense."""

import json
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lentigo.errors import DataError, LentigoError
from lentigo.labels import HAM10000
from lentigo.runtime import check_prevalence, read_prevalence
from lentigo.runtime.prevalence import restate

GOOD = {"akiec": 0.01, "bcc": 0.02, "bkl": 0.03, "df": 0.01, "mel": 0.02, "nv": 0.9, "vasc": 0.01}


def test_it_sums_to_one_on_any_scale():
    plain = check_prevalence(GOOD, HAM10000)
    assert sum(plain.values()) == pytest.approx(1)
    assert tuple(plain) == HAM10000.classes
    for factor in (100, 1e-300, 1e300):
        assert check_prevalence({c: v * factor for c, v in GOOD.items()}, HAM10000) == pytest.approx(plain)


@pytest.mark.parametrize("kind", [np.float32, np.float64, Fraction])
def test_any_number_will_do(kind):
    assert check_prevalence({c: kind(v) for c, v in GOOD.items()}, HAM10000)["nv"] == pytest.approx(0.9)
    assert check_prevalence(dict.fromkeys(HAM10000.classes, np.int64(3)), HAM10000)["nv"] == pytest.approx(1 / 7)


def test_names_are_found():
    named = {"Melanoma" if c == "mel" else "nevi" if c == "nv" else c.upper(): v for c, v in GOOD.items()}
    assert check_prevalence(named, HAM10000) == check_prevalence(GOOD, HAM10000)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"mel": -0.1}, "'mel' is -0.1"),
        ({"mel": math.nan}, "nan"),
        ({"mel": math.inf}, "inf"),
        ({"mel": 0}, "'mel' is 0"),
        (dict.fromkeys(GOOD, 0.0), "is 0.0"),
        ({"mel": True}, "is True"),
        ({"mel": np.bool_(True)}, "True"),
        ({"mel": "0.02"}, "'0.02'"),
        ({"mel": None}, "None"),
        ({"mel": [0.02]}, "[0.02]"),
        ({"mel": 10**400}, "1000"),
        ({"mel": 1j}, "1j"),
        ({"melanome": 0.1}, "Did you mean 'melanoma'?"),
        ({"melanoma": 0.1}, "'mel' twice"),
        ({3: 0.1}, "names 3"),
    ],
)
def test_nonsense_is_refused(change, words):
    with pytest.raises(DataError) as error:
        check_prevalence(GOOD | change, HAM10000)
    assert words in str(error.value)
    assert error.value.hint


@pytest.mark.parametrize("stated", [None, 0.1, [0.1] * 7, "mel=0.1", (), [("mel", 0.1)]])
def test_only_a_mapping_will_do(stated):
    with pytest.raises(DataError, match="is a mapping"):
        check_prevalence(stated, HAM10000)


def test_what_is_missing_is_named():
    with pytest.raises(DataError, match="lacks df, vasc"):
        check_prevalence({c: v for c, v in GOOD.items() if c not in ("df", "vasc")}, HAM10000)
    with pytest.raises(DataError, match="lacks akiec, bcc"):
        check_prevalence({}, HAM10000)


@given(
    st.lists(st.floats(0, 1), min_size=7, max_size=7).filter(lambda p: sum(p) > 0),
    st.lists(st.floats(5e-324, 1e300, exclude_min=False), min_size=7, max_size=7),
)
def test_restated_probabilities_are_probabilities(values, shares):
    balanced = dict(zip(HAM10000.classes, (v / sum(values) for v in values), strict=True))
    try:
        stated = check_prevalence(dict(zip(HAM10000.classes, shares, strict=True)), HAM10000)
    except LentigoError:
        pytest.fail("positive shares were refused")
    found = restate(balanced, stated)
    assert sum(found.values()) == pytest.approx(1)
    assert all(0 <= p <= 1 for p in found.values())


def test_equal_shares_change_nothing():
    balanced = check_prevalence(GOOD, HAM10000)
    assert restate(balanced, dict.fromkeys(HAM10000.classes, 1 / 7)) == pytest.approx(balanced)


class TestText:
    PAIRS = ",".join(f"{c}={v}" for c, v in GOOD.items())

    def test_pairs_and_files_say_the_same(self, tmp_path):
        path = tmp_path / "clinic=1.json"
        path.write_text(json.dumps(GOOD))
        assert read_prevalence(str(path)) == read_prevalence(f" {self.PAIRS} ,".replace("=", " = ")) == GOOD

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("mel=0.02,mel=0.03", "'mel' twice"),
            ("mel=a", "not a number"),
            ("mel=0.02,nv", "no '='"),
            ("absent.json", "absent.json: not a readable prevalence"),
            (".", "not a readable prevalence"),
            ("", "No prevalence is stated"),
            (" ", "No prevalence is stated"),
        ],
    )
    def test_what_can_not_be_read(self, text, words):
        with pytest.raises(DataError) as error:
            read_prevalence(text)
        assert words in str(error.value)

    @pytest.mark.parametrize("content", ["[1]", "{", "1", '{"mel": 1, "mel": 2}', "\xff"])
    def test_files_that_hold_none(self, tmp_path, content):
        path = tmp_path / "p.json"
        path.write_bytes(content.encode("latin-1"))
        with pytest.raises(DataError, match=r"p\.json|twice"):
            read_prevalence(str(path))

    @pytest.mark.parametrize("value", ["NaN", "Infinity", "-1", "true", '"0.1"', "null", "0"])
    def test_values_are_judged_afterwards(self, tmp_path, value):
        path = tmp_path / "p.json"
        path.write_text(json.dumps(GOOD).replace("0.9", value))
        with pytest.raises(DataError, match="'nv' is"):
            check_prevalence(read_prevalence(str(path)), HAM10000)

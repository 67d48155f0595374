import dataclasses

import numpy as np
import pytest

from lentigo.errors import DataError
from lentigo.labels import BINARY, HAM10000, ISIC2019, KNOWN, PAD_UFES_20, Label, LabelMapping, LabelSet, find_mapping

MINE = LabelSet("mine", (Label("a", "first", True), Label("b", "second", False), Label("c", "third", False)))


def test_isic_2019_to_ham10000():
    found = find_mapping("ham10000", ISIC2019)
    assert found.target("AK") == "akiec"
    assert found.left_out == ("scc",)
    assert found.ids(["mel", "scc", "ak"]) == ["mel", None, "akiec"]
    assert str(found) == "ISIC2019 to HAM10000: ak -> akiec; scc left out"


def test_pad_ufes_20_to_ham10000():
    found = find_mapping("HAM10000", PAD_UFES_20)
    assert found.ids(PAD_UFES_20.classes) == ["akiec", "bcc", "mel", "nv", None, "bkl"]


@pytest.mark.parametrize("source", KNOWN.values(), ids=KNOWN)
def test_every_set_maps_to_itself_and_to_benign_and_malignant(source):
    assert find_mapping(source, source).ids(source.classes) == list(source.classes)
    found = find_mapping("binary", source)
    assert [c for c in source.classes if found.target(c) == "malignant"] == list(source.malignant)
    assert np.allclose(found.probabilities(np.eye(len(source))).sum(axis=1), 1)


def test_probabilities_of_what_becomes_one_are_summed():
    found = LabelMapping(MINE, BINARY, (("a", "malignant"), ("b", "benign"), ("c", "benign")))
    assert found.probabilities(np.array([[0.5, 0.25, 0.25]])).tolist() == [[0.5, 0.5]]


def test_a_probability_without_a_place_is_refused():
    with pytest.raises(DataError, match="scc of ISIC2019 has no target in HAM10000"):
        find_mapping("ham10000", ISIC2019).probabilities(np.eye(8))


def test_one_never_becomes_several():
    with pytest.raises(DataError, match="maps a twice"):
        LabelMapping(MINE, BINARY, (("a", "malignant"), ("a", "benign"), ("b", "benign"), ("c", "benign")))
    with pytest.raises(DataError, match="no built-in mapping from BINARY"):
        find_mapping("ham10000", BINARY)


@pytest.mark.parametrize(
    ("pairs", "reason"),
    [
        ((("a", "malignant"), ("b", "benign")), "has no target for c"),
        ((("a", "malignant"), ("b", "benign"), ("c", "nv")), "maps to 'nv'"),
        ((("a", "malignant"), ("b", "benign"), ("c", None), ("d", None)), "maps 'd'"),
        ((("a", "malignant"), ("b", None), ("c", None)), "fewer than two target labels"),
    ],
)
def test_a_mapping_is_complete_or_refused(pairs, reason):
    with pytest.raises(DataError, match=reason):
        LabelMapping(MINE, BINARY, pairs)


def test_no_mapping_is_guessed():
    with pytest.raises(DataError, match=r"no built-in mapping from mine .* to HAM10000") as caught:
        find_mapping("ham10000", MINE)
    assert "columns from and to" in caught.value.hint
    with pytest.raises(DataError, match="no built-in mapping from HAM10000"):
        find_mapping("isic2019", HAM10000)


def test_malignancy_that_is_not_known_is_not_mapped():
    unknown = dataclasses.replace(MINE, labels=(*MINE.labels, Label("d", "fourth")))
    with pytest.raises(DataError, match="d is not known to be malignant or benign"):
        find_mapping("binary", unknown)

"""The lesion least like the others: a statistic with a known answer, and patients that are refused."""

import json
import shutil

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from lentigo import comparison
from lentigo.comparison.described import unit
from lentigo.comparison.patient import LIMIT, scores
from lentigo.errors import DataError


@settings(deadline=None)
@given(seed=st.integers(0, 999), place=st.integers(0, 7))
def test_one_that_points_elsewhere_has_the_largest_score_and_stands_out(seed, place):
    rng = np.random.default_rng(seed)
    vectors = np.array([1.0, 0, 0, 0]) + 0.05 * rng.normal(size=(8, 4))
    vectors[place] = (0, 1, 0, 0)
    _, found = scores(unit(vectors))
    assert found.argmax() == place
    assert found[place] > LIMIT
    order = rng.permutation(8)
    assert scores(unit(vectors[order]))[1] == pytest.approx(found[order])


def test_of_lesions_that_are_all_alike_none_stands_out():
    vectors = np.tile([1.0, 0, 0], (6, 1))
    assert np.abs(scores(unit(vectors))[1]).max() < LIMIT
    alike = unit(np.eye(6) + 1.0)
    assert np.abs(scores(alike)[1]).max() < 1e-3


def test_arithmetic_of_the_modified_score():
    """In the plane: three at 0, two at 60 degrees: the medians are 0, 0, 0 and 1/2, 1/2."""
    angles = np.deg2rad([0, 0, 0, 60, 60])
    distances, found = scores(unit(np.stack([np.cos(angles), np.sin(angles)], 1)))
    assert distances == pytest.approx([0.25, 0.25, 0.25, 0.5, 0.5], abs=1e-6)
    assert found[:3] == pytest.approx(0, abs=1e-6)


@pytest.fixture
def patient(tmp_path, synthetic_records):
    """Six lesions of one patient."""
    rows = synthetic_records.table.drop_duplicates("lesion_id").iloc[:6]
    for i, path in enumerate(rows["path"]):
        shutil.copy(path, tmp_path / f"lesion{i}.jpg")
    return tmp_path


def test_it_orders_all_lesions_and_says_what_it_is(patient, classifier):
    found = comparison.ugly_duckling(patient, classifier)
    assert len(found.lesions) == 6
    assert [o.score for o in found.lesions] == sorted((o.score for o in found.lesions), reverse=True)
    assert found.stands_out == (found.lesions[0].score > LIMIT)
    assert "the others are not thereby benign" in str(found)


def test_a_table_joins_images_of_a_lesion(patient, classifier):
    text = "image,lesion_id,patient_id\n" + "".join(f"lesion{i}.jpg,L{max(i, 1)},P\n" for i in range(6))
    (patient / "t.csv").write_text(text)
    found = comparison.ugly_duckling(patient / "t.csv", classifier)
    assert sorted(len(o.images) for o in found.lesions) == [1, 1, 1, 1, 2]


class TestRefused:
    def test_too_few(self, patient, classifier):
        files = sorted(patient.glob("*.jpg"))
        with pytest.raises(DataError, match="1 lesion: too few"):
            comparison.ugly_duckling(files[:1], classifier)
        with pytest.raises(DataError, match="4 lesions: too few"):
            comparison.ugly_duckling(files[:4], classifier)
        for file in files[:2]:
            Image.new("RGB", (90, 90), (200, 150, 120)).save(file)
        with pytest.raises(DataError, match=r"same picture|4 gradable lesions"):
            comparison.ugly_duckling(patient, classifier)

    def test_not_gradable_ones_are_named(self, patient, classifier):
        Image.new("RGB", (90, 90), (200, 150, 120)).save(patient / "lesion0.jpg")
        found = comparison.ugly_duckling(patient, classifier)
        assert [p.endswith("lesion0.jpg") for p in found.not_gradable] == [True]
        assert len(found.lesions) == 5
        assert "lesion0.jpg" in str(found)

    def test_the_same_picture_twice(self, patient, classifier):
        shutil.copy(patient / "lesion0.jpg", patient / "copy.jpg")
        with pytest.raises(DataError, match="are the same picture"):
            comparison.ugly_duckling(patient, classifier)

    def test_several_patients(self, patient, classifier):
        text = "image,patient_id\n" + "".join(f"lesion{i}.jpg,P{i % 2}\n" for i in range(6))
        (patient / "t.csv").write_text(text)
        with pytest.raises(DataError, match="2 patients"):
            comparison.ugly_duckling(patient / "t.csv", classifier)

    def test_a_lesion_with_the_name_of_an_image(self, patient, classifier):
        """The two were taken for one lesion."""
        (patient / "t.csv").write_text("image,lesion_id\nlesion0.jpg,lesion1.jpg\nlesion1.jpg,\nlesion2.jpg,\n")
        with pytest.raises(DataError, match=r"'lesion1\.jpg' is the lesion of one row and the image of another"):
            comparison.ugly_duckling(patient / "t.csv", classifier)


def test_the_command_line(patient, bundle_path, run):
    out_file = patient / "out" / "u.png"
    code, out, err = run("ugly-duckling", patient, "--model", bundle_path, "--format", "json", "--out", out_file)
    assert code == 0, err
    assert "not thereby benign" in json.loads(out)["hint"]
    assert out_file.is_file()
    code, _, err = run("ugly-duckling", patient / "lesion0.jpg", "--model", bundle_path)
    assert code == 1 and "too few" in err

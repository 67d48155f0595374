from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from lentigo.errors import LeakError
from lentigo.evaluation.overlap import refuse_overlap
from lentigo.evaluation.predict import refuse_seen
from lentigo.runtime import IdSet
from lentigo.runtime.perceptual import perceptual_hash
from lentigo.runtime.predictor import Origin


@pytest.fixture(scope="module")
def hashes(synthetic_records):
    """Of the first 60 images."""
    return np.array([perceptual_hash(synthetic_records.decode(p)) for p in synthetic_records.table["path"][:60]])


@pytest.fixture
def array(synthetic_records):
    """The first ten images as an array without ids."""
    pixels = np.stack([synthetic_records.decode(p) for p in synthetic_records.table["path"][:10]])
    ids = [f"dermamnist_{i:05d}" for i in range(10)]
    table = synthetic_records.table.iloc[:10].assign(
        image_id=ids, lesion_id=ids, path=[f"dermamnist.npz#{i}" for i in range(10)]
    )
    return replace(synthetic_records, table=table, pixels=pixels, root=Path("dermamnist.npz"), name="dermamnist")


def test_a_known_overlap_without_ids_is_refused(array):
    with pytest.raises(LeakError, match=r"dermamnist contains images of HAM10000, which lentigo-s .*own-test"):
        refuse_overlap("lentigo-s", "ham10000", None, array)


def test_equal_numbers_of_rows_are_no_ids_that_can_be_compared(array):
    """A model's own test part may be of another array, whose rows have the same numbers."""
    nothing = IdSet({})
    origin = Origin("dermamnist", {}, (), 1.0, nothing, nothing, test=IdSet.of(array.ids))
    with pytest.raises(LeakError, match="under numbers instead of their ids"):
        refuse_seen(SimpleNamespace(name="mine", origin=origin), array)


def test_a_known_overlap_with_ids_is_named(synthetic_records):
    told = refuse_overlap("lentigo-s", "ham10000", None, replace(synthetic_records, name="isic2019"))
    assert "ham10000, which it was trained on, and isic2019 both contain images of HAM10000" in told
    assert "under another id would not be noticed" in told


def test_an_unknown_overlap_is_seen_by_the_pixels(synthetic_records, array, hashes):
    with pytest.raises(LeakError, match=r"10 of 10 images look like training images of mine, such as dermamnist_00000"):
        refuse_overlap("mine", "folders", hashes, array)
    renamed = synthetic_records.table.assign(image_id=[f"x{i}" for i in range(len(synthetic_records))])
    with pytest.raises(LeakError, match="look like training images of mine"):
        refuse_overlap("mine", "folders", hashes, replace(synthetic_records, table=renamed))


def test_other_images_pass_and_the_check_is_told(synthetic_records, hashes):
    lesions = set(synthetic_records.table["lesion_id"][:60])
    others = synthetic_records.take(
        synthetic_records.table.loc[~synthetic_records.table["lesion_id"].isin(lesions), "image_id"]
    )
    told = refuse_overlap("mine", "folders", hashes, others)
    assert f"of {len(others):,} images that were compared by their pixels with 60 training images" in told


def test_unreadable_images_stop_nothing(synthetic_records, hashes, tmp_path):
    (tmp_path / "broken.jpg").write_bytes(b"no image")
    few = synthetic_records.take(synthetic_records.ids[-3:])
    table = few.table.assign(path=[str(tmp_path / "broken.jpg"), *few.table["path"][1:]])
    assert "of 2 images" in refuse_overlap("mine", "folders", hashes, replace(few, table=table))

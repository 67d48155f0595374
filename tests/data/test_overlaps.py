from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lentigo.data.overlaps import PARTS, numbered_by_row, refuse_renumbered, shared_images
from lentigo.data.sources import load_manifests
from lentigo.errors import LeakError


@pytest.mark.parametrize(
    ("first", "second", "shared"),
    [
        ("ham10000", "dermamnist", ("HAM10000",)),
        ("dermamnist_224", "ham10000", ("HAM10000",)),
        ("ham10000", "pixel_csv", ("HAM10000",)),
        ("ham10000", "isic2018", ("HAM10000",)),
        ("isic2019", "dermamnist_c_224", ("HAM10000",)),
        ("isic2018_test", "dermamnist_e", ("the test images of ISIC 2018",)),
        ("isic2018_test", "ham10000", ()),
        ("ham10000", "isic2020", ()),
        ("ham10000", "folders", ()),
        ("folders", "folders", ()),
        ("ham10000_layout", "ham10000", ()),
        ("", "ham10000", ()),
    ],
)
def test_what_is_known_of_two_data_sets(first, second, shared):
    assert shared_images(first, second) == shared_images(second, first) == shared


def test_every_data_set_that_can_be_fetched_was_thought_of():
    unknown = {"isic2020", "melanoma10000"}  # overlaps are reported of the first, and of neither is there a table
    for manifest in load_manifests().values():
        assert (shared_images(manifest.name, manifest.name) != ()) == (manifest.name not in unknown), manifest.name
    assert set(PARTS) <= {"dermamnist", *load_manifests()}


def test_rows_that_are_numbered_have_no_ids_to_compare(toy_records):
    records = toy_records(["a", "b"], ["nv", "mel"])
    array = replace(records, pixels=np.zeros((2, 1, 1, 3), np.uint8), root=Path("/data/dermamnist_64.npz"))
    assert not numbered_by_row(records)
    assert not numbered_by_row(array)
    assert numbered_by_row(
        replace(array, table=array.table.assign(image_id=["dermamnist_64_00000", "dermamnist_64_00001"]))
    )


def test_what_was_learned_under_numbers_can_not_be_told_from_images_with_ids(toy_records):
    """Neither can one without ids be told from what was learned with them; once ids are shared, they decide."""
    records = replace(toy_records(["a", "b"], ["nv", "mel"]), name="ham10000")
    ask = {"records": records, "comparable": False, "instead": "Take another."}
    for name in ("dermamnist_224", "pixel_csv", "clinic+dermamnist_c"):
        with pytest.raises(LeakError, match=r"HAM10000, which mine was trained on .*, there under numbers") as caught:
            refuse_renumbered("mine", name, **ask)
        assert "Take another." in caught.value.hint
        assert refuse_renumbered("mine", name, **ask | {"comparable": True}) == ("HAM10000",)
    assert refuse_renumbered("mine", "isic2019", **ask) == ("HAM10000",)
    assert refuse_renumbered("mine", "folders", **ask) == ()

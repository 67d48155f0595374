"""A model's own images, and their lesions, are refused with a list."""

from pathlib import Path

import pandas as pd
import pytest

from lentigo.data import Records, Split
from lentigo.data.records import make_table
from lentigo.errors import LeakError
from lentigo.evaluation.leaks import refuse_trained_on


@pytest.fixture
def split():
    parts = ["train"] * 6 + ["validation"] * 2 + ["test"] * 2
    manifest = pd.DataFrame({"image_id": [f"I{i}" for i in range(10)], "group": [f"L{i}" for i in range(10)]})
    rows = manifest.assign(path="none.jpg", dx="nv", lesion_id=manifest["group"])
    records = Records(make_table(rows), "imagined", Path("nowhere"))
    return Split(records, manifest.assign(part=parts), "grouped", leaky=False, fold=0, seed=0, hash="a hash")


def test_test_part_and_foreign_images_pass(split):
    refuse_trained_on(["I8", "I9", "another"], split)


def test_training_and_validation_images_are_listed(split):
    with pytest.raises(LeakError, match="I0, I7"):
        refuse_trained_on(["I0", "I7", "I8"], split)
    with pytest.raises(LeakError, match="and 3 more"):
        refuse_trained_on([f"I{i}" for i in range(8)], split)


def test_lesion_on_both_sides_is_refused_unless_the_protocol_is_leaky(split):
    split.manifest.loc[8, "group"] = "L0"
    with pytest.raises(LeakError, match="I8"):
        refuse_trained_on(["I8"], split)
    leaky = Split(split.records, split.manifest, "leaky_image", leaky=True, fold=0, seed=0, hash="a hash")
    refuse_trained_on(["I8"], leaky)
    with pytest.raises(LeakError, match="I0"):
        refuse_trained_on(["I0"], leaky)

"""Phone pictures: what a bundle makes of them."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from lentigo.errors import DataError, LeakError
from lentigo.evaluation.phone import PhonePictures, phone_pictures
from lentigo.runtime import Bundle


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """16 pictures in PAD-UFES-20's layout: four patients with two lesions each, one of them of another label."""
    folder = tmp_path_factory.mktemp("phone")
    rows = []
    for i in range(16):
        name = f"PAT_{i // 4}_{i // 2}_{i}.png"
        pixels = np.random.default_rng(i).integers(0, 255, (40, 40, 3), np.uint8)
        Image.fromarray(pixels).save(folder / name)
        dx = ("NEV", "MEL", "SCC", "BCC")[i // 2 % 4]
        rows.append((name, f"PAT_{i // 4}", i // 2, dx, ("1.0", "4.0", None, "4.0")[i // 4]))
    columns = ["img_id", "patient_id", "lesion_id", "diagnostic", "fitspatrick"]
    pd.DataFrame(rows, columns=columns).to_csv(folder / "metadata.csv", index=False)
    return folder


@pytest.fixture(scope="module")
def found(bundle_path, pictures) -> PhonePictures:
    return phone_pictures(bundle_path, pictures, replicates=50)


def test_only_diagnoses_that_both_know_are_counted(found, bundle_path):
    assert found.diagnoses == ("bcc", "mel", "nv")
    assert found.left_out == {"scc has no target in HAM10000": 4}
    assert found.all.images == 12
    assert found.patients == 4
    assert found.all.melanomas == 4
    assert found.model_sha256 == Bundle(bundle_path).sha256


def test_balanced_accuracy_is_the_mean_recall(found):
    assert found.balanced_accuracy.value == pytest.approx(np.mean([r.value for r in found.recall.values()]))
    assert sum(found.reasons.values()) >= round(found.all.rejected.value * 12)


def test_tones_are_those_of_the_table(found):
    assert {tone: group.images for tone, group in found.tones.items()} == {"not stated": 4, "type 1": 4, "type 4": 4}


def test_it_is_read_back_and_said_in_one_sentence(found):
    assert PhonePictures.from_json(found.to_json()) == found
    assert found.sentence().startswith("12 pictures taken with phones")


def test_pictures_that_the_model_has_seen_are_refused(bundle_path, synthetic_root):
    with pytest.raises(LeakError, match="has seen"):
        phone_pictures(bundle_path, synthetic_root)


def test_data_without_pictures_is_refused(bundle_path, tmp_path):
    with pytest.raises(DataError):
        phone_pictures(bundle_path, tmp_path)

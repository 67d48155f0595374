from pathlib import Path

import pytest

from lentigo import data
from lentigo.errors import DataError
from tests.data.sources.made import save_pictures


def ten_thousand(root: Path) -> Path:
    """The layout of Kaggle's 10,000-image set."""
    number = iter(range(100))
    for part, count in (("train", 3), ("test", 2)):
        for kind in ("benign", "malignant"):
            save_pictures(root / part / kind, [f"melanoma_{next(number)}" for _ in range(count)])
    return root


def test_the_10000_image_set_keeps_its_parts_and_knows_its_licence(tmp_path):
    back = data.read(ten_thousand(tmp_path / "melanoma_cancer_dataset"))
    assert back.name == "melanoma10000"
    assert back.counts() == {"benign": 5, "malignant": 5}
    assert back.table["source"].value_counts().to_dict() == {"train": 6, "test": 4}
    assert back.table["dx"].isna().all()
    assert "CC0" in back.licence
    assert back.problem_counts() == {"no lesion ids": 1}


def test_a_folder_that_holds_nothing_but_the_tree_is_looked_through(tmp_path):
    ten_thousand(tmp_path / "downloads" / "melanoma_cancer_dataset")
    (tmp_path / "downloads" / ".DS_Store").write_bytes(b"x")
    assert len(data.read(tmp_path)) == 10


def test_class_folders_may_be_named_in_any_spelling(tmp_path):
    names = ["MEL", "Melanocytic_nevi", "basal cell carcinoma", "actinic keratoses", "bkl", "Dermatofibroma", "vasc"]
    for i, name in enumerate(names):
        save_pictures(tmp_path / name, [f"a{i}"])
    back = data.read(tmp_path)
    assert back.name == "folders"
    assert back.table["dx"].tolist() == ["mel", "nv", "bcc", "akiec", "bkl", "df", "vasc"]
    assert back.ids.tolist() == [f"a{i}" for i in range(7)]
    assert back.table["source"].isna().all()


def test_names_that_occur_twice_become_paths(tmp_path):
    for part in ("Training", "validation"):
        for kind in ("nevus", "melanoma"):
            save_pictures(tmp_path / part / kind, ["1", "2"])
    back = data.read(tmp_path)
    assert len(back) == 8
    assert "Training/melanoma/1" in back.ids.tolist()
    assert back.table["source"].value_counts().to_dict() == {"train": 4, "val": 4}


def test_carcinomas_outside_the_seven_are_dropped_among_diagnoses_and_kept_among_malignant(tmp_path):
    for name in ("melanoma", "nevus", "SCC", "warts"):
        save_pictures(tmp_path / "seven" / name, [f"{name}0", f"{name}1"])
    back = data.read(tmp_path / "seven")
    assert back.counts()["mel"] == back.counts()["nv"] == 2
    assert len(back) == 4
    assert back.problem_counts() == {"outside the seven classes": 2, "unknown label": 2, "no lesion ids": 1}
    for name in ("melanoma", "benign", "squamous cell carcinoma"):
        save_pictures(tmp_path / "two" / name, [f"{name}0", f"{name}1"])
    assert data.read(tmp_path / "two").counts() == {"benign": 2, "malignant": 4}


def test_numbered_folders_beside_named_ones_are_refused(tmp_path):
    for name in ("mel", "nv", "4"):
        save_pictures(tmp_path / name, [f"i{name}"])
    with pytest.raises(DataError, match=r"labels are numbers \(4\).*Name the diagnoses"):
        data.read(tmp_path)


def test_images_that_lie_elsewhere_or_are_empty_are_named(tmp_path):
    for name in ("mel", "nv"):
        save_pictures(tmp_path / name, [f"{name}0"])
    (tmp_path / "nv" / "broken.jpg").write_bytes(b"")
    (tmp_path / "nv" / "notes.txt").write_text("no image")
    save_pictures(tmp_path, ["cover"])
    back = data.read(tmp_path)
    assert back.ids.tolist() == ["mel0", "nv0"]
    assert back.problem_counts() == {"missing label": 1, "empty image": 1, "no lesion ids": 1}


def test_class_folders_without_images_are_refused(tmp_path):
    for name in ("mel", "nv"):
        (tmp_path / name).mkdir()
    with pytest.raises(DataError, match="none of the 0 images"):
        data.read(tmp_path)

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from PIL.PngImagePlugin import PngInfo

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
            save_pictures(tmp_path / part / kind, ["1", "2"], first=2 * (kind == "nevus"))
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


def test_files_that_share_a_name_in_one_class_are_reported_and_not_read(tmp_path):
    for name in ("melanoma", "nevus"):
        save_pictures(tmp_path / name, ["a", "b"], first=5 * (name == "nevus"))
    save_pictures(tmp_path / "melanoma", ["a"], ".bmp", first=3)
    save_pictures(tmp_path / "nevus" / "thumbs", ["b"], first=4)
    back = data.read(tmp_path)
    assert sorted(back.ids) == ["melanoma/b", "nevus/a"]
    assert back.problem_counts("dropped") == {"ambiguous image": 4}


def test_masks_and_thumbnails_beside_an_image_are_no_images(tmp_path):
    save_pictures(tmp_path / "melanoma", ["a", "a_segmentation", "A-mask"])
    save_pictures(tmp_path / "nevus", ["b", "c_mask"], first=3)
    save_pictures(tmp_path / "nevus" / "small", ["b_thumb"], first=5)
    back = data.read(tmp_path)
    assert back.ids.tolist() == ["a", "b", "c_mask"]  # no image c: it may be a picture after all
    assert back.problem_counts()["mask or thumbnail"] == 3


def test_files_of_one_name_with_equal_bytes_are_one_image(tmp_path):
    for name in ("melanoma", "nevus"):
        save_pictures(tmp_path / name, [f"{name}0"], first=5 * (name == "nevus"))
        save_pictures(tmp_path / name / "copy", [f"{name}0"], first=5 * (name == "nevus"))
    back = data.read(tmp_path)
    assert back.counts()["mel"] == back.counts()["nv"] == 1
    assert back.problem_counts("dropped") == {"identical file": 2}


def test_one_picture_in_two_classes_is_used_in_neither(tmp_path):
    for name in ("melanoma", "nevus"):
        save_pictures(tmp_path / name, ["a"], first=0)
        save_pictures(tmp_path / name, [name])
    back = data.read(tmp_path)
    assert sorted(back.ids) == ["melanoma/melanoma", "nevus/nevus"]
    assert back.problem_counts("dropped") == {"contradictory label": 2}


def test_images_in_folders_below_a_class_have_its_label(tmp_path):
    save_pictures(tmp_path / "malignant" / "melanoma" / "2019", ["a"])
    save_pictures(tmp_path / "benign" / "nevus" / "patient 7", ["b"])
    save_pictures(tmp_path / "benign" / "melanoma", ["c"])
    back = data.read(tmp_path)
    assert back.table["dx"].tolist() == ["mel", "nv"]
    assert back.problem_counts("dropped") == {"contradictory label": 1}


def test_linked_folders_and_images_are_read_and_circles_end(tmp_path):
    save_pictures(tmp_path / "elsewhere", ["m1", "m2"])
    save_pictures(tmp_path / "root" / "nevus", ["n1"], first=7)
    (tmp_path / "root" / "melanoma").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "root" / "nevus" / "n2.jpg").symlink_to(save_pictures(tmp_path / "single", ["x"], first=9)[0])
    (tmp_path / "root" / "nevus" / "again").symlink_to(tmp_path / "root")
    (tmp_path / "root" / "nevus" / "gone.jpg").symlink_to(tmp_path / "nowhere.jpg")
    back = data.read(tmp_path / "root")
    assert back.ids.tolist() == ["m1", "m2", "n1", "n2"]
    assert back.counts()["mel"] == 2
    assert back.problem_counts("ignored") == {"linked again": 1, "broken link": 1}


@pytest.mark.parametrize("target", ["../elsewhere", "nevus"])
def test_one_folder_under_two_classes_has_neither(tmp_path, target):
    """Which of the two links is meant can't be told, no more than of two copies."""
    save_pictures(tmp_path / "elsewhere", ["m1", "m2"])
    save_pictures(tmp_path / "root" / "nevus", ["n1"], first=7)
    save_pictures(tmp_path / "root" / "akiec", ["a1"], first=9)
    (tmp_path / "root" / "melanoma").symlink_to("../elsewhere")
    (tmp_path / "root" / "bcc").symlink_to(target)
    back = data.read(tmp_path / "root")
    assert back.ids.tolist() == (["a1", "n1"] if target == "../elsewhere" else ["a1", "m1", "m2"])
    lost = [problem for problem in back.problems if problem.kind == "contradictory label"]
    assert {problem.file for problem in lost} == ({"m1", "m2"} if target == "../elsewhere" else {"n1"})
    assert all("it lies below" in problem.reason and "bcc" in problem.reason for problem in lost)


def test_a_pipe_in_a_data_set_is_not_waited_for(tmp_path):
    for i, name in enumerate(("mel", "nv")):
        save_pictures(tmp_path / name, [f"{name}0"], first=5 * i)
    for name in ("table.csv", "hmnist_28_28_RGB.csv", "dermamnist.npz", "HAM10000_metadata.csv", "a.parquet"):
        os.mkfifo(tmp_path / name)
    back = data.read(tmp_path)
    assert len(back) == 2
    assert back.problem_counts("ignored") == {"special file": 5}


def test_every_file_is_told_by_its_content_or_reported(tmp_path):
    for name in ("mel", "nv"):
        save_pictures(tmp_path / name, [f"{name}0"], first=5 * (name == "nv"))
    inside = tmp_path / "mel"
    for i, suffix in enumerate(("", ".jpe", ".jfif", ".JPG")):
        save_pictures(inside, [f"m{i}"], first=10 + i)[0].rename(inside / f"m{i}{suffix}")
    (inside / "phone.heic").write_bytes(b"\0\0\0\x18ftypheic" + bytes(20))
    (inside / "scope.dcm").write_bytes(bytes(128) + b"DICM")
    (inside / "x.jp2").write_bytes(b"\0\0\0\x0cjP  \r\n\x87\n")
    (inside / "strange").write_bytes(b"neither")
    back = data.read(tmp_path)
    assert back.counts()["mel"] == 5
    assert back.problem_counts("ignored") == {"unread format": 3, "unknown file": 1}


@pytest.mark.parametrize(
    "name", ["Naevus", "naevi", "Melanocytic naevi", "seborrhoeic keratoses", "haemangiomas", "Bowen's disease",
             "actinic keratoses and intraepithelial carcinoma", "benign keratosis-like lesions", "Vascular_Lesion"],
)  # fmt: skip
def test_british_plural_and_long_names_are_class_folders(tmp_path, name):
    save_pictures(tmp_path / name, ["a"])
    save_pictures(tmp_path / "melanoma", ["b"], first=3)
    assert data.read(tmp_path).table["dx"].notna().tolist() == [True, True]


@pytest.mark.parametrize("beside", ["README.md", "desktop.ini", "LICENSE", "._data", "__MACOSX/._x", "data.zip"])
def test_papers_beside_the_one_data_folder_are_passed_over(tmp_path, beside):
    for name in ("mel", "nv"):
        save_pictures(tmp_path / "data" / name, [f"{name}0"], first=5 * (name == "nv"))
    (tmp_path / beside).parent.mkdir(exist_ok=True)
    (tmp_path / beside).write_bytes(b"x")
    back = data.read(tmp_path)
    assert len(back) == 2
    assert back.problem_counts() == {"no lesion ids": 1}


def test_images_and_tables_beside_the_one_data_folder_are_reported(tmp_path):
    for name in ("mel", "nv"):
        save_pictures(tmp_path / "data" / name, [f"{name}0"], first=5 * (name == "nv"))
    save_pictures(tmp_path, ["cover"])
    (tmp_path / "lesions.csv").write_text("a,b\n1,2\n")
    assert data.read(tmp_path).problem_counts("ignored") == {"beside the data": 2}


def test_heat_maps_are_no_lesions(tmp_path):
    for name in ("mel", "nv"):
        save_pictures(tmp_path / name, [f"{name}0"], first=5 * (name == "nv"))
    tag = PngInfo()
    tag.add_text("Software", "lentigo heat map")
    Image.new("RGB", (8, 8)).save(tmp_path / "mel" / "mel0.heatmap.png", pnginfo=tag)
    back = data.read(tmp_path)
    assert back.ids.tolist() == ["mel0", "nv0"]
    assert back.problem_counts("ignored") == {"heat map": 1}


PLACES = st.sampled_from(["mel", "nv", "mel/sub", "nv/mel", "warts", "train/mel", "test/nv", "scc", "."])
NAMES = st.sampled_from(
    ["a.jpg", "a.png", "b.jpg", "b", "c.jpe", "c.heic", "empty.jpg", "strange", "notes.txt", ".a.jpg"]
)


@settings(max_examples=60, deadline=None)
@given(files=st.dictionaries(st.tuples(PLACES, NAMES), st.integers(0, 3), max_size=8))
def test_every_file_ends_as_a_record_or_as_a_problem(tmp_path_factory, files):
    root = tmp_path_factory.mktemp("tree")
    for kind, seed in (("mel", 98), ("nv", 99)):
        save_pictures(root / kind, [f"good {kind}"], first=seed)
    for (place, name), seed in files.items():
        path = root / place / name
        made = save_pictures(path.parent, ["made"], ".png" if name == "a.png" else ".jpg", first=seed)[0]
        made.rename(path)
        if name in ("empty.jpg", "strange", "notes.txt", "c.heic"):
            path.write_bytes(b"" if name == "empty.jpg" else b"text")
    back = data.read(root)
    used = set(back.table["path"])
    reasons = " ".join(f"{p.file} {p.reason}" for p in back.problems)
    for path in root.rglob("*"):
        if path.is_file() and path.name not in ("notes.txt", ".a.jpg") and str(path) not in used:
            below = path.relative_to(root)
            assert any(str(name) in reasons for name in (path, below, below.with_suffix(""), path.stem)), path
    images = [p for p in root.rglob("[!.]*") if p.is_file() and p.name not in ("notes.txt", "strange", "c.heic")]
    assert len(back) + sum(back.problem_counts("dropped").values()) == len(images)


def test_names_in_another_encoding_are_reported_and_nothing_fails(tmp_path):
    save_pictures(tmp_path / "mel", ["a", "b"])
    save_pictures(tmp_path / "nv", ["c", "d"])
    try:
        (tmp_path / "nv" / "d.jpg").rename(tmp_path / "nv" / os.fsdecode(b"d\xe9.jpg"))
    except OSError:
        pytest.skip("this file system has names in UTF-8 only")
    back = data.read(tmp_path)
    assert back.ids.tolist() == ["a", "b", "c"]
    assert back.problem_counts("ignored") == {"unreadable name": 1}
    assert back.problems[0].file.endswith("d\\udce9.jpg")
    (tmp_path / "nv").rename(tmp_path / os.fsdecode(b"\xe9"))
    with pytest.raises(DataError, match="not in UTF-8"):
        data.read(tmp_path / os.fsdecode(b"\xe9"))

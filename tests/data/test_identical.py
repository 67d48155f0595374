"""One picture under several names, in every layout and across data sets."""

import shutil

import numpy as np
import pandas as pd
import pytest

from lentigo import data
from lentigo.data.groups import find_groups
from lentigo.data.identical import identical_images
from lentigo.errors import DataError, LeakError
from tests.data.sources.made import image_records, metadata_rows, save_pictures

pytestmark = pytest.mark.filterwarnings("ignore:.*lentigo data audit", "ignore:.*skipped")


def _class_folders(root, *copies: tuple[str, str], each: int = 4):
    """Two diagnoses with pictures of their own, and copies from one name to another."""
    for first, name in enumerate(("melanoma", "nevus")):
        save_pictures(root / name, [f"{name}{i}" for i in range(each)], first=each * first)
    for source, target in copies:
        shutil.copyfile(root / source, root / target)
    return root


def test_two_names_in_two_class_folders_are_used_in_neither(tmp_path):
    back = data.read(_class_folders(tmp_path, ("melanoma/melanoma0.jpg", "nevus/other.jpg")))
    assert back.counts()["mel"] == 3
    assert back.counts()["nv"] == 4
    told = [str(problem) for problem in back.problems if problem.kind == "contradictory label"]
    assert told == [
        "melanoma0: the same picture as other, which says nv: neither is used [dropped]",
        "other: the same picture as melanoma0, which says mel: neither is used [dropped]",
    ]


def test_of_three_copies_one_of_which_contradicts_none_is_used(tmp_path):
    copies = [("melanoma/melanoma0.jpg", place) for place in ("melanoma/again.jpg", "nevus/other.jpg")]
    back = data.read(_class_folders(tmp_path, *copies))
    assert back.problem_counts("dropped") == {"contradictory label": 3}
    assert not {"melanoma0", "again", "other"} & set(back.ids)


def test_two_names_with_one_diagnosis_stay_on_one_side_of_every_split(tmp_path):
    back = data.read(_class_folders(tmp_path, ("melanoma/melanoma0.jpg", "melanoma/again.jpg")))
    assert len(back) == 9
    assert back.links == (("again", "melanoma0"),)
    assert back.problem_counts("kept")["identical image"] == 1
    groups = dict(zip(back.ids, find_groups(back), strict=True))
    assert groups["again"] == groups["melanoma0"]
    assert len(set(groups.values())) == 8


def test_rows_of_a_table_that_name_two_copies(tmp_path):
    save_pictures(tmp_path, ["a", "b", "c"])
    shutil.copyfile(tmp_path / "a.jpg", tmp_path / "d.jpg")
    (tmp_path / "t.csv").write_text("path,label\na.jpg,mel\nb.jpg,mel\nc.jpg,nv\nd.jpg,nv\n")
    back = data.read(tmp_path)
    assert back.ids.tolist() == ["b", "c"]
    with pytest.raises(DataError, match="problems"):
        data.read(tmp_path, strict=True)


def test_ham10000_s_layout_and_its_own_lesion_ids(tmp_path):
    records = image_records(tmp_path / "images", ["mel", "mel", "nv", "nv", "nv", "nv"])
    files = records.table["path"]
    shutil.copyfile(files[2], files[3])  # of one lesion: nothing is wrong
    shutil.copyfile(files[4], files[2])
    shutil.copyfile(files[4], files[3])
    shutil.copyfile(files[0], files[5])
    metadata_rows(records).to_csv(tmp_path / "HAM10000_metadata.csv", index=False)
    back = data.read(tmp_path)
    assert back.ids.tolist() == [records.ids[i] for i in (1, 2, 3, 4)]
    assert back.problem_counts() == {"contradictory label": 2, "identical image": 2}
    assert len(set(find_groups(back))) == 2


def test_copies_of_one_lesion_are_nothing_wrong(tmp_path):
    records = image_records(tmp_path / "images", ["mel", "mel", "nv", "nv"])
    shutil.copyfile(records.table["path"][0], records.table["path"][1])
    metadata_rows(records).to_csv(tmp_path / "HAM10000_metadata.csv", index=False)
    back = data.read(tmp_path, strict=True)
    assert len(back) == 4
    assert back.links == ()


def test_rows_of_a_pixel_table(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (4, 28 * 28 * 3))
    pixels[3] = pixels[0]
    table = pd.DataFrame(pixels, columns=[f"pixel{i:04d}" for i in range(28 * 28 * 3)])
    table.assign(label=[4, 4, 5, 6]).to_csv(tmp_path / "hmnist_28_28_RGB.csv", index=False)
    back = data.read(tmp_path)
    assert len(back) == 2
    assert back.problem_counts("dropped") == {"contradictory label": 2}


def test_pictures_that_are_all_in_dispute_are_an_error(tmp_path):
    save_pictures(tmp_path / "melanoma", ["a"], first=0)
    save_pictures(tmp_path / "nevus", ["b"], first=0)
    with pytest.raises(DataError, match="same picture as"):
        data.read(tmp_path)


def test_an_image_of_an_earlier_data_set_is_known_under_any_name(tmp_path):
    one = _class_folders(tmp_path / "one", ("melanoma/melanoma0.jpg", "melanoma/again.jpg"))
    (tmp_path / "two").mkdir()
    save_pictures(tmp_path / "two" / "melanoma", ["m"], first=20)
    save_pictures(tmp_path / "two" / "nevus", ["n"], first=21)
    shutil.copyfile(one / "nevus/nevus0.jpg", tmp_path / "two/nevus/other.jpg")
    shutil.copyfile(one / "nevus/nevus1.jpg", tmp_path / "two/melanoma/wrong.jpg")
    back = data.read([one, tmp_path / "two"])
    assert back.ids.tolist() == [*data.read(one).ids, "m", "n"]
    told = [str(problem) for problem in back.problems if "nevus" in str(problem) or "other" in str(problem)]
    assert told[-1] == "other of two: one has this image as nevus0 [dropped]"
    assert back.problem_counts()["contradictory label"] == 1
    assert back.main.links == back.links == (("again", "melanoma0"),)


def _split_before_the_copy_was_known(root, tmp_path, monkeypatch, **how):
    with monkeypatch.context() as before:
        before.setattr("lentigo.data.sources.settle_identical", lambda records: records)
        made = data.split(data.read(root), folds=2, **how)
    made.save(tmp_path / "split.csv")
    return made


def test_a_split_from_before_is_read_without_the_disputed_pictures(tmp_path, monkeypatch, capsys):
    root = _class_folders(tmp_path / "root", ("melanoma/melanoma0.jpg", "nevus/other.jpg"), each=20)
    before = _split_before_the_copy_was_known(root, tmp_path, monkeypatch)
    back = data.load_split(tmp_path / "split.csv", data.read(root))
    assert set(before.manifest["image_id"]) - set(back.manifest["image_id"]) == {"melanoma0", "other"}
    kept = before.manifest[before.manifest["image_id"].isin(back.records.ids)].reset_index(drop=True)
    pd.testing.assert_frame_equal(back.manifest, kept)
    assert back.hash != before.hash  # it is of other images
    assert "2 images of this split are left out of its parts" in capsys.readouterr().err
    back.save(tmp_path / "again.csv")
    assert data.load_split(tmp_path / "again.csv", data.read(root)).hash == back.hash
    assert not capsys.readouterr().err


def test_a_changed_split_or_a_picture_that_is_gone_is_refused_as_ever(tmp_path, monkeypatch):
    root = _class_folders(tmp_path / "root", ("melanoma/melanoma0.jpg", "nevus/other.jpg"), each=20)
    _split_before_the_copy_was_known(root, tmp_path, monkeypatch)
    (root / "nevus/nevus1.jpg").unlink()
    with pytest.raises(DataError, match="no image 'nevus1'"):
        data.load_split(tmp_path / "split.csv", data.read(root))
    saved = (tmp_path / "split.csv").read_text()
    (tmp_path / "split.csv").write_text("\n".join(line for line in saved.split("\n") if not line.startswith("other,")))
    with pytest.raises(DataError, match="changed after it was saved"):
        data.load_split(tmp_path / "split.csv", data.read(root))


def test_a_split_from_before_with_one_picture_on_two_sides_is_refused(tmp_path, monkeypatch):
    copies = [(f"nevus/nevus{i}.jpg", f"nevus/copy{i}.jpg") for i in range(20)]
    root = _class_folders(tmp_path / "root", *copies, each=20)
    _split_before_the_copy_was_known(root, tmp_path, monkeypatch)
    with pytest.raises(LeakError, match="are one picture or lesion, but this split has them in"):
        data.load_split(tmp_path / "split.csv", data.read(root))


def test_joined_files_are_compared_beside_a_data_set_of_pixels(tmp_path):
    one, two = _class_folders(tmp_path / "one"), _class_folders(tmp_path / "two")
    for place in ("melanoma", "nevus"):
        for i in range(4):
            name = f"{place}{i}.jpg"
            (two / place / name).rename(two / place / f"renamed_{name}")
    pixels = np.random.default_rng(0).integers(0, 256, (2, 28 * 28 * 3))
    table = pd.DataFrame(pixels, columns=[f"pixel{i:04d}" for i in range(28 * 28 * 3)])
    (tmp_path / "three").mkdir()
    table.assign(label=[4, 6]).to_csv(tmp_path / "three" / "hmnist_28_28_RGB.csv", index=False)
    back = data.read([one, two, tmp_path / "three"])
    assert len(back) == 8 + 2
    assert back.problem_counts("dropped")["image of an earlier data set"] == 8


def test_files_that_cannot_be_read_are_like_no_other(tmp_path):
    files = [tmp_path / name for name in ("gone", "gone too", "first", "second")]
    for file in files[2:]:
        file.write_bytes(b"the same")
    assert identical_images(files) == [[2, 3]]
    assert identical_images(files[:2]) == []


def test_a_file_of_its_own_content_is_in_no_group(tmp_path):
    contents = ("the same", "of another size", "the same", "the game")
    files = [tmp_path / str(place) for place in range(len(contents))]
    for file, content in zip(files, contents, strict=True):
        file.write_text(content)
    assert identical_images(files) == [[0, 2]]

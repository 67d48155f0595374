from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from lentigo import data
from lentigo.errors import DataError
from lentigo.labels import ISIC2019, find_mapping
from tests.data.sources.made import picture, save_pictures

SEVEN = ["MEL", "NV", "BCC", "AKIEC", "BKL", "DF", "VASC"]
NINE = ["MEL", "NV", "BCC", "AK", "BKL", "DF", "VASC", "SCC", "UNK"]


def one_hot(names: list[str], labels: list[str], columns: list[str]) -> pd.DataFrame:
    hot = [[1.0 if label == column else 0.0 for column in columns] for label in labels]
    return pd.DataFrame(hot, columns=columns).assign(image=names)[["image", *columns]]


def ids(count: int, start: int = 0) -> list[str]:
    return [f"ISIC_{30_000 + i:07d}" for i in range(start, start + count)]  # in the range of ISIC 2018


def challenge_2018(root: Path) -> Path:
    """The layout of task 3 as unpacked: archives in folders of their own, which hold one of the same name."""
    for part, labels, start in (("Training", SEVEN, 0), ("Validation", SEVEN[:3], 100), ("Test", SEVEN[:4], 200)):
        names = ids(len(labels), start)
        inside = f"ISIC2018_Task3_{part}_Input"
        save_pictures(root / inside / inside, names)
        (root / inside / inside / "ATTRIBUTION.txt").write_text("HAM10000")
        truth = root / f"ISIC2018_Task3_{part}_GroundTruth" / f"ISIC2018_Task3_{part}_GroundTruth.csv"
        truth.parent.mkdir()
        one_hot(names, labels, SEVEN).to_csv(truth, index=False)
    groups = pd.DataFrame(
        {
            "image": ids(7),
            "lesion_id": [f"HAM_{i // 2:07d}" for i in range(7)],
            "diagnosis confirm type": ["histopathology", "serial imaging showing no change"] * 3 + ["other"],
        }
    )
    groups.to_csv(root / "ISIC2018_Task3_Training_LesionGroupings.csv", index=False)
    return root


def test_2018_with_its_three_parts_and_lesion_groupings(tmp_path):
    back = data.read(challenge_2018(tmp_path))
    assert back.problem_counts() == {"missing lesion id": 7}  # validation and test images have no groupings
    assert back.name == "isic2018"
    assert back.counts() == {"akiec": 2, "bcc": 3, "bkl": 1, "df": 1, "mel": 3, "nv": 3, "vasc": 1}
    assert back.table["source"].value_counts().to_dict() == {"train": 7, "test": 4, "val": 3}
    rows = back.table.set_index("image_id")
    assert rows.loc["ISIC_0030003", "dx"] == "akiec"
    assert rows.loc["ISIC_0030001", "lesion_id"] == rows.loc["ISIC_0030000", "lesion_id"] == "HAM_0000000"
    assert rows.loc[["ISIC_0030000", "ISIC_0030001", "ISIC_0030006"], "dx_type"].tolist() == [
        "histo",
        "follow_up",
        "other",
    ]
    assert rows.loc["ISIC_0030200", "lesion_id"] == "ISIC_0030200"
    assert all(Path(path).is_file() for path in rows["path"])


def test_a_folder_of_images_with_a_truth_table_is_the_layout_of_the_sealed_test(tmp_path):
    names = ids(7)
    for i, name in enumerate(names):
        Image.fromarray(picture(i, 20 + i, 30)).save(tmp_path / f"{name}.jpg")  # of any size
    one_hot(names, SEVEN, SEVEN).to_csv(tmp_path / "truth.csv", index=False)
    back = data.read(tmp_path)
    assert back.name == "isic2018"
    assert back.table["dx"].tolist() == ["mel", "nv", "bcc", "akiec", "bkl", "df", "vasc"]
    assert back.problem_counts() == {"no lesion ids": 1}
    assert data.read(tmp_path / "truth.csv").ids.tolist() == names


def test_2019_joins_its_metadata_and_has_eight_labels_of_its_own(tmp_path):
    names = [f"{name}_downsampled" for name in ids(9)]
    save_pictures(tmp_path / "ISIC_2019_Training_Input", names)
    one_hot(names, NINE, NINE).to_csv(tmp_path / "ISIC_2019_Training_GroundTruth.csv", index=False)
    pd.DataFrame(
        {
            "image": names,
            "age_approx": [55.0, None, *[30.0] * 7],
            "anatom_site_general": "anterior torso",
            "lesion_id": ["BCN_0000001", "BCN_0000001", None, *[f"MSK4_{i}" for i in range(6)]],
            "sex": ["female", None, *["male"] * 7],
        }
    ).to_csv(tmp_path / "ISIC_2019_Training_Metadata.csv", index=False)
    back = data.read(tmp_path)
    assert back.name == "isic2019"
    assert back.label_set is ISIC2019
    assert back.table["dx"].tolist() == ["mel", "nv", "bcc", "ak", "bkl", "df", "vasc", "scc"]
    assert back.labels.tolist() == [4, 5, 1, 0, 2, 3, 7, 6]
    assert back.problem_counts() == {"outside the label set": 1, "missing lesion id": 1}
    assert [p.file for p in back.problems] == [names[8], names[2]]
    mapped = back.mapped(find_mapping("ham10000", ISIC2019))
    assert mapped.table["dx"].tolist() == ["mel", "nv", "bcc", "akiec", "bkl", "df", "vasc"]
    assert mapped.problem_counts()["scc has no target in HAM10000"] == 1
    assert back.table["lesion_id"].tolist()[:3] == ["BCN_0000001", "BCN_0000001", names[2]]
    assert back.table["age"].tolist()[0] == 55
    assert back.table["site"].unique().tolist() == ["anterior torso"]
    assert back.table["source"].unique().tolist() == ["train"]


def test_2019s_test_table_with_weights_is_read(tmp_path):
    names = ids(3)
    save_pictures(tmp_path, names)
    truth = one_hot(names, ["MEL", "UNK", "NV"], NINE).assign(score_weight=1.0, validation_weight=0.0)
    truth.to_csv(tmp_path / "ISIC_2019_Test_GroundTruth.csv", index=False)
    back = data.read(tmp_path)
    assert back.table["dx"].tolist() == ["mel", "nv"]
    assert back.table["source"].tolist() == ["test", "test"]


def challenge_2020(root: Path, *, version: str = "_v2") -> pd.DataFrame:
    names = ids(12)
    save_pictures(root / "train", names)
    truth = pd.DataFrame(
        {
            "image_name": names,
            "patient_id": [f"IP_{i // 3}" for i in range(12)],
            "lesion_id": [f"IL_{i // 2}" for i in range(12)],
            "sex": "male",
            "age_approx": 45.0,
            "anatom_site_general_challenge": "torso",
            "diagnosis": ["melanoma", "nevus", "unknown", "solar lentigo"] * 3,
            "benign_malignant": ["malignant", "benign", "benign", "benign"] * 3,
            "target": [1, 0, 0, 0] * 3,
        }
    )
    if version == "":
        truth = truth.drop(columns="lesion_id")
    truth.to_csv(root / f"ISIC_2020_Training_GroundTruth{version}.csv", index=False)
    return truth


def test_2020_knows_benign_and_malignant_its_patients_and_its_duplicates(tmp_path):
    challenge_2020(tmp_path)
    pairs = "image_name_1,image_name_2\nISIC_0030000,ISIC_0030009\n"
    (tmp_path / "ISIC_2020_Training_Duplicates.csv").write_text(pairs)
    back = data.read(tmp_path)
    assert back.problems == ()
    assert back.name == "isic2020"
    assert back.counts() == {"benign": 9, "malignant": 3}
    assert back.table["dx"].isna().all()
    assert back.table["age"].tolist() == [45] * 12
    assert back.known_pairs == (("ISIC_0030000", "ISIC_0030009"),)
    assert back.label_set.name == "BINARY"
    assert back.labels.sum() == 3


def test_a_patient_of_2020_is_never_split(tmp_path):
    challenge_2020(tmp_path)
    back = data.read(tmp_path)
    assert back.table["patient_id"].iloc[0] == "IP_0"
    groups = data.find_groups(back)
    # Lesions of two images and patients of three chain images 0 to 5, and 6 to 11.
    assert len(set(groups[:6])) == 1
    assert len(set(groups)) == 2
    assert data.find_groups(back.take(back.ids[[0, 2, 6]])).tolist() == ["IL_0", "IL_0", "IL_3"]


def test_of_2020s_two_tables_the_newer_counts(tmp_path):
    challenge_2020(tmp_path, version="")
    old = data.read(tmp_path)
    assert old.problem_counts() == {"no lesion ids": 1}
    assert len(set(data.find_groups(old))) == 4  # patients alone
    challenge_2020(tmp_path)
    assert data.read(tmp_path).problems == ()


def test_two_challenges_in_one_folder_are_ambiguous(tmp_path):
    challenge_2018(tmp_path / "a")
    challenge_2020(tmp_path / "b")
    with pytest.raises(DataError, match=r"ISIC2018_Task3_Test_GroundTruth\.csv.*Give the folder of one challenge"):
        data.read(tmp_path)


def test_predictions_in_the_challenges_format_are_not_taken_for_the_truth(tmp_path):
    challenge_2018(tmp_path)
    guesses = one_hot(ids(7), SEVEN, SEVEN)
    guesses[SEVEN] = 0.1
    guesses.to_csv(tmp_path / "A_my_submission.csv", index=False)
    assert data.read(tmp_path).problem_counts() == {"missing lesion id": 7}
    save_pictures(tmp_path / "mine", ids(7))
    for name in ("a.csv", "b.csv"):
        guesses.to_csv(tmp_path / "mine" / name, index=False)
    with pytest.raises(DataError, match=r"found a\.csv, b\.csv"):
        data.read(tmp_path / "mine")


def test_rows_that_can_not_be_used_are_left_out_and_named(tmp_path):
    names = ids(7)
    save_pictures(tmp_path, names)
    (tmp_path / f"{names[5]}.jpg").unlink()
    (tmp_path / f"{names[6]}.jpg").write_bytes(b"")
    truth = one_hot(names, ["MEL"] * 7, SEVEN)
    truth.loc[1, "NV"] = 1.0  # two diagnoses
    truth.loc[2, "MEL"] = 0.7  # a prediction
    truth.loc[3, "MEL"] = None
    truth = pd.concat([truth, truth.head(1), pd.DataFrame([{"MEL": 1.0}])]).fillna(dict.fromkeys(SEVEN[1:], 0.0))
    truth.to_csv(tmp_path / "ISIC2018_Task3_Test_GroundTruth.csv", index=False)
    save_pictures(tmp_path, ["ISIC_9999999"])
    back = data.read(tmp_path)
    assert back.ids.tolist() == [names[0], names[4]]
    assert back.problem_counts() == {
        "bad flag": 2,
        "contradictory label": 1,
        "missing image": 1,
        "empty image": 1,
        "duplicate row": 1,
        "missing image id": 1,
        "extra image": 1,
        "no lesion ids": 1,
    }


def test_a_row_with_another_number_of_fields_is_refused_by_its_line(tmp_path):
    save_pictures(tmp_path, ids(2))
    header = ",".join(["image", *SEVEN])
    (tmp_path / "truth.csv").write_text(f"{header}\nISIC_0030000,1,0,0,0,0,0,0\nISIC_0030001,1,0,0,0,0,0\n")
    with pytest.raises(DataError, match=r"truth\.csv: .*line 3 has 7 fields, the header has 8"):
        data.read(tmp_path)


def test_truth_without_images_says_where_to_put_them(tmp_path):
    one_hot(ids(2), ["MEL", "NV"], SEVEN).to_csv(tmp_path / "truth.csv", index=False)
    with pytest.raises(DataError, match=r"none of the 2 rows.*Put the images below the same folder"):
        data.read(tmp_path)


def test_byte_order_mark_and_mixed_line_ends_are_taken_as_they_come(tmp_path):
    save_pictures(tmp_path, ids(2))
    text = f"image,{','.join(SEVEN)}\r\nISIC_0030000,1,0,0,0,0,0,0\nISIC_0030001,0,1,0,0,0,0,0\r"
    (tmp_path / "truth.csv").write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert data.read(tmp_path).table["dx"].tolist() == ["mel", "nv"]


def test_a_clinics_own_folder_in_a_challenges_layout_is_not_called_after_it(tmp_path):
    save_pictures(tmp_path, ["a", "b"])
    one_hot(["a", "b"], ["MEL", "NV"], SEVEN).to_csv(tmp_path / "truth.csv", index=False)
    back = data.read(tmp_path)
    assert (back.name, back.licence, back.citation) == ("isic2018_layout", "", "")


def test_a_mask_of_the_same_name_is_never_read_as_the_picture(tmp_path):
    names = ids(3)
    save_pictures(tmp_path / "images", names)
    save_pictures(tmp_path / "a_masks", names[:1], ".png")
    one_hot(names, SEVEN[:3], SEVEN).to_csv(tmp_path / "truth.csv", index=False)
    back = data.read(tmp_path)
    assert back.ids.tolist() == names[1:]
    (problem,) = [p for p in back.problems if p.kind == "ambiguous image"]
    assert problem.file == names[0]
    assert "a_masks" in problem.reason


def test_copies_with_the_same_bytes_are_one_image_and_said(tmp_path):
    names = ids(2)
    for folder in ("a", "b"):
        save_pictures(tmp_path / folder, names, first=0)
    one_hot(names, SEVEN[:2], SEVEN).to_csv(tmp_path / "truth.csv", index=False)
    back = data.read(tmp_path)
    assert back.ids.tolist() == names
    assert back.problem_counts("ignored") == {"identical file": 2}


def test_tables_that_contradict_each_other_about_a_lesion_leave_the_image_out(tmp_path):
    names = ids(4)
    save_pictures(tmp_path, names)
    one_hot(names, SEVEN[:4], SEVEN).to_csv(tmp_path / "truth.csv", index=False)
    first = pd.DataFrame({"image": [f"{n}.jpg" for n in names], "lesion_id": ["A", "A", "B", "C"], "sex": "male"})
    first.to_csv(tmp_path / "one.csv", index=False)
    second = pd.DataFrame({"isic_id": names[1:3], "lesion_id": ["A", "X"], "sex": ["m", "female"]})
    second.to_csv(tmp_path / "two.csv", index=False)
    back = data.read(tmp_path)
    assert back.ids.tolist() == [names[0], names[1], names[3]]
    assert back.problem_counts() == {"contradictory lesion id": 1}
    assert back.table["lesion_id"].tolist() == ["A", "A", "C"]


def test_2020s_columns_must_not_contradict_each_other(tmp_path):
    truth = challenge_2020(tmp_path)
    truth.loc[0, "target"] = 0
    truth.loc[4, "diagnosis"] = "nevus"  # and malignant
    truth.to_csv(tmp_path / "ISIC_2020_Training_GroundTruth_v2.csv", index=False)
    back = data.read(tmp_path)
    assert len(back) == 10
    assert back.problem_counts() == {"contradictory label": 2}


def test_columns_and_ids_in_another_spelling_are_read(tmp_path):
    names = ids(2)
    save_pictures(tmp_path / "Images" / "deeper", names, ".JPG")
    truth = one_hot([f"{n}.jpg" for n in names], SEVEN[:2], SEVEN).rename(columns=str.lower)
    text = truth.to_csv(index=False, sep=";", lineterminator="\r\n").replace("image", "IMAGE")
    (tmp_path / "truth.csv").write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert data.read(tmp_path).table["dx"].tolist() == ["mel", "nv"]


def test_what_a_one_hot_table_knows_beside_its_flags_is_read(tmp_path):
    names = [f"clinic_{i}" for i in range(4)]
    save_pictures(tmp_path, names)
    truth = one_hot(names, ["MEL", "MEL", "NV", "NV"], SEVEN) == 1  # as True and False
    truth["image"] = names
    truth = truth.assign(lesion_id=["a", "a", "b", "c"], age=["85+", 40, 50, 60], diagnosis=["mel"] * 3 + ["naevus"])
    truth.to_csv(tmp_path / "truth.csv", index=False)
    back = data.read(tmp_path)
    assert back.ids.tolist() == ["clinic_0", "clinic_1", "clinic_3"]
    assert back.table["lesion_id"].tolist() == ["a", "a", "c"]
    assert back.table["age"].tolist() == [85, 40, 60]
    assert back.problem_counts() == {"contradictory label": 1, "open-ended age": 1}


def test_names_of_a_label_beside_its_flag_do_not_contradict_it(tmp_path):
    names = ids(3)
    save_pictures(tmp_path, names)
    truth = one_hot(names, ["SCC", "AK", "MEL"], NINE)
    truth["diagnosis"] = ["squamous cell carcinoma", "actinic keratosis", "malignant melanoma"]
    truth.to_csv(tmp_path / "ISIC_2019_GroundTruth.csv", index=False)
    assert data.read(tmp_path).table["dx"].tolist() == ["scc", "ak", "mel"]


def test_values_of_two_tables_are_compared_by_what_they_say(tmp_path):
    names = ids(2)
    save_pictures(tmp_path, names)
    one_hot(names, SEVEN[:2], SEVEN).to_csv(tmp_path / "GroundTruth.csv", index=False)
    one = pd.DataFrame({"image": names, "lesion_id": ["a", "b"], "age": ["45", "60"], "sex": ["M", "F"]})
    one.to_csv(tmp_path / "one.csv", index=False)
    one.assign(age=["45.0", "70"], sex=["male", "female"]).to_csv(tmp_path / "two.csv", index=False)
    back = data.read(tmp_path)
    assert back.table["sex"].tolist() == ["male", "female"]
    assert back.table["age"].fillna(-1).tolist() == [45, -1]
    assert [p.reason for p in back.problems] == ["its rows say 60.0 and 70.0; it counts as missing"]

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.metrics import balanced_accuracy_score
from sklearn.neighbors import KNeighborsClassifier

from lentigo import data
from lentigo.audit import leaks
from lentigo.data.records import Records, make_table
from lentigo.data.splits import freeze
from lentigo.errors import DataError


@pytest.fixture(autouse=True)
def cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("LENTIGO_CACHE", str(tmp_path_factory.getbasetemp() / "leak_cache"))


@pytest.fixture
def grey(tmp_path) -> Records:
    """Eight plain images, two of each lesion and nearly alike, each lesion darker than the next."""
    root, rows = tmp_path / "grey", []
    root.mkdir()
    for i in range(8):
        path = root / f"g{i}.png"
        Image.fromarray(np.full((30, 40, 3), 20 + 50 * (i // 2) + i % 2, np.uint8)).save(path)
        rows.append(
            {"image_id": f"g{i}", "lesion_id": f"L{i // 2}", "dx": ["nv", "nv", "mel", "df"][i // 2], "path": str(path)}
        )
    return Records(make_table(pd.DataFrame(rows)), "grey", root)


def split_as(records, parts, leaky=True):
    lesions = records.table["lesion_id"].to_numpy()
    manifest = pd.DataFrame({"image_id": records.ids, "group": lesions, "part": parts})
    return freeze(records, manifest, "by_hand_leaky" if leaky else "by_hand", leaky, fold=0, folds=1, seed=0)


def test_siblings_in_training_are_counted_and_scored(grey):
    parts = ["train", "test", "train", "validation", "test", "test", "train", "test"]
    report = leaks.leak_report(split_as(grey, parts))
    table = report.table.set_index("image_id")
    assert table["leaked"].to_dict() == {"g1": True, "g4": False, "g5": False, "g7": True}
    # Lesion 2 (g4 and g5, of 120 grey levels) is nearest to lesion 1 (70), whose g2 is in training.
    assert table["nearest"].to_dict() == {"g1": "g0", "g4": "g2", "g5": "g6", "g7": "g6"}
    assert table["one_nn"].to_dict() == {"g1": "nv", "g4": "nv", "g5": "df", "g7": "df"}
    assert table.loc["g1", "distance"] == pytest.approx(np.sqrt(28 * 28 * 3))
    scores = report.scores()
    assert (scores["all"].images, scores["all"].accuracy) == (4, 0.5)
    assert scores["all"].balanced_accuracy == pytest.approx(2 / 3)  # df 1, mel 0, nv 1
    assert scores["leaked"].accuracy == 1
    assert scores["not leaked"].accuracy == 0
    assert report.per_class().to_dict("index") == {
        "df": {"images": 1, "leaked": 1}, "mel": {"images": 2, "leaked": 0}, "nv": {"images": 1, "leaked": 1},
    }  # fmt: skip
    assert report.lesions_shared == {"train-validation": 1, "train-test": 2, "validation-test": 0}


def test_an_honest_split_has_no_leaked_image(synthetic_records):
    report = leaks.leak_report(data.split(synthetic_records))
    assert not report.table["leaked"].any()
    assert set(report.lesions_shared.values()) == set(report.groups_shared.values()) == {0}
    assert report.scores()["leaked"].accuracy is None
    assert report.scores()["not leaked"] == report.scores()["all"]


def test_the_lookup_is_scikit_learns(synthetic_records):
    split = data.split(synthetic_records, "image_level_leaky")
    report = leaks.leak_report(split, size=12)
    pixels = data.load_pixels(synthetic_records, 12)
    train, test = (pixels.of(part).reshape(len(part), -1).astype(float) for part in (split.train, split.test))
    answers = KNeighborsClassifier(1).fit(train, split.train.table["dx"]).predict(test)
    assert report.table["one_nn"].tolist() == answers.tolist()
    truth = split.test.table["dx"]
    assert report.scores()["all"].accuracy == pytest.approx((truth.to_numpy() == answers).mean())
    assert report.scores()["all"].balanced_accuracy == pytest.approx(balanced_accuracy_score(truth, answers))
    lesions = set(split.train.table["lesion_id"])
    assert report.table["leaked"].tolist() == [lesion in lesions for lesion in split.test.table["lesion_id"]]


def test_copies_find_themselves(synthetic_records):
    report = leaks.leak_report(data.split(synthetic_records, "oversampled_then_split_leaky"))
    assert len(report.table) == len(report.split.test)
    origin = report.table["nearest"].str.partition("+")[0] == report.table["image_id"].str.partition("+")[0]
    assert origin.any()
    assert (report.table.loc[origin, "distance"] == 0).all()
    assert report.table.loc[origin, "leaked"].all()
    honest = leaks.leak_report(data.split(synthetic_records))
    assert report.scores()["all"].accuracy > honest.scores()["all"].accuracy


def test_pairs_make_leaks_that_lesion_ids_hide(grey):
    parts = ["train", "train", "test", "test", "train", "train", "unused", "unused"]
    assert not leaks.leak_report(split_as(grey, parts, leaky=False)).table["leaked"].any()
    table = pd.DataFrame({"image": grey.ids[:6], "split": parts[:6]})
    path = grey.root / "theirs.csv"
    table.to_csv(path, index=False)
    report = leaks.leak_report(leaks.read_split(path, grey, pairs=[("g0", "g2")]))
    assert report.table["leaked"].all()
    assert report.split.protocol == "foreign_leaky"
    assert (report.lesions_shared["train-test"], report.groups_shared["train-test"]) == (0, 1)


def test_unreadable_images_are_left_out_of_the_lookup(grey):
    (grey.root / "g1.png").write_bytes(b"no image")
    (grey.root / "g0.png").write_bytes(b"no image")
    report = leaks.leak_report(split_as(grey, ["train", "test"] * 4))
    assert report.table["image_id"].tolist() == ["g3", "g5", "g7"]
    assert report.table["leaked"].all()
    assert [problem.file for problem in report.unreadable] == ["g0", "g1"]
    assert "2 images can't be read and are excluded, such as g0" in str(report)
    assert [problem["file"] for problem in report.summary()["unreadable"]] == ["g0", "g1"]


@pytest.mark.parametrize("part", [0, 1])
def test_a_side_without_a_readable_image_is_refused(grey, part):
    for i in range(part, 8, 2):
        (grey.root / f"g{i}.png").write_bytes(b"no image")
    with pytest.raises(DataError, match="no training or no test image can be read"):
        leaks.leak_report(split_as(grey, ["train", "test"] * 4))


def test_a_binary_source_is_scored_as_one(grey):
    binary = replace(grey, table=grey.table.assign(dx=None))
    report = leaks.leak_report(split_as(binary, ["train", "test"] * 4))
    assert set(report.table["truth"]) == {"benign", "malignant"}
    assert report.scores()["all"].accuracy == 1


@pytest.mark.parametrize("parts", [["train"] * 8, ["test"] * 8])
def test_a_split_without_both_sides_is_refused(grey, parts):
    with pytest.raises(DataError, match="no training images or no test images"):
        leaks.leak_report(split_as(grey, parts))


def test_the_report_is_written_for_machines_and_people(grey, tmp_path):
    report = leaks.leak_report(split_as(grey, ["train", "test"] * 4))
    report.save(tmp_path / "out")
    content = json.loads((tmp_path / "out" / "leaks.json").read_text())
    assert content == report.summary()
    assert content["test_images_leaked"] == 4
    assert content["nearest_neighbour"]["not leaked"] == {"images": 0, "accuracy": None, "balanced_accuracy": None}
    back = pd.read_csv(tmp_path / "out" / "leaks.csv")
    assert back["image_id"].tolist() == ["g1", "g3", "g5", "g7"]
    text = (tmp_path / "out" / "leaks.md").read_text()
    assert "4 of 4 test images have a same-lesion image in training (100.0%)" in text
    assert "| train-test | 4 | 4 |" in text
    assert "| mel | 1 | 1 |" in text


# Splits of others


def test_a_table_of_others_is_read(grey, tmp_path):
    path = tmp_path / "split.csv"
    path.write_text("filename,Label,split\nsub/g0.png,nv,Train\ng1.png,nv,TEST\ng2.png,nv,val\ng4.jpg,mel,train\n")
    split = leaks.read_split(path, grey)
    assert split.manifest.set_index("image_id")["part"].to_dict() == {
        "g0": "train", "g1": "test", "g2": "validation", "g4": "train",
        "g3": "unused", "g5": "unused", "g6": "unused", "g7": "unused",
    }  # fmt: skip
    assert (split.protocol, split.leaky) == ("foreign_leaky", True)
    path.write_text("Image ID;Split\ng0;train\ng1;train\ng4;test\n", encoding="utf-16")
    assert (leaks.read_split(path, grey).protocol, leaks.read_split(path, grey).leaky) == ("foreign", False)


def test_an_image_that_they_list_twice_is_a_copy(grey, tmp_path):
    path = tmp_path / "split.csv"
    path.write_text("image_id,split\ng0,train\ng4,train\ng0,test\ng0,test\n")
    split = leaks.read_split(path, grey)
    assert split.test.ids.tolist() == ["g0+copy1", "g0+copy2"]
    report = leaks.leak_report(split)
    assert report.table["nearest"].tolist() == ["g0", "g0"]
    assert report.table["leaked"].all()


def test_a_tree_of_others_is_read(grey, tmp_path):
    for name, place in {"g0": "train/nv", "g1": "Test/nv", "g2": "train/nv", "g4": "valid/mel"}.items():
        folder = tmp_path / "tree" / place
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.png").write_bytes((grey.root / f"{name}.png").read_bytes())
    part = leaks.read_split(tmp_path / "tree", grey).manifest.set_index("image_id")["part"]
    assert part[["g0", "g1", "g2", "g4", "g5"]].tolist() == ["train", "test", "train", "validation", "unused"]


def test_our_own_saved_split_is_read_as_such(synthetic_records, tmp_path):
    split = data.split(synthetic_records, fold=1)
    split.save(tmp_path / "split.csv")
    loaded = leaks.read_split(tmp_path / "split.csv", synthetic_records)
    assert (loaded.protocol, loaded.fold, loaded.hash) == ("grouped", 1, split.hash)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("image_id,split\ng0,train\ng1,hold-out\n", r"split\.csv, row 3: unknown part 'hold-out'"),
        ("image_id,split\ng0,train\nISIC_1,test\n", r"no image 'ISIC_1' among the 8 records"),
        ("image_id,label\ng0,nv\n", "no column for the part and the image; it has image_id, label"),
        ("split,label\ntrain,nv\n", "no column for the part and the image"),
        ("image_id,split\ng0,train\ng1\n", "line 3 has 1 fields, the header has 2"),
        ("image_id,split\ng0,train\ng1,\n", "row 3: no part"),
        ("image_id,split\ng0,nv,train\ng1,nv,test\n", "line 2 has 3 fields, the header has 2"),
        ("image_id,split,split\ng0,train,test\n", "the column 'split' occurs twice"),
        ("image_id,split\ng0,train\ng1.2,test\n", "no image 'g1.2' among the 8 records"),
        ("image_id,split\n", "it has no rows"),
        ("", "not a readable CSV table"),
    ],
)
def test_a_broken_table_of_others_is_refused(grey, tmp_path, content, message):
    path = tmp_path / "split.csv"
    path.write_text(content)
    with pytest.raises(DataError, match=message):
        leaks.read_split(path, grey)


def test_no_split_at_all_is_refused(grey, tmp_path):
    with pytest.raises(DataError, match="there is no such file or folder"):
        leaks.read_split(tmp_path / "nowhere", grey)
    with pytest.raises(DataError, match="names no image of any part"):
        leaks.read_split(grey.root, grey)


# The study


@pytest.fixture(scope="module")
def study(synthetic_records, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LENTIGO_CACHE", str(tmp_path_factory.mktemp("study_cache")))
        return leaks.nearest_neighbour_study(
            synthetic_records, 16, folds=3, seeds=(0, 1), pairs=[tuple(synthetic_records.ids[:2])]
        )


def test_the_study_covers_every_split_once(study):
    assert len(study.table) == 3 * 3 * 2
    assert not study.table.duplicated(["protocol", "fold", "seed"]).any()
    grouped = study.table[study.table["protocol"] == "grouped"]
    assert (grouped["leaked"] == 0).all()
    assert not grouped["leaky"].any()
    assert study.table[study.table["protocol"] != "grouped"]["leaky"].all()
    means = study.means()
    assert means.loc["oversampled_then_split_leaky", ("accuracy", "mean")] > means.loc["grouped", ("accuracy", "mean")]
    assert study.official is None


def test_the_write_up_states_what_was_measured(study, tmp_path):
    study.save(tmp_path, "lentigo data leaks somewhere")
    content = json.loads((tmp_path / "leakage.json").read_text())
    text = (tmp_path / "leakage.md").read_text()
    assert len(content["runs"]) == 18
    assert content["command"] == "lentigo data leaks somewhere"
    assert content["environment"]["numpy"] == np.__version__
    mean = study.means().loc["grouped", ("accuracy", "mean")]
    assert np.mean([r["accuracy"] for r in content["runs"] if r["protocol"] == "grouped"]) == pytest.approx(mean)
    row = next(line for line in text.splitlines() if line.startswith("| grouped |"))
    assert f"{mean:.3f}" in row
    assert row.startswith("| grouped | 0.000 (0.000 to 0.000)")
    assert "`lentigo data leaks somewhere`" in text
    assert "n = 6 per protocol" in text
    assert "DermaMNIST" not in text


# The real one


def test_the_official_dermamnist_split_shares_641_lesions(real_root, real_records):
    path = real_root.parent / "dermamnist_official_split.csv"
    if not path.is_file():
        pytest.skip("needs dermamnist_official_split.csv beside the real HAM10000")
    split = leaks.read_split(path, real_records)
    assert split.leaky
    report = leaks.leak_report(split, size=8)
    assert report.lesions_shared == {"train-validation": 332, "train-test": 641, "validation-test": 113}
    assert len(report.table) == 2005
    assert report.table["leaked"].sum() > 641

import os
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lentigo import data
from lentigo.data.sources import medmnist
from lentigo.errors import DataError

COUNTS = {"train": 24, "val": 6, "test": 10}
NUMBERS = {"akiec": 0, "bcc": 1, "bkl": 2, "df": 3, "mel": 4, "nv": 5, "vasc": 6}


def arrays(side: int = 28) -> dict[str, np.ndarray]:
    """The six arrays of a DermaMNIST file, uint8 [N, S, S, 3] and uint8 [N, 1]; both images of a lesion look alike."""
    rng = np.random.default_rng(0)
    made = {}
    for part, count in COUNTS.items():
        colours = rng.integers(20, 236, (count // 2, 1, 1, 3)).repeat(2, axis=0)
        made[f"{part}_images"] = (colours + rng.integers(-15, 16, (count, side, side, 3))).astype(np.uint8)
        labels = np.arange(count // 2) % 2 + 4 if part != "val" else np.arange(count // 2)
        made[f"{part}_labels"] = labels.astype(np.uint8).repeat(2)[:, None]
    return made


def save(path: Path, **changed: np.ndarray) -> Path:
    np.savez_compressed(path, **{**arrays(), **changed})
    return path


def authors_table() -> pd.DataFrame:
    """A table in the columns of DermaMNIST-C.csv, splits mixed, two images a lesion, whose rows fit `arrays()`."""
    names = list(NUMBERS)
    rows = []
    for part in COUNTS:
        for i, label in enumerate(arrays()[f"{part}_labels"][:, 0]):
            lesion, image = f"HAM_{part}{i // 2}", f"ISIC_{part}{i}"
            rows.append((lesion, image, names[label], "histo", 50.0, "male", "back", "rosendahl", part))
    columns = ["lesion_id", "image_id", "dx", "dx_type", "age", "sex", "localization", "dataset", "split"]
    table = pd.DataFrame(rows, columns=columns)
    return table.sort_values("split", kind="stable")  # another order of splits than the array has


@pytest.mark.parametrize("side", [28, 64])
def test_pixels_labels_and_split_of_the_file_are_kept(tmp_path, side):
    made = arrays(side)
    path = tmp_path / f"dermamnist_{side}.npz"
    np.savez_compressed(path, **made)
    back = data.read(path)
    assert back.name == "dermamnist"
    assert back.pixels.shape == (40, side, side, 3)
    np.testing.assert_array_equal(back.pixels, np.concatenate([made[f"{p}_images"] for p in COUNTS]))
    assert [NUMBERS[d] for d in back.table["dx"]] == [int(x) for p in COUNTS for x in made[f"{p}_labels"][:, 0]]
    assert back.table["source"].value_counts().to_dict() == COUNTS
    assert back.table["path"].iloc[-1] == f"{path}#39"
    assert back.licence == "CC BY-NC 4.0"
    assert back.problem_counts() == {"no lesion ids": 1}


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("dermamnist.npz", "dermamnist"),
        ("dermamnist_224.npz", "dermamnist"),
        ("dermamnist_corrected_28.npz", "dermamnist_c"),
        ("DermaMNIST_Corrected_224.npz", "dermamnist_c"),
        ("dermamnist_extended_224.npz", "dermamnist_e"),
        ("dermamnist_e_224.npz", "dermamnist_e"),
    ],
)
def test_the_variant_follows_from_the_name_of_the_file(tmp_path, file, name):
    assert data.read(save(tmp_path / file)).name == name


def test_the_authors_table_of_the_corrected_set_gives_ids_and_lesions(tmp_path):
    save(tmp_path / "dermamnist_corrected_28.npz")
    authors_table().to_csv(tmp_path / "DermaMNIST-C.csv", index=False)
    back = data.read(tmp_path)
    assert back.problems == ()
    assert back.ids[:2].tolist() == ["ISIC_train0", "ISIC_train1"]
    assert back.ids[-1] == "ISIC_test9"
    assert back.table["lesion_id"].nunique() == 12 + 3 + 5
    assert back.table["source"].value_counts().to_dict() == COUNTS
    assert (back.table["site"] == "back").all()
    assert (back.table["age"] == 50).all()


def test_the_official_split_needs_the_metadata_for_its_diagnoses(tmp_path):
    save(tmp_path / "dermamnist.npz")
    full = authors_table().sample(frac=1, random_state=0)
    index = full["image_id"].str.extract(r"(\d+)$")[0]
    full.assign(index=index)[["split", "index", "image_id"]].to_csv(tmp_path / "dermamnist_split_info.csv", index=False)
    alone = data.read(tmp_path)
    assert alone.problem_counts() == {"no lesion ids": 1}
    assert "HAM10000_metadata.csv" in alone.problems[0].reason
    full.drop(columns="split").to_csv(tmp_path / "HAM10000_metadata.csv", index=False)
    back = data.read(tmp_path / "dermamnist.npz")
    assert back.problems == ()
    assert back.ids[:3].tolist() == ["ISIC_train0", "ISIC_train1", "ISIC_train2"]
    assert back.table["lesion_id"].iloc[0] == back.table["lesion_id"].iloc[1] == "HAM_train0"


def test_the_extended_table_in_its_own_columns_knows_lesions_through_the_metadata(tmp_path):
    save(tmp_path / "dermamnist_extended_28.npz")
    full = authors_table()
    table = full.rename(columns={"image_id": "image", "dx": "diag"})[["image", "diag", "split"]]
    table.to_csv(tmp_path / "DermaMNIST-E.csv", index=False)
    train = full[full["split"] == "train"].drop(columns="split")
    train.to_csv(tmp_path / "HAM10000_metadata.csv", index=False)
    back = data.read(tmp_path / "dermamnist_extended_28.npz")
    assert back.problems == ()
    lesions = back.table.set_index("image_id")["lesion_id"]
    assert lesions["ISIC_train1"] == "HAM_train0"
    assert lesions["ISIC_test1"] == "ISIC_test1"  # not in HAM10000: a lesion of its own


def test_a_table_of_other_rows_is_reported_and_not_joined(tmp_path):
    save(tmp_path / "dermamnist_corrected_28.npz")
    authors_table().iloc[::-1].to_csv(tmp_path / "DermaMNIST-C.csv", index=False)
    back = data.read(tmp_path)
    assert back.problem_counts() == {"metadata not joined": 1, "no lesion ids": 1}


def test_a_table_in_another_order_within_each_diagnosis_gives_no_lesions(tmp_path):
    save(tmp_path / "dermamnist_corrected_28.npz")
    table = authors_table()
    mixed, rng = table.copy(), np.random.default_rng(0)
    for rows in table.groupby(["split", "dx"]).groups.values():
        mixed.loc[rows] = table.loc[rng.permutation(rows)].to_numpy()
    mixed.to_csv(tmp_path / "DermaMNIST-C.csv", index=False)
    back = data.read(tmp_path)
    assert back.problem_counts() == {"metadata not joined": 1, "no lesion ids": 1}
    assert "may be in another order" in back.problems[0].reason


@pytest.mark.parametrize("index", [[0, 0], [1, 2], ["x", "y"]])
def test_row_numbers_that_are_none_are_not_believed(tmp_path, index):
    pictures = np.zeros((sum(COUNTS.values()), 28, 28, 3), np.uint8)
    pictures[:, 0, 0, 0] = np.arange(len(pictures))  # blank but for what makes each one another picture
    parts = np.split(pictures, np.cumsum(list(COUNTS.values()))[:-1])
    named = {f"{p}_images": part for p, part in zip(COUNTS, parts, strict=True)}
    save(tmp_path / "dermamnist_corrected_28.npz", **named)
    table = authors_table()
    numbers = table.groupby("split").cumcount().astype(object)
    table.assign(index=numbers).to_csv(tmp_path / "DermaMNIST-C.csv", index=False)
    assert data.read(tmp_path).problems == ()  # blank pictures tell nothing, but the rows are numbered
    numbers[table["split"] == "val"] = [*index, 2, 3, 4, 5]
    table.assign(index=numbers).to_csv(tmp_path / "DermaMNIST-C.csv", index=False)
    assert data.read(tmp_path).problem_counts() == {"metadata not joined": 1, "no lesion ids": 1}


def test_labels_out_of_range_are_left_out_and_named(tmp_path):
    labels = np.array([[0], [7], [4], [1], [2], [3]], dtype=np.uint8)
    path = save(tmp_path / "dermamnist.npz", val_labels=labels)
    back = data.read(path)
    assert len(back) == 39
    assert back.problem_counts()["label out of range"] == 1
    assert back.problems[0].file == f"{path}#25"
    assert f"{path}#25" not in back.table["path"].tolist()


class Planted:
    """An object that leaves a trace when it is unpickled."""

    trace: Path

    def __reduce__(self):
        return os.mkdir, (str(self.trace),)


@pytest.mark.parametrize("name", ["train_images", "train_labels"])
def test_pickled_objects_are_never_loaded(tmp_path, name):
    Planted.trace = tmp_path / "unpickled"
    path = save(tmp_path / "dermamnist.npz", **{name: np.array([Planted()], dtype=object)})
    with pytest.raises(DataError, match=r"dermamnist\.npz: holds pickled Python objects, which are never loaded"):
        data.read(path)
    assert not Planted.trace.exists()


def test_a_bare_pickle_in_place_of_an_array_is_never_loaded(tmp_path):
    import pickle

    Planted.trace = tmp_path / "unpickled"
    path = tmp_path / "dermamnist.npz"
    path.write_bytes(pickle.dumps(Planted()))
    with pytest.raises(DataError, match=r"dermamnist\.npz"):
        data.read(path)
    assert not Planted.trace.exists()


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9, 0.999])
def test_a_truncated_file_is_named(tmp_path, share):
    path = save(tmp_path / "dermamnist.npz")
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(DataError, match=r"dermamnist\.npz: damaged or truncated"):
        data.read(path)


def test_a_damaged_stream_inside_is_named(tmp_path):
    path = save(tmp_path / "dermamnist.npz")
    with zipfile.ZipFile(path) as archive:
        start = archive.getinfo("val_images.npy").header_offset + 200
    whole = bytearray(path.read_bytes())
    whole[start : start + 50] = bytes(50)
    path.write_bytes(whole)
    with pytest.raises(DataError, match="damaged or truncated"):
        data.read(path)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"val_images": np.zeros((6, 28, 28), np.uint8)}, r"val_images is uint8 \[6, 28, 28\]"),
        ({"val_images": np.zeros((6, 28, 28, 3), np.float32)}, r"val_images is float32"),
        ({"val_images": np.zeros((6, 14, 14, 3), np.uint8)}, "different sizes"),
        ({"val_labels": np.zeros((4, 1), np.uint8)}, "not one whole number for each of 6 images"),
        ({"val_labels": np.zeros((6, 1), np.float32)}, "not one whole number"),
    ],
)
def test_arrays_of_another_shape_are_refused(tmp_path, changed, message):
    with pytest.raises(DataError, match=message):
        data.read(save(tmp_path / "dermamnist.npz", **changed))


def test_missing_arrays_are_listed(tmp_path):
    made = arrays()
    del made["val_labels"]
    np.savez(tmp_path / "dermamnist.npz", **made)
    with pytest.raises(DataError, match="the arrays val_labels are missing"):
        data.read(tmp_path / "dermamnist.npz")


def test_two_arrays_in_a_folder_are_ambiguous(tmp_path):
    save(tmp_path / "dermamnist.npz")
    save(tmp_path / "dermamnist_64.npz")
    with pytest.raises(DataError, match=r"found dermamnist\.npz, dermamnist_64\.npz.*path of the file"):
        data.read(tmp_path)


def test_arrays_of_other_organs_are_not_taken_for_skin(tmp_path):
    save(tmp_path / "bloodmnist.npz")
    assert not medmnist.detect(tmp_path / "bloodmnist.npz")
    with pytest.raises(DataError, match="no known data set layout"):
        data.read(tmp_path / "bloodmnist.npz")


SPLIT = Path(os.environ.get("LENTIGO_DATA", "absent")).parent / "dermamnist_official_split.csv"


@pytest.mark.skipif(not SPLIT.is_file(), reason="no dermamnist_official_split.csv beside LENTIGO_DATA")
def test_the_real_official_split_gives_every_row_of_its_array_its_lesion(tmp_path):
    split = pd.read_csv(SPLIT)
    # No picture twice, and those of a lesion alike.
    split["lesion"] = split["lesion_id"].factorize()[0]
    split["view"] = split.groupby("lesion_id").cumcount()
    made = {}
    for part in COUNTS:
        rows = split.loc[split["split"] == part].sort_values("index")
        made[f"{part}_labels"] = rows["label"].to_numpy(np.uint8)[:, None]
        made[f"{part}_images"] = np.stack([rows["lesion"] // 64, rows["lesion"] % 64 * 4, rows["view"]], axis=1).astype(
            np.uint8
        )[:, None, None, :]
    np.savez_compressed(tmp_path / "dermamnist.npz", **made)
    (tmp_path / SPLIT.name).write_bytes(SPLIT.read_bytes())
    back = data.read(tmp_path)
    assert back.problems == ()
    assert back.table["source"].value_counts().to_dict() == {"train": 7007, "test": 2005, "val": 1003}
    lesions = {part: set(back.table.loc[back.table["source"] == part, "lesion_id"]) for part in COUNTS}
    assert len(lesions["train"] & lesions["test"]) == 641

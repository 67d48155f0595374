import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from lentigo import data, taxonomy
from lentigo.data.sources import pixel_csv
from lentigo.errors import DataError, DataWarning, ImageError, OutputError
from lentigo.runtime.images import decode
from tests.data.sources.made import image_records, metadata_rows

DX = ["mel", "nv", "nv", "vasc", "bkl", "mel", "akiec", "bcc", "df", "nv"]


def small(path: str, size: int, mode: str) -> np.ndarray:
    """What the published tables hold of an image: the full frame, Lanczos, then the mode."""
    resized = Image.fromarray(decode(path)).resize((size, size), Image.Resampling.LANCZOS).convert(mode)
    return np.asarray(resized.convert("RGB"))


def table(path: Path, rows: list[str], side: int = 2, channels: int = 3) -> Path:
    names = [f"pixel{i:04d}" for i in range(side * side * channels)]
    path.write_text("\n".join([",".join([*names, "label"]), *rows]) + "\n")
    return path


@pytest.mark.parametrize(("size", "mode"), [(28, "RGB"), (28, "L"), (8, "RGB"), (8, "L")])
def test_round_trip_keeps_labels_pixels_and_what_is_known_of_the_patient(tmp_path, size, mode):
    records = image_records(tmp_path / "images", DX)
    path = tmp_path / f"hmnist_{size}_{size}_{mode}.csv"
    pixel_csv.write(records, path, size, mode)
    back = data.read(path)
    assert back.problems == ()
    assert back.name == "pixel_table"  # not HAM10000's ids
    columns = ["image_id", "lesion_id", "dx", "malignant", "dx_type", "age", "sex", "site", "source"]
    pd.testing.assert_frame_equal(back.table[columns], records.table[columns])
    expected = np.stack([small(p, size, mode) for p in records.table["path"]])
    np.testing.assert_array_equal(back.pixels, expected)
    assert back.table["path"].tolist() == [f"{path}#{i}" for i in range(len(DX))]


def test_the_label_column_is_in_kaggles_order(tmp_path):
    pixel_csv.write(image_records(tmp_path / "images", DX), tmp_path / "t.csv", 2)
    written = pd.read_csv(tmp_path / "t.csv")
    kaggle = {"akiec": 0, "bcc": 1, "bkl": 2, "df": 3, "nv": 4, "vasc": 5, "mel": 6}
    assert written["label"].tolist() == [kaggle[d] for d in DX]
    assert list(written.columns) == [f"pixel{i:04d}" for i in range(12)] + ["label"]


def test_records_of_arrays_can_be_written_again(tmp_path):
    pixel_csv.write(image_records(tmp_path / "images", DX), tmp_path / "a.csv", 16)
    once = data.read(tmp_path / "a.csv").take(["ISIC_0000003", "ISIC_0000000"])
    pixel_csv.write(once, tmp_path / "b.csv", 16)
    twice = data.read(tmp_path / "b.csv")
    assert twice.ids.tolist() == ["ISIC_0000003", "ISIC_0000000"]
    np.testing.assert_array_equal(twice.pixels, once.pixels[[3, 0]])


@settings(max_examples=15, deadline=None)
@given(
    rows=st.lists(
        st.tuples(st.lists(st.integers(0, 255), min_size=12, max_size=12), st.integers(0, 6)),
        min_size=1,
        unique_by=lambda row: tuple(row[0]),  # one picture with two diagnoses would be left out
    )
)
def test_any_values_in_range_come_back(tmp_path_factory, rows):
    path = table(tmp_path_factory.mktemp("t") / "x.csv", [",".join(map(str, [*p, label])) for p, label in rows])
    back = data.read(path)
    assert back.pixels.reshape(len(rows), 12).tolist() == [p for p, _ in rows]
    assert back.table["dx"].tolist() == [taxonomy.ORDERS["kaggle_csv"][label] for _, label in rows]


def test_grey_is_spread_over_three_channels(tmp_path):
    back = data.read(table(tmp_path / "x.csv", ["1,2,3,4,6"], channels=1))
    assert back.pixels.tolist() == [[[[1] * 3, [2] * 3], [[3] * 3, [4] * 3]]]


def test_without_metadata_the_unknown_lesions_are_reported(tmp_path):
    back = data.read(table(tmp_path / "x.csv", [f"{i}," + "0," * 11 + "6" for i in range(3)]))
    assert back.problem_counts() == {"no lesion ids": 1}
    assert back.table["lesion_id"].tolist() == back.ids.tolist()


def test_metadata_of_other_rows_is_not_joined(tmp_path):
    records = image_records(tmp_path / "images", DX)
    pixel_csv.write(records, tmp_path / "x.csv", 2)
    (tmp_path / "x_metadata.csv").unlink()
    metadata_rows(records).iloc[::-1].to_csv(tmp_path / "HAM10000_metadata.csv", index=False)
    back = data.read(tmp_path / "x.csv")
    assert back.problem_counts() == {"metadata not joined": 1, "no lesion ids": 1}
    assert back.table["age"].isna().all()


def test_the_published_metadata_and_known_pairs_beside_the_table_are_joined(tmp_path):
    records = image_records(tmp_path / "images", DX)
    pixel_csv.write(records, tmp_path / "x.csv", 2)
    (tmp_path / "x_metadata.csv").rename(tmp_path / "HAM10000_metadata.csv")
    pairs = "similarity,from_img,to_img\n0.98,ISIC_0000000.jpg,ISIC_0000009.jpg\n"
    (tmp_path / "known_cross_lesion_duplicates.csv").write_text(pairs)
    back = data.read(tmp_path / "x.csv")
    assert back.problems == ()
    assert back.known_pairs == (("ISIC_0000000", "ISIC_0000009"),)
    groups = data.find_groups(back)
    assert groups[0] == groups[1] == groups[9] == groups[8] != groups[2]


def lesions_of_two_images(diagnoses: list[str]) -> tuple[list[str], pd.DataFrame]:
    """Rows of a pixel table of 2x2 images and their metadata, in one order: both images of a lesion in one colour."""
    rng = np.random.default_rng(0)
    rows, metadata = [], []
    for lesion, dx in enumerate(diagnoses):
        colour = rng.integers(20, 236, 3)
        for view in range(2):
            pixels = colour + rng.integers(-15, 16, (4, 3))
            rows.append(",".join(map(str, [*pixels.ravel(), taxonomy.ORDERS["kaggle_csv"].index(dx)])))
            metadata.append(
                {"lesion_id": f"HAM_{lesion:07d}", "image_id": f"ISIC_{24306 + 2 * lesion + view:07d}", "dx": dx}
            )
    return rows, pd.DataFrame(metadata)


GROUPED = ["bkl"] * 15 + ["nv"] * 20  # by diagnosis, as the published table


def test_the_published_order_is_believed_where_images_of_a_lesion_look_alike(tmp_path):
    rows, metadata = lesions_of_two_images(GROUPED)
    path = table(tmp_path / "hmnist_2_2_RGB.csv", rows)
    metadata.to_csv(tmp_path / "HAM10000_metadata.csv", index=False)
    back = data.read(path)
    assert back.problems == ()
    assert back.name == "pixel_csv"
    assert back.table["lesion_id"].tolist() == metadata["lesion_id"].tolist()


def test_metadata_in_another_order_within_each_diagnosis_gives_no_lesions(tmp_path):
    rows, metadata = lesions_of_two_images(GROUPED)
    path = table(tmp_path / "hmnist_2_2_RGB.csv", rows)
    other = metadata.groupby("dx").sample(frac=1, random_state=0)
    assert (other["dx"].to_numpy() == metadata["dx"].to_numpy()).all()
    other.to_csv(tmp_path / "HAM10000_metadata.csv", index=False)
    with pytest.warns(DataWarning, match=r"metadata not joined 1.*no lesion ids 1"):
        back = data.read(path)
    assert back.table["lesion_id"].tolist() == back.ids.tolist()
    assert back.ids[0] == "hmnist_2_2_RGB_00000"
    assert "may be in another order" in back.problems[0].reason


def test_an_order_that_is_wrong_in_one_diagnosis_alone_is_noticed(tmp_path):
    rows, metadata = lesions_of_two_images(["bkl"] * 100 + ["nv"] * 25)
    path = table(tmp_path / "hmnist_2_2_RGB.csv", rows)
    wrong = metadata[metadata["dx"] == "nv"].sample(frac=1, random_state=1)
    pd.concat([metadata[metadata["dx"] == "bkl"], wrong]).to_csv(tmp_path / "HAM10000_metadata.csv", index=False)
    assert data.read(path).problem_counts() == {"metadata not joined": 1, "no lesion ids": 1}


def test_an_order_that_too_few_lesions_can_confirm_is_not_believed(tmp_path):
    rows, metadata = lesions_of_two_images(["bkl"] * 3 + ["nv"] * 3)
    path = table(tmp_path / "x.csv", rows)
    metadata.to_csv(tmp_path / "HAM10000_metadata.csv", index=False)
    back = data.read(path)
    assert back.problem_counts() == {"metadata not joined": 1, "no lesion ids": 1}
    assert "can't be checked" in back.problems[0].reason


def test_a_written_table_is_tied_to_its_pixels(tmp_path):
    records = image_records(tmp_path / "images", DX)
    pixel_csv.write(records, tmp_path / "x.csv", 4)
    metadata = pd.read_csv(tmp_path / "x_metadata.csv")
    metadata.iloc[[0, 2, 1, *range(3, 10)]].to_csv(tmp_path / "x_metadata.csv", index=False)  # two nevi exchanged
    back = data.read(tmp_path / "x.csv")
    assert back.problem_counts() == {"metadata not joined": 1, "no lesion ids": 1}
    assert "hashes" in back.problems[0].reason


def test_a_table_is_never_written_over_the_data_or_another_file(tmp_path):
    records = image_records(tmp_path / "data", DX)
    metadata_rows(records).to_csv(tmp_path / "data" / "HAM10000_metadata.csv", index=False)
    (tmp_path / "notes_metadata.csv").write_text("a,b\n")
    for out in ("data/HAM10000.csv", "data/HAM10000_metadata.csv", "notes.csv"):
        with pytest.raises(OutputError):
            pixel_csv.write(records, tmp_path / out, 4)
    assert (tmp_path / "notes_metadata.csv").read_text() == "a,b\n"
    pixel_csv.write(records, tmp_path / "x.csv", 4)
    pixel_csv.write(records, tmp_path / "x.csv", 8)  # an earlier table may be
    assert data.read(tmp_path / "x.csv").pixels.shape[1] == 8


def test_a_table_of_unknown_images_is_not_called_kaggles(tmp_path):
    assert data.read(table(tmp_path / "clinic.csv", ["0," * 12 + "6"])).licence == ""
    named = data.read(table(tmp_path / "hmnist_2_2_RGB.csv", ["0," * 12 + "6"]))
    assert (named.name, named.licence[:5]) == ("pixel_csv", "CC BY")


def test_a_folder_with_one_table_is_read_and_with_two_is_ambiguous(tmp_path):
    table(tmp_path / "hmnist_2_2_RGB.csv", ["0," * 12 + "4"])
    assert len(data.read(tmp_path)) == 1
    table(tmp_path / "hmnist_2_2_L.csv", ["0,0,0,0,4"], channels=1)
    with pytest.raises(DataError, match=r"hmnist_2_2_L\.csv, hmnist_2_2_RGB\.csv.*path of the file"):
        data.read(tmp_path)


def test_labels_and_pixels_out_of_range_are_left_out_and_named(tmp_path):
    zero = "0," * 11
    bad = [f"{zero}0,7", f"{zero}0,-1", f"{zero}256,1", f"{zero}x,1", f"{zero}1.5,1", f"{zero},1", f"{zero}70000,1"]
    path = table(tmp_path / "x.csv", [f"{zero}9,0", *bad, f"{zero}255,6"])
    back = data.read(path)
    assert back.table["dx"].tolist() == ["akiec", "mel"]
    assert back.table["path"].tolist() == [f"{path}#0", f"{path}#8"]
    assert back.pixels[8, 1, 1, 2] == 255
    assert back.problem_counts() == {"bad pixel": 5, "label out of range": 2, "no lesion ids": 1}
    assert [p.file for p in back.problems if p.kind == "label out of range"] == [f"{path}#1", f"{path}#2"]
    with pytest.raises(DataError, match="label 7 is not one of 0 to 6"):
        data.read(path, strict=True)


@pytest.mark.parametrize("fields", [11, 12, 14])
def test_a_row_with_another_number_of_fields_is_refused_by_its_line(tmp_path, fields):
    path = table(tmp_path / "x.csv", ["0," * 12 + "1", ",".join(["0"] * fields)])
    with pytest.raises(DataError, match=f"line 3 has {fields} fields, the header has 13"):
        data.read(path)


def test_pixel_columns_that_make_no_square_are_refused(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("pixel0000,pixel0001,label\n1,2,0\n")
    with pytest.raises(DataError, match="2 pixel columns, pixel0000 to pixel0001"):
        data.read(path)
    swapped = [f"pixel{i:04d}" for i in (1, 0, 2, 3)]
    path.write_text(",".join([*swapped, "label"]) + "\n1,2,3,4,0\n")
    with pytest.raises(DataError, match="no square"):
        data.read(path)


def test_byte_order_mark_mixed_line_ends_and_empty_lines_are_taken_as_they_come(tmp_path):
    lines = table(tmp_path / "plain.csv", ["0," * 12 + "6", "1," * 12 + "4", "2," * 12 + "0"])
    header, a, b, c = lines.read_text().split()
    mixed = tmp_path / "mixed.csv"
    mixed.write_bytes(b"\xef\xbb\xbf" + f"{header}\r\n{a}\n\n{b}\r{c}".encode())
    plain, back = data.read(lines), data.read(mixed)
    assert back.table["dx"].tolist() == plain.table["dx"].tolist() == ["mel", "nv", "akiec"]
    np.testing.assert_array_equal(back.pixels, plain.pixels)


def test_empty_and_unusable_tables_are_refused(tmp_path):
    with pytest.raises(DataError, match="has no rows"):
        data.read(table(tmp_path / "a.csv", []))
    with pytest.raises(DataError, match="none of its 1 rows is usable"):
        data.read(table(tmp_path / "b.csv", ["0," * 12 + "9"]))
    (tmp_path / "c.csv").write_bytes(table(tmp_path / "d.csv", []).read_bytes() + b"\xff\xfe\xff\n")
    with pytest.raises(DataError, match="not a readable CSV table"):
        data.read(tmp_path / "c.csv")


def test_an_unreadable_image_leaves_no_half_written_table(tmp_path):
    records = image_records(tmp_path / "images", DX)
    Path(records.table["path"].iloc[5]).write_bytes(b"no image")
    path = tmp_path / "x.csv"
    older = table(path, ["0," * 12 + "6"]).read_bytes()
    with pytest.raises(ImageError, match="ISIC_0000005"):
        pixel_csv.write(records, path)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["images", "x.csv"]
    assert path.read_bytes() == older


def test_a_full_disk_leaves_no_half_written_table(tmp_path, monkeypatch):
    records = image_records(tmp_path / "images", DX)

    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pd.DataFrame, "to_csv", full)
    with pytest.raises(OutputError, match="no space left"):
        pixel_csv.write(records, tmp_path / "x.csv")
    assert [p.name for p in tmp_path.iterdir()] == ["images"]


def test_what_can_not_be_written_is_refused(tmp_path):
    records = image_records(tmp_path / "images", DX)
    with pytest.raises(DataError, match="mode 'CMYK'"):
        pixel_csv.write(records, tmp_path / "x.csv", 28, "CMYK")
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "file").write_text("")
    for place in ("folder.csv", "file/x.csv"):
        with pytest.raises(OutputError, match=place.partition("/")[0]):
            pixel_csv.write(records, tmp_path / place)
    binary = data.Records(records.table.assign(dx=None), "x", tmp_path)
    with pytest.raises(DataError, match=r"Kaggle.s pixel tables have those of HAM10000"):
        pixel_csv.write(binary, tmp_path / "x.csv")


REAL = os.environ.get("LENTIGO_DATA")
needs_images = pytest.mark.skipif(not REAL, reason="LENTIGO_DATA names no folder with the real HAM10000 images")

# The first five rows of the published hmnist_28_28_RGB.csv as public notebooks print them: pixels 0 to 9, 2343 to
# 2351, label; made from the 600x450 originals.
PUBLISHED = [
    ([192, 153, 193, 195, 155, 192, 197, 154, 185, 202], [173, 124, 138, 183, 147, 166, 185, 154, 177], 2),
    ([25, 14, 30, 68, 48, 75, 123, 93, 126, 158], [60, 39, 55, 25, 14, 28, 25, 14, 27], 2),
    ([192, 138, 153, 200, 145, 163, 201, 142, 160, 206], [167, 129, 143, 159, 124, 142, 136, 104, 117], 2),
    ([38, 19, 30, 95, 59, 72, 143, 103, 119, 171], [44, 26, 36, 25, 12, 17, 25, 12, 15], 2),
    ([158, 113, 139, 194, 144, 174, 215, 162, 191, 225], [209, 166, 185, 172, 135, 149, 109, 78, 92], 2),
]


@needs_images
def test_real_images_give_the_published_rows_up_to_the_loss_of_smaller_jpegs(tmp_path):
    order = pd.read_csv(Path(REAL) / "HAM10000_metadata.csv")["image_id"].head(len(PUBLISHED))
    some = data.read(REAL).take(order)
    pixel_csv.write(some, tmp_path / "hmnist_28_28_RGB.csv")
    rows = pd.read_csv(tmp_path / "hmnist_28_28_RGB.csv").to_numpy()
    assert rows[:, -1].tolist() == [label for *_, label in PUBLISHED]
    expected = np.array([[*first, *last] for first, last, _ in PUBLISHED])

    def error(rows: np.ndarray) -> float:
        return float(np.abs(np.delete(rows, slice(10, 2343), axis=1) - expected).mean())

    others = [Image.Resampling.BOX, Image.Resampling.BILINEAR, Image.Resampling.HAMMING, Image.Resampling.BICUBIC]
    images = [Image.fromarray(decode(path)) for path in some.table["path"]]
    by_others = [np.stack([np.asarray(i.resize((28, 28), f)).ravel().astype(int) for i in images]) for f in others]
    # No other filter comes as near: this is how the published table was made.
    assert error(rows[:, :-1]) < min(map(error, by_others))
    assert error(rows[:, :-1]) < 2


@needs_images
def test_real_images_round_trip(tmp_path):
    records = data.read(REAL)
    some = records.take(records.ids[:: len(records) // 200][:200])
    path = tmp_path / "hmnist_28_28_RGB.csv"
    pixel_csv.write(some, path)
    back = data.read(path)
    assert len(back) == 200
    assert back.problems == ()
    columns = ["image_id", "lesion_id", "dx", "malignant", "dx_type", "age", "sex", "site", "source"]
    pd.testing.assert_frame_equal(back.table[columns], some.table[columns])
    np.testing.assert_array_equal(back.pixels, np.stack([small(p, 28, "RGB") for p in some.table["path"]]))

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from lentigo import data
from lentigo.data.groups import find_groups
from lentigo.data.sources import ham10000
from lentigo.errors import DataError
from tests.data.sources.made import picture

EIGHT = ["lesion_id", "image_id", "dx", "dx_type", "age", "sex", "localization", "dataset"]


def row(number: int | str, **changes: str) -> dict[str, str]:
    """Lesion `number` with one image of the same number."""
    values = (f"HAM_{number}", f"ISIC_{number}", "nv", "histo", "45.0", "male", "back", "vidir_modern")
    return dict(zip(EIGHT, values, strict=True)) | changes


@pytest.fixture
def build(tmp_path: Path) -> Callable[..., Path]:
    """Writes a data set in the layout of HAM10000."""

    def build(rows: list[dict[str, str]], *, folders=("images",), images=None, columns=EIGHT, encoding="utf-8") -> Path:
        root = tmp_path / "ham"
        ids = [r["image_id"] for r in rows] if images is None else images
        for i, image_id in enumerate(ids):
            path = root / folders[i % len(folders)] / f"{image_id}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(picture(i, 4, 6)).save(path)
        root.mkdir(exist_ok=True)
        pd.DataFrame(rows, columns=columns).to_csv(root / "HAM10000_metadata.csv", index=False, encoding=encoding)
        return root

    return build


def problems(root: Path) -> dict[str, tuple[str, str]]:
    """Kind of each problem: (file, severity)."""
    return {p.kind: (p.file, p.severity) for p in data.read(root).problems}


# Layouts


@pytest.mark.parametrize(
    "folders",
    [
        ("images",),
        ("HAM10000_images_part_1", "HAM10000_images_part_2"),
        ("ham10000_images_part_1", "ham10000_images_part_2"),
        (".",),
    ],
    ids=["images", "parts", "parts in lower case", "beside"],
)
def test_layouts(build, folders):
    root = build([row(2), row(1, dx="mel"), row(3)], folders=folders)
    records = data.read(root, strict=True)
    assert records.ids.tolist() == ["ISIC_1", "ISIC_2", "ISIC_3"]
    assert records.table["malignant"].tolist() == [True, False, False]
    assert all(Path(path).is_absolute() and Path(path).is_file() for path in records.table["path"])


def test_the_columns_arrive_under_their_names(build):
    records = data.read(build([row(1, age="", sex="Female", localization="Ear")]))
    only = records.table.iloc[0]
    assert (only["lesion_id"], only["dx"], only["dx_type"]) == ("HAM_1", "nv", "histo")
    assert (only["sex"], only["site"], only["source"]) == ("female", "ear", "vidir_modern")
    assert np.isnan(only["age"])


def test_images_are_called_ham10000_by_their_ids_and_not_by_their_layout(build):
    first, last = (row(1, image_id=image_id) for image_id in ("ISIC_0024306", "ISIC_0034320"))
    records = data.read(build([first, last]), strict=True)
    assert records.name == "ham10000"
    assert records.licence == "CC BY-NC 4.0"
    assert "Tschandl" in records.citation


@pytest.mark.parametrize("other", ["ISIC_0024305", "ISIC_0034321", "ISIC_9000000", "photo1"])
def test_other_images_in_its_layout_are_not_called_ham10000(build, other):
    records = data.read(build([row(1, image_id="ISIC_0024306"), row(2, image_id=other)]))
    assert (records.name, records.licence, records.citation) == ("ham10000_layout", "", "")


def test_seven_columns_leave_the_source_unknown(build):
    records = data.read(build([row(1), row(2)], columns=EIGHT[:7]), strict=True)
    assert records.table["source"].isna().all()
    assert records.table["site"].tolist() == ["back", "back"]


def test_three_columns_are_enough(build):
    records = data.read(build([row(1)], columns=EIGHT[:3]), strict=True)
    assert np.isnan(records.table["age"].iloc[0])


def test_a_byte_order_mark_and_windows_line_ends_do_no_harm(build):
    root = build([row(1), row(2)], encoding="utf-8-sig")
    path = root / "HAM10000_metadata.csv"
    assert path.read_bytes().startswith(b"\xef\xbb\xbf")
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert len(data.read(root, strict=True)) == 2


def test_the_metadata_may_lack_its_suffix(build):
    root = build([row(1)])
    (root / "HAM10000_metadata.csv").rename(root / "HAM10000_metadata")
    assert len(data.read(root)) == 1


@pytest.mark.parametrize("suffix", [".JPG", ".jpeg"])
def test_other_spellings_of_the_suffix(build, suffix):
    root = build([row(1)])
    (root / "images/ISIC_1.jpg").rename(root / f"images/ISIC_1{suffix}")
    assert len(data.read(root, strict=True)) == 1


# Bad rows and bad images: left out and reported, never silently


def test_nothing_wrong_means_no_problems(build):
    assert data.read(build([row(1), row(2)])).problems == ()


@pytest.mark.parametrize(
    ("bad", "kind", "file"),
    [
        (row(2, dx="wart"), "unknown label", "ISIC_2"),
        (row(2, dx=""), "missing label", "ISIC_2"),
        (row(2, lesion_id=""), "missing lesion id", "ISIC_2"),
        (row(2, lesion_id="unknown"), "missing lesion id", "ISIC_2"),
        (row(1), "duplicate row", "ISIC_1"),
    ],
)
def test_bad_rows_are_dropped_and_named(build, bad, kind, file):
    root = build([row(1), bad, row(3)])
    records = data.read(root)
    assert records.ids.tolist() == ["ISIC_1", "ISIC_3"]
    assert records.problem_counts()[kind] == 1
    assert problems(root)[kind] == (file, "dropped")


def test_a_row_without_an_image_id_is_dropped(build):
    root = build([row(1), row(2, image_id="")], images=["ISIC_1"])
    assert len(data.read(root)) == 1
    assert problems(root) == {"missing image id": ("row 2 of the table", "dropped")}


def test_an_unknown_label_is_told_the_nearest_known(build):
    (problem,) = data.read(build([row(1), row(2, dx="melanomma")])).problems
    assert "Did you mean 'melanoma'" in str(problem)
    assert str(problem).startswith("ISIC_2: ")


def test_a_full_name_is_a_known_label(build):
    assert data.read(build([row(1, dx="Melanoma")]), strict=True).table["dx"].tolist() == ["mel"]


def test_a_missing_image_is_reported(build):
    root = build([row(1), row(2)], images=["ISIC_1"])
    assert len(data.read(root)) == 1
    assert problems(root) == {"missing image": ("ISIC_2", "dropped")}


@pytest.mark.parametrize("instead", ["folder", "broken link"])
def test_what_is_no_file_is_no_image(build, instead):
    root = build([row(1), row(2)], images=["ISIC_1"])
    if instead == "folder":
        (root / "images/ISIC_2.jpg").mkdir()
    else:
        (root / "images/ISIC_2.jpg").symlink_to(root / "nowhere.jpg")
    found = problems(root)
    assert found.pop("missing image") == ("ISIC_2", "dropped")
    assert list(found) == (["broken link"] if instead == "broken link" else [])


def test_an_empty_image_is_reported_with_its_path(build):
    root = build([row(1), row(2)])
    (root / "images/ISIC_2.jpg").write_bytes(b"")
    assert problems(root) == {"empty image": (str(root / "images/ISIC_2.jpg"), "dropped")}


def test_damage_inside_an_image_is_left_to_decoding(build):
    root = build([row(1), row(2)])
    path = root / "images/ISIC_2.jpg"
    path.write_bytes(path.read_bytes()[:100])
    assert len(data.read(root, strict=True)) == 2


def test_an_image_without_a_row_is_reported_and_ignored(build):
    root = build([row(1)], images=["ISIC_1", "ISIC_7"])
    assert len(data.read(root)) == 1
    assert problems(root) == {"extra image": (str(root / "images/ISIC_7.jpg"), "ignored")}


def test_an_image_that_lies_in_two_folders_is_taken_if_the_bytes_are_equal(build):
    root = build([row(1)], folders=("images", "HAM10000_images_part_1"), images=["ISIC_1", "ISIC_1"])
    shutil.copyfile(root / "images/ISIC_1.jpg", root / "HAM10000_images_part_1/ISIC_1.jpg")
    records = data.read(root)
    assert records.ids.tolist() == ["ISIC_1"]
    assert records.problem_counts() == {"identical file": 1}


@pytest.mark.parametrize("other", ["HAM10000_images_part_1/ISIC_1.jpg", "images/ISIC_1.bmp", "images/small/ISIC_1.jpg"])
def test_two_different_files_of_one_id_are_reported_and_neither_is_read(build, other):
    root = build([row(1), row(2)])
    (root / other).parent.mkdir(exist_ok=True)
    Image.new("RGB", (3, 2), "red").save(root / other)
    records = data.read(root)
    assert records.ids.tolist() == ["ISIC_2"]
    (problem,) = records.problems
    assert (problem.file, problem.kind, problem.severity) == ("ISIC_1", "ambiguous image", "dropped")
    assert other in problem.reason


def test_what_lies_outside_of_the_image_folders_is_never_the_picture(build):
    root = build([row(1), row(2)], images=["ISIC_1"])
    for name in ("masks/ISIC_1.png", "masks/ISIC_2.png", "masks/ISIC_1_segmentation.png"):
        (root / name).parent.mkdir(exist_ok=True)
        Image.new("L", (6, 4)).save(root / name)
    records = data.read(root)
    assert records.table["path"].tolist() == [str(root / "images/ISIC_1.jpg")]
    # A published mask, by its name, is accounted for by its image.
    assert records.problem_counts() == {"extra image": 2, "missing image": 1}


def test_one_image_with_two_labels_is_used_with_neither(build):
    records = data.read(
        build([row(1), row(1, dx="mel"), row(2), row(3), row(3, dx="wart")], images=["ISIC_1", "ISIC_2"])
    )
    assert records.ids.tolist() == ["ISIC_2"]
    assert records.problem_counts("dropped")["contradictory label"] == 2


@pytest.mark.parametrize("spell", [str.upper, str.title, lambda name: name.replace("_", " ")])
def test_columns_in_another_spelling_are_read(build, spell):
    root = build([row(1)])
    path = root / "HAM10000_metadata.csv"
    header, rest = path.read_text().split("\n", 1)
    path.write_text(spell(header) + "\n" + rest)
    assert data.read(root, strict=True).table["site"].tolist() == ["back"]


def test_an_image_id_may_have_the_suffix_of_its_file(build):
    root = build([row(1, image_id="ISIC_1.jpg")], images=["ISIC_1"])
    assert data.read(root, strict=True).ids.tolist() == ["ISIC_1"]


@pytest.mark.parametrize("folder", ["HAM10000_images_part_1/HAM10000_images_part_1", "images/train/nv", "pictures"])
def test_images_may_lie_in_folders_of_folders(build, folder):
    assert data.read(build([row(1), row(2)], folders=(folder,)), strict=True).ids.tolist() == ["ISIC_1", "ISIC_2"]


def test_what_systems_leave_beside_the_data_is_no_problem(build):
    root = build([row(1)])
    for name in ("__MACOSX/images/._ISIC_1.jpg", "images/._ISIC_1.jpg", "images/Thumbs.db", "desktop.ini", ".DS_Store"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"\x00\x05\x16\x07")
    assert len(data.read(root, strict=True)) == 1


def test_an_age_that_is_no_number_is_kept_as_unknown(build):
    root = build([row(1, age="old"), row(2, age="")])
    records = data.read(root)
    assert records.table["age"].isna().all()
    assert problems(root) == {"bad age": ("ISIC_1", "kept")}  # a missing age is no problem


def test_every_row_and_every_image_is_accounted_for(build):
    rows = [row(1), row(2, dx="wart"), row(3), row(3), row(4, lesion_id=""), row(5), row(6)]
    root = build(rows, images=["ISIC_1", "ISIC_2", "ISIC_3", "ISIC_4", "ISIC_6", "ISIC_8", "ISIC_9"])
    records = data.read(root)
    dropped = [p for p in records.problems if p.severity == "dropped"]
    ignored = [p for p in records.problems if p.severity == "ignored"]
    assert len(records) + len(dropped) == len(rows)
    assert len(ignored) == 2
    assert records.problem_counts() == {
        "unknown label": 1, "duplicate row": 1, "missing lesion id": 1, "missing image": 1, "extra image": 2,
    }  # fmt: skip


def test_strict_stops_and_counts(build):
    root = build([row(1), row(2, dx="wart"), row(3)], images=["ISIC_1", "ISIC_2"])
    with pytest.raises(DataError, match="2 problems; the first: ISIC_2") as caught:
        data.read(root, strict=True)
    assert "without strict" in caught.value.hint


@settings(max_examples=40, deadline=None)
@given(
    rows=st.lists(
        st.fixed_dictionaries(
            {
                "image_id": st.sampled_from(["ISIC_1", "ISIC_2.jpg", "ISIC_3", "ISIC_9", "twice", ""]),
                "dx": st.sampled_from(["nv", "NV", "mel", "wart", ""]),
                "lesion_id": st.sampled_from(["HAM_1", "HAM_2", "unknown", ""]),
                "age": st.sampled_from(["45.0", "85+", "x", ""]),
            }
        ),
        max_size=6,
    )
)
def test_whatever_the_metadata_say_each_row_is_a_record_or_one_problem(tmp_path_factory, rows):
    root = tmp_path_factory.mktemp("ham")
    names = ["images/ISIC_1.jpg", "images/ISIC_2.jpg", "images/ISIC_3.png", "good.jpg", "images/twice.jpg", "twice.bmp"]
    (root / "images").mkdir()
    for i, name in enumerate(names):
        Image.new("RGB", (6, 4), (i, 0, 0)).save(root / name)
    table = [row(0, image_id="good", lesion_id="HAM_0"), *(row(0, **changes) for changes in rows)]
    pd.DataFrame(table, columns=EIGHT).to_csv(root / "HAM10000_metadata.csv", index=False)
    records = data.read(root)
    assert len(records) + sum(records.problem_counts("dropped").values()) == len(table)
    used = {Path(path).name for path in records.table["path"]}
    assert not used & {"twice.jpg", "twice.bmp"}
    reported = {Path(p.file).name for p in records.problems if p.severity == "ignored"}
    asked = {f"{r['image_id'].removesuffix('.jpg')}" for r in rows}
    assert {Path(n).name for n in names} <= used | reported | {Path(n).name for n in names if Path(n).stem in asked}


# Nothing that can be gone on with


@pytest.mark.parametrize("column", ["lesion_id", "image_id", "dx"])
def test_an_absent_column_is_named(build, column):
    root = build([row(1)], columns=[c for c in EIGHT if c != column])
    with pytest.raises(DataError, match=rf"HAM10000_metadata\.csv: the columns {column} are missing; it has "):
        data.read(root)


@pytest.mark.parametrize(("name", "separator"), [("HAM10000_metadata.csv", ";"), ("HAM10000_metadata.tab", "\t")])
def test_a_table_with_another_separator_is_read(build, name, separator):
    root = build([row(1)])
    path = root / "HAM10000_metadata.csv"
    path.rename(root / name).write_text((root / name).read_text().replace(",", separator))
    assert data.read(root, strict=True).ids.tolist() == ["ISIC_1"]


def test_surplus_commas_are_refused_and_not_taken_for_row_names(build):
    root = build([row(1), row(2)])
    path = root / "HAM10000_metadata.csv"
    header, *lines = path.read_text().splitlines()
    path.write_text("\n".join([header, *(line + "," for line in lines)]))
    with pytest.raises(DataError, match="line 2 has 9 fields, the header has 8"):
        data.read(root)


@pytest.mark.parametrize(
    "content",
    [b"", b"\xff\xfe" + "lesion_id".encode("utf-16-le"), b'lesion_id,image_id,dx\n"a,b,c\n', b"a\n1,2\n1,2,3\n"],
)
def test_what_is_no_table_is_refused(build, content):
    root = build([row(1)])
    (root / "HAM10000_metadata.csv").write_bytes(content)
    with pytest.raises(DataError, match=r"HAM10000_metadata\.csv: not a readable CSV table"):
        data.read(root)


def test_a_table_without_a_usable_row_is_refused(build):
    with pytest.raises(DataError, match="none of the 2 metadata rows has a usable image"):
        data.read(build([row(1), row(2)], images=[]))


def test_folders_that_are_no_data_set(tmp_path):
    with pytest.raises(DataError, match="no such folder"):
        data.read(tmp_path / "nowhere")
    with pytest.raises(DataError, match=r"no known data set layout.*ham10000"):
        data.read(tmp_path)
    with pytest.raises(DataError, match=r"no HAM10000_metadata\.csv here"):
        ham10000.read(tmp_path)


# Published duplicates


def test_published_duplicates_are_read(build):
    root = build([row(1), row(2)])
    (root / "known_cross_lesion_duplicates.csv").write_text("similarity,from_img,to_img\n0.99,ISIC_1,ISIC_2\n")
    assert data.read(root).known_pairs == (("ISIC_1", "ISIC_2"),)


def test_published_duplicates_are_known_without_their_table(build):
    root = build([row(1), row(2), row("0032634"), row("0033556"), row("0025226")])
    records = data.read(root)
    assert records.known_pairs == (("ISIC_0032634", "ISIC_0033556"),)
    groups = dict(zip(records.ids, find_groups(records), strict=True))
    assert groups["ISIC_0032634"] == groups["ISIC_0033556"]
    assert len(set(groups.values())) == 4
    table = "from_img,to_img\nISIC_0033556,ISIC_0032634\nISIC_1,ISIC_2\n"
    (root / "known_cross_lesion_duplicates.csv").write_text(table)
    assert data.read(root).known_pairs == (("ISIC_0033556", "ISIC_0032634"), ("ISIC_1", "ISIC_2"))


def test_published_duplicates_that_name_files_are_read(build):
    root = build([row(1), row(2)])
    (root / "known_cross_lesion_duplicates.csv").write_text("similarity,from_img,to_img\n1,ISIC_1.jpg,ISIC_2.jpg\n")
    assert data.read(root).known_pairs == (("ISIC_1", "ISIC_2"),)


@pytest.mark.parametrize(
    ("content", "reason"), [("a,b\n1,2\n", "from_img, to_img are missing"), ("", "not a readable")]
)
def test_a_broken_table_of_duplicates_is_refused(build, content, reason):
    root = build([row(1)])
    (root / "known_cross_lesion_duplicates.csv").write_text(content)
    with pytest.raises(DataError, match=rf"known_cross_lesion_duplicates\.csv: .*{reason}"):
        data.read(root)


# The real one


def test_the_real_ham10000(real_records):
    records = real_records
    assert len(records) == 10_015
    assert records.table["lesion_id"].nunique() == 7_470
    assert records.counts() == {
        "akiec": 327, "bcc": 514, "bkl": 1099, "df": 115, "mel": 1113, "nv": 6705, "vasc": 142,
    }  # fmt: skip
    assert records.table["age"].isna().sum() == 57

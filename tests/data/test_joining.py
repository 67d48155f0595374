"""Several data sets read as one, and split."""

import warnings
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from lentigo import data
from lentigo.data.joining import TWICE, join
from lentigo.data.outputs import output_folder, refuse_inputs
from lentigo.data.reading import read
from lentigo.data.records import Records, make_table
from lentigo.errors import DataError, DataWarning, OutputError
from lentigo.labels import HAM10000, ISIC2019

NUMBERS = range(24_308, 24_408)


def make(folder: Path, rows: list[tuple], size: int = 8, columns=("image_id", "dx", "lesion_id")) -> Path:
    """A folder with one table, and an image of its own for each row."""
    folder.mkdir()
    table = pd.DataFrame(rows, columns=list(columns))
    table.to_csv(folder / "labels.csv", index=False)
    own = zlib.crc32(folder.name.encode())
    for i, image_id in enumerate(table["image_id"]):
        pixels = np.random.default_rng([own, i]).integers(0, 255, (size, size, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"{image_id}.png")
    return folder


@pytest.fixture(scope="module")
def main_rows() -> list[tuple]:
    """100 images of 50 lesions of two diagnoses."""
    return [(f"ISIC_{i:07d}", ("nv", "mel")[i // 2 % 2], f"HAM_{i // 2:07d}") for i in NUMBERS]


@pytest.fixture(scope="module")
def main_root(main_rows, tmp_path_factory) -> Path:
    return make(tmp_path_factory.mktemp("main") / "clinic", main_rows)


def joined(*roots: Path, **options) -> Records:
    """The data sets read as one, whatever there is to warn of."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)
        return read(roots, **options)


def test_join_has_the_data_set_of_each_image_as_a_column(main_root, tmp_path):
    other = make(tmp_path / "other", [("ISIC_0000001", "nv", "MSK4_0000001"), ("x2", "bkl", "")])
    records = joined(main_root, other)
    assert records.name == "clinic+other"
    assert records.table["data_set"].value_counts().to_dict() == {"clinic": 100, "other": 2}
    assert records.roots == (main_root, other)
    assert records.source_numbers.tolist() == [0] * 100 + [1] * 2
    assert records.table["source"].tolist()[-1] == "other"  # it states none
    assert np.array_equal(records.decode(records.table["path"].iloc[-1]), np.asarray(Image.open(other / "x2.png")))
    assert records.main.table.drop(columns=["data_set", "source"]).equals(
        data.read(main_root).table.drop(columns="source")
    )


def test_an_image_of_two_data_sets_is_kept_once_and_counted(main_root, tmp_path):
    again = [("ISIC_0024308", "nv", "HAM_0012154"), ("ISIC_0024309_downsampled", "nv", ""), ("ISIC_0000009", "nv", "")]
    other = make(tmp_path / "other", again)
    with pytest.warns(DataWarning, match=r"clinic \+ other: 2 skipped \(image of an earlier data set 2\)"):
        records = read([main_root, other])
    assert len(records) == 101
    assert records.table.set_index("image_id").loc["ISIC_0024308", "data_set"] == "clinic"
    assert records.problem_counts()["image of an earlier data set"] == 2
    assert {p.reason for p in records.problems if p.kind == TWICE} == {"clinic has an image of this id"}


def test_a_label_that_contradicts_is_said_and_the_main_data_set_stays_as_it_is(main_root, tmp_path):
    of_b = [("ISIC_0024308", "mel", "B_1"), ("ISIC_0000001", "nv", "B_2"), ("ISIC_0000003", "nv", "B_3")]
    b = make(tmp_path / "b", of_b)
    c = make(tmp_path / "c", [("ISIC_0000001", "mel", "B_2"), ("ISIC_0000002", "mel", "B_4")])
    records = joined(main_root, b, c)
    assert records.problem_counts()["contradictory label"] == 3
    table = records.table.set_index("image_id")
    assert table.loc["ISIC_0024308", "dx"] == "nv"
    assert "ISIC_0000001" not in table.index
    assert {"ISIC_0000002", "ISIC_0000003"} <= set(table.index)
    with pytest.warns(DataWarning), pytest.raises(DataError, match="3 contradictory labels"):
        read([main_root, b, c], strict=True)


def test_test_and_validation_are_those_of_the_main_data_set_alone(main_root, main_rows, tmp_path):
    alone = data.split(data.read(main_root), fold=1)
    rest = [(f"ISIC_{i:07d}", "bkl", f"MSK1_{i:07d}") for i in range(30)]
    rest += [(f"ISIC_{i:07d}", "nv", lesion) for i, (_, _, lesion) in enumerate(main_rows, start=100)]
    records = joined(main_root, make(tmp_path / "other", rest))
    made = data.split(records, fold=1)
    for part in ("test", "validation"):
        assert set(made.part(part).ids) == set(alone.part(part).ids)
        lesions = set(alone.part(part).table["lesion_id"])
        assert lesions.isdisjoint(made.train.table["lesion_id"])
    assert set(alone.train.ids) < set(made.train.ids)
    counts = made.train.table["data_set"].value_counts()
    assert counts["other"] == 30 + len(alone.train)  # each image of main has one more of its lesion in other
    assert "train: other" in str(made)


def test_what_another_data_set_reveals_takes_images_out_of_training_and_never_moves_the_test(main_root, tmp_path):
    alone = data.split(data.read(main_root), fold=0)
    test, train = alone.test.table.iloc[0], alone.train.table.iloc[0]
    rows = [  # both main lesions are BCN_0000001 there, which has a third image
        (test["image_id"], test["dx"], "BCN_0000001"),
        (train["image_id"], train["dx"], "BCN_0000001"),
        ("ISIC_0000001", "nv", "BCN_0000001"),
    ]
    made = data.split(joined(main_root, make(tmp_path / "other", rows)), fold=0)
    assert set(made.test.ids) == set(alone.test.ids)
    unused = set(made.part("unused").ids)
    assert {"ISIC_0000001", train["image_id"]} <= unused
    assert set(made.train.ids) == set(alone.train.ids) - unused


def test_pairs_of_an_audit_join_groups_across_data_sets(main_root, tmp_path):
    other = make(tmp_path / "other", [("ISIC_0000001", "nv", ""), ("ISIC_0000002", "nv", "")])
    records = joined(main_root, other)
    test = data.split(records).test.ids[0]
    made = data.split(records, pairs=[(str(test), "ISIC_0000001")])
    assert made.part("unused").ids.tolist() == ["ISIC_0000001"]
    assert "ISIC_0000002" in made.train.ids


def test_patients_join_across_data_sets_and_bare_numbers_do_not(tmp_path):
    columns = ("image_id", "dx", "lesion_id", "patient_id")
    a = make(
        tmp_path / "a", [("a1", "nv", "1", "PAT_1"), ("a2", "mel", "2", "7"), ("a3", "nv", "3", "")], columns=columns
    )
    b = make(
        tmp_path / "b",
        [("b1", "nv", "1", "PAT_1"), ("b2", "mel", "2", "7"), ("a3", "nv", "9", "PAT_9"), ("b4", "nv", "4", "PAT_9")],
        columns=columns,
    )
    records = joined(a, b)
    group = dict(zip(records.ids, data.find_groups(records), strict=True))
    assert group["a1"] == group["b1"]
    assert group["a2"] != group["b2"]
    assert group["a3"] == group["b4"]  # of one patient, as b says


def test_labels_are_brought_to_those_of_the_main_data_set(main_root, tmp_path):
    rows = [("ISIC_0000001", "AK", ""), ("ISIC_0000002", "SCC", ""), ("ISIC_0000003", "NV", "")]
    other = make(tmp_path / "other", rows)
    for labels in (None, ["HAM10000", "ISIC2019"]):
        records = joined(main_root, other, labels=labels)
        assert records.label_set == HAM10000
        assert records.table["dx"].tolist()[-2:] == ["akiec", "nv"]
        assert sum("outside" in kind or "no target" in kind for kind in records.problem_counts()) == 1
    assert records.sources[1].label_set == ISIC2019
    (tmp_path / "map.csv").write_text(
        "from,to\nak,bkl\nbcc,bcc\nbkl,bkl\ndf,df\nmel,mel\nnv,nv\nscc,akiec\nvasc,vasc\n"
    )
    records = joined(main_root, other, labels=["HAM10000", "ISIC2019"], mapping=tmp_path / "map.csv")
    assert records.table["dx"].tolist()[-3:] == ["bkl", "akiec", "nv"]


def test_other_labels_without_a_mapping_are_refused(main_root, tmp_path):
    other = make(tmp_path / "other", [("b1", "benign", ""), ("b2", "malignant", "")])
    with pytest.warns(DataWarning), pytest.raises(DataError, match="no built-in mapping from BINARY"):
        read([main_root, other])


@pytest.mark.parametrize(
    ("roots", "options", "said"),
    [
        ((0, 0), {}, "named twice"),
        ((), {}, "no data set to read"),
        ((0, 1), {"labels": ["HAM10000"] * 3}, "3 label sets for 2"),
        ((0,), {"mapping": "x.csv"}, "no other labels to map"),
        ((0, 1), {"mapping": "x.csv"}, "All data sets have the labels of HAM10000"),
    ],
)
def test_bad_requests_are_refused(main_root, tmp_path, roots, options, said):
    places = [main_root, make(tmp_path / "other", [("x1", "nv", "")])]
    with pytest.raises(DataError, match=said):
        read([places[i] for i in roots], **options)


def test_folders_of_one_name_get_different_names(main_root, tmp_path):
    (tmp_path / "x").mkdir()
    other = make(tmp_path / "x" / "clinic", [("x1", "nv", "L1"), ("x2", "mel", "L2")])
    assert joined(main_root, other).name == "clinic+clinic_2"


def test_arrays_and_files_join(toy_records):
    array = np.random.default_rng(0).integers(0, 255, (2, 4, 4, 3), np.uint8)
    rows = pd.DataFrame({"image_id": ["p0", "p1"], "dx": ["nv", "mel"], "path": ["p.npz#1", "p.npz#0"]})
    held = Records(make_table(rows), "array", Path("p.npz"), pixels=array)
    other = Records(make_table(rows.assign(image_id=["q0", "q1"])), "array", Path("q.npz"), pixels=array[::-1])
    records = join([held, other], ["p", "q"])
    shown = [records.decode(path) for path in records.table["path"]]
    assert all(np.array_equal(a, b) for a, b in zip(shown, array[[1, 0, 0, 1]], strict=True))
    assert records.table["path"].is_unique


@pytest.mark.parametrize("protocol", ["image_level_leaky", "balanced_subset", "oversampled_then_split_leaky"])
def test_protocols_of_one_data_set_refuse_several(main_root, tmp_path, protocol):
    records = joined(main_root, make(tmp_path / "other", [("x1", "nv", "L1")]))
    with pytest.raises(DataError, match=f"{protocol} splits one data set"):
        data.split(records, protocol)


def test_external_takes_data_sets_as_sources(main_root, tmp_path):
    other = make(tmp_path / "other", [(f"x{i}", ("nv", "mel")[i % 2], f"L{i}") for i in range(20)])
    made = data.split(joined(main_root, other), "external", fold=1)
    assert set(made.test.table["data_set"]) == {"other"}
    assert set(made.train.table["data_set"]) == {"clinic"}


def test_a_saved_split_of_several_is_read_back(main_root, tmp_path):
    other = make(tmp_path / "other", [("x1", "nv", "L1"), ("x2", "mel", "L2")])
    records = joined(main_root, other)
    data.split(records).save(tmp_path / "split.csv")
    assert data.load_split(tmp_path / "split.csv", records).hash == data.split(records).hash
    with pytest.raises(DataError):
        data.load_split(tmp_path / "split.csv", data.read(main_root))


def test_command_line_splits_several(main_root, tmp_path, run):
    other = make(tmp_path / "other", [("x1", "nv", "L1"), ("x2", "mel", "L2")])
    code, out, _ = run("data", "split", main_root, other, "--out", tmp_path / "s.csv")
    assert code == 0
    assert "train: other 2" in out


def test_nothing_is_written_into_any_of_several_data_sets(tmp_path, toy_records):
    places = [tmp_path / "a", tmp_path / "b"]
    for place in places:
        (place / "images").mkdir(parents=True)
    sources = tuple(data.Source(place.name, place) for place in places)
    records = replace(toy_records(["L1"], ["nv"]), root=places[0], sources=sources)
    for place in places:
        with pytest.raises(OutputError, match="inside the data set"):
            output_folder(place / "audit", records)
        with pytest.raises(OutputError, match="never overwritten"):
            refuse_inputs(place / "images", records)


def test_licences_of_published_images_are_known_by_their_ids(main_root, tmp_path):
    bcn = make(tmp_path / "bcn", [("ISIC_0053454", "nv", "BCN_1"), ("ISIC_0000017_downsampled", "mel", "")])
    own = make(tmp_path / "own", [("x1", "nv", "L1"), ("x2", "mel", "L2")])
    msk = make(tmp_path / "msk", [("ISIC_0000009", "nv", "MSK1_1")])
    records = joined(main_root, bcn, own, msk)
    assert [source.licence for source in records.sources] == ["CC BY-NC 4.0", "CC BY-NC 4.0", "", ""]
    assert records.licence == "clinic: CC BY-NC 4.0; bcn: CC BY-NC 4.0; own: not stated; msk: not stated"
    assert "HAM10000" in records.citation
    assert "BCN20000" in records.citation


def test_several_are_not_packed_as_one(main_root, tmp_path):
    records = joined(main_root, make(tmp_path / "other", [("x1", "nv", "L1")]))
    with pytest.raises(DataError, match="holds one data set"):
        data.pack(records, tmp_path / "packed.parquet")

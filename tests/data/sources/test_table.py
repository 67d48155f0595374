import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lentigo import data
from lentigo.errors import DataError, DataWarning
from tests.data.sources.made import save_pictures


def test_paths_labels_and_what_else_is_known_are_read(tmp_path):
    save_pictures(tmp_path / "pictures", ["a", "b", "c"])
    absolute = tmp_path / "pictures" / "c.jpg"
    (tmp_path / "t.csv").write_text(
        "Path,Label,lesion_id,Age,sex,localization,patient_id\n"
        "pictures/a.jpg,melanoma,L1,61,male,back,P1\n"
        "pictures/b.jpg,Nevus,L1,,female,face,P1\n"
        f"{absolute},bkl,L2,40,,,P2\n"
    )
    back = data.read(tmp_path)
    assert back.problems == ()
    assert back.name == "table"
    assert back.ids.tolist() == ["a", "b", "c"]
    assert back.table["dx"].tolist() == ["mel", "nv", "bkl"]
    assert back.table["lesion_id"].tolist() == ["L1", "L1", "L2"]
    assert back.table["site"].tolist() == ["back", "face", None]
    assert back.table["age"].iloc[0] == 61
    assert back.table["patient_id"].tolist() == ["P1", "P1", "P2"]


@pytest.mark.parametrize(
    ("separator", "suffix"), [(",", ".csv"), (";", ".csv"), ("\t", ".csv"), ("\t", ".tsv"), ("\t", ".tab")]
)
def test_separators(tmp_path, separator, suffix):
    save_pictures(tmp_path, ["a", "b"])
    rows = [["filename", "diagnosis"], ["a.jpg", "mel"], ["b.jpg", "nv"]]
    path = tmp_path / f"t{suffix}"
    path.write_text("\n".join(separator.join(row) for row in rows))
    assert data.read(path).table["dx"].tolist() == ["mel", "nv"]


def test_ids_are_found_anywhere_below_the_table(tmp_path):
    save_pictures(tmp_path / "x" / "y", ["ISIC_1"])
    save_pictures(tmp_path / "z", ["ISIC_2"])
    (tmp_path / "t.csv").write_text("image_id,dx,lesion_id\nISIC_1,mel,A\nISIC_2,nv,B\nISIC_3,nv,C\n")
    back = data.read(tmp_path / "t.csv")
    assert back.ids.tolist() == ["ISIC_1", "ISIC_2"]
    assert back.problem_counts() == {"missing image": 1}


def test_flags_of_malignancy_may_be_numbers_or_words(tmp_path):
    save_pictures(tmp_path, ["a", "b", "c", "d"])
    (tmp_path / "t.csv").write_text("image,target\na,1\nb,0\nc,True\nd,malignant\n")
    back = data.read(tmp_path)
    assert back.table["malignant"].tolist() == [True, False, True, True]
    assert back.table["dx"].isna().all()
    for yes, no in (("y", "n"), ("Y", "N"), ("T", "F"), ("yes", "no")):
        (tmp_path / "t.csv").write_text(f"image,malignant\na,{yes}\nb,{no}\nc,{yes}\nd,{no}\n")
        assert data.read(tmp_path).table["malignant"].tolist() == [True, False, True, False]


def test_numbered_diagnoses_are_refused(tmp_path):
    save_pictures(tmp_path, ["a", "b"])
    (tmp_path / "t.csv").write_text("image,label\na,4\nb,5\n")
    with pytest.raises(DataError, match=r"t\.csv: labels are numbers \(4, 5\).*4 is melanoma in MedMNIST"):
        data.read(tmp_path)


def test_files_of_one_name_in_two_folders_stay_two_images(tmp_path):
    save_pictures(tmp_path / "a", ["1"])
    save_pictures(tmp_path / "b", ["1"])
    (tmp_path / "t.csv").write_text("path,label\na/1.jpg,mel\nb/1.jpg,nv\n")
    assert data.read(tmp_path).ids.tolist() == ["a/1.jpg", "b/1.jpg"]


def test_rows_that_can_not_be_used_are_left_out_and_named(tmp_path):
    save_pictures(tmp_path, ["a", "b", "c", "d"])
    (tmp_path / "t.csv").write_text(
        "path,label\na.jpg,mel\na.jpg,melanoma\nb.jpg,wart\nc.jpg,\nabsent.jpg,nv\n,nv\nd.jpg,mel\nd.jpg,nv\n"
    )
    back = data.read(tmp_path)
    assert back.ids.tolist() == ["a"]
    assert back.problem_counts() == {
        "duplicate row": 1,
        "unknown label": 1,
        "missing label": 1,
        "missing image": 1,
        "missing image id": 1,
        "contradictory label": 2,
        "no lesion ids": 1,
    }
    with pytest.raises(DataError, match="8 problems; the first: a: a second row"):
        data.read(tmp_path, strict=True)


def test_no_usable_row_is_an_error(tmp_path):
    (tmp_path / "t.csv").write_text("path,label\nabsent.jpg,mel\n")
    with pytest.raises(DataError, match=r"none of its 1 rows is usable; the first: absent"):
        data.read(tmp_path)


def test_two_tables_are_ambiguous(tmp_path):
    save_pictures(tmp_path, ["a"])
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).write_text("path,label\na.jpg,mel\n")
    with pytest.raises(DataError, match=r"found a\.csv, b\.csv"):
        data.read(tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"path,label\r\n", "it has no rows"),
        (b"path,label\na.jpg,mel,3\n", "line 2 has 3 fields, the header has 2"),
        (b"path,label\n\na.jpg\n", "line 3 has 1 fields, the header has 2"),
        (b"path,label\na.jpg,\xe9\n", "not a readable CSV table"),
        (b"path,label,label\na.jpg,mel,mel\n", "'label' occurs twice"),
        (b"path,label,Label\na.jpg,mel,mel\n", "two columns differ only in spelling"),
        (b'path,label\n"a.jpg,mel\n', "line 2 has 1 fields"),
    ],
)
def test_broken_tables_are_refused_by_name(tmp_path, content, message):
    (tmp_path / "t.csv").write_bytes(content)
    with pytest.raises(DataError, match=message) as caught:
        data.read(tmp_path / "t.csv")
    assert "t.csv" in str(caught.value)


def test_byte_order_mark_and_mixed_line_ends_are_taken_as_they_come(tmp_path):
    save_pictures(tmp_path, ["a", "b", "c"])
    (tmp_path / "t.csv").write_bytes(b"\xef\xbb\xbfpath,label\r\na.jpg,mel\rb.jpg,nv\n\r\nc.jpg, bkl \r\n")
    assert data.read(tmp_path).table["dx"].tolist() == ["mel", "nv", "bkl"]


def test_an_unknown_layout_lists_what_was_looked_for(tmp_path):
    (tmp_path / "readme.txt").write_text("nothing")
    with pytest.raises(DataError) as caught:
        data.read(tmp_path)
    for word in ("HAM10000_metadata.csv", "hmnist_*.csv", "dermamnist*.npz", "truth table", "class folders", "label"):
        assert word in str(caught.value)
    with pytest.raises(DataError, match="there is no such folder or file"):
        data.read(tmp_path / "absent")


def test_a_reader_in_python_is_warned_of_what_was_left_out(tmp_path):
    save_pictures(tmp_path, ["a"])
    (tmp_path / "t.csv").write_text("path,label,lesion_id\na.jpg,mel,1\nabsent.jpg,nv,2\n")
    with pytest.warns(DataWarning, match=r"1 skipped \(missing image 1\)\. To list them: lentigo data audit"):
        data.read(tmp_path)


# One image, one label


@pytest.mark.parametrize(
    ("columns", "rows"),
    [
        ("image,dx,lesion_id", ["a,mel,1", "a,nv,1"]),
        ("image,dx,lesion_id", ["a,mel,1", "a.jpg,nv,1"]),
        ("image,dx,lesion_id", ["a,mel,1", "a,wart,1"]),
        ("image_id,path,dx,lesion_id", ["a,a.jpg,mel,1", "other,a.jpg,nv,1"]),
        ("image,target,lesion_id", ["a,1,1", "a,0,1"]),
        ("image,label,diagnosis,lesion_id", ["a,melanoma,nevus,1"]),
        ("image,diagnosis,target,lesion_id", ["a,nevus,1,1"]),
        ("image,diagnosis,benign_malignant,lesion_id", ["a,melanoma,benign,1"]),
        ("image,dx,malignant,lesion_id", ["a,bcc,False,1"]),
        ("image,diagnosis_1,diagnosis_3,lesion_id", ["a,Benign,Melanoma Invasive,1"]),
        ("image,diagnosis_3,diagnosis_4,lesion_id", ['a,Nevus,"Melanoma, NOS",1']),
    ],
)
def test_an_image_with_two_labels_is_reported_and_used_with_neither(tmp_path, columns, rows):
    save_pictures(tmp_path, ["a", "b"])
    fillers = {"image": "b", "image_id": "b", "path": "b.jpg", "dx": "nv", "label": "nevus", "diagnosis": "nevus"}
    fillers |= {"target": "0", "malignant": "False", "benign_malignant": "benign", "lesion_id": "2"}
    fillers |= {"diagnosis_1": "Benign", "diagnosis_3": "Nevus", "diagnosis_4": "Nevus"}
    good = ",".join(fillers[c] for c in columns.split(","))
    (tmp_path / "t.csv").write_text("\n".join([columns, *rows, good]) + "\n")
    back = data.read(tmp_path)
    assert back.ids.tolist() == ["b"]
    assert sum(back.problem_counts("dropped").values()) == len(back.problems) == len(rows)
    assert "contradictory label" in back.problem_counts()


def test_numbers_beside_names_must_say_the_same_throughout(tmp_path):
    save_pictures(tmp_path, list("abcdef"))
    rows = ["a,mel,4,1", "b,mel,4,2", "c,mel,5,3", "d,nv,5,4", "e,nv,5,5", "f,nv,,6"]
    (tmp_path / "t.csv").write_text("\n".join(["image,dx,label,lesion_id", *rows]) + "\n")
    back = data.read(tmp_path)
    assert back.ids.tolist() == list("abdef")
    assert back.problem_counts() == {"contradictory label": 1}


def test_actinic_keratosis_may_count_as_benign_elsewhere(tmp_path):
    save_pictures(tmp_path, ["a", "b"])
    (tmp_path / "t.csv").write_text("image,dx,target,lesion_id\na,akiec,0,1\nb,akiec,1,2\n")
    assert data.read(tmp_path, strict=True).ids.tolist() == ["a", "b"]


def test_rows_that_contradict_each_other_about_the_lesion_are_left_out(tmp_path):
    save_pictures(tmp_path, ["a", "b"])
    (tmp_path / "t.csv").write_text("image,dx,lesion_id\na,nv,1\na,nv,2\nb,nv,3\n")
    back = data.read(tmp_path)
    assert back.ids.tolist() == ["b"]
    assert back.problem_counts() == {"contradictory lesion id": 2}


def test_other_values_that_differ_are_missing_and_said(tmp_path):
    save_pictures(tmp_path, ["a"])
    (tmp_path / "t.csv").write_text("image,dx,lesion_id,age,sex\na,nv,1,40,m\na,nv,1,50,male\n")
    back = data.read(tmp_path)
    assert back.table["age"].isna().all()
    assert back.table["sex"].tolist() == ["male"]
    assert back.problem_counts() == {"duplicate row": 1, "contradictory age": 1}


# Values


def test_other_names_of_columns_and_spellings_of_values(tmp_path):
    save_pictures(tmp_path, list("abcdefgh"))
    ages = ["85+", '"45,5"', " 60 ", "unknown", "-5", "999", "70 years", '"1,234"']
    sexes = ["male", "Male", "M", "f", "Female", "x", "unknown", "WOMAN"]
    rows = [f"{i},nv,L{i},{a},{s},Upper_Extremity" for i, a, s in zip("abcdefgh", ages, sexes, strict=True)]
    (tmp_path / "t.csv").write_text("ISIC_ID,Dx,Lesion ID,age_approx,Gender,anatom_site_general\n" + "\n".join(rows))
    back = data.read(tmp_path)
    assert back.table["age"].fillna(-1).tolist() == [85, 45.5, 60, -1, -1, -1, 70, -1]
    assert back.table["sex"].tolist() == ["male"] * 3 + ["female"] * 2 + [None, "unknown", "female"]
    assert set(back.table["site"]) == {"upper extremity"}
    assert back.table["lesion_id"].tolist() == [f"L{i}" for i in "abcdefgh"]
    assert back.problem_counts() == {"bad age": 3, "open-ended age": 1, "unknown sex": 1}
    assert {p.file for p in back.problems if p.kind == "bad age"} == {"e", "f", "h"}


@pytest.mark.parametrize("column", ["site", "anatom_site", "localization", "Anatom Site General"])
def test_the_site_has_many_names(tmp_path, column):
    save_pictures(tmp_path, ["a"])
    (tmp_path / "t.csv").write_text(f"image,dx,lesion_id,{column}\na,nv,1,back\n")
    assert data.read(tmp_path, strict=True).table["site"].tolist() == ["back"]


def test_two_columns_of_one_thing_that_differ_are_said(tmp_path):
    save_pictures(tmp_path, ["a", "b"])
    (tmp_path / "t.csv").write_text("image,dx,lesion_id,age,age_approx\na,nv,1,40,50\nb,nv,2,,30\n")
    back = data.read(tmp_path)
    assert back.table["age"].tolist() == [40, 30]
    assert back.problem_counts() == {"contradictory columns": 1}


def test_two_columns_that_say_one_thing_in_other_spellings_agree(tmp_path):
    save_pictures(tmp_path, ["a", "b"])
    head = "image,dx,lesion_id,age,age_approx,sex,gender,site,anatom_site\n"
    rows = "a,nv,1,45,45.0,M,male,unknown,back\nb,nv,2,unknown,30,f,Female,Lower_Extremity,lower extremity\n"
    (tmp_path / "t.csv").write_text(head + rows)
    table = data.read(tmp_path, strict=True).table
    assert table[["age", "sex", "site"]].to_numpy().tolist() == [
        [45.0, "male", "back"],
        [30.0, "female", "lower extremity"],
    ]


@pytest.mark.parametrize("missing", ["", "unknown", "NA", "none"])
def test_rows_without_the_lesion_id_that_others_have_are_counted(tmp_path, missing):
    save_pictures(tmp_path, list("abc"))
    (tmp_path / "t.csv").write_text(f"image,dx,lesion_id\na,nv,1\nb,nv,{missing}\nc,nv,{missing}\n")
    back = data.read(tmp_path)
    assert back.table["lesion_id"].tolist() == ["1", "b", "c"]
    assert back.problem_counts("kept") == {"missing lesion id": 2}


def test_diagnoses_that_count_only_as_malignant_or_not_are_said(tmp_path):
    save_pictures(tmp_path, list("abc"))
    (tmp_path / "t.csv").write_text("image,dx,lesion_id\na,nv,1\nb,mel,2\nc,benign,3\n")
    back = data.read(tmp_path)
    assert back.table["dx"].isna().all()
    assert back.problem_counts() == {"diagnoses reduced to malignancy": 1}


def test_isics_archive_names_diagnoses_in_levels(tmp_path):
    names = list("abcdefgh")
    save_pictures(tmp_path, [f"ISIC_{n}" for n in names])
    rows = [
        'Benign,Benign melanocytic proliferations,Nevus,"Nevus, Spitz",',
        "Malignant,Malignant melanocytic proliferations (Melanoma),Melanoma in situ,,",
        'Malignant,Malignant epidermal proliferations,"Squamous cell carcinoma, Invasive",,',
        "Indeterminate,Indeterminate epidermal proliferations,Solar or actinic keratosis,,",
        "Benign,Benign epidermal proliferations,Pigmented benign keratosis,,",
        "Benign,Benign soft tissue proliferations - Fibro-histiocytic,Dermatofibroma,,",
        "Benign,,,,",
        "Malignant,Malignant adnexal epithelial proliferations - Follicular,Basal cell carcinoma,"
        '"Basal cell carcinoma, Nodular",',
    ]
    header = "isic_id,lesion_id,diagnosis_1,diagnosis_2,diagnosis_3,diagnosis_4,diagnosis_5"
    lines = [f"ISIC_{n},L{n},{row}" for n, row in zip(names, rows, strict=True)]
    (tmp_path / "metadata.csv").write_text("\n".join([header, *lines]) + "\n")
    back = data.read(tmp_path)
    assert back.table["dx"].tolist() == ["nv", "mel", "akiec", "bkl", "df", "bcc"]
    assert back.problem_counts() == {"outside the seven classes": 1, "unknown label": 1}


# Which file is meant


@pytest.mark.parametrize("other", ["a.png", "masks/a.png", "thumbs/a.jpg", "a.BMP"])
def test_an_id_that_fits_two_files_is_reported_and_left_out(tmp_path, other):
    save_pictures(tmp_path / "images", ["a", "b"])
    made = save_pictures((tmp_path / "images" / other).parent, ["a2"], (tmp_path / other).suffix.lower(), first=5)[0]
    made.rename(tmp_path / "images" / other)
    (tmp_path / "t.csv").write_text("image_id,dx,lesion_id\na,mel,1\nb,nv,2\n")
    back = data.read(tmp_path)
    assert back.ids.tolist() == ["b"]
    assert [(p.file, p.kind) for p in back.problems] == [("a", "ambiguous image")]
    (tmp_path / "t.csv").write_text(f"path,dx,lesion_id\nimages/{other},mel,1\nimages/b.jpg,nv,2\n")
    named = data.read(tmp_path)
    assert named.table["path"].iloc[0].endswith(other)
    assert named.problem_counts() == {"extra image": 1}


def test_a_picture_is_never_taken_from_a_file_of_another_kind_or_folder(tmp_path):
    save_pictures(tmp_path / "masks", ["a", "b"], ".png")
    save_pictures(tmp_path / "nevus", ["c"])
    save_pictures(tmp_path, ["d"])
    (tmp_path / "t.csv").write_text("image,dx,lesion_id\na.jpg,mel,1\nmelanoma/c.jpg,mel,2\nd,nv,3\n")
    back = data.read(tmp_path)
    assert back.ids.tolist() == ["d"]
    assert back.problem_counts("dropped") == {"missing image": 2}


@pytest.mark.parametrize("name", ["a.jpg", "A.JPG", "a", "sub\\a.jpg", "sub/a.jpg", "./sub/a.jpg"])
def test_spellings_of_one_file(tmp_path, name):
    save_pictures(tmp_path / "sub", ["a"])
    (tmp_path / "t.csv").write_text(f"image,dx,lesion_id\n{name},mel,1\n")
    assert data.read(tmp_path, strict=True).table["path"].tolist() == [str(tmp_path / "sub" / "a.jpg")]


@pytest.mark.parametrize(
    "name",
    ["../secret.jpg", "sub/../../secret.jpg", "{root}/secret.jpg", "file://{root}/secret.jpg", "FILE:secret.jpg",
     "https://example.org/z.jpg", "C:\\secret.jpg", "\\\\server\\share\\secret.jpg", "..\\secret.jpg"],
)  # fmt: skip
def test_a_table_does_not_reach_outside_of_its_folder(tmp_path, name):
    save_pictures(tmp_path, ["secret"])
    save_pictures(tmp_path / "data" / "sub", ["a"], first=3)
    (tmp_path / "data" / "t.csv").write_text(f"path,dx,lesion_id\n{name.format(root=tmp_path)},mel,1\nsub/a.jpg,nv,2\n")
    back = data.read(tmp_path / "data")
    assert back.ids.tolist() == ["a"]
    assert back.problem_counts() == {"outside the folder": 1}


def test_a_table_reaches_outside_where_the_caller_says_so(tmp_path):
    save_pictures(tmp_path, ["one", "two"])
    (tmp_path / "data").mkdir()
    rows = f"path,dx,lesion_id\n../one.jpg,mel,1\n{tmp_path}/two.jpg,nv,2\nfile:///etc/passwd,nv,3\n"
    (tmp_path / "data" / "t.csv").write_text(rows)
    back = data.read(tmp_path / "data", outside=True)
    assert back.table["dx"].tolist() == ["mel", "nv"]
    assert back.problem_counts() == {"outside the folder": 1}  # addresses are never opened
    with pytest.raises(DataError, match="leads out of the table's folder"):
        data.read(tmp_path / "data")


def test_a_folder_that_is_given_through_its_parent_is_the_same_folder(tmp_path, monkeypatch):
    save_pictures(tmp_path / "x", ["a"])
    (tmp_path / "x" / "t.csv").write_text("path,dx,lesion_id\na.jpg,mel,1\n")
    (tmp_path / "y").mkdir()
    monkeypatch.chdir(tmp_path / "y")
    assert len(data.read("../x", strict=True)) == 1
    monkeypatch.chdir(tmp_path / "x")
    assert len(data.read(".", strict=True)) == 1
    assert len(data.read("t.csv", strict=True)) == 1


@pytest.mark.parametrize(
    ("encoding", "separator", "ends"),
    [("utf-8-sig", ";", "\r\n"), ("utf-16", "\t", "\r\n"), ("utf-8", ",", "\n"), ("utf-8", ";", "\r")],
)
def test_tables_as_spreadsheets_write_them(tmp_path, encoding, separator, ends):
    save_pictures(tmp_path, ["a", "b"])
    rows = [["", "IMAGE_ID", "DX", "Lesion-ID"], ["0", "a", "Melanoma", "1"], ["1", "b", "Naevus", "2"]]
    text = ends.join(separator.join(row) for row in rows) + ends
    (tmp_path / "t.csv").write_bytes(text.encode(encoding))
    assert data.read(tmp_path, strict=True).table["dx"].tolist() == ["mel", "nv"]


def test_the_line_that_tells_spreadsheets_the_separator_is_passed_over(tmp_path):
    save_pictures(tmp_path, ["a"])
    (tmp_path / "t.csv").write_bytes(b"sep=;\r\nimage;dx;lesion_id\r\na;mel;1\r\n")
    assert data.read(tmp_path, strict=True).ids.tolist() == ["a"]


def test_a_folder_that_may_not_be_read_is_an_error_with_its_name(tmp_path, monkeypatch):
    def refuse(self):
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr("pathlib.Path.iterdir", refuse)
    with pytest.raises(DataError, match=r"ermission denied"):
        data.read(tmp_path)


CELLS = {
    "image": st.sampled_from(["a", "b", "c.jpg", "d", "twice", "heic", "absent", "", "../out", "a.png"]),
    "dx": st.sampled_from(["mel", "nv", "Naevus", "wart", "", "scc", "unknown"]),
    "target": st.sampled_from(["0", "1", ""]),
    "lesion_id": st.sampled_from(["1", "2", "", "unknown"]),
    "age": st.sampled_from(["40", "85+", "-1", "old", ""]),
}


@pytest.fixture(scope="module")
def crowded(tmp_path_factory):
    folder = tmp_path_factory.mktemp("crowded")
    for i, name in enumerate(["a.jpg", "b.jpg", "c.jpg", "d.jpg", "twice.jpg", "twice.png"]):
        save_pictures(folder, [name[:-4]], name[-4:], first=i)
    (folder / "heic.heic").write_bytes(b"\0\0\0\x18ftypheic" + bytes(20))
    return folder


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(st.fixed_dictionaries(CELLS), min_size=1, max_size=8))
def test_every_row_ends_as_a_record_or_as_one_problem(crowded, rows):
    lines = [",".join(CELLS), *(",".join(row[c] for c in CELLS) for row in rows), "d,mel,1,9,50"]
    (crowded / "t.csv").write_text("\n".join(lines))
    try:
        back = data.read(crowded)
    except DataError as error:
        assert "none of its" in str(error)
        return
    dropped = [p for p in back.problems if p.severity == "dropped"]
    assert len(back) + len(dropped) == len(rows) + 1
    files = {p.file.rpartition("/")[2] for p in back.problems if p.severity == "ignored"}
    used = {path.rpartition("/")[2] for path in back.table["path"]}
    ambiguous = {"twice.jpg", "twice.png"} if any(r["image"] == "twice" for r in rows) else set()
    named = {f"{r['image'].removesuffix('.jpg')}.jpg" for r in rows} | {"d.jpg"}
    assert files | used | ambiguous | named >= {p.name for p in crowded.iterdir() if p.suffix != ".csv"}


def test_what_a_table_names_must_be_an_image_by_its_content(tmp_path):
    save_pictures(tmp_path, ["a"])
    (tmp_path / "scope.dcm").write_bytes(bytes(128) + b"DICM")
    (tmp_path / "phone.jpg").write_bytes(b"\0\0\0\x18ftypheic" + bytes(20))
    (tmp_path / "notes.txt").write_text("no image")
    rows = ["a.jpg,nv,1", "scope.dcm,nv,2", "phone.jpg,nv,3", "notes.txt,nv,4"]
    (tmp_path / "t.csv").write_text("\n".join(["path,dx,lesion_id", *rows]) + "\n")
    for root in (tmp_path, tmp_path / "t.csv"):
        back = data.read(root)
        assert back.ids.tolist() == ["a"]
        assert back.problem_counts("dropped") == {"unread format": 2, "no image": 1}


def test_names_with_accents_are_found_in_either_form(tmp_path):
    save_pictures(tmp_path / "sub", ["la\u0308sion"])
    (tmp_path / "t.csv").write_text("image,dx,lesion_id\nl\u00e4sion,nv,1\n")
    assert len(data.read(tmp_path)) == 1


def test_ids_with_accents_are_one_in_either_form(tmp_path):
    save_pictures(tmp_path, ["a", "b", "e\u0301"])
    rows = ["a,nv,M\u00fcller,\u00e9", "b,nv,Mu\u0308ller,e\u0301", "e\u0301,nv,x,y"]
    (tmp_path / "t.csv").write_text("\n".join(["image,dx,lesion_id,patient_id", *rows]), encoding="utf-8")
    table = data.read(tmp_path).table
    assert table["image_id"].tolist() == ["a", "b", "\u00e9"]
    assert table["lesion_id"].nunique() == table["patient_id"].nunique() == 2  # else a split would leak


def test_numbers_that_became_decimals_are_the_same_ids(tmp_path):
    save_pictures(tmp_path, list("abc"))
    (tmp_path / "t.csv").write_text("image,dx,lesion_id,patient_id\na,nv,12.0,3\nb,nv,12,3.0\nc,nv,L1.0,4.5\n")
    table = data.read(tmp_path).table
    assert table["lesion_id"].tolist() == ["12", "12", "L1.0"]
    assert table["patient_id"].tolist() == ["3", "3", "4.5"]


@pytest.mark.parametrize("again", ["ISIC_0032634", "ISIC_0032634.JPG", "sub/ISIC_0032634.jpg"])
def test_one_image_in_another_spelling_leaves_all_ids_as_they_are(tmp_path, again):
    pair = ["ISIC_0032634", "ISIC_0033556"]
    save_pictures(tmp_path / "sub", pair)
    (tmp_path / "t.csv").write_text("\n".join(["image,dx", *(f"{name}.jpg,mel" for name in pair), f"{again},mel"]))
    back = data.read(tmp_path)
    assert (back.ids.tolist(), back.known_pairs) == (pair, (tuple(pair),))
    assert back.problem_counts("dropped") == {"duplicate row": 1}


def test_published_duplicates_are_known_in_any_layout(tmp_path):
    pair = ["ISIC_0032634", "ISIC_0033556"]
    save_pictures(tmp_path, pair)
    (tmp_path / "t.csv").write_text("filename,diagnosis\n" + "".join(f"{name}.jpg,mel\n" for name in pair))
    assert data.read(tmp_path).known_pairs == (tuple(pair),)
    save_pictures(tmp_path / "classes" / "mel", pair[:1])
    save_pictures(tmp_path / "classes" / "nv", pair[1:])
    assert data.read(tmp_path / "classes").known_pairs == (tuple(pair),)

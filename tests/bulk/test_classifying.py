"""Each input has one row, whatever the source's form, and a run that was stopped continues."""

import hashlib
import io
import json
import os
import sys
import tarfile
import zipfile

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from lentigo import bulk
from lentigo.errors import BundleError, DataError, ImageError, OutputError
from lentigo.runtime import Classifier, classify_files
from lentigo.runtime.bundle import Bundle
from lentigo.runtime.rendering import flat
from tests.bulk.conftest import PICTURES, rows, write_tar

IDS = sorted(["broken.jpg", *(f"second/{n}" if int(n[7:9]) > 4 else n for n in PICTURES)])


def same(found):
    """Rows less what names the place of the image."""
    return [{k: v for k, v in row.items() if k not in ("error", "image_id", "source")} for row in found]


@pytest.fixture
def classify(model):
    def run(source, out, **options):
        return bulk.classify(source, out, **{"model": model, "images_per_part": 3, "progress": False} | options)

    return run


def test_each_image_has_one_row_and_its_hash(folder, clean):
    assert [row["image_id"] for row in clean] == IDS
    for row in clean:
        assert row["content_sha256"] == hashlib.sha256((folder / row["image_id"]).read_bytes()).hexdigest()
        assert row["source"] == str(folder / row["image_id"])


def test_verdicts_are_those_of_classify(folder, clean, model):
    for row, result in zip(clean, classify_files(folder, model=model, progress=False), strict=True):
        expected = {k: v for k, v in flat(result).items() if k not in ("ood_score", "error")}
        assert {k: row[k] for k in expected} == expected
        assert (row["error"] is None) == (flat(result)["error"] is None)


def test_maps_are_those_of_the_most_probable_diagnosis(folder, clean, model):
    classifier = Classifier.load(model)
    for row in clean:
        if not row["gradable"]:
            assert row["map"] is None
            continue
        expected = classifier.classify(folder / row["image_id"]).evidence()
        np.testing.assert_allclose(row["map"], expected, rtol=1e-4, atol=1e-5)
    assert any(row["map"] for row in clean)


def test_the_account_counts_every_input(folder, tmp_path, classify):
    found = classify(folder, tmp_path / "out")
    assert (found.rows, found.parts, found.finished, found.new_rows) == (8, 3, 3, 8)
    assert found.gradable + found.not_gradable + found.failed == 8
    assert found.failures == {"unreadable image": 1}
    assert ".csv 1" in found.text and "1 hidden" in found.text
    assert json.loads((tmp_path / "out" / "_summary.json").read_text())["rows"] == 8


def test_every_form_of_source_gives_the_same_rows(folder, clean, tmp_path, classify):
    contents = {name: (folder / name).read_bytes() for name in IDS}
    (tmp_path / "list.txt").write_text("\n".join(str(folder / name) for name in IDS) + "\n\n")
    (tmp_path / "list.csv").write_text("image,age\n" + "".join(f"{folder / name},50\n" for name in IDS))
    write_tar(tmp_path / "shard.tar", contents | {"a.json": b"{}"})
    write_tar(tmp_path / "shard.tar.gz", contents, "w:gz")
    write_tar(tmp_path / "shard.tar.xz", contents, "w:xz")
    plain = pa.table({"image_id": IDS, "image": list(contents.values())})
    parquet.write_table(plain, tmp_path / "table.parquet", row_group_size=5)
    nested = pa.table({"image": [{"bytes": content, "path": name} for name, content in contents.items()]})
    parquet.write_table(nested, tmp_path / "nested.parquet")
    parquet.write_table(pa.table({"path": [str(folder / n) for n in IDS]}), tmp_path / "names.parquet")
    for source in [*map(str, tmp_path.glob("*.*")), f"{folder}/**/*.jpg"]:
        out = tmp_path / "out" / source.rpartition("/")[2].replace("*", "all")
        classify(source, out, maps=True)
        assert len({row["image_id"] for row in rows(out)}) == len(IDS), source
        assert same(rows(out)) == same(clean), source


def test_ids_of_a_table_are_its_own(folder, tmp_path, classify):
    table = pa.table({"id": [7, 8], "image": [PICTURES["lesion-00.jpg"], None]})
    parquet.write_table(table, tmp_path / "t.parquet")
    classify(tmp_path / "t.parquet", tmp_path / "out")
    assert [(r["image_id"], r["error_kind"]) for r in rows(tmp_path / "out")] == [
        ("7", None),
        ("8", "unreadable image"),
    ]


def test_a_folder_may_hold_shards_tables_and_images(tmp_path, classify):
    mixed = tmp_path / "mixed"
    mixed.mkdir()
    contents = list(PICTURES.items())
    (mixed / contents[0][0]).write_bytes(contents[0][1])
    write_tar(mixed / "b.tar", dict(contents[1:3]))
    parquet.write_table(pa.table({"image": [contents[3][1]]}), mixed / "c.parquet")
    classify(mixed, tmp_path / "out")
    assert [r["image_id"] for r in rows(tmp_path / "out")] == [
        "b.tar/lesion-01.jpg",
        "b.tar/lesion-02.jpg",
        "c.parquet/0",
        "lesion-00.jpg",
    ]


def test_a_name_that_stands_twice_in_a_shard_is_two_inputs(tmp_path, classify):
    with tarfile.open(tmp_path / "s.tar", "w") as archive:
        for name in ("same.jpg", "same.jpg", "same.jpg (2)"):
            header = tarfile.TarInfo(name)
            header.size = len(PICTURES["lesion-00.jpg"])
            archive.addfile(header, io.BytesIO(PICTURES["lesion-00.jpg"]))
    assert classify(tmp_path / "s.tar", tmp_path / "out").rows == 3
    assert [r["image_id"] for r in rows(tmp_path / "out")] == [
        "s.tar/same.jpg",
        "s.tar/same.jpg (2)",
        "s.tar/same.jpg (2) (2)",
    ]


def test_a_finished_part_is_never_done_again(folder, tmp_path, monkeypatch, classify):
    out = tmp_path / "out"
    classify(folder, out)
    (out / "part-000001.parquet").unlink()
    before = {p.name: p.stat().st_mtime_ns for p in out.glob("part-*")}
    asked = []
    real = Classifier.classify
    monkeypatch.setattr(Classifier, "classify", lambda self, source, **o: asked.append(1) or real(self, source, **o))
    found = classify(folder, out)
    assert len(asked) == 3
    assert (found.rows, found.new_rows, found.done_before) == (8, 3, 2)
    assert {p.name: p.stat().st_mtime_ns for p in out.glob("part-*") if p.name in before} == before
    assert classify(folder, out).text.count("Nothing was left to do") == 1
    assert len(asked) == 3


@pytest.mark.parametrize(
    ("changed", "named"),
    [({"maps": True}, "maps"), ({"images_per_part": 2}, "images_per_part"), ({"prevalence": "even"}, "prevalence")],
    ids=["maps", "part size", "prevalence"],
)
def test_other_arguments_in_one_folder_are_refused_by_name(folder, tmp_path, changed, named, classify):
    if named == "prevalence":
        changed = {"prevalence": dict.fromkeys(Classifier.load().labels.classes, 1)}
    classify(folder, tmp_path / "out")
    with pytest.raises(OutputError, match=named):
        classify(folder, tmp_path / "out", **changed)


def test_another_model_or_source_in_one_folder_is_refused_by_name(folder, tmp_path, classify):
    classify(folder / "second", tmp_path / "out")
    with pytest.raises(OutputError, match="begun with model_sha256"):
        classify(folder / "second", tmp_path / "out", model="lentigo-s")
    with pytest.raises(OutputError, match="begun with sources"):
        classify(folder, tmp_path / "out")


def test_a_folder_of_something_else_is_left_alone(folder, tmp_path, classify):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(OutputError, match="contains other files"):
        classify(folder, tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["notes.txt"]


@pytest.mark.parametrize("out", [".", "second/out", ".."])
def test_results_never_go_among_the_images(folder, out, classify):
    with pytest.raises(OutputError, match="among the inputs"):
        classify(folder, folder / out)


def test_two_runs_at_once_are_refused(folder, tmp_path, classify):
    from filelock import FileLock

    (tmp_path / "out").mkdir()
    with FileLock(tmp_path / "out" / ".lock"), pytest.raises(OutputError, match="another run"):
        classify(folder, tmp_path / "out")


def test_what_came_later_is_said(folder, tmp_path, classify):
    source = tmp_path / "in"
    source.mkdir()
    (source / "a.jpg").write_bytes(PICTURES["lesion-00.jpg"])
    classify(source, tmp_path / "out")
    (source / "b.jpg").write_bytes(PICTURES["lesion-01.jpg"])
    assert "1 inputs that came after" in classify(source, tmp_path / "out").text


def test_rows_that_a_table_got_later_are_said(tmp_path, classify):
    contents = list(PICTURES.values())
    parquet.write_table(pa.table({"image": contents[:1]}), tmp_path / "t.parquet")
    classify(tmp_path / "t.parquet", tmp_path / "out")
    parquet.write_table(pa.table({"image": contents[:2]}), tmp_path / "t.parquet", row_group_size=1)
    assert "1 inputs that came after" in classify(tmp_path / "t.parquet", tmp_path / "out").text


@pytest.mark.parametrize(
    ("text", "error", "words"),
    [
        ("", ImageError, "no images"),
        ("image,path\na.jpg,b.jpg\n", DataError, "image, path"),
        ("age\n5\n", DataError, "no column"),
        ("image\n \n", DataError, "line 2"),
    ],
)
def test_a_manifest_that_cant_be_understood_is_refused(tmp_path, text, error, words, classify):
    (tmp_path / "m.csv").write_text(text or "image\n")
    with pytest.raises(error, match=words):
        classify(tmp_path / "m.csv", tmp_path / "out")


def test_an_image_that_is_named_twice_is_classified_once_and_said(folder, tmp_path, classify):
    (tmp_path / "m.txt").write_text(f"{folder}/lesion-00.jpg\n{folder}/lesion-00.jpg\n")
    found = classify(tmp_path / "m.txt", tmp_path / "out")
    assert found.rows == 1
    assert "classified once: 1" in found.text


def test_spellings_of_one_path_are_one_input(folder, tmp_path, classify):
    for name in ("a.jpg", "b\u2028c.jpg"):  # U+2028 ends a line for some
        (tmp_path / name).write_bytes(PICTURES["lesion-00.jpg"])
    (tmp_path / "m.txt").write_text(
        f"a.jpg\r\n./a.jpg\n../{tmp_path.name}/a.jpg\nfile://{tmp_path}/a.jpg\nb\u2028c.jpg"
    )
    found = classify(tmp_path / "m.txt", tmp_path / "out")
    assert (found.rows, found.failed) == (2, 0)
    assert "classified once: 3" in found.text


def test_a_pattern_follows_cyclic_links_once(tmp_path, classify):
    (tmp_path / "in" / "a").mkdir(parents=True)
    (tmp_path / "in" / "a" / "x.jpg").write_bytes(PICTURES["lesion-00.jpg"])
    (tmp_path / "in" / "a" / "back").symlink_to(tmp_path / "in")
    found = classify(tmp_path / "in" / "**" / "*.jpg", tmp_path / "out")
    assert [row["image_id"] for row in rows(tmp_path / "out")] == ["a/x.jpg"]
    assert "linked again" in found.text


def test_what_a_pattern_matches_and_can_not_be_read_is_named(tmp_path, classify):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "x.jpg").write_bytes(PICTURES["lesion-00.jpg"])
    (tmp_path / "in" / "gone.jpg").symlink_to("nowhere")
    os.mkfifo(tmp_path / "in" / "pipe.jpg")
    found = classify(tmp_path / "in" / "*.jpg", tmp_path / "out")
    assert [row["image_id"] for row in rows(tmp_path / "out")] == ["x.jpg"]
    assert "gone.jpg (broken link: its target does not exist)" in found.text
    assert "pipe.jpg (special file: not a regular file)" in found.text


def test_a_path_with_two_colons_is_a_path(tmp_path, classify):
    source, out = tmp_path / "in::1", tmp_path / "out::1"
    source.mkdir()
    write_tar(source / "s.tar", {"a.jpg": PICTURES["lesion-00.jpg"]})
    assert classify(source / "s.tar", out).failed == 0
    assert classify(source / "s.tar", out).done_before == 1
    (tmp_path / "other::1").mkdir()
    (tmp_path / "other::1" / "notes").write_text("mine")
    with pytest.raises(OutputError, match="contains other files"):
        classify(source, tmp_path / "other::1")


def test_files_in_an_archive_that_fsspec_opens_have_their_address(tmp_path, classify):
    with zipfile.ZipFile(tmp_path / "z.zip", "w") as archive:
        archive.writestr("d/a.jpg", PICTURES["lesion-00.jpg"])
    for i, source in enumerate([f"zip://d::{tmp_path}/z.zip", f"zip://d/*::{tmp_path}/z.zip"]):
        classify(source, tmp_path / f"out{i}")
        assert [(r["source"], r["error"]) for r in rows(tmp_path / f"out{i}")] == [
            (f"zip://d/a.jpg::{tmp_path}/z.zip", None)
        ]


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_ids_of_a_manifest_are_its_own(folder, tmp_path, form, classify):
    paths = [str(folder / "lesion-00.jpg"), str(folder / "lesion-01.jpg")]
    manifest = tmp_path / f"m.{form}"
    if form == "csv":
        manifest.write_text("image_id,path\n" + "".join(f"id-{i},{path}\n" for i, path in enumerate(paths)))
    else:
        parquet.write_table(pa.table({"image_id": ["id-0", "id-1"], "path": paths}), manifest)
    classify(manifest, tmp_path / "out")
    assert [(r["image_id"], r["source"]) for r in rows(tmp_path / "out")] == [("id-0", paths[0]), ("id-1", paths[1])]


@pytest.mark.parametrize("address", ["foo://a/b.jpg", "gs://a/b.jpg"])
def test_an_address_that_nothing_can_read_is_refused_before_anything_is_classified(
    folder, tmp_path, monkeypatch, address, classify
):
    monkeypatch.setitem(sys.modules, "gcsfs", None)
    (tmp_path / "m.txt").write_text(f"{folder}/lesion-00.jpg\n{address}\n")
    with pytest.raises(DataError, match=f"{address}: (not an address|a package is missing)"):
        classify(tmp_path / "m.txt", tmp_path / "out")
    assert not list((tmp_path / "out").glob("_*"))


def test_results_that_are_a_file_are_refused(folder, tmp_path, classify):
    (tmp_path / "out").write_text("mine")
    with pytest.raises(OutputError, match="not a directory"):
        classify(folder, tmp_path / "out")


def test_results_never_go_among_the_images_through_a_link(folder, tmp_path, classify):
    (tmp_path / "link").symlink_to(folder)
    with pytest.raises(OutputError, match="among the inputs"):
        classify(tmp_path / "link", folder / "out")


def test_maps_of_a_model_without_are_refused(folder, tmp_path, monkeypatch, classify):
    monkeypatch.setattr(Bundle, "has_maps", False)
    with pytest.raises(BundleError, match="no class-activation maps"):
        classify(folder, tmp_path / "out", maps=True)
    assert not (tmp_path / "out").exists()


def test_what_has_no_row_is_said_by_every_run(folder, tmp_path, classify):
    classify(folder, tmp_path / "out")
    assert ".csv 1" in classify(folder, tmp_path / "out").text


def test_two_images_of_one_id_are_refused(folder, tmp_path, classify):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x.jpg").write_bytes(PICTURES["lesion-00.jpg"])
    with pytest.raises(DataError, match="Two inputs have the id"):
        classify([tmp_path / "a", tmp_path / "b"], tmp_path / "out")


def test_a_name_of_any_bytes_is_read(tmp_path, classify):
    import os

    (tmp_path / "in").mkdir()
    path = os.fsencode(tmp_path / "in") + b"/caf\xe9.jpg"
    try:
        with open(path, "wb") as file:  # noqa: PTH123
            file.write(PICTURES["lesion-00.jpg"])
    except OSError:
        pytest.skip("this file system has names in UTF-8 only")
    assert classify(tmp_path / "in", tmp_path / "out").failed == 0
    assert rows(tmp_path / "out")[0]["image_id"] == "caf\\udce9.jpg"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"engine": "dask"}, "No engine"),
        ({"address": "auto"}, "address"),
        ({"workers": 0}, "workers"),
        ({"images_per_part": 0}, "part"),
    ],
)
def test_arguments_that_mean_nothing_are_refused(folder, tmp_path, options, words, classify):
    with pytest.raises(DataError, match=words):
        classify(folder, tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()

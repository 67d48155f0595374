"""A packed data set is the same to splits and groups, fits its limit, and is never taken for another."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lentigo import data
from lentigo.data.pixels import to_square
from lentigo.errors import DataError, ImageError, OutputError


@pytest.fixture(scope="module")
def packed(synthetic_records, tmp_path_factory):
    path = tmp_path_factory.mktemp("packed") / "small.parquet"
    data.pack(synthetic_records, path, size=48, megabytes=2)
    return path


def test_everything_but_the_pixels_comes_back(packed, synthetic_records):
    back = data.read(packed)
    columns = [c for c in data.COLUMNS if c != "path"]
    pd.testing.assert_frame_equal(back.table[columns], synthetic_records.table[columns])
    assert (back.licence, back.citation) == (synthetic_records.licence, synthetic_records.citation)
    assert back.label_set == synthetic_records.label_set
    assert back.known_pairs == synthetic_records.known_pairs
    assert back.name == f"{synthetic_records.name}, packed at 48 px"
    assert back.problems == ()
    assert data.split(back).hash == data.split(synthetic_records).hash


def test_the_pictures_are_almost_the_same(packed, synthetic_records):
    ours, theirs = (data.load_pixels(r, 48).array.astype(int) for r in (data.read(packed), synthetic_records))
    assert np.abs(ours - theirs).mean() < 4


def test_a_saved_split_of_the_original_fits(packed, synthetic_records, tmp_path):
    data.split(synthetic_records, fold=2).save(tmp_path / "split.csv")
    assert data.load_split(tmp_path / "split.csv", data.read(packed)).fold == 2


def test_the_quality_follows_from_the_limit(synthetic_records, tmp_path):
    some = synthetic_records.take(synthetic_records.ids[:40])
    large = data.pack(some, tmp_path / "large.parquet", size=64, megabytes=1)
    small = data.pack(some, tmp_path / "small.parquet", size=64, megabytes=0.07)
    assert "quality 97" in large
    assert "quality 97" not in small
    assert (tmp_path / "small.parquet").stat().st_size <= 70_000
    with pytest.raises(DataError, match="don't fit into"):
        data.pack(some, tmp_path / "none.parquet", size=64, megabytes=0.01)
    assert not (tmp_path / "none.parquet").exists()


def test_images_are_never_enlarged(synthetic_records, tmp_path):
    some = synthetic_records.take(synthetic_records.ids[:3])
    data.pack(some, tmp_path / "p.parquet", size=4000)
    back = data.read(tmp_path / "p.parquet")
    original = some.decode(some.table["path"].iloc[0])
    side = min(original.shape[:2])
    assert back.decode(back.table["path"].iloc[0]).shape == (side, side, 3)
    assert np.abs(back.decode(back.table["path"].iloc[0]).astype(int) - to_square(original, side)).mean() < 4


def test_unreadable_images_are_left_out_and_named(synthetic_records, tmp_path, capsys):
    some = synthetic_records.take(synthetic_records.ids[:3])
    some.table.loc[1, "path"] = str(tmp_path / "absent.jpg")
    assert "2 images" in data.pack(some, tmp_path / "p.parquet", size=32)
    assert f"{some.ids[1]} is left out" in capsys.readouterr().err
    assert data.read(tmp_path / "p.parquet").ids.tolist() == some.ids[[0, 2]].tolist()


def test_nothing_is_overwritten(packed, synthetic_records):
    before = packed.read_bytes()
    with pytest.raises(OutputError, match="already exists"):
        data.pack(synthetic_records, packed)
    with pytest.raises(OutputError, match="one of the inputs"):
        data.pack(data.read(packed), packed, overwrite=True)
    with pytest.raises(OutputError, match="must end in"):
        data.pack(synthetic_records, packed.with_suffix(".zip"))
    assert packed.read_bytes() == before


def test_damage_is_found(packed, tmp_path):
    content = packed.read_bytes()
    cut = tmp_path / "cut.parquet"
    cut.write_bytes(content[: len(content) // 2])
    with pytest.raises(DataError, match="no known data set layout"):
        data.read(cut)
    flipped = tmp_path / "flipped.parquet"
    middle = len(content) // 2
    flipped.write_bytes(content[:middle] + bytes([content[middle] ^ 255]) + content[middle + 1 :])
    with pytest.raises((DataError, ImageError), match="damaged"):
        records = data.read(flipped)
        for path in records.table["path"]:
            records.decode(path)


def test_a_newer_format_and_another_table_are_refused(packed, tmp_path):
    table = pq.read_table(packed)
    meta = dict(table.schema.metadata)
    meta[b"lentigo.pack"] = meta[b"lentigo.pack"].replace(b'"format":1', b'"format":2')
    pq.write_table(table.replace_schema_metadata(meta), tmp_path / "newer.parquet")
    with pytest.raises(DataError, match="not a packed data set"):
        data.read(tmp_path / "newer.parquet")
    pq.write_table(pa.table({"a": [1]}), tmp_path / "other.parquet")
    with pytest.raises(DataError, match="no known data set layout"):
        data.read(tmp_path / "other.parquet")


def test_the_command_line_packs(synthetic_root, tmp_path, run):
    code, out, err = run("data", "pack", synthetic_root, "--out", tmp_path / "p.parquet", "--size", 32)
    assert code == 0, err
    assert "272 images of at most 32 px" in out

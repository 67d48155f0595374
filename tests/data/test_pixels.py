"""The pixel cache: what comes out, and what survives damage, interruption and bad images."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from lentigo import data
from lentigo.data import pixels as module
from lentigo.data.pixels import load_pixels, to_square
from lentigo.data.records import Records, make_table
from lentigo.errors import DataError


@pytest.fixture
def records(synthetic_root, tmp_path):
    root = tmp_path / "lesions"
    shutil.copytree(synthetic_root, root)
    return data.read(root)


def files(cache):
    (folder,) = cache.iterdir()
    return folder / "pixels.u8", folder / "journal.jsonl"


def test_squares_are_the_scaled_centres_of_the_images(records, tmp_path):
    found = load_pixels(records, 32, cache=tmp_path / "cache")
    image = np.asarray(Image.open(records.table["path"][5]))
    assert np.array_equal(found.array[5], to_square(image, 32))
    assert found.array.shape == (len(records), 32, 32, 3)
    assert found.problems == ()


def test_the_central_square_is_cut_from_either_orientation():
    image = np.zeros((10, 30, 3), np.uint8)
    image[:, 10:20] = 200
    assert (to_square(image, 8) == 200).all()
    assert (to_square(image.transpose(1, 0, 2), 8) == 200).all()


def test_parts_are_given_in_their_order(records, tmp_path):
    found = load_pixels(records, 16, cache=tmp_path / "cache")
    part = records.take(records.ids[[7, 2, 9]])
    assert np.array_equal(found.of(part), found.array[[7, 2, 9]])


def test_a_second_call_decodes_nothing(records, tmp_path, monkeypatch):
    first = np.array(load_pixels(records, 16, cache=tmp_path / "cache").array)
    monkeypatch.setattr(module, "_decode_block", lambda *_: pytest.fail("decoded again"))
    assert np.array_equal(load_pixels(records, 16, cache=tmp_path / "cache").array, first)


def test_a_changed_image_makes_another_cache(records, tmp_path):
    load_pixels(records, 16, cache=tmp_path / "cache")
    Image.new("RGB", (200, 150), (9, 99, 199)).save(records.table["path"][0], quality=95)
    again = load_pixels(records, 16, cache=tmp_path / "cache")
    assert np.abs(again.array[0].astype(int) - [9, 99, 199]).max() < 4


class TestOtherImages:
    """A replaced image of the same path, size and time: the cache must return what is there now."""

    @pytest.fixture
    def bitmaps(self, tmp_path):
        """Records of three bitmaps, which have one size whatever they show."""

        def make(folder, *levels):
            folder.mkdir(parents=True, exist_ok=True)
            for i, level in enumerate(levels):
                Image.new("RGB", (40, 40), (level,) * 3).save(folder / f"i{i}.bmp")
                os.utime(folder / f"i{i}.bmp", ns=(10**18, 10**18))
            rows = {"image_id": [f"i{i}" for i in range(len(levels))], "dx": ["nv"] * len(levels)}
            paths = [str(folder / f"i{i}.bmp") for i in range(len(levels))]
            return Records(make_table(pd.DataFrame({**rows, "path": paths})), "made", folder)

        return make

    def levels(self, records, tmp_path):
        return load_pixels(records, 8, cache=tmp_path / "cache").array[:, 0, 0, 0].tolist()

    def test_replaced_with_the_same_size_and_time(self, bitmaps, tmp_path):
        records = bitmaps(tmp_path / "a", 10, 20, 30)
        assert self.levels(records, tmp_path) == [10, 20, 30]
        bitmaps(tmp_path / "a", 10, 99, 30)
        assert self.levels(records, tmp_path) == [10, 99, 30]

    def test_two_folders_of_one_name_in_different_places(self, bitmaps, tmp_path):
        first, second = bitmaps(tmp_path / "x" / "data", 10, 20), bitmaps(tmp_path / "y" / "data", 11, 21)
        assert self.levels(first, tmp_path) == [10, 20]
        assert self.levels(second, tmp_path) == [11, 21]

    def test_another_folder_moved_to_the_place_of_the_first(self, bitmaps, tmp_path):
        records = bitmaps(tmp_path / "a", 10, 20)
        bitmaps(tmp_path / "b", 12, 22)
        assert self.levels(records, tmp_path) == [10, 20]
        (tmp_path / "a").rename(tmp_path / "old")
        (tmp_path / "b").rename(tmp_path / "a")
        assert self.levels(records, tmp_path) == [12, 22]

    def test_two_images_that_change_places(self, bitmaps, tmp_path):
        records = bitmaps(tmp_path / "a", 10, 20)
        assert self.levels(records, tmp_path) == [10, 20]
        for old, new in (("i0", "t"), ("i1", "i0"), ("t", "i1")):
            (tmp_path / "a" / f"{old}.bmp").rename(tmp_path / "a" / f"{new}.bmp")
        assert self.levels(records, tmp_path) == [20, 10]

    def test_a_link_that_is_set_to_another_folder(self, bitmaps, tmp_path):
        bitmaps(tmp_path / "one", 10, 20)
        bitmaps(tmp_path / "two", 13, 23)
        link = tmp_path / "link"
        link.symlink_to(tmp_path / "one", target_is_directory=True)
        paths = [str(link / f"i{i}.bmp") for i in range(2)]
        rows = pd.DataFrame({"image_id": ["i0", "i1"], "dx": ["nv"] * 2, "path": paths})
        records = Records(make_table(rows), "made", link)
        assert self.levels(records, tmp_path) == [10, 20]
        link.unlink()
        link.symlink_to(tmp_path / "two", target_is_directory=True)
        assert self.levels(records, tmp_path) == [13, 23]

    @pytest.mark.parametrize("name", ["patient#1", "a#b#c", "#", "ünï cödé", "new\nline"])
    def test_hashes_and_other_characters_in_folders(self, bitmaps, tmp_path, name):
        records = bitmaps(tmp_path / name, 10, 20)
        assert self.levels(records, tmp_path) == [10, 20]
        bitmaps(tmp_path / name, 14, 24)
        assert self.levels(records, tmp_path) == [14, 24]

    def test_an_array_whose_rows_change_in_a_file_of_the_same_name(self, tmp_path):
        def array(level, path="pix#els.npz"):
            rows = {"image_id": ["r0", "r1"], "malignant": [True, False], "path": [f"{path}#0", f"{path}#1"]}
            pixels = np.full((2, 8, 8, 3), level, np.uint8) + np.array([0, 1], np.uint8)[:, None, None, None]
            return Records(make_table(pd.DataFrame(rows)), "array", tmp_path, pixels=pixels)

        assert self.levels(array(10), tmp_path) == [10, 11]
        assert self.levels(array(15), tmp_path) == [15, 16]

    def test_a_difference_in_the_middle_of_a_large_file(self, bitmaps, tmp_path):
        records = bitmaps(tmp_path / "a", 10, 20)
        pixels = np.zeros((600, 600, 3), np.uint8)
        for level in (50, 60):
            pixels[280:320, 280:320] = level
            Image.fromarray(pixels).save(tmp_path / "a" / "i0.bmp")
            os.utime(tmp_path / "a" / "i0.bmp", ns=(10**18, 10**18))
            assert load_pixels(records, 60, cache=tmp_path / "cache").array[0, 30, 30, 0] == level

    def test_a_name_that_no_folder_can_bear(self, bitmaps, tmp_path):
        records = replace(bitmaps(tmp_path / "a", 10), name="../.." + "x" * 300 + "\0")
        assert self.levels(records, tmp_path) == [10]
        assert len(list((tmp_path / "cache").iterdir())) == 1


def test_what_a_block_says_of_unreadable_images_is_checked_as_well(records, tmp_path):
    """An entry whose list of unreadable images is damaged would let black squares pass for pictures."""
    Path(records.table["path"][3]).write_bytes(b"no image")
    assert len(load_pixels(records, 16, cache=tmp_path / "cache").problems) == 1
    _, journal = files(tmp_path / "cache")
    entries = [json.loads(line) for line in journal.read_text().splitlines()]
    journal.write_text("".join(json.dumps({**entry, "bad": {}}) + "\n" for entry in entries))
    assert len(load_pixels(records, 16, cache=tmp_path / "cache").problems) == 1


STRANGE = (
    '{"start": 0, "crc": 1e400, "bad": {}}',
    '{"start": 1e400, "crc": 1, "bad": {}}',
    '{"start": -5, "crc": 1, "bad": {}}',
    '{"start": 7000, "crc": 1, "bad": {}}',
    "[" * 100_000,
)


def test_the_cache_may_be_named_from_the_home_folder(records, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("LENTIGO_CACHE", "~/kept")
    monkeypatch.chdir(tmp_path)
    assert load_pixels(records, 8).folder.parent == tmp_path / "kept"


@pytest.mark.parametrize(
    "line", ["5", "null", "{}", '{"start": 0}', '{"start": "x", "crc": 1, "bad": {}}', "\udcff", *STRANGE]
)
def test_a_strange_journal_is_passed_over(records, tmp_path, line):
    first = np.array(load_pixels(records, 16, cache=tmp_path / "cache").array)
    _, journal = files(tmp_path / "cache")
    journal.write_bytes(line.encode("utf-8", "surrogateescape") + b"\n")
    assert np.array_equal(load_pixels(records, 16, cache=tmp_path / "cache").array, first)


@pytest.mark.parametrize("harm", ["flip", "truncate", "journal", "zero"])
def test_damage_is_found_and_repaired(records, tmp_path, harm, monkeypatch):
    monkeypatch.setattr(module, "BLOCK", 64)
    first = np.array(load_pixels(records, 16, cache=tmp_path / "cache").array)
    cached, journal = files(tmp_path / "cache")
    if harm == "flip":
        content = bytearray(cached.read_bytes())
        content[12345] ^= 255
        cached.write_bytes(content)
    elif harm == "truncate":
        cached.write_bytes(cached.read_bytes()[:1000])
    elif harm == "zero":
        cached.write_bytes(bytes(cached.stat().st_size))
    else:
        journal.write_text(journal.read_text()[:-20])
    assert np.array_equal(load_pixels(records, 16, cache=tmp_path / "cache").array, first)


def test_an_interrupted_build_goes_on_where_it_was(records, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "BLOCK", 32)
    decode, calls = module._decode_block, []

    def stop_at_third(*arguments):
        calls.append(arguments[1])
        if len(calls) == 3:
            raise KeyboardInterrupt
        return decode(*arguments)

    monkeypatch.setattr(module, "_decode_block", stop_at_third)
    with pytest.raises(KeyboardInterrupt):
        load_pixels(records, 16, cache=tmp_path / "cache")
    calls.append(-1)
    found = load_pixels(records, 16, cache=tmp_path / "cache")
    assert not {0, 32} & set(calls[4:])  # the two finished blocks are not decoded again
    assert found.array[-1].any()


def test_two_processes_can_ask_for_one_cache_at_once(records, tmp_path):
    program = (
        "import sys; from pathlib import Path; from lentigo import data; "
        "data.load_pixels(data.read(sys.argv[1]), 128, cache=Path(sys.argv[2]))"
    )
    command = [sys.executable, "-c", program, str(records.root), str(tmp_path / "cache")]
    workers = [subprocess.Popen(command) for _ in range(2)]
    assert [worker.wait() for worker in workers] == [0, 0]
    _, journal = files(tmp_path / "cache")
    starts = [json.loads(line)["start"] for line in journal.read_text().splitlines()]
    assert starts == list(range(0, len(records), module.BLOCK))  # no block was decoded twice
    alone = load_pixels(records, 128, cache=tmp_path / "alone")
    assert np.array_equal(load_pixels(records, 128, cache=tmp_path / "cache").array, alone.array)


class TestBadImages:
    @pytest.fixture
    def broken(self, records):
        with Path(records.table["path"][3]).open("r+b") as file:
            file.truncate(900)
        return records

    def test_they_are_reported_and_left_out(self, broken, tmp_path):
        found = load_pixels(broken, 16, cache=tmp_path / "cache")
        (problem,) = found.problems
        assert problem.file == broken.ids[3]
        assert broken.table["path"][3] in problem.reason
        assert broken.ids[3] not in found.readable(broken).ids
        assert len(found.readable(broken)) == len(broken) - 1

    def test_they_are_remembered_by_the_cache(self, broken, tmp_path):
        first = load_pixels(broken, 16, cache=tmp_path / "cache")
        assert load_pixels(broken, 16, cache=tmp_path / "cache").problems == first.problems

    def test_other_decoders_try_them_again(self, broken, tmp_path, monkeypatch):
        """A DICOM file that could not be read without an extra stayed unreadable when this was installed."""
        path = Path(broken.table["path"][3])
        load_pixels(broken, 16, cache=tmp_path / "cache")
        monkeypatch.setattr(Records, "decode", lambda self, _: np.full((20, 20, 3), 7, np.uint8))
        assert len(load_pixels(broken, 16, cache=tmp_path / "cache").problems) == 1
        monkeypatch.setattr(module, "_decoders", lambda: "others")
        found = load_pixels(broken, 16, cache=tmp_path / "cache")
        assert found.problems == ()
        assert (found.array[3] == 7).all(), path

    def test_strict_stops(self, broken, tmp_path):
        with pytest.raises(DataError, match=broken.ids[3]):
            load_pixels(broken, 16, cache=tmp_path / "cache", strict=True)


def test_a_full_disk_is_a_clear_error_and_leaves_no_half_written_file(records, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module.os, "posix_fallocate", full)
    with pytest.raises(DataError, match=r"No space left.*LENTIGO_CACHE"):
        load_pixels(records, 16, cache=tmp_path / "cache")
    assert not list((tmp_path / "cache").rglob("pixels.u8"))


def test_a_disk_that_fills_up_in_mid_cache_costs_no_finished_block(records, tmp_path, monkeypatch):
    """File systems that reserve nothing tell only when a block is written."""
    monkeypatch.setattr(module, "BLOCK", 32)
    whole = np.array(load_pixels(records, 16, cache=tmp_path / "whole").array)

    class FullDisk:
        def __init__(self, file):
            self.file, self.left = file, 2

        def __enter__(self):
            return self

        def __exit__(self, *_):
            self.file.close()

        def __getattr__(self, name):
            return getattr(self.file, name)

        def write(self, content):
            if self.left == 0:
                self.file.write(content[: len(content) // 2])
                raise OSError(28, "No space left on device")
            self.left -= 1
            return self.file.write(content)

    opened = Path.open
    with monkeypatch.context() as patch:
        patch.setattr(
            Path,
            "open",
            lambda path, mode="r", **options: (FullDisk if mode == "r+b" else lambda file: file)(
                opened(path, mode, **options)
            ),
        )
        with pytest.raises(DataError, match=r"No space left.*LENTIGO_CACHE.*are kept"):
            load_pixels(records, 16, cache=tmp_path / "cache")
    _, journal = files(tmp_path / "cache")
    assert [json.loads(line)["start"] for line in journal.read_text().splitlines()] == [0, 32]
    decode, calls = module._decode_block, []
    monkeypatch.setattr(module, "_decode_block", lambda *a: calls.append(a[1]) or decode(*a))
    assert np.array_equal(load_pixels(records, 16, cache=tmp_path / "cache").array, whole)
    assert calls == list(range(64, len(records), 32))


def test_an_unwritable_cache_folder_is_a_clear_error(records, tmp_path):
    (tmp_path / "cache").write_text("a file, not a folder")
    with pytest.raises(DataError, match="can't write the pixel cache"):
        load_pixels(records, 16, cache=tmp_path / "cache")

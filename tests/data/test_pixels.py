"""The pixel cache: what comes out, and what survives damage, interruption and bad images."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lentigo import data
from lentigo.data import pixels as module
from lentigo.data.pixels import load_pixels, to_square
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
        with pytest.raises(DataError, match=r"No space left.*LENTIGO_CACHE.*is kept"):
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

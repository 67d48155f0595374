"""Whatever happens, no row is lost, none is there twice, and the account says what happened."""

import errno
import gzip
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from lentigo import atomic, bulk
from lentigo.bulk import reading, storage, watchdog
from lentigo.errors import OutputError
from lentigo.runtime import Classifier
from tests.bulk.conftest import PICTURES, rows, write_tar
from tests.bulk.serving import Server

ROOT = Path(__file__).parents[2]


@pytest.fixture
def classify(model):
    def run(source, out, **options):
        return bulk.classify(source, out, **{"model": model, "images_per_part": 3, "progress": False} | options)

    return run


def three_pictures(place):
    """A folder of three images in another one."""
    source = place / "in"
    source.mkdir()
    for name in list(PICTURES)[:3]:
        (source / name).write_bytes(PICTURES[name])
    return source


def kinds(out):
    """Failures by id."""
    return {row["image_id"]: row["error_kind"] for row in rows(out) if row["error_kind"]}


def test_a_killed_driver_leaves_whole_parts_and_the_next_run_continues(folder, clean, classify, model, tmp_path):
    out = tmp_path / "out"
    script = f"""
import time
from lentigo import bulk
from lentigo.bulk.work import Worker
real, done = Worker.do, []
def do(self, part, **options):
    if len(done) == 2:
        (lambda: time.sleep(60))()
    done.append(real(self, part, **options))
    return done[-1]
Worker.do = do
bulk.classify({str(folder)!r}, {str(out)!r}, model={str(model)!r}, images_per_part=3, maps=True, workers=1)
"""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT / "src"), os.environ.get("PYTHONPATH", "")])}
    process = subprocess.Popen([sys.executable, "-c", script], env=environment)
    try:
        while len(list(out.glob("part-*.parquet"))) < 2:
            assert process.poll() is None
            time.sleep(0.05)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    found = classify(folder, out, maps=True)
    assert (found.done_before, found.new_rows) == (2, 2)
    assert rows(out) == clean


def test_an_image_that_kills_its_worker_costs_only_itself(classify, monkeypatch, tmp_path):
    """A death is whatever no handler sees; the mark of the part tells the next attempt."""
    source = three_pictures(tmp_path)
    real = Classifier.classify

    def deadly(self, image, **options):
        if image.name.endswith("lesion-01.jpg"):
            raise SystemExit
        return real(self, image, **options)

    monkeypatch.setattr(Classifier, "classify", deadly)
    for _ in range(3):
        with pytest.raises(SystemExit):
            classify(source, tmp_path / "out")
    found = classify(source, tmp_path / "out")
    assert (found.rows, found.failures) == (3, {"worker lost": 1})
    monkeypatch.undo()
    again = classify(source, tmp_path / "out")
    assert (again.rows, again.failures) == (3, {})


def test_a_file_that_kills_whoever_reads_it_costs_only_itself(classify, monkeypatch, tmp_path):
    source = three_pictures(tmp_path)
    real = storage.read

    def deadly(address):
        if address.endswith("lesion-01.jpg"):
            raise SystemExit
        return real(address)

    monkeypatch.setattr(storage, "read", deadly)
    for _ in range(3):
        with pytest.raises(SystemExit):
            classify(source, tmp_path / "out")
    assert classify(source, tmp_path / "out").rows == 3
    assert kinds(tmp_path / "out") == {"lesion-01.jpg": "worker lost"}
    monkeypatch.undo()
    assert classify(source, tmp_path / "out").failures == {}


def test_a_shard_that_kills_whoever_reads_on_keeps_what_came_before(classify, monkeypatch, tmp_path):
    source = write_tar(tmp_path / "s.tar", {name: PICTURES[name] for name in list(PICTURES)[:3]})
    real = reading.members

    def deadly(file, others):
        yield next(real(file, others))
        raise SystemExit

    monkeypatch.setattr(reading, "members", deadly)
    for _ in range(4):
        with pytest.raises(SystemExit):
            classify(source, tmp_path / "out")
    assert classify(source, tmp_path / "out").rows == 2
    assert kinds(tmp_path / "out") == {"s.tar": "worker lost"}
    monkeypatch.undo()
    again = classify(source, tmp_path / "out")
    assert (again.rows, again.failures) == (3, {})


def test_a_process_that_stands_still_is_killed():
    """By a process of its own, since all threads of it may be stopped."""
    script = f"""
import runpy, time
watchdog = runpy.run_path({watchdog.__file__!r})["Watchdog"](1.0)
with watchdog.busy():
    time.sleep(600)
"""
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == -signal.SIGKILL


def test_a_full_disk_stops_the_run_and_the_next_continues(folder, clean, classify, monkeypatch, tmp_path):
    out, real, written = tmp_path / "out", atomic.write_bytes, []

    def full(path, content):
        if "part-" in Path(path).name and Path(path).suffix == ".parquet" and len(written) >= 1:
            raise OutputError.of(path, OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
        written.extend([path] if Path(path).suffix == ".parquet" and "part-" in Path(path).name else [])
        return real(path, content)

    monkeypatch.setattr(storage, "write_bytes", full)
    with pytest.raises(OutputError, match=r"no space left.*1 of 3 parts are finished"):
        classify(folder, out, maps=True, workers=1)
    monkeypatch.undo()
    found = classify(folder, out, maps=True)
    assert found.done_before == 1
    assert rows(out) == clean


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 100 kB."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=100k", "tmpfs", place], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("no permission to mount a small disk")
    yield place
    subprocess.run(["umount", "-l", place], check=False)


def test_a_disk_that_is_really_full(folder, clean, classify, small_disk):
    out = small_disk / "out"
    filler = small_disk / "filler"
    filler.write_bytes(bytes(56_000))
    with pytest.raises(OutputError, match="no space left"):
        classify(folder, out, maps=True, workers=1)
    assert not list(out.glob(".*partial"))
    filler.unlink()
    classify(folder, out, maps=True)
    assert rows(out) == clean


def test_a_file_that_disappears_after_listing_is_a_row_and_is_tried_again(classify, monkeypatch, tmp_path):
    source = three_pictures(tmp_path)
    real = storage.read

    def late(address):
        (source / "lesion-01.jpg").unlink(missing_ok=True)
        return real(address)

    monkeypatch.setattr(storage, "read", late)
    found = classify(source, tmp_path / "out", workers=1)
    assert (found.rows, found.failures) == (3, {"missing": 1})
    assert "no such file" in next(row["error"] for row in rows(tmp_path / "out") if row["error"])
    monkeypatch.undo()
    assert classify(source, tmp_path / "out").failures == {"missing": 1}
    (source / "lesion-01.jpg").write_bytes(PICTURES["lesion-01.jpg"])
    asked = []
    classifying = Classifier.classify
    monkeypatch.setattr(Classifier, "classify", lambda self, s, **o: asked.append(s.name) or classifying(self, s, **o))
    again = classify(source, tmp_path / "out")
    assert (again.rows, again.failures) == (3, {})
    assert [Path(name).name for name in asked] == ["lesion-01.jpg"]
    assert [row["image_id"] for row in rows(tmp_path / "out")] == list(PICTURES)[:3]


def test_a_shard_that_disappears_after_listing_is_a_row_and_is_tried_again(classify, monkeypatch, tmp_path):
    source = tmp_path / "in"
    source.mkdir()
    for i in range(2):
        write_tar(source / f"{i}.tar", {"a.jpg": PICTURES[f"lesion-0{i}.jpg"]})
    content = (source / "1.tar").read_bytes()
    real = storage.identity
    monkeypatch.setattr(
        storage, "identity", lambda address: (source / "1.tar").unlink(missing_ok=True) or real(address)
    )
    found = classify(source, tmp_path / "out", workers=1)
    assert (found.rows, kinds(tmp_path / "out")) == (2, {"1.tar": "missing"})
    monkeypatch.undo()
    (source / "1.tar").write_bytes(content)
    assert classify(source, tmp_path / "out").failures == {}
    assert [row["image_id"] for row in rows(tmp_path / "out")] == ["0.tar/a.jpg", "1.tar/a.jpg"]


def cut(content: bytes) -> dict[str, bytes]:
    """Damage of each kind to a shard of three images."""
    member = 512 + -(-len(PICTURES["lesion-00.jpg"]) // 512) * 512
    flipped = bytearray(content)
    flipped[member + 10] ^= 255  # in the second header
    packed = bytearray(gzip.compress(content))
    packed[len(packed) // 2] ^= 255
    return {
        "in an image": content[: member + 700],
        "between images": content[:member],
        "in a header": content[: member + 100],
        "a damaged header": bytes(flipped),
        "packed and cut": gzip.compress(content)[: -len(content) // 3],
        "packed and damaged": bytes(packed),
        "two in one": content * 2,
        "not a tar archive": b"no archive" * 1000,
        "empty": b"",
    }


def test_a_corrupt_shard_keeps_its_whole_images_and_says_so(classify, tmp_path):
    members = {name: PICTURES[name] for name in list(PICTURES)[:3]}
    whole = write_tar(tmp_path / "whole.tar", members).read_bytes()
    source = tmp_path / "in"
    source.mkdir()
    damaged = cut(whole)
    for name, content in damaged.items():
        (source / f"{name}.tar").write_bytes(content)
    found = classify(source, tmp_path / "out")
    assert found.finished == len(damaged)
    for name in damaged:
        mine = [row for row in rows(tmp_path / "out") if row["image_id"].startswith(f"{name}.tar")]
        assert mine[-1]["image_id"] == f"{name}.tar", name
        assert mine[-1]["error_kind"] == "unreadable shard", name
        assert all(row["content_sha256"] is None for row in mine if row["error_kind"]), name
        if "packed" in name:
            assert all(row["error_kind"] for row in mine), name  # its checksum comes last
        elif name not in ("not a tar archive", "empty"):
            assert mine[0]["error_kind"] is None, name
    before = {p.name: p.stat().st_mtime_ns for p in (tmp_path / "out").glob("part-*")}
    assert classify(source, tmp_path / "out").new_rows == 0  # they have not changed
    assert {p.name: p.stat().st_mtime_ns for p in (tmp_path / "out").glob("part-*")} == before
    (source / "between images.tar").write_bytes(whole)
    again = classify(source, tmp_path / "out")
    assert again.new_rows == 3
    assert "between images.tar" not in kinds(tmp_path / "out")


def test_a_shard_without_an_image_is_not_silent(classify, tmp_path):
    write_tar(tmp_path / "s.tar", {"a.json": b"{}", "._a.jpg": b"apple"})
    found = classify(tmp_path / "s.tar", tmp_path / "out")
    assert kinds(tmp_path / "out") == {"s.tar": "unreadable shard"}
    assert found.others == {".json": 1, ".jpg": 1}


def test_a_corrupt_table_has_a_row_for_each_of_its_rows(classify, monkeypatch, tmp_path):
    source = tmp_path / "t.parquet"
    parquet.write_table(pa.table({"image": list(PICTURES.values())}), source, compression="none", use_dictionary=False)
    content = bytearray(source.read_bytes())
    whole = bytes(content)
    real = storage.identity

    def damage(address):
        content[4:400] = bytes(396)  # the first page
        source.write_bytes(content)
        return real(address)

    monkeypatch.setattr(storage, "identity", damage)
    found = classify(source, tmp_path / "out")
    assert (found.rows, found.failures) == (7, {"unreadable shard": 7})
    monkeypatch.undo()
    source.write_bytes(whole + b"")
    os.utime(source, (1, 1))
    assert classify(source, tmp_path / "out").failures == {}
    cropped = tmp_path / "cut.parquet"
    cropped.write_bytes(whole[:-5])
    assert classify(cropped, tmp_path / "cut").failures == {"unreadable shard": 1}


def test_a_table_whose_ids_are_damaged_has_no_row_twice(classify, tmp_path):
    source = tmp_path / "t.parquet"
    table = pa.table({"image_id": ["x" * 99, "y" * 99], "image": list(PICTURES.values())[:2]})
    parquet.write_table(
        table, source, row_group_size=1, compression="none", use_dictionary=False, write_statistics=False
    )
    content = bytearray(source.read_bytes())
    start = content.index(b"y" * 99)
    content[start - 24 : start] = bytes(24)  # the header of the page with the second id
    source.write_bytes(content)
    found = classify(source, tmp_path / "out")
    assert [row["image_id"] for row in rows(tmp_path / "out")] == ["x" * 99, "t.parquet"]
    assert found.failures == {"unreadable shard": 1}


def test_a_store_that_answers_503_gives_rows_that_the_next_run_completes(classify, tmp_path):
    with Server(PICTURES, lambda name, times: 503 if name == "lesion-03.jpg" else None).running() as server:
        source = server.manifest(tmp_path / "list.txt")
        found = classify(source, tmp_path / "out")
        assert (found.rows, found.failures) == (7, {"unreachable": 1})
        server.hook = lambda name, times: None
        before = dict(server.asked)
        assert classify(source, tmp_path / "out").failures == {}
        assert {name for name in server.asked if server.asked[name] != before[name]} == {"lesion-03.jpg"}
    assert len({row["image_id"] for row in rows(tmp_path / "out")}) == len(rows(tmp_path / "out")) == 7


def test_a_damaged_file_of_results_is_made_again(folder, clean, classify, tmp_path):
    out = tmp_path / "out"
    classify(folder, out, maps=True)
    part = out / "part-000001.parquet"
    part.write_bytes(part.read_bytes()[:100])
    classify(folder, out, maps=True)
    assert rows(out) == clean


def test_a_damaged_plan_is_refused(folder, classify, tmp_path):
    classify(folder, tmp_path / "out")
    plan = tmp_path / "out" / "_plan.json"
    plan.write_text(plan.read_text().replace('"maps": false', '"maps": true'))
    with pytest.raises(OutputError, match="plan is damaged"):
        classify(folder, tmp_path / "out", maps=True)

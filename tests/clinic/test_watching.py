"""A watched folder and the DICOM listener: whole images, each once; nothing stops it, and the folder is only read."""

import errno
import hashlib
import io
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from shutil import which

import pytest
from PIL import Image

from lentigo.audit_log import verify_audit_log
from lentigo.clinic import check_fhir, watch
from lentigo.clinic import incoming as arriving
from lentigo.clinic import journal as journals
from lentigo.errors import DataError, ImageError, LentigoError, MissingExtraError, OutputError

pydicom = pytest.importorskip("pydicom")
SETTLE = 0.05


@pytest.fixture
def places(tmp_path):
    """A folder in which images arrive, and one for results."""
    (tmp_path / "in" / "ward").mkdir(parents=True)
    return tmp_path / "in", tmp_path / "out"


def other(lesion_jpeg, k):
    """The picture with another content."""
    return lesion_jpeg + bytes([k])


def entries(out):
    return [json.loads(line) for line in (out / "journal.jsonl").read_text().splitlines()]


def until(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)


def state_of(folder):
    return {p: (p.read_bytes(), p.stat().st_mtime_ns) for p in sorted(folder.rglob("*")) if p.is_file()}


def test_each_image_has_its_results_and_the_rest_is_reported(places, lesion_jpeg, make_dicom, dciodvfy):
    source, out = places
    png = io.BytesIO()
    Image.open(io.BytesIO(lesion_jpeg)).save(png, "PNG")
    (source / "a.jpg").write_bytes(lesion_jpeg)
    (source / "ward" / "a.jpg").write_bytes(png.getvalue())
    (source / "IM1").write_bytes(make_dicom())
    (source / "again.jpg").write_bytes(lesion_jpeg)
    (source / "cut.jpg").write_bytes(lesion_jpeg[:900])
    (source / "notes.txt").write_text("no image")
    (source / "empty.jpg").write_bytes(b"")
    (source / ".hidden.jpg").write_bytes(lesion_jpeg)
    before = state_of(source)
    log = out.parent / "audit.jsonl"
    found = watch(source, out, heatmaps=True, fhir="R4B", audit_log=log, settle=SETTLE, once=True)
    assert (found.classified, found.refused, found.repeated) == (3, 3, 1)
    assert state_of(source) == before
    names = {p.name for p in out.iterdir()}
    for name, content in (("a", lesion_jpeg), ("a", png.getvalue())):
        stem = f"{name}-{hashlib.sha256(content).hexdigest()[:12]}"
        assert {f"{stem}.json", f"{stem}.heatmap.png", f"{stem}.fhir.json"} <= names
        check_fhir(json.loads((out / f"{stem}.fhir.json").read_text()), "R4B")
    stem = f"IM1-{hashlib.sha256(make_dicom()).hexdigest()[:12]}"
    assert {f"{stem}.json", f"{stem}.sr.dcm", f"{stem}.heatmap.dcm"} <= names
    report = (out / "not_classified.csv").read_text()
    assert ",repeated," in report
    assert all(n in report for n in ("cut.jpg", "notes.txt", "empty.jpg")) and "hidden" not in report
    assert verify_audit_log(log).lines == 6
    assert dciodvfy(out / f"{stem}.sr.dcm") == []


def test_a_restart_handles_nothing_twice(places, lesion_jpeg):
    source, out = places
    (source / "a.jpg").write_bytes(lesion_jpeg)
    (source / "bad.jpg").write_bytes(b"bad")
    watch(source, out, settle=SETTLE, once=True)
    before, (result,) = entries(out), list(out.glob("a-*.json"))
    written = result.stat().st_mtime_ns
    (source / "b.jpg").write_bytes(other(lesion_jpeg, 1))
    assert watch(source, out, settle=SETTLE, once=True).classified == 2
    assert entries(out)[:2] == before and len(entries(out)) == 3
    assert result.stat().st_mtime_ns == written


def test_a_file_is_read_when_its_writer_is_done(places, lesion_jpeg):
    source, out = places
    stop = threading.Event()
    thread = threading.Thread(target=watch, args=(source, out), kwargs={"settle": 0.2, "stop": stop})
    thread.start()
    until((out / "watch.lock").exists)
    with (source / "slow.jpg").open("wb") as file:
        for k in range(0, len(lesion_jpeg), len(lesion_jpeg) // 6):
            file.write(lesion_jpeg[k : k + len(lesion_jpeg) // 6])
            file.flush()
            time.sleep(0.1)
    (source / "b.jpg.part").write_bytes(other(lesion_jpeg, 1))
    (source / "b.jpg.part").rename(source / "b.jpg")
    until(lambda: (out / "journal.jsonl").exists() and len(entries(out)) == 2)
    stop.set()
    thread.join()
    assert {(e["name"], e["state"]) for e in entries(out)} == {("slow.jpg", "done"), ("b.jpg", "done")}


def test_whole_is_what_is_stable_closed_and_named_as_finished(tmp_path):
    seen = arriving.Incoming(tmp_path, 10)
    (tmp_path / "new.jpg").write_bytes(b"x")
    for name in ("old.jpg", "old.jpg.part", "held.jpg"):
        (tmp_path / name).write_bytes(b"x")
    list(seen.whole())
    for one in seen._seen.values():
        one.since -= 20
    (tmp_path / "new.jpg").write_bytes(b"xy")
    with (tmp_path / "held.jpg").open("ab"):
        found = {w.path.name for w in seen.whole()}
        assert found == ({"old.jpg"} if sys.platform == "linux" else {"old.jpg", "held.jpg"})
    assert {w.path.name for w in seen.whole()} == {"old.jpg", "held.jpg"}
    for one in seen._seen.values():
        one.since -= 200
    assert {w.path.name for w in seen.whole()} == {"old.jpg", "held.jpg", "old.jpg.part", "new.jpg"}


COMMAND = [sys.executable, "-m", "lentigo", "watch"]


def test_killed_again_and_again_it_handles_each_image_once(places, lesion_jpeg):
    source, out = places
    for k in range(12):
        (source / f"{k:02}.jpg").write_bytes(other(lesion_jpeg, k))
    for pause in (0.0, 0.02, 0.05):
        running = subprocess.Popen([*COMMAND, source, out, "--settle", "0.05"], stderr=subprocess.DEVNULL)
        before = len(entries(out)) if (out / "journal.jsonl").exists() else 0
        until(lambda b=before: (out / "journal.jsonl").exists() and len(entries_or_torn(out)) > b)
        time.sleep(pause)
        running.kill()
        running.wait()
    watch(source, out, settle=SETTLE, once=True)
    assert sorted(e["name"] for e in entries(out)) == [f"{k:02}.jpg" for k in range(12)]
    assert len(list(out.glob("*.json"))) == 12
    for path in out.glob("*.json"):
        json.loads(path.read_text())


def entries_or_torn(out):
    return (out / "journal.jsonl").read_bytes().split(b"\n")[:-1]


@pytest.mark.skipif(os.name == "nt", reason="signals are POSIX")
def test_sigterm_ends_it_properly(places, lesion_jpeg):
    source, out = places
    (source / "a.jpg").write_bytes(lesion_jpeg)
    running = subprocess.Popen([*COMMAND, source, out, "--settle", "0.05"], stdout=subprocess.PIPE, text=True)
    until((out / "journal.jsonl").exists)
    running.send_signal(signal.SIGTERM)
    assert "1 classified" in running.communicate()[0] and running.returncode == 0


def test_a_full_disk_is_said_and_waited_for(places, lesion_jpeg, monkeypatch, capsys):
    source, out = places
    (source / "a.jpg").write_bytes(lesion_jpeg)
    real, failures = journals.appended, []

    def full(path, line):
        if len(failures) < 3:
            failures.append(1)
            raise OutputError.of(path, OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
        return real(path, line)

    monkeypatch.setattr(journals, "appended", full)
    monkeypatch.setattr("lentigo.clinic.watching._WAIT_ON_ERROR", 0.01)
    assert watch(source, out, settle=SETTLE, once=True).classified == 1
    told = capsys.readouterr().err
    assert told.count("no space left on device") == 1 and "Free some space" in told
    assert len(entries(out)) == 1


def test_wrong_requests_are_refused_before_anything_is_done(places, tmp_path, monkeypatch):
    source, out = places
    for wrong in (source, source / "ward", source / "new", source.parent):
        with pytest.raises(OutputError, match="into the watched folder"):
            watch(source, wrong, once=True)
    assert not (source / "new").exists()
    with pytest.raises(ImageError, match="no such folder"):
        watch(tmp_path / "none", out, once=True)
    with pytest.raises(LentigoError, match="nothing to watch"):
        watch(None, out)
    with pytest.raises(DataError, match="FHIR version"):
        watch(source, out, fhir="R3")
    with pytest.raises(LentigoError, match="settle"):
        watch(source, out, settle=0)
    with pytest.raises(LentigoError, match="AE title"):
        watch(None, out, dicom=0, ae_title="far too long for a title")
    with pytest.raises(LentigoError, match="no such port"):
        watch(None, out, dicom=123456)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("mine")
    with pytest.raises(OutputError, match="other files"):
        watch(source, tmp_path / "mine", once=True)
    monkeypatch.setitem(sys.modules, "watchfiles", None)
    with pytest.raises(MissingExtraError, match="clinic"):
        watch(source, out, once=True)


def test_two_watches_never_share_results(places):
    from filelock import FileLock

    source, out = places
    out.mkdir()
    with FileLock(out / "watch.lock"), pytest.raises(OutputError, match="another watch"):
        watch(source, out, once=True)


@pytest.fixture
def listener(tmp_path):
    """A listener of its own, as title SCOPE; gives its port and its folder."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    out, stop = tmp_path / "out", threading.Event()
    thread = threading.Thread(target=watch, args=(None, out), kwargs={"dicom": port, "stop": stop, "ae_title": "SCOPE"})
    thread.start()
    until(lambda: socket.socket().connect_ex(("127.0.0.1", port)) == 0)
    yield port, out
    stop.set()
    thread.join()


def send(port, content, title="SCOPE", kind="1.2.840.10008.5.1.4.1.1.77.1.7"):
    """Send a DICOM file as a device does; the status, or None where the association or object is not accepted."""
    from pynetdicom import AE

    dataset = pydicom.dcmread(io.BytesIO(content))
    entity = AE("DEVICE")
    entity.add_requested_context(kind, dataset.file_meta.TransferSyntaxUID)
    association = entity.associate("127.0.0.1", port, ae_title=title)
    if not association.is_established:
        return None
    status = association.send_c_store(dataset)
    association.release()
    return status.Status


def test_a_c_store_ends_as_a_report(listener, make_dicom, dciodvfy):
    port, out = listener
    assert send(port, make_dicom()) == 0
    until(lambda: list(out.glob("*.json")))
    (report,) = out.glob("*.sr.dcm")
    assert dciodvfy(report) == []
    assert pydicom.dcmread(report).PatientID == "4711"
    until(lambda: not list((out / "received").iterdir()))
    assert send(port, make_dicom()) == 0
    until(lambda: not list((out / "received").iterdir()))
    assert len(entries(out)) == 1


def test_a_listener_refuses_other_titles_other_objects_and_too_much(listener, make_dicom, monkeypatch):
    from lentigo.clinic import listener as module

    port, _ = listener
    assert send(port, make_dicom(), title="OTHER") is None
    assert send(port, make_dicom(), kind="1.2.840.10008.5.1.4.1.1.2") is None
    monkeypatch.setattr(module, "MOST_WAITING", 0)
    assert send(port, make_dicom()) == 0xA700


@pytest.mark.skipif(not which("storescu"), reason="needs storescu: apt-get install dcmtk")
def test_storescu_of_dcmtk_ends_as_a_report(listener, make_dicom, pixels, tmp_path):
    port, out = listener
    (tmp_path / "a.dcm").write_bytes(make_dicom(pixels))
    (tmp_path / "b.dcm").write_bytes(make_dicom(kind="1.2.840.10008.5.1.4.1.1.7"))
    # By default storescu proposes no dermoscopic images (-R: what the file needs) and no JPEG (-xy).
    for option, name in (("-R", "a.dcm"), ("-xy", "b.dcm")):
        command = ["storescu", option, "-aec", "SCOPE", "127.0.0.1", str(port), tmp_path / name]
        sent = subprocess.run(command, capture_output=True, text=True, check=False)
        assert sent.returncode == 0, sent.stderr
    until(lambda: len(list(out.glob("*.sr.dcm"))) == 2)


def test_a_broken_image_that_was_sent_is_reported(listener, make_dicom, lesion_jpeg):
    port, out = listener
    assert send(port, make_dicom(frame=lesion_jpeg[:900])) == 0
    until((out / "not_classified.csv").exists)
    assert "refused" in (out / "not_classified.csv").read_text()
    assert send(port, make_dicom()) == 0
    until(lambda: len(entries(out)) == 2)


def test_the_verb_watches(run, places, lesion_jpeg):
    source, out = places
    (source / "a.jpg").write_bytes(lesion_jpeg)
    code, said, _ = run("watch", source, out, "--once", "--settle", "0.05")
    assert (code, said) == (0, "1 classified, 0 refused, 0 repeated.\n")
    code, _, err = run("watch", out)
    assert code == 1 and "nothing to watch" in err

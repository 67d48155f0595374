"""The audit log: durable, complete, without content; and every change of it shows."""

import errno
import hashlib
import json
import multiprocessing
import os
import subprocess
import sys
import threading

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lentigo.audit_log import AuditLog, verify_audit_log
from lentigo.audit_log import log as writing
from lentigo.errors import DataError, LentigoError, OutputError
from lentigo.runtime import Failure

FAILURE = Failure("/home/jane.doe/mole.jpg", "jane.doe/mole.jpg: damaged", "tiny", "ab" * 32, ("mel", "nv"))
IMAGE = hashlib.sha256(b"image").hexdigest()


@pytest.fixture
def log(tmp_path):
    """A log of six lines."""
    made = AuditLog(tmp_path / "audit.jsonl")
    for i in range(6):
        made.append(FAILURE, hashlib.sha256(bytes([i])).hexdigest())
    return made


def lines_of(log):
    return log.path.read_bytes().splitlines(keepends=True)


def test_a_line_holds_hash_model_verdict_and_time_and_nothing_else(lenient, lesion_jpeg, tmp_path):
    path = tmp_path / "Jane Doe" / "audit.jsonl"
    verdict = lenient.classify(lesion_jpeg)
    log = AuditLog(path)
    head = log.append([verdict, FAILURE], [IMAGE, IMAGE])
    first, second = map(json.loads, path.read_text().splitlines())
    assert set(first) == {
        *("line", "time", "image_sha256", "model", "model_sha256", "decision", "diagnosis", "previous", "hash")
    }
    assert (first["decision"], first["diagnosis"], first["model_sha256"]) == (
        verdict.decision,
        verdict.top,
        lenient.sha256,
    )
    assert (second["decision"], second["diagnosis"], second["hash"]) == ("not read", None, head)
    assert "jane" not in path.read_text()
    assert path.stat().st_mode & 0o077 == 0 or os.name == "nt"


def test_an_untouched_log_is_intact(log):
    found = verify_audit_log(log.path)
    assert found.intact and found.lines == 6
    assert verify_audit_log(log.path, head=json.loads(lines_of(log)[3])["hash"]).intact


CHANGES = {
    "changed": lambda lines: [*lines[:2], lines[2].replace(b"not read", b"not sure"), *lines[3:]],
    "changed time": lambda lines: [*lines[:2], lines[2].replace(b"T", b"T0", 1), *lines[3:]],
    "reformatted": lambda lines: [*lines[:2], lines[2].replace(b",", b", ", 1), *lines[3:]],
    "first removed": lambda lines: lines[1:],
    "removed": lambda lines: lines[:2] + lines[3:],
    "two removed": lambda lines: lines[:2] + lines[4:],
    "last removed": lambda lines: lines[:-1],
    "all removed": lambda lines: [],
    "end cut off": lambda lines: [*lines[:-1], lines[-1][:40]],
    "end without line break": lambda lines: [*lines[:-1], lines[-1][:-1]],
    "reordered": lambda lines: [lines[0], lines[2], lines[1], *lines[3:]],
    "last two reordered": lambda lines: [*lines[:-2], lines[-1], lines[-2]],
    "repeated": lambda lines: [*lines[:3], lines[2], *lines[3:]],
    "repeated at the end": lambda lines: [*lines, lines[-1]],
    "inserted": lambda lines: [*lines[:3], b'{"line":4}\n', *lines[3:]],
    "empty line": lambda lines: [*lines[:3], b"\n", *lines[3:]],
    "empty line at the end": lambda lines: [*lines, b"\n"],
    "not JSON": lambda lines: [*lines[:3], b"\xff\xfe[[[\n", *lines[3:]],
    "windows ends": lambda lines: [line.replace(b"\n", b"\r\n") for line in lines],
}


@pytest.mark.parametrize("change", CHANGES)
def test_every_change_shows(log, change):
    log.path.write_bytes(b"".join(CHANGES[change](lines_of(log))))
    assert not verify_audit_log(log.path).intact


@pytest.mark.parametrize("line", range(6))
def test_a_line_rewritten_with_its_own_hash_breaks_the_chain_or_the_side_file(log, line):
    lines = lines_of(log)
    values = json.loads(lines[line])
    del values["hash"]
    values["decision"] = "negative at threshold"
    values["hash"] = hashlib.sha256(json.dumps(values, separators=(",", ":")).encode()).hexdigest()
    lines[line] = json.dumps(values, separators=(",", ":")).encode() + b"\n"
    log.path.write_bytes(b"".join(lines))
    assert not verify_audit_log(log.path).intact


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_changed_byte_goes_unnoticed(log, data):
    content = log.path.read_bytes()
    place = data.draw(st.integers(0, len(content) - 1))
    other = data.draw(st.integers(0, 255).filter(lambda b: b != content[place]))
    log.path.write_bytes(content[:place] + bytes([other]) + content[place + 1 :])
    try:
        assert not verify_audit_log(log.path).intact
    finally:
        log.path.write_bytes(content)


def test_a_missing_end_without_side_file_shows_against_a_head_kept_elsewhere_and_is_otherwise_admitted(log):
    head = verify_audit_log(log.path).head
    log.path.with_name("audit.jsonl.head").unlink()
    log.path.write_bytes(b"".join(lines_of(log)[:-1]))
    plain = verify_audit_log(log.path)
    assert plain.intact and any("can't be said" in note for note in plain.notes)
    assert not verify_audit_log(log.path, head=head).intact


def test_a_side_file_that_vouches_for_nothing_is_damaged(log):
    """It would hide a missing end, and nobody would say that nothing was checked."""
    log.path.write_bytes(b"".join(lines_of(log)[:3]))
    for lines in (0, -1, -3):
        log.path.with_name("audit.jsonl.head").write_text(json.dumps({"lines": lines, "hash": "0" * 64}))
        assert any("side file is damaged" in p for p in verify_audit_log(log.path).problems)
        with pytest.raises(DataError, match="side file is damaged"):
            log.append(FAILURE, IMAGE)


def test_a_side_file_that_cannot_be_read_is_not_called_damaged(log):
    side = log.path.with_name("audit.jsonl.head")
    side.unlink()
    side.mkdir()
    assert any("can't be read (is a directory)" in p for p in verify_audit_log(log.path).problems)


def test_lines_that_the_side_file_does_not_know_are_not_vouched_for(log):
    side = log.path.with_name("audit.jsonl.head")
    known = side.read_bytes()
    log.append([FAILURE, FAILURE], [IMAGE, IMAGE])
    assert not any("vouches" in note for note in verify_audit_log(log.path).notes)
    side.write_bytes(known)
    assert any("vouches for 6 lines; the 2 after them" in note for note in verify_audit_log(log.path).notes)


def test_nothing_to_add_changes_nothing(log, tmp_path):
    before, head = log.path.read_bytes(), verify_audit_log(log.path).head
    assert log.append([], []) == head and log.path.read_bytes() == before
    AuditLog(tmp_path / "new.jsonl").append([], [])
    assert not (tmp_path / "new.jsonl.head").exists()


def test_a_torn_line_that_cannot_be_cut_off_is_an_error(log, monkeypatch):
    with log.path.open("ab") as file:
        file.write(b'{"line":7')

    def refuse(*_):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(writing.os, "truncate", refuse)
    with pytest.raises(OutputError, match="permission denied"):
        log.append(FAILURE, IMAGE)


def test_a_log_rewritten_with_its_side_file_shows_against_the_head(log, tmp_path):
    head = verify_audit_log(log.path).head
    other = AuditLog(tmp_path / "other" / "audit.jsonl")
    for _ in range(6):
        other.append(FAILURE, IMAGE)
    assert verify_audit_log(other.path).intact
    assert not verify_audit_log(other.path, head=head).intact


def test_nothing_is_added_to_a_log_that_was_shortened_or_removed(log):
    lines = lines_of(log)
    for remaining in (lines[:-1], [], [*lines[:-1], lines[-1][:50]]):
        log.path.write_bytes(b"".join(remaining))
        with pytest.raises(DataError, match="removed"):
            log.append(FAILURE, IMAGE)
    log.path.unlink()
    with pytest.raises(DataError, match="removed"):
        log.append(FAILURE, IMAGE)
    with pytest.raises(DataError, match="the log was removed"):
        verify_audit_log(log.path)


def test_nothing_is_added_to_another_file(tmp_path):
    path = tmp_path / "notes.txt"
    for content in ("my notes\n", "no line break" * 2000, "a short note", '{"line":2', '{"line":1,"image'):
        path.write_text(content)
        with pytest.raises(DataError, match="does not end in a line"):
            AuditLog(path).append(FAILURE, IMAGE)
        assert path.read_text() == content


@pytest.mark.parametrize("end", [b"notes", b'{"line":6,"time":"2026', b"\0\0\0"])
def test_what_lentigo_did_not_write_at_the_end_is_kept(log, end):
    with log.path.open("ab") as file:
        file.write(end)
    before = log.path.read_bytes()
    with pytest.raises(DataError, match="does not end in a line"):
        log.append(FAILURE, IMAGE)
    assert log.path.read_bytes() == before


@pytest.mark.parametrize("left", [1, 9, 30, 100])
def test_what_a_killed_process_left_of_a_line_counts_for_nothing(log, left):
    with log.path.open("ab") as file:
        file.write(lines_of(log)[-1].replace(b'"line":6', b'"line":7')[:left])
    assert any("incomplete" in p for p in verify_audit_log(log.path).problems)
    log.append(FAILURE, IMAGE)
    found = verify_audit_log(log.path)
    assert found.intact and found.lines == 7


@pytest.mark.parametrize("written", [0, 1, 200])
def test_a_full_disk_is_an_error_and_leaves_no_torn_line(log, monkeypatch, written):
    before = log.path.read_bytes()
    real, calls = os.write, []

    def full(handle, content):
        calls.append(1)
        if len(calls) > 1 or not written:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(handle, content[:written])

    monkeypatch.setattr(writing.os, "write", full)
    with pytest.raises(OutputError, match=r"no space left on device.*Free some space"):
        log.append(FAILURE, IMAGE)
    monkeypatch.undo()
    assert log.path.read_bytes() == before
    log.append(FAILURE, IMAGE)
    assert verify_audit_log(log.path).lines == 7


def test_a_full_disk_under_the_side_file_takes_the_line_back(log, monkeypatch):
    before = log.path.read_bytes()

    def full(path, text):
        raise OutputError.of(path, OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))

    monkeypatch.setattr(writing, "write_text", full)
    with pytest.raises(OutputError, match="no space left"):
        log.append(FAILURE, IMAGE)
    assert log.path.read_bytes() == before and verify_audit_log(log.path).intact


@pytest.mark.skipif(os.name == "nt", reason="limits of file sizes are POSIX")
def test_the_operating_systems_own_limit_leaves_no_torn_line(log):
    size = log.path.stat().st_size
    program = (
        "import resource, signal, sys\n"
        "from lentigo.audit_log import AuditLog\nfrom lentigo.runtime import Failure\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({size + 100}, {size + 100}))\n"
        f"AuditLog(sys.argv[1]).append(Failure('x', 'x', 'tiny', '{'ab' * 32}', ()), '{IMAGE}')\n"
    )
    ended = subprocess.run([sys.executable, "-c", program, log.path], capture_output=True, text=True, check=False)
    assert "OutputError" in ended.stderr and "too large" in ended.stderr
    assert log.path.stat().st_size == size and verify_audit_log(log.path).intact


def _append(path, count):
    for _ in range(count):
        AuditLog(path).append(FAILURE, IMAGE)


def test_processes_and_threads_share_a_log(tmp_path):
    path = tmp_path / "audit.jsonl"
    others = [multiprocessing.get_context("spawn").Process(target=_append, args=(path, 10)) for _ in range(2)]
    shared = AuditLog(path)
    others += [threading.Thread(target=lambda: [shared.append(FAILURE, IMAGE) for _ in range(10)]) for _ in range(3)]
    for one in others:
        one.start()
    for one in others:
        one.join()
    found = verify_audit_log(path)
    assert found.intact and found.lines == 50


def test_wrong_arguments_are_named(tmp_path, log):
    with pytest.raises(DataError, match="not a SHA-256"):
        log.append(FAILURE, "mole.jpg")
    with pytest.raises(DataError, match="one hash for each"):
        log.append([FAILURE], [])
    with pytest.raises(OutputError, match="folder"):
        AuditLog(tmp_path)
    with pytest.raises(DataError, match="not the hash"):
        verify_audit_log(log.path, head="abc")
    with pytest.raises(LentigoError, match="can't be read"):
        verify_audit_log(tmp_path / "none")
    log.path.with_name("audit.jsonl.head").write_text("[]")
    assert not verify_audit_log(log.path).intact
    with pytest.raises(DataError, match="side file is damaged"):
        log.append(FAILURE, IMAGE)


def test_the_verb_prints_the_head_and_fails_on_a_change(run, log):
    code, out, _ = run("audit-log", "verify", log.path)
    assert code == 0 and verify_audit_log(log.path).head in out
    assert run("audit-log", "verify", log.path, "--head", out.split()[-1])[0] == 0
    log.path.write_bytes(b"".join(CHANGES["removed"](lines_of(log))))
    code, out, _ = run("audit-log", "verify", log.path, "--json")
    assert code == 1 and json.loads(out)["intact"] is False

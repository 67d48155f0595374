import hashlib
import io
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pandas as pd
import pytest
from filelock import FileLock

from lentigo import data
from lentigo.data import archives
from lentigo.data.sources import Manifest, RemoteFile, find_manifest, load_manifests
from lentigo.errors import DataError, OutputError
from tests.data.sources.made import save_pictures


@dataclass
class Server:
    """A server on this machine whose files and faults a test sets.

    Attributes:
        files: what it serves, by path.
        requests: what was asked of it: path and Range.
        break_after: bytes after which the next answer breaks off; once.
        ranges: whether it can go on in the middle of a file.
        kind: the Content-Type it states.
        headers: what it states besides, or instead.
        status: of its answers; 200, or 206 for a part, without it.
    """

    address: str
    files: dict[str, bytes] = field(default_factory=dict)
    requests: list[tuple[str, str | None]] = field(default_factory=list)
    break_after: int | None = None
    ranges: bool = True
    kind: str = "application/octet-stream"
    headers: dict[str, str] = field(default_factory=dict)
    status: int | None = None

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        wanted = handler.headers.get("Range")
        self.requests.append((handler.path, wanted))
        content = self.files.get(handler.path)
        if content is None:
            handler.send_error(404)
            return
        start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted and self.ranges else 0
        if start >= len(content) > 0 and start:
            handler.send_error(416)
            return
        handler.send_response(self.status or (206 if start else 200))
        stated = {"Content-Type": self.kind, "Content-Length": str(len(content) - start)}
        if start:
            stated["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        for header in (stated | self.headers).items():
            handler.send_header(*header)
        handler.end_headers()
        stop, self.break_after = self.break_after, None
        handler.wfile.write(content[start:] if stop is None else content[start : start + stop])
        handler.wfile.flush()
        if stop is not None:
            handler.close_connection = True


@pytest.fixture
def server(monkeypatch) -> Iterator[Server]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            state.answer(self)

        def log_message(self, *args):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        state = Server(f"http://127.0.0.1:{running.server_port}")
        thread = threading.Thread(target=running.serve_forever, args=(0.02,))
        thread.start()
        yield state
        running.shutdown()
        thread.join()


def manifest(*files: RemoteFile) -> Manifest:
    return Manifest(
        name="made",
        title="Made for a test",
        homepage="https://example.org/made",
        licence="CC0 1.0",
        citation="Nobody, nowhere",
        checksums="computed by the test",
        files=files,
    )


def remote(server: Server, name: str, content: bytes, **changed: object) -> RemoteFile:
    """A file on the server with its true checksum and size."""
    server.files[f"/{name}"] = content
    known = {
        "name": name,
        "address": f"{server.address}/{name}",
        "size": len(content),
        "checksum": f"sha256:{hashlib.sha256(content).hexdigest()}",
    }
    return RemoteFile(**{**known, **changed})


def zipped(entries: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in entries.items():
            archive.writestr(zipfile.ZipInfo(name), content)
    return file.getvalue()


BIG = bytes(range(256)) * 20_000  # 5 MB, so that it comes in several chunks


def names(folder) -> list[str]:
    return sorted(p.name for p in folder.iterdir() if p.name != ".fetch.lock")


def test_a_fetched_data_set_can_be_read(server, tmp_path):
    pictures = save_pictures(tmp_path / "pictures", ["ISIC_1", "ISIC_2"])
    table = pd.DataFrame({"lesion_id": ["A", "B"], "image_id": ["ISIC_1", "ISIC_2"], "dx": ["mel", "nv"]})
    archive = zipped({p.name: p.read_bytes() for p in pictures})
    made = manifest(
        remote(server, "HAM10000_metadata.csv", table.to_csv(index=False).encode()),
        remote(server, "HAM10000_images_part_1.zip", archive, unpack_to="HAM10000_images_part_1"),
    )
    shown: list[str] = []
    out = data.fetch(made, tmp_path / "out" / "deep", show=shown.append)
    assert data.read(out).table["dx"].tolist() == ["mel", "nv"]
    assert names(out) == ["HAM10000_images_part_1", "HAM10000_images_part_1.zip", "HAM10000_metadata.csv"]
    asked = len(server.requests)
    (out / "HAM10000_images_part_1.zip").unlink()  # not needed any more
    data.fetch(made, out, show=shown.append)
    assert len(server.requests) == asked


def test_without_a_folder_one_of_the_name_is_made(server, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert data.fetch(manifest(remote(server, "a.csv", b"1")), show=print) == Path("made")
    assert names(tmp_path / "made") == ["a.csv"]


def test_the_licence_is_shown_before_anything_is_asked_for(server, tmp_path, capsys):
    made = manifest(remote(server, "a.csv", b"1"), remote(server, "b.csv", b"2", checksum=None))
    asked_before: list[int] = []
    shown: list[str] = []

    def show(text: str) -> None:
        shown.append(text)
        asked_before.append(len(server.requests))

    data.fetch(made, tmp_path, show=show)
    assert asked_before == [0]
    for words in ("CC0 1.0", "Nobody, nowhere", "a.csv", "sha256", "b.csv", "no checksum known", "example.org"):
        assert words in shown[0]
    data.fetch(made, tmp_path)
    assert "CC0 1.0" in capsys.readouterr().err


@pytest.mark.parametrize("stop", [1, 1_500_000])
def test_an_interrupted_download_goes_on_where_it_stopped(server, tmp_path, stop):
    made = manifest(remote(server, "big.bin", BIG))
    server.break_after = stop
    with pytest.raises(DataError, match=r"the connection was lost.*Re-run the same command"):
        data.fetch(made, tmp_path, show=print)
    assert names(tmp_path) == [".big.bin.part"]
    have = (tmp_path / ".big.bin.part").stat().st_size
    assert have <= stop
    data.fetch(made, tmp_path, show=print)
    assert (tmp_path / "big.bin").read_bytes() == BIG
    assert names(tmp_path) == ["big.bin"]
    assert server.requests[-1] == ("/big.bin", f"bytes={have}-" if have else None)


def test_a_server_that_can_not_go_on_sends_the_file_anew(server, tmp_path):
    made = manifest(remote(server, "big.bin", BIG))
    (tmp_path / ".big.bin.part").write_bytes(b"something else")
    server.ranges = False
    data.fetch(made, tmp_path, show=print)
    assert (tmp_path / "big.bin").read_bytes() == BIG


def test_a_partial_file_that_is_too_long_is_started_anew(server, tmp_path):
    made = manifest(remote(server, "small.bin", b"abc", size=None))
    (tmp_path / ".small.bin.part").write_bytes(b"longer than the file")
    data.fetch(made, tmp_path, show=print)
    assert (tmp_path / "small.bin").read_bytes() == b"abc"


def test_a_whole_partial_file_is_not_asked_for_again(server, tmp_path):
    made = manifest(remote(server, "big.bin", BIG))
    (tmp_path / ".big.bin.part").write_bytes(BIG)
    data.fetch(made, tmp_path, show=print)
    assert server.requests == []
    assert names(tmp_path) == ["big.bin"]


def test_a_file_that_could_not_be_checked_is_never_gone_on_with(server, tmp_path):
    made = manifest(remote(server, "list.csv", b"0123456789", checksum=None, size=None))
    (tmp_path / ".list.csv.part").write_bytes(b"WRONG")
    data.fetch(made, tmp_path, show=print)
    assert (tmp_path / "list.csv").read_bytes() == b"0123456789"
    assert server.requests == [("/list.csv", None)]


@pytest.mark.parametrize("length", ["abc", "1, 1"])
def test_what_no_server_may_say_is_not_called_a_wrong_checksum(server, tmp_path, length):
    made = manifest(remote(server, "a.csv", b"1"))
    server.headers["Content-Length"] = length
    with pytest.raises(DataError, match=r"a\.csv can't be downloaded from .*invalid literal.*By hand: download"):
        data.fetch(made, tmp_path, show=print)
    assert names(tmp_path) == []


def test_another_part_than_was_requested_is_never_taken_for_the_file(server, tmp_path):
    made = manifest(remote(server, "a.zip", zipped({"x": b"1"}), checksum=None, size=None))
    (tmp_path / ".a.zip.part").write_bytes(b"PK")
    server.headers["Content-Range"] = "bytes 50-60/61"
    with pytest.raises(DataError, match="the server sent another part of the file than was requested"):
        data.fetch(made, tmp_path, show=print)
    assert names(tmp_path) == [".a.zip.part"]


@pytest.mark.parametrize("status", [200, 204])
def test_an_empty_answer_is_no_file(server, tmp_path, status):
    made = manifest(remote(server, "a.csv", b"", checksum=None, size=None))
    server.status = status
    with pytest.raises(DataError, match=r"a\.csv: the server sent an empty file"):
        data.fetch(made, tmp_path, show=print)
    assert names(tmp_path) == []


def test_a_stream_beyond_the_known_size_is_ended(server, tmp_path):
    made = manifest(remote(server, "big.bin", BIG, size=10))
    with pytest.raises(DataError, match=r"big\.bin: 1,048,576 bytes received instead of 10"):
        data.fetch(made, tmp_path, show=print)
    assert names(tmp_path) == []


def test_a_folder_in_the_place_of_a_file_is_not_taken_for_it(server, tmp_path):
    made = manifest(remote(server, "a.csv", b"1", checksum=None, size=None))
    (tmp_path / "a.csv").mkdir()
    with pytest.raises(DataError, match=r"a\.csv: this is not a file\. Move it elsewhere"):
        data.fetch(made, tmp_path, show=print)


def test_a_wrong_checksum_leaves_nothing(server, tmp_path):
    made = manifest(remote(server, "a.csv", b"changed", checksum="md5:" + "0" * 32))
    with pytest.raises(DataError, match=r"a\.csv had a wrong checksum and was deleted.*publisher has changed"):
        data.fetch(made, tmp_path, show=print)
    assert names(tmp_path) == []


def test_a_wrong_size_leaves_nothing(server, tmp_path):
    made = manifest(remote(server, "a.csv", b"changed", checksum=None, size=1000))
    with pytest.raises(DataError, match=r"a\.csv: 7 bytes received instead of 1,000"):
        data.fetch(made, tmp_path, show=print)
    assert names(tmp_path) == []


@pytest.mark.parametrize("checksum", [None, "sha256:" + "0" * 64])
def test_a_file_put_there_by_hand_is_checked_and_never_replaced(server, tmp_path, checksum):
    made = manifest(remote(server, "a.csv", b"right"))
    (tmp_path / "a.csv").write_bytes(b"right")
    data.fetch(made, tmp_path, show=print)
    assert server.requests == []
    wrong = manifest(remote(server, "a.csv", b"right", checksum=checksum, size=None if checksum else 9))
    with pytest.raises(DataError, match=r"a\.csv: it.*damaged, incomplete or another version.*Delete it"):
        data.fetch(wrong, tmp_path, show=print)
    assert (tmp_path / "a.csv").read_bytes() == b"right"


def test_without_a_network_every_missing_file_is_named_with_its_address_and_place(tmp_path, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    nowhere = "http://127.0.0.1:9"  # nobody listens there
    made = manifest(
        RemoteFile(name="have.csv", address=f"{nowhere}/have.csv", size=None, checksum=None),
        RemoteFile(name="a.csv", address=f"{nowhere}/a.csv", size=1_290_000, checksum=None),
        RemoteFile(name="b.zip", address=f"{nowhere}/b.zip", size=None, stated_size="23 GB", checksum=None),
    )
    (tmp_path / "have.csv").write_bytes(b"1")
    with pytest.raises(DataError) as caught:
        data.fetch(made, tmp_path, show=print)
    told = str(caught.value)
    assert f"a.csv can't be downloaded from {nowhere}/a.csv (no connection)" in told
    assert f"{nowhere}/a.csv (save as {tmp_path / 'a.csv'}, 1.29 MB)" in told
    assert f"{nowhere}/b.zip (save as {tmp_path / 'b.zip'}, 23 GB)" in told
    assert "have.csv" not in told
    assert "run the same command" in told
    assert names(tmp_path) == ["have.csv"]


def test_a_blocked_or_moved_address_is_told_with_the_servers_answer(server, tmp_path):
    made = manifest(remote(server, "a.csv", b"1"))
    server.files.clear()
    with pytest.raises(DataError, match=r"the server responded 404 Not Found.*By hand: download"):
        data.fetch(made, tmp_path, show=print)


def test_a_web_page_in_place_of_the_file_is_refused(server, tmp_path):
    made = manifest(remote(server, "a.csv", b"<html>log in</html>", checksum=None, size=None))
    server.kind = "text/html; charset=utf-8"
    with pytest.raises(DataError, match=r"received a web page instead of the file.*By hand: download"):
        data.fetch(made, tmp_path, show=print)
    assert names(tmp_path) == []


def test_what_needs_a_login_is_fetched_by_hand_and_then_unpacked(server, tmp_path):
    file = RemoteFile(name="kaggle.zip", address=None, size=None, checksum=None, unpack_to="pictures")
    with pytest.raises(DataError, match=r"kaggle\.zip needs a login.*https://example\.org/made \(save as .*kaggle"):
        data.fetch(manifest(file), tmp_path, show=print)
    mel, nv = (save_pictures(tmp_path.with_name(f"made{i}"), ["1", "2"], first=2 * i) for i in range(2))
    tree = {f"set/{kind}/{p.name}": p.read_bytes() for kind, paths in (("mel", mel), ("nv", nv)) for p in paths}
    (tmp_path / "kaggle.zip").write_bytes(zipped(tree))
    out = data.fetch(manifest(file), tmp_path, show=print)
    assert names(out) == ["kaggle.zip", "pictures"]
    assert data.read(out).counts()["mel"] == 2


def test_an_unsafe_archive_is_refused_after_download(server, tmp_path):
    made = manifest(remote(server, "a.zip", zipped({"../out.txt": b"1"}), unpack_to="a"))
    with pytest.raises(DataError, match=r"'\.\./out\.txt' would land outside the folder"):
        data.fetch(made, tmp_path / "in", show=print)
    assert names(tmp_path) == ["in"]
    assert names(tmp_path / "in") == ["a.zip"]


def test_too_little_space_is_told_before_the_download(server, tmp_path, monkeypatch):
    made = manifest(remote(server, "a.bin", b"12345"))
    monkeypatch.setattr(archives.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 4}))
    with pytest.raises(DataError, match=r"a\.bin needs 5 more bytes, but only 4 are free"):
        data.fetch(made, tmp_path, show=print)


def test_two_processes_do_not_fetch_into_one_folder(server, tmp_path):
    with FileLock(tmp_path / ".fetch.lock"), pytest.raises(DataError, match="another process is downloading into it"):
        data.fetch(manifest(remote(server, "a.csv", b"1")), tmp_path, show=print)


def test_an_unknown_name_lists_the_known_ones(tmp_path):
    with pytest.raises(DataError, match=r"Unknown data set 'ham'\. Did you mean 'ham10000'\?.*isic2019"):
        data.fetch("ham", tmp_path)


def test_a_folder_that_can_not_be_made_is_told(server, tmp_path):
    (tmp_path / "file").write_text("no folder")
    for place in ("file", "file/out"):
        with pytest.raises(OutputError, match=r"file.*A file has the name") as caught:
            data.fetch(manifest(remote(server, "a.csv", b"1")), tmp_path / place, show=print)
        assert "Free some space" not in str(caught.value)


def test_every_shipped_manifest_states_licence_citation_and_where_its_checksums_come_from():
    manifests = load_manifests()
    assert {"ham10000", "pixel_csv", "dermamnist", "dermamnist_c", "isic2018", "isic2019", "isic2020"} <= set(manifests)
    for name, made in manifests.items():
        assert made.name == name
        assert made.licence and made.citation and made.checksums
        assert len({file.name for file in made.files}) == len(made.files)
        for file in made.files:
            assert file.address is None or file.address.startswith("https://")
            assert (file.unpack_to is not None) == file.name.endswith(".zip")
            assert file.name in made.summary()


def test_the_manifest_of_ham10000_names_what_its_reader_looks_for():
    assert [f.unpack_to or f.name for f in find_manifest("ham10000").files] == [
        "HAM10000_metadata.csv",
        "HAM10000_images_part_1",
        "HAM10000_images_part_2",
        "known_cross_lesion_duplicates.csv",
    ]


@pytest.mark.parametrize(
    "changed",
    [
        {"checksum": "md5:12"},
        {"size": 0},
        {"surplus": 1},
        *({"name": name} for name in ("../a.csv", "..", ".", ".hidden", "a/b", "a\\b", "C:a", "/a", "", "a\n")),
        *({"unpack_to": name} for name in ("a/b", "..", ".", "/tmp", "")),
        *(
            {"address": address}
            for address in (
                "file:///etc/passwd",
                "FILE:///x",
                "ftp://example.org/a",
                "/etc/passwd",
                "../a",
                "https:a",
                "",
            )
        ),
    ],
)
def test_a_manifest_is_checked_when_it_is_made(changed):
    known = {"name": "a.csv", "address": None, "size": None, "checksum": None}
    with pytest.raises(ValueError, match="validation error"):
        RemoteFile(**{**known, **changed})


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"name": "a.csv"}, {"name": "a.csv"}),
        ({"name": "a.csv"}, {"name": "A.CSV"}),
        ({"name": "\u00e9.csv"}, {"name": "e\u0301.csv"}),
        ({"name": "a.zip", "unpack_to": "b"}, {"name": "b"}),
        ({"name": "a.zip", "unpack_to": "x"}, {"name": "b.zip", "unpack_to": "X"}),
    ],
)
def test_two_files_of_one_name_are_refused(one, other):
    """The second would be taken for the first, which already exists, and never be fetched."""
    known = {"address": None, "size": None, "checksum": None}
    with pytest.raises(ValueError, match="two files or folders would have the name"):
        manifest(RemoteFile(**known, **one), RemoteFile(**known, **other))

"""Download a data set: licence first, then its files, checked, resumed and unpacked.

What can't be downloaded from here (no network, a login, a blocked address) ends in an error that says which file to
download by hand, from where, and where to put it; the same command then checks and unpacks it.
"""

import shutil
import sys
from collections.abc import Callable
from os import PathLike
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from lentigo.atomic import make_folder
from lentigo.data.archives import unpack
from lentigo.data.sources.manifest import Manifest, RemoteFile, find_manifest
from lentigo.errors import DataError, LentigoError, MissingExtraError, OutputError
from lentigo.progress import track

if TYPE_CHECKING:
    from requests import RequestException, Response

__all__ = ["fetch"]

CHUNK = 1 << 20
TIMEOUT = (20, 120)
"""Seconds to wait for a connection, and for the next bytes."""


def fetch(
    source: str | Manifest, out: str | PathLike[str] | None = None, *, show: Callable[[str], None] | None = None
) -> Path:
    """Download a data set into a folder that `lentigo.data.read` can read.

    A file that is there already, from an earlier run or by hand, is checked and kept. An interrupted download resumes
    when the same command is run again. A zip archive stays beside the folder that it was unpacked
    into, and may then be deleted.

    Args:
        source: name of a manifest that ships with lentigo (`lentigo.data.sources.load_manifests`), or one of your own.
        out: folder to download into, made if absent; without it, a folder named after the data set.
        show: what to do with the summary (licence, citation, files and sizes) before anything is downloaded; without
            it, the summary is printed to standard error.

    Returns:
        The folder.

    Raises:
        DataError: unknown name, a file that must be fetched by hand, a wrong checksum, an unsafe or damaged archive,
            no space, or another process that fetches into the same folder.
        OutputError: the folder can't be written.
        MissingExtraError: pooch is not installed.
    """
    manifest = find_manifest(source) if isinstance(source, str) else source
    folder = Path(out or manifest.name).expanduser()
    (show or _print)(manifest.summary())
    make_folder(folder)
    try:
        with FileLock(folder / ".fetch.lock", timeout=0):
            for file in manifest.files:
                _fetch_file(manifest, file, folder)
    except Timeout:
        raise DataError(f"{folder}: another process is downloading into it.", "Wait until it has finished.") from None
    except LentigoError:
        raise
    except OSError as error:
        raise OutputError.of(error.filename or folder, error) from None
    return folder


def _print(text: str) -> None:
    print(text, file=sys.stderr)


def _fetch_file(manifest: Manifest, file: RemoteFile, folder: Path) -> None:
    """Bring one file into the folder and unpack it, unless that is done."""
    path = folder / file.name
    unpacked = None if file.unpack_to is None else folder / file.unpack_to
    if unpacked is not None and unpacked.is_dir():
        return
    if path.exists():
        _check_present(file, path)
    else:
        _download(manifest, file, folder)
    if unpacked is not None:
        unpack(path, unpacked)


def _check_present(file: RemoteFile, path: Path) -> None:
    """A file that lies here already is never replaced: it is correct, or the user is notified."""
    if not path.is_file():
        raise DataError(f"{path}: this is not a file.", "Move it elsewhere, and run the same command again.")
    size = path.stat().st_size
    if file.size not in (None, size):
        fault = f"it has {size:,} bytes, the publisher's file has {file.size:,}"
    elif file.checksum is None:
        return
    else:
        kind = file.checksum.partition(":")[0]
        actual = f"{kind}:{_import_pooch().file_hash(str(path), alg=kind)}"
        if actual == file.checksum:
            return
        fault = f"its checksum is {actual}, the publisher's is {file.checksum}"
    raise DataError(f"{path}: {fault}: damaged, incomplete or another version.", "Delete it and download again.")


def _download(manifest: Manifest, file: RemoteFile, folder: Path) -> None:
    pooch = _import_pooch()
    from requests.exceptions import RequestException

    if file.address is None:
        raise DataError(f"{manifest.name}: {file.name} needs a login at its publisher.", _by_hand(manifest, folder))
    try:
        pooch.retrieve(file.address, file.checksum, file.name, folder, downloader=_Download(file))
    except RequestException as error:
        raise DataError(
            f"{manifest.name}: {file.name} can't be downloaded from {file.address} ({_reason(error)}).",
            f"Re-run the same command to resume. {_by_hand(manifest, folder)}",
        ) from None
    except ValueError as error:  # pooch has then deleted what it got
        raise DataError(
            f"{manifest.name}: {file.name} had a wrong checksum and was deleted ({error}).",
            f"Download it again; if it fails again, the publisher has changed it. See {manifest.homepage}.",
        ) from None


class _Download:
    """A downloader for pooch that goes on with the partial file of an interrupted run.

    Only a file that can be checked as a whole is gone on with: by its checksum, or as a zip archive by those inside.
    """

    def __init__(self, file: RemoteFile) -> None:
        self.file = file

    def __call__(self, url: str, output_file: str, pooch: object, check_only: bool = False) -> None:
        """Download `url`, through a partial file beside `output_file`, to `output_file`."""
        partial = Path(output_file).with_name(f".{self.file.name}.part")
        checkable = self.file.checksum is not None or self.file.name.endswith(".zip")
        have = partial.stat().st_size if partial.exists() and checkable else 0
        if have == 0 or have != self.file.size:
            self._received(url, partial, have)
        actual = partial.stat().st_size
        if actual == 0 or self.file.size not in (None, actual):
            partial.unlink()
            if self.file.size is None:
                raise DataError(f"{self.file.name}: the server sent an empty file.", "Download it again.")
            raise DataError(
                f"{self.file.name}: {actual:,} bytes received instead of {self.file.size:,}.", "Download it again."
            )
        partial.replace(output_file)

    def _received(self, url: str, partial: Path, have: int) -> None:
        """`_receive`, with what no server may say, such as a length that is no number, as an error of requests."""
        import requests

        try:
            self._receive(url, partial, have)
        except requests.RequestException:
            raise
        except ValueError as error:  # which pooch raises too, for a wrong checksum alone
            raise requests.RequestException(str(error)) from None

    def _receive(self, url: str, partial: Path, have: int) -> None:
        """Append what is missing to the partial file, or start it anew if the server can't go on."""
        import requests

        headers = {"User-Agent": "lentigo", "Accept-Encoding": "identity"}
        if have:
            headers["Range"] = f"bytes={have}-"
        with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT) as response:
            if have and response.status_code == requests.codes.requested_range_not_satisfiable:
                return self._receive(url, partial, 0)
            response.raise_for_status()
            goes_on = response.headers.get("Content-Range", "").startswith(f"bytes {have}-")
            if response.status_code == requests.codes.partial_content and not goes_on:
                raise requests.RequestException("the server sent another part of the file than was requested")
            have = have if goes_on else 0
            left = self._expect(response, partial)
            with partial.open("ab" if goes_on else "wb") as file:
                chunks = response.iter_content(CHUNK)
                for chunk in track(chunks, f"{self.file.name}, MiB", (have + left) // CHUNK, done=have // CHUNK):
                    file.write(chunk)
                    if self.file.size is not None and file.tell() > self.file.size:
                        break  # it would go on until the disk is full
        return None

    def _expect(self, response: "Response", partial: Path) -> int:
        """Bytes that are to come, 0 if the server doesn't say."""
        import requests

        if response.headers.get("Content-Type", "").startswith("text/html"):
            raise requests.RequestException("received a web page instead of the file")
        left = int(response.headers.get("Content-Length", 0))
        free = shutil.disk_usage(partial.parent).free
        if left > free:
            raise DataError(
                f"{partial.parent}: {self.file.name} needs {left:,} more bytes, but only {free:,} are free.",
                "Free some space, or choose another folder.",
            )
        return left


def _reason(error: "RequestException") -> str:
    """What went wrong, in a few words: requests' own message repeats the address."""
    import requests

    if isinstance(error, requests.HTTPError) and error.response is not None:
        return f"the server responded {error.response.status_code} {error.response.reason}"
    if isinstance(error, requests.Timeout):
        return "the server did not respond in time"
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return "the connection was lost"
    return "no connection" if isinstance(error, requests.ConnectionError) else str(error)


def _by_hand(manifest: Manifest, folder: Path) -> str:
    """Where to get what is missing, and where to put it."""
    missing = [
        f"{file.address or manifest.homepage} (save as {folder / file.name}, {file.readable_size})"
        for file in manifest.files
        if not (folder / file.name).exists() and not (file.unpack_to and (folder / file.unpack_to).is_dir())
    ]
    return f"By hand: download {'; '.join(missing)}; then run the same command to check and unpack."


def _import_pooch() -> ModuleType:
    """Pooch, without its own messages: progress and errors are reported here."""
    try:
        import pooch
    except ModuleNotFoundError:
        raise MissingExtraError("Fetching data", "data") from None
    pooch.get_logger().setLevel("ERROR")
    return pooch

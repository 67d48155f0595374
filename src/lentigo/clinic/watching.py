"""`watch`: new images of a folder, or sent by DICOM, classified as they come, each once, until it is stopped."""

import os
import signal
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from lentigo.atomic import make_folder, own_folder, writable
from lentigo.audit_log import AuditLog
from lentigo.clinic.fhir_check import bundle_class
from lentigo.clinic.incoming import Incoming
from lentigo.clinic.journal import DONE, JOURNAL, REFUSED, REPEATED, Journal
from lentigo.clinic.listener import listening
from lentigo.clinic.station import Station, Writes
from lentigo.errors import ImageError, LentigoError, OutputError, needs_extra, next_step, reason
from lentigo.progress import note
from lentigo.runtime import Classifier
from lentigo.runtime.images import MAX_BYTES

__all__ = ["Watched", "watch"]

RECEIVED = "received"
"""Folder of images that a DICOM device sent and that are not handled yet."""
_LOCK = "watch.lock"
_WAIT_ON_ERROR = 10.0


@dataclass(frozen=True)
class Watched:
    """How many images the output folder has results of, since it was begun.

    Attributes:
        classified: images with a verdict, gradable or not.
        refused: files that are not readable images; `not_classified.csv` says why.
        repeated: further files with the content of another.
    """

    classified: int
    refused: int
    repeated: int


def watch(
    source: str | os.PathLike[str] | None,
    out: str | os.PathLike[str],
    *,
    dicom: int | None = None,
    host: str = "127.0.0.1",
    ae_title: str | None = None,
    model: str | os.PathLike[str] | None = None,
    heatmaps: bool = False,
    fhir: str | None = None,
    audit_log: str | os.PathLike[str] | None = None,
    settle: float = 2.0,
    once: bool = False,
    stop: threading.Event | None = None,
) -> Watched:
    """Classify the images of a folder, those that come later too, and those that DICOM devices send.

    Nothing is ever written into `source`. Each content is handled once, also across restarts and kills: results are
    written whole, then noted in `journal.jsonl`. Each image gets a JSON file, as from `classify --format json`, and a
    DICOM image a structured report. What can't be read is in `not_classified.csv`, and never stops it.
    While results can't be written, for example on a full disk, it says so, waits, and tries again.

    Args:
        source: folder to watch, with all folders below it; None to listen only.
        out: folder for the results: new, empty, or of an earlier watch.
        dicom: TCP port to listen at for C-STORE; None does not listen.
        host: address to listen at; '0.0.0.0' for all. DICOM itself has neither encryption nor users.
        ae_title: accept only calls to this title.
        model: name or path of a bundle; None is the default model.
        heatmaps: write heat maps too: secondary captures for DICOM, else PNG.
        fhir: write FHIR Bundles of this version too: 'R5' or 'R4B'.
        audit_log: add each result to this audit log.
        settle: seconds for which a file must not have changed before it is read.
        once: return when all that is there was handled.
        stop: ends it when set; Ctrl-C and SIGTERM do too, after the image in hand.

    Raises:
        ImageError: no such folder.
        OutputError: the output folder can't be used, or another watch uses it.
        BundleError, DataError, MissingExtraError: as for `classify` and FHIR.
        LentigoError: nothing to watch, or a port that can't be used.
    """
    target = Path(out)
    folder = None if source is None else _source(Path(source), target)
    if folder is None and dicom is None:
        raise LentigoError("There is nothing to watch.", "Name a folder of images, or a port (--dicom PORT).")
    if not settle > 0:
        raise LentigoError(f"A file can't settle in {settle} seconds.", "Give a number above 0.")
    if fhir is not None:
        bundle_class(fhir)
    classifier = Classifier.load(model)
    make_folder(own_folder(target, (JOURNAL, _LOCK)))
    writable(target / JOURNAL)
    ended = stop or threading.Event()
    with ExitStack() as stack:
        stack.enter_context(_alone(target))
        stack.enter_context(_signals(ended))
        journal = Journal(target)
        log = None if audit_log is None else AuditLog(audit_log)
        station = Station(classifier, target, journal, Writes(heatmaps, fhir, log))
        wake = threading.Event()
        if dicom is not None:
            received = target / RECEIVED
            port = stack.enter_context(listening(received, dicom, host=host, ae_title=ae_title, arrived=wake.set))
            note(f"Listening for DICOM at {host}, port {port}.")
        if folder is not None:
            note(f"Watching {folder}.")
            stack.enter_context(_events(folder, wake, ended))
        _loop(station, folder, target / RECEIVED, settle, wake, ended, once=once)
    counts = Counter(e["state"] for e in journal.entries)
    return Watched(counts[DONE], counts[REFUSED], counts[REPEATED])


def _loop(
    station: Station,
    folder: Path | None,
    received: Path,
    settle: float,
    wake: threading.Event,
    ended: threading.Event,
    *,
    once: bool,
) -> None:
    incoming = None if folder is None else Incoming(folder, settle)
    said = ""
    while not ended.is_set():
        wake.clear()
        try:
            _handle_received(station, received, ended)
            if incoming is not None:
                _handle_whole(station, incoming, ended)
            said = ""
        except OutputError as error:
            if str(error) != said:
                said = str(error)
                note(f"{said} Waiting, and trying again every {_WAIT_ON_ERROR:.0f} seconds.")
            ended.wait(_WAIT_ON_ERROR)
            continue
        waiting = incoming is not None and incoming.waiting
        if once and not waiting:
            return
        wake.wait(settle / 4 if waiting else 1.0)


def _handle_whole(station: Station, incoming: Incoming, ended: threading.Event) -> None:
    for whole in incoming.whole():
        if ended.is_set():
            return
        content = _content(whole.path)
        if content is None:  # it was removed, changes again, or must not be read
            if whole.last and not os.access(whole.path, os.R_OK):
                note(f"{whole.path}: not classified: it can't be read. Check its permissions, then start again.")
                incoming.handled(whole.path)
            continue
        name = whole.path.relative_to(incoming.folder).as_posix()
        if station.handle(content, name, last=whole.last):
            incoming.handled(whole.path)
        else:
            incoming.try_again(whole.path)


def _handle_received(station: Station, received: Path, ended: threading.Event) -> None:
    """Images that were sent: whole, since they are written atomically; removed once they are in the journal."""
    files = sorted(received.glob("*.dcm")) if received.is_dir() else []
    for path in files:
        if ended.is_set():
            return
        try:
            content = path.read_bytes()
        except OSError as error:  # an administrator's doing, for the listener writes files that can be read
            raise OutputError(f"{path}: a received image can't be read: {reason(error)}.", next_step(error)) from error
        station.handle(content, path.name, last=True)
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise OutputError.of(path, error) from error


def _content(path: Path) -> bytes | None:
    """A file's bytes if it did not change while it was read; beyond the limit only enough to notice that."""
    try:
        before = path.stat()
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
        after = path.stat()
    except OSError:
        return None
    return content if (before.st_size, before.st_mtime_ns) == (after.st_size, after.st_mtime_ns) else None


def _source(folder: Path, out: Path) -> Path:
    if not folder.is_dir():
        raise ImageError(f"{folder}: there is no such folder.", "Name the folder that images arrive in.")
    inside, outside = folder.resolve(), out.resolve()
    if inside == outside or inside in outside.parents or outside in inside.parents:
        raise OutputError(f"{out}: nothing is written into the watched folder.", "Name a folder outside of it.")
    return folder


@contextmanager
def _alone(out: Path) -> Iterator[None]:
    """One watch for each output folder: two would handle images twice."""
    with needs_extra("Watching", "clinic"):
        from filelock import FileLock, Timeout
    lock = FileLock(out / _LOCK, timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise OutputError(f"{out}: another watch writes here.", "Stop it, or name another folder.") from None
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _events(folder: Path, wake: threading.Event, ended: threading.Event) -> Iterator[None]:
    """Wake the loop as soon as something changes; without events, as on network shares, it looks every second."""
    with needs_extra("Watching a folder", "clinic"):
        import watchfiles
    done = threading.Event()

    def follow() -> None:
        try:
            for _ in watchfiles.watch(folder, watch_filter=None, stop_event=done, debounce=200, raise_interrupt=False):
                wake.set()
        except (OSError, RuntimeError) as error:
            note(f"{folder}: no events of changes ({reason(error)}); it is looked at every second.")

    thread = threading.Thread(target=follow, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join(timeout=5)


@contextmanager
def _signals(ended: threading.Event) -> Iterator[None]:
    """Ctrl-C and SIGTERM end it after the image in hand; in the main thread only, where Python delivers them."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    kinds = (signal.SIGINT, signal.SIGTERM)
    before = {kind: signal.signal(kind, lambda *_: ended.set()) for kind in kinds}
    try:
        yield
    finally:
        for kind, handler in before.items():
            signal.signal(kind, handler)

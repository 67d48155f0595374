"""A DICOM listener: photographs that are sent by C-STORE, kept on disk before they are acknowledged.

DICOM's own protocol has neither users nor encryption: it is for a network of known devices, or behind a TLS proxy.
"""

import hashlib
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lentigo.atomic import entries, make_folder, write_bytes
from lentigo.errors import LentigoError, OutputError, needs_extra, reason
from lentigo.progress import note
from lentigo.runtime.codecs.dicom import SOP_CLASSES, TRANSFER_SYNTAXES

__all__ = ["listening"]

MOST_WAITING = 1000
"""Number of images that may wait to be classified; while there are more, further ones are refused."""
MOST_BYTES = 256 * 2**20
"""Largest object that is received."""
_ASSOCIATIONS = 10
_SECONDS = 30
_SUCCESS, _OUT_OF_RESOURCES = 0x0000, 0xA700
_UID = re.compile(r"[0-9][0-9.]{0,63}")


@contextmanager
def listening(
    folder: Path, port: int, *, host: str, ae_title: str | None, arrived: Callable[[], None]
) -> Iterator[int]:
    """Receive images into a folder while the context lasts; gives the port.

    Args:
        folder: where each image is kept until it was handled.
        port: TCP port; 0 takes a free one.
        host: address to listen at.
        ae_title: the listener's name: who calls another is rejected. None accepts any, and answers as LENTIGO.
        arrived: called after each image.

    Raises:
        LentigoError: the port can't be used, or the title is not one.
        MissingExtraError: pynetdicom is not installed.
    """
    with needs_extra("The DICOM listener", "clinic"):
        from pynetdicom import AE, evt
        from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]
    make_folder(folder)
    try:
        entity = AE(ae_title=ae_title or "LENTIGO")
    except (ValueError, TypeError):
        raise LentigoError(f"{ae_title!r} is not an AE title.", "Use 1 to 16 letters, digits and '_'.") from None
    entity.require_called_aet = ae_title is not None
    entity.maximum_associations = _ASSOCIATIONS
    entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = _SECONDS
    entity.add_supported_context(Verification)
    for kind in SOP_CLASSES:
        entity.add_supported_context(kind, list(TRANSFER_SYNTAXES))
    received: dict[Any, int] = {}
    handlers = [
        (evt.EVT_C_ECHO, lambda event: _SUCCESS),
        (evt.EVT_C_STORE, lambda event: _store(event, folder, received, arrived)),
        (evt.EVT_DATA_RECV, lambda event: _bound(event, received)),
        (evt.EVT_CONN_CLOSE, lambda event: received.pop(event.assoc, None)),
    ]
    try:
        server = entity.start_server((host, port), block=False, evt_handlers=handlers)  # type: ignore[arg-type]
    except (OSError, OverflowError) as error:
        why = reason(error) if isinstance(error, OSError) else "there is no such port"
        raise LentigoError(f"Can't listen at {host}, port {port}: {why}.", "Choose another port or host.") from None
    try:
        yield server.server_address[1]  # type: ignore[union-attr]
    finally:
        entity.shutdown()


def _store(event: Any, folder: Path, received: dict[Any, int], arrived: Callable[[], None]) -> int:
    """Keep an image on disk; only then is it acknowledged."""
    received[event.assoc] = 0
    if len(entries(folder)) >= MOST_WAITING:
        return _OUT_OF_RESOURCES
    content = event.encoded_dataset()
    uid = str(event.request.AffectedSOPInstanceUID)
    name = uid if _UID.fullmatch(uid) else "image"
    try:
        write_bytes(folder / f"{name}-{hashlib.sha256(content).hexdigest()[:12]}.dcm", content)
    except OutputError as error:
        note(f"An image was refused: {error}")
        return _OUT_OF_RESOURCES
    arrived()
    return _SUCCESS


def _bound(event: Any, received: dict[Any, int]) -> None:
    """Break off who sends an object without end: it is collected in memory."""
    received[event.assoc] = received.get(event.assoc, 0) + len(event.data)
    if received[event.assoc] > MOST_BYTES:
        event.assoc.abort()

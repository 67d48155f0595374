"""What the service and its worker processes say to one another over a socket: frames of a JSON header and bytes.

A frame is the length of its header and of its bytes, 4 and 8 bytes big-endian, then both. Nothing is unpickled: a
worker that a malicious image has taken over can't make the service run anything.
"""

import asyncio
import json
import socket
import struct
from collections.abc import Sequence
from typing import Any

__all__ = ["read_frame", "receive_frame", "send_frame", "write_frame"]

_LENGTHS = struct.Struct(">IQ")


def send_frame(connection: socket.socket, header: Any, parts: Sequence[bytes] = ()) -> None:
    """Send a frame, blocking."""
    connection.sendall(b"".join(_packed(header, parts)))


def receive_frame(connection: socket.socket) -> tuple[Any, memoryview] | None:
    """Receive a frame, blocking; None when the other end has closed."""
    start = _exactly(connection, _LENGTHS.size)
    if start is None:
        return None
    header_length, length = _LENGTHS.unpack(start)
    content = _exactly(connection, header_length + length)
    if content is None:
        return None
    return json.loads(bytes(content[:header_length])), content[header_length:]


def write_frame(writer: asyncio.StreamWriter, header: Any, parts: Sequence[bytes] = ()) -> None:
    """Send a frame from an event loop."""
    writer.writelines(_packed(header, parts))


async def read_frame(reader: asyncio.StreamReader) -> tuple[Any, bytes]:
    """Receive a frame in an event loop.

    Raises:
        asyncio.IncompleteReadError: the other end has closed.
    """
    header_length, length = _LENGTHS.unpack(await reader.readexactly(_LENGTHS.size))
    content = await reader.readexactly(header_length + length)
    return json.loads(content[:header_length]), content[header_length:]


def _packed(header: Any, parts: Sequence[bytes]) -> list[bytes]:
    text = json.dumps(header).encode()
    return [_LENGTHS.pack(len(text), sum(map(len, parts))), text, *parts]


def _exactly(connection: socket.socket, length: int) -> memoryview | None:
    content = memoryview(bytearray(length))
    place = 0
    while place < length:
        count = connection.recv_into(content[place:])
        if not count:
            return None
        place += count
    return content

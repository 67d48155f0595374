"""Image files made by hand: what Pillow can't write, and profiles that exist nowhere on a test machine."""

import io
import struct
import zlib
from itertools import product

import numpy as np
from PIL import Image

PROPHOTO = (0.3457, 0.3585, 0.7347, 0.2653, 0.1596, 0.8404, 0.0366, 0.0001)
"""White D50, red, green and blue of ProPhoto RGB, whose gamma is 1.8."""


def encode(image: Image.Image, kind: str, **options) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def png(rows: list[bytes], width: int, depth: int, colour: int, *chunks: tuple[bytes, bytes]) -> bytes:
    """A PNG from its rows, uncompressed and unfiltered, with further chunks before the pixels."""
    header = struct.pack(">IIBBBBB", width, len(rows), depth, colour, 0, 0, 0)
    body = zlib.compress(b"".join(b"\0" + row for row in rows))
    parts = [(b"IHDR", header), *chunks, (b"IDAT", body), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def tiff(tags: dict[int, int | tuple[int, ...] | bytes], pixels: bytes, order: str = "<") -> bytes:
    """A TIFF of one strip from its tags; numbers are stored as LONG, bytes as UNDEFINED."""
    tags = {273: 0, 279: len(pixels), 277: 1} | tags
    place = 8 + 2 + 12 * len(tags) + 4
    entries, beyond = b"", b""
    for tag, value in sorted(tags.items()):
        values = value if isinstance(value, tuple) else (place if tag == 273 and value == 0 else value,)
        body = value if isinstance(value, bytes) else struct.pack(f"{order}{len(values)}I", *values)
        count, kind = (len(value), 7) if isinstance(value, bytes) else (len(values), 4)
        if len(body) > 4:
            where = place + len(pixels) + len(beyond)
            beyond += body
            body = struct.pack(order + "I", where)
        entries += struct.pack(order + "HHI", tag, kind, count) + body.ljust(4, b"\0")
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "IH", 8, len(tags))
    return head + entries + bytes(4) + pixels + beyond


def grey_profile(gamma: float) -> bytes:
    """An ICC profile for grey of one gamma."""
    curve = b"curv" + struct.pack(">4xIHxx", 1, round(gamma * 256))
    return _profile(b"GRAY", b"XYZ ", {b"wtpt": _xyz(0.9642, 1.0, 0.8249), b"kTRC": curve})


def ink_profile() -> bytes:
    """An ICC profile for CMYK whose only table mixes the 16 full inks to plain colours in Lab."""
    nodes = b""
    for cyan, magenta, yellow, black in product((0, 1), repeat=4):
        paper = np.array([1 - cyan, 1 - magenta, 1 - yellow]) * (1 - black)
        nodes += bytes([round(255 * paper.mean()), *(np.clip(128 + 60 * (paper[:2] - paper[2]), 0, 255).astype(int))])
    ramp = bytes(range(256))
    matrix = struct.pack(">9i", *(65536 * int(i % 4 == 0) for i in range(9)))
    table = b"mft1" + bytes(4) + bytes([4, 3, 2, 0]) + matrix + ramp * 4 + nodes + ramp * 3
    return _profile(b"CMYK", b"Lab ", {b"wtpt": _xyz(0.9642, 1.0, 0.8249), b"A2B0": table})


def _xyz(*point: float) -> bytes:
    return b"XYZ " + struct.pack(">4x3i", *(round(65536 * v) for v in point))


def _profile(space: bytes, connection: bytes, tags: dict[bytes, bytes]) -> bytes:
    start = 128 + 4 + 12 * len(tags)
    table, body = struct.pack(">I", len(tags)), b""
    for name, content in tags.items():
        table += name + struct.pack(">II", start + len(body), len(content))
        body += content + bytes(-len(content) % 4)
    header = struct.pack(">I4xI4s4s4s", start + len(body), 0x02400000, b"prtr", space, connection)
    header += bytes(12) + b"acsp" + bytes(28) + struct.pack(">3i", *(round(65536 * v) for v in (0.9642, 1.0, 0.8249)))
    return header.ljust(128, b"\0") + table + body

"""Damaged images of every format, the same for the suite and for benchmarks/service_fuzz.py."""

import io
from collections.abc import Iterator

import numpy as np
from PIL import Image

__all__ = ["FORMATS", "mutated", "originals"]

FORMATS = ("JPEG", "PNG", "WebP", "TIFF", "BMP", "GIF")


def originals(photo: bytes) -> list[bytes]:
    """A photograph in every format, JPEG also progressive, PNG also with a palette, TIFF also compressed."""
    picture = Image.open(io.BytesIO(photo)).convert("RGB").resize((160, 120))
    kinds = [(name, {}) for name in FORMATS]
    kinds += [("JPEG", {"progressive": True}), ("TIFF", {"compression": "tiff_lzw"}), ("WebP", {"lossless": True})]
    found = [_saved(picture, name, **options) for name, options in kinds]
    return [*found, _saved(picture.convert("P"), "PNG"), _saved(picture.convert("L"), "TIFF", compression="packbits")]


def mutated(contents: list[bytes], count: int, seed: int) -> Iterator[bytes]:
    """Files with a few bytes changed, a part removed, repeated or filled, or the end missing."""
    random = np.random.default_rng(seed)
    for i in range(count):
        content = bytearray(contents[i % len(contents)])
        for _ in range(int(random.integers(1, 4))):
            _damage(content, random)
        yield bytes(content)


def _damage(content: bytearray, random: np.random.Generator) -> None:
    # Half of the damage is in the header, where it does most.
    reach = len(content) if random.random() < 0.5 else min(len(content), 200)
    place = int(random.integers(0, max(1, reach)))
    length = int(random.integers(1, 64))
    kind = random.integers(0, 6)
    if kind == 0:
        content[place : place + length] = random.bytes(min(length, len(content) - place))
    elif kind == 1:
        content[place : place + 1] = bytes([int(random.integers(0, 256))])
    elif kind == 2:
        del content[place : place + length]
    elif kind == 3:
        content[place:place] = content[place : place + length]
    elif kind == 4:
        content[place : place + 4] = b"\xff\xff\xff\xff"[: len(content) - place]
    else:
        del content[max(1, place) :]


def _saved(picture: Image.Image, name: str, **options: object) -> bytes:
    file = io.BytesIO()
    picture.save(file, format=name, **options)
    return file.getvalue()

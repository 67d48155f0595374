"""Compact sets of image and lesion ids that travel in a bundle and answer only whether an id is a member.

Ids of collections are numbered, such as 'ISIC_0024306'. The last run of digits of an id is its number, and the rest,
with the count of digits, is its pattern. A set keeps five bytes of the SHA-256 of each pattern and the gaps between the
sorted
numbers under it, compressed: 14,000 ids of HAM10000 take 3 kB instead of the 70 kB of a hash for each. An id without
digits is a pattern of its own. The archive of the ISIC offers some images twice, as 'ISIC_0001140' and reduced as
'ISIC_0001140_downsampled': these are one image, and one id here.

The false-positive rate of a foreign id is at most `patterns / 2**40`, and zero if its
pattern is known. Numbers can be recovered by anyone who guesses the pattern: don't put personal data into ids.
"""

import base64
import hashlib
import re
import zlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["IdSet", "image_identity", "varint"]

_LAST_DIGITS = re.compile(r"([0-9]{1,15})([^0-9]*)$")
_REDUCED = re.compile(r"(ISIC_[0-9]{7})_downsampled")
_BYTES = 5
_LONGEST = 7
"""Place of the last byte of the largest number: fifteen digits are 50 bits, in eight bytes of seven."""
_LARGEST = 1 << 28
"""Maximum number of bytes to decompress, a guard against decompression bombs."""


def image_identity(image_id: str) -> str:
    """The id that all copies of an image have: of ISIC's archive without the mark of a reduced copy."""
    reduced = _REDUCED.fullmatch(image_id)
    return reduced.group(1) if reduced else image_id


@dataclass(frozen=True)
class IdSet:
    """A set of ids.

    Attributes:
        numbers: by fingerprint of the pattern.
    """

    numbers: Mapping[bytes, frozenset[int]]

    @classmethod
    def of(cls, ids: Iterable[str]) -> "IdSet":
        """The set of some ids."""
        found: dict[bytes, set[int]] = defaultdict(set)
        for pattern, number in _numbered(ids):
            found[pattern].add(number)
        return cls({pattern: frozenset(numbers) for pattern, numbers in found.items()})

    def __len__(self) -> int:
        return sum(map(len, self.numbers.values()))

    def __or__(self, other: "IdSet") -> "IdSet":
        return IdSet({p: self._under(p) | other._under(p) for p in {*self.numbers, *other.numbers}})

    def contains(self, ids: Iterable[str]) -> NDArray[np.bool_]:
        """Whether each id is a member: bool [N]."""
        return np.array([number in self._under(pattern) for pattern, number in _numbered(ids)], dtype=bool)

    def encode(self) -> str:
        """As text without quotes or backslashes."""
        patterns = sorted(self.numbers)
        content = bytearray(varint(len(patterns)) + b"".join(patterns))
        for pattern in patterns:
            content += varint(len(self.numbers[pattern]))
        for pattern in patterns:
            before = 0
            for number in sorted(self.numbers[pattern]):
                content += varint(number - before)
                before = number
        return base64.b85encode(zlib.compress(bytes(content), 9)).decode()

    @classmethod
    def decode(cls, text: str) -> "IdSet":
        """The inverse of `encode`.

        Raises:
            ValueError: not such a text.
        """
        try:
            unpacking = zlib.decompressobj()
            content = unpacking.decompress(base64.b85decode(text), _LARGEST)
        except zlib.error as error:
            raise ValueError(f"not a set of ids ({error})") from None
        if not unpacking.eof:
            raise ValueError("a truncated set of ids")
        values = _Varints(content)
        patterns = values.raw(_BYTES, next(values))
        if len(set(patterns)) < len(patterns):
            raise ValueError("a set of ids with a pattern twice")
        counts = [next(values) for _ in patterns]
        gaps = _unpacked(values.rest())
        if len(gaps) != sum(counts):
            raise ValueError(f"a set of {sum(counts)} ids that holds {len(gaps)}")
        ends = np.cumsum([0, *counts])
        return cls(
            {p: frozenset(np.cumsum(gaps[a:b]).tolist()) for p, a, b in zip(patterns, ends, ends[1:], strict=False)}
        )

    def _under(self, pattern: bytes) -> frozenset[int]:
        return self.numbers.get(pattern, frozenset())


def _numbered(ids: Iterable[str]) -> Iterator[tuple[bytes, int]]:
    """Fingerprint of the pattern, and the number, of each id."""
    known: dict[tuple[str, int, str], bytes] = {}
    for text in map(image_identity, ids):
        match = _LAST_DIGITS.search(text)
        digits, suffix = match.groups() if match else ("", "")
        key = (text[: match.start()] if match else text, len(digits), suffix)
        if key not in known:
            known[key] = hashlib.sha256("\0".join(map(str, key)).encode()).digest()[:_BYTES]
        yield known[key], int(digits or 0)


def varint(value: int) -> bytes:
    """Seven bits a byte, the lowest first; the eighth says that more follow."""
    found = bytearray()
    while value > 127:
        found.append(value & 127 | 128)
        value >>= 7
    return bytes([*found, value])


class _Varints:
    """Reads what `varint` wrote."""

    def __init__(self, content: bytes) -> None:
        self._content, self._at = content, 0

    def __next__(self) -> int:
        value = shift = 0
        while True:
            (byte,) = self.raw(1, 1)
            value |= (byte[0] & 127) << shift
            shift += 7
            if byte[0] < 128:
                return value

    def raw(self, size: int, count: int) -> list[bytes]:
        """The next `count` pieces of `size` bytes."""
        end = self._at + size * count
        if end > len(self._content):
            raise ValueError("a truncated set of ids")
        pieces = [self._content[i : i + size] for i in range(self._at, end, size)]
        self._at = end
        return pieces

    def rest(self) -> bytes:
        """All that was not read yet."""
        return self._content[self._at :]


def _unpacked(content: bytes) -> NDArray[np.int64]:
    """All numbers of a text of `varint`s at once: int64 [N]."""
    found = np.frombuffer(content, np.uint8).astype(np.int64)
    ends = np.flatnonzero(found < 128)
    if len(found) and (not len(ends) or ends[-1] != len(found) - 1):
        raise ValueError("a truncated set of ids")
    starts = np.concatenate([[0], ends[:-1] + 1])
    place = np.arange(len(found)) - np.repeat(starts, ends + 1 - starts) if len(found) else found
    if (place > _LONGEST).any():
        raise ValueError("a number in a set of ids is too large")
    return np.add.reduceat((found & 127) << (7 * place), starts) if len(found) else found

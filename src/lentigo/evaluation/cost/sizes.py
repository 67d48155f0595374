"""Bytes of weights and files, each on a named footing, and comparisons that can't mix two of them.

A size without a footing means little: 95 % of zeros save nothing in a dense file, an optimizer's state triples a
checkpoint, and a general compressor shrinks any file a little.
"""

import io
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Protocol

import numpy as np
import zstandard
from numpy.typing import NDArray

from lentigo.errors import RunError

__all__ = [
    "FOOTINGS",
    "Reduction",
    "checkpoint_bytes",
    "packed_sizes",
    "reduction",
    "reductions",
    "sparse_bytes",
    "zip_bytes",
    "zstd_bytes",
]

FOOTINGS: Mapping[str, str] = MappingProxyType(
    {
        "weights": "weights only, dense, at the width they are stored in",
        "weights_sparse": "weights only, sparse: a bit for each number, and those that are not zero at their width",
        "weights_zip": "weights only, dense, in a zip archive (deflate, level 9)",
        "weights_zstd": "weights only, dense, packed by Zstandard at level 19",
        "file": "the file as it is",
        "file_zip": "the unpacked file in a zip archive (deflate, level 9)",
        "file_zstd": "the unpacked file packed by Zstandard at level 19",
        "checkpoint": "a training checkpoint: all numbers in 32 bits, and Adam's two moments of each trainable one",
    }
)
"""What is counted, by name of the footing."""


@dataclass(frozen=True)
class Reduction:
    """How much smaller one artefact is than another on one footing.

    Attributes:
        footing: one of `FOOTINGS`.
        before: bytes of the first.
        after: bytes of the second.
    """

    footing: str
    before: int
    after: int

    @property
    def factor(self) -> float:
        """The efficiency factor: how many times the second fits into the first."""
        return self.before / self.after

    @property
    def percent(self) -> float:
        """The reduction in percent of the first; negative where the second is larger."""
        return 100 * (1 - self.after / self.before)

    def to_dict(self) -> dict[str, object]:
        """As plain values, factor and percent included."""
        return {**asdict(self), "factor": self.factor, "percent": self.percent}


class HasSizes(Protocol):
    """An `Account`, as far as sizes need it."""

    @property
    def sizes(self) -> Mapping[str, int]:
        """Bytes by footing."""


def reduction(before: HasSizes, after: HasSizes, footing: str) -> Reduction:
    """Compare two accounts on one footing.

    Args:
        before: of the artefact that was there first.
        after: of the smaller one.
        footing: one of `FOOTINGS`.

    Raises:
        RunError: no such footing, or one that either artefact has no size on.
    """
    if footing not in FOOTINGS:
        raise RunError(f"{footing!r} is not a footing of sizes.", f"Known: {', '.join(FOOTINGS)}.")
    lacking = [which for which, sizes in (("first", before), ("second", after)) if not sizes.sizes.get(footing)]
    if lacking:
        shared = [name for name in FOOTINGS if before.sizes.get(name) and after.sizes.get(name)]
        raise RunError(
            f"The {' and the '.join(lacking)} has no size on the footing {footing!r}.",
            f"Both have: {', '.join(shared) or 'none'}.",
        )
    return Reduction(footing, before.sizes[footing], after.sizes[footing])


def reductions(before: HasSizes, after: HasSizes) -> list[Reduction]:
    """Compare two accounts on every footing that both have a size on."""
    shared = [name for name in FOOTINGS if before.sizes.get(name) and after.sizes.get(name)]
    return [reduction(before, after, name) for name in shared]


def sparse_bytes(arrays: Iterable[tuple[NDArray, int]]) -> int:
    """Bytes of weights as a bit for each number and the values that are not zero; dense where that is smaller.

    Args:
        arrays: each tensor, and its bytes in the file.
    """
    total = 0
    for values, nbytes in arrays:
        kept = int(np.count_nonzero(values))
        width = nbytes / max(values.size, 1)
        total += min(nbytes, -(-values.size // 8) + round(kept * width))
    return total


def checkpoint_bytes(trainable: int, non_trainable: int = 0) -> int:
    """Bytes of a checkpoint with Adam: 32-bit numbers, and two moments of each trainable one; no gradients."""
    return 4 * (3 * trainable + non_trainable)


def packed_sizes(content: bytes, name: str) -> dict[str, int]:
    """Bytes of `content` packed without loss, by footing; `name` is 'weights' or 'file'."""
    return {f"{name}_zip": zip_bytes(content), f"{name}_zstd": zstd_bytes(content)}


def zip_bytes(content: bytes) -> int:
    """Size of a zip archive with this one file, deflated at level 9."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as file:
        file.writestr("content", content)
    return len(archive.getvalue())


def zstd_bytes(content: bytes) -> int:
    """Size of one Zstandard frame at level 19."""
    return len(zstandard.ZstdCompressor(level=19).compress(content))

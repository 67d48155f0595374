"""The pixels of a classified image, for its heat map: read again from its file rather than kept in memory."""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lentigo.errors import ImageError
from lentigo.runtime.images import ImageSource, decode

__all__ = ["KeptImage"]


@dataclass(frozen=True)
class KeptImage:
    """Where to read an image's pixels again.

    Attributes:
        source: a path or a file's bytes, to decode again; or the pixels themselves, uint8 [H, W, 3].
        state: the file's size and modification time when it was classified.
        shape: height and width.
    """

    source: ImageSource
    state: tuple[int, int] | None
    shape: tuple[int, int]

    @classmethod
    def of(cls, source: ImageSource, pixels: NDArray[np.uint8]) -> "KeptImage":
        """Keep what is smallest: a path or bytes where there are any, a copy of the pixels otherwise."""
        shape = (pixels.shape[0], pixels.shape[1])
        if isinstance(source, bytes):
            return cls(source, None, shape)
        if isinstance(source, str | os.PathLike) and Path(os.fsdecode(source)).is_file():  # a pipe is read only once
            return cls(Path(os.fsdecode(source)).absolute(), _state(source), shape)
        # The caller may reuse the array for the next image.
        return cls(pixels.copy(), None, shape)

    def content(self) -> bytes | None:
        """The image's file as bytes; None where it was classified from pixels.

        Raises:
            ImageError: the file was removed or changed since it was classified.
        """
        if isinstance(self.source, bytes):
            return self.source
        if not isinstance(self.source, Path):
            return None
        self._refuse_changed()
        try:
            return self.source.read_bytes()
        except OSError as error:
            raise ImageError(f"{self.source}: can't be read again ({error.strerror}).", "Classify it again.") from None

    def pixels(self) -> NDArray[np.uint8]:
        """The pixels, uint8 [H, W, 3].

        Raises:
            ImageError: the file was removed or changed since it was classified.
        """
        if isinstance(self.source, np.ndarray):
            return self.source
        self._refuse_changed()
        return decode(self.source)

    def _refuse_changed(self) -> None:
        if isinstance(self.source, Path) and _state(self.source) != self.state:
            raise ImageError(f"{self.source}: it has changed since it was classified.", "Classify it again.")


def _state(path: str | os.PathLike[str]) -> tuple[int, int] | None:
    try:
        found = Path(os.fsdecode(path)).stat()
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns

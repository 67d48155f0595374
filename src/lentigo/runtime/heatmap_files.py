"""Heat maps as files: tagged, so that none is taken for a lesion; written whole, and never over anything else."""

import io
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import IO

from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile, PngInfo

from lentigo.atomic import replacing
from lentigo.errors import OutputError

__all__ = ["SUFFIX", "is_heatmap", "refuse_to_replace", "save"]

SUFFIX = ".heatmap.png"
"""How the names of heat maps end."""
_SOFTWARE = "lentigo heat map"
"""The PNG's `Software`, and what the comment of a JPEG starts with."""
_KINDS = {b"\x89PNG\r\n\x1a\n": PngImageFile, b"\xff\xd8\xff": JpegImageFile}


def is_heatmap(source: object) -> bool:
    """Whether an image carries the tag of a heat map, whatever its name; False for what can't be read.

    Args:
        source: a path, the bytes of a file, or a Pillow image; anything else is none.
    """
    try:
        if isinstance(source, Image.Image):
            return _tagged(source)
        if isinstance(source, str | os.PathLike):
            path = Path(os.fsdecode(source))
            if not path.is_file():  # a pipe can be read but once
                return False
            with path.open("rb") as file:
                return _tagged_file(file)
        if isinstance(source, bytes | bytearray | memoryview):
            return _tagged_file(io.BytesIO(source))
    except Exception:  # Pillow's errors on damaged files are many; decoding says what is wrong
        return False
    return False


def _tagged_file(file: IO[bytes]) -> bool:
    """Whether the parts before the pixels hold the tag; Pillow's classes are called directly, by the first bytes."""
    start = file.read(8)
    file.seek(0)
    kind = next((kind for magic, kind in _KINDS.items() if start.startswith(magic)), None)
    return kind is not None and _tagged(kind(file))


def refuse_to_replace(path: Path, *, overwrite: bool) -> None:
    """Stop before a heat map takes the place of a file.

    Args:
        path: where it would be written.
        overwrite: whether an earlier heat map may be replaced; nothing else ever is.

    Raises:
        OutputError: a file lies there that must stay.
    """
    if not (path.exists() or path.is_symlink()):
        return
    if not is_heatmap(path):
        raise OutputError(
            f"{path}: it exists and is no heat map of lentigo, so it is not replaced.", "Name another folder or file."
        )
    if not overwrite:
        raise OutputError(f"{path}: this heat map exists already.", "Name another place, or allow it with --overwrite.")


def save(picture: Image.Image, path: Path, tag: Mapping[str, object]) -> Path:
    """Write a drawn heat map as PNG with its tag; gives the path.

    Args:
        picture: what `heatmaps.draw` drew.
        path: the file.
        tag: what the file reports for itself, for programs: source, diagnosis, decision, model.

    Raises:
        OutputError: it can't be written.
    """
    info = PngInfo()
    info.add_text("Software", _SOFTWARE)
    info.add_text("lentigo", json.dumps(tag))
    with replacing(path) as partial:
        # A third of the time of Pillow's usual 6, for a tenth more bytes.
        picture.save(partial, format="PNG", pnginfo=info, compress_level=3)
    return path


def mark(picture: Image.Image) -> Image.Image:
    """Tag a picture in memory; Pillow carries the tag into a JPEG that it saves."""
    picture.info |= {"Software": _SOFTWARE, "comment": _SOFTWARE.encode()}
    return picture


def _tagged(image: Image.Image) -> bool:
    comment = image.info.get("comment", b"")
    said = comment if isinstance(comment, bytes) else str(comment).encode()
    return image.info.get("Software") == _SOFTWARE or said.startswith(_SOFTWARE.encode())

"""Pictures that lentigo draws, such as heat maps: tagged, so that none is mistaken for a lesion, and written whole."""

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
from lentigo.runtime.codecs.dicom import HEATMAP, is_dicom_heatmap
from lentigo.runtime.formats import START, sniff

__all__ = ["SUFFIX", "encode", "is_heatmap", "mark", "refuse_to_replace", "save"]

SUFFIX = ".heatmap.png"
"""Suffix of heat-map files."""
_JPEG = b"\xff\xd8\xff"
_KINDS = {b"\x89PNG\r\n\x1a\n": PngImageFile, _JPEG: JpegImageFile}


def is_heatmap(source: object) -> bool:
    """Whether lentigo drew an image, by its tag and regardless of its name; False for what can't be read.

    Args:
        source: a path, the bytes of a file, or a Pillow image; False for anything else.
    """
    try:
        if isinstance(source, Image.Image):
            return _tagged(source)
        if isinstance(source, str | os.PathLike):
            path = Path(os.fsdecode(source))
            if not path.is_file():  # a pipe is read only once
                return False
            with path.open("rb") as file:
                return _tagged_file(file)
        if isinstance(source, bytes | bytearray | memoryview):
            content = bytes(source)
            return _may_be_tagged(content) and _tagged_file(io.BytesIO(content))
    except Exception:  # Pillow raises many kinds of errors on damaged files; decoding reports what is wrong
        return False
    return False


def _may_be_tagged(content: bytes) -> bool:
    """False for a JPEG that lacks the tag: its header needn't be read. PNG may hold it packed."""
    return HEATMAP.encode() in content or not content.startswith(_JPEG)


def _tagged_file(file: IO[bytes]) -> bool:
    """Whether the header contains the tag; Pillow's classes are called directly, chosen by the first bytes."""
    start = file.read(START)
    file.seek(0)
    if (found := sniff(start)) and found.name == "DICOM":
        return is_dicom_heatmap(file.read())
    kind = next((kind for magic, kind in _KINDS.items() if start.startswith(magic)), None)
    return kind is not None and _tagged(kind(file))


def refuse_to_replace(path: Path, *, overwrite: bool) -> None:
    """Refuse to replace a file by a picture, unless lentigo drew it and `overwrite` allows it.

    Args:
        path: where it would be written.
        overwrite: whether an earlier picture may be replaced; nothing else ever is.

    Raises:
        OutputError: an existing file would be replaced.
    """
    if not (path.exists() or path.is_symlink()):
        return
    if not is_heatmap(path):
        raise OutputError(
            f"{path}: a file that is not a picture drawn by lentigo is never replaced.",
            "Choose another folder or file.",
        )
    if not overwrite:
        raise OutputError(f"{path}: this picture already exists.", "Choose another folder, or use --overwrite.")


def save(picture: Image.Image, path: Path, tag: Mapping[str, object]) -> Path:
    """Write a heat map as a tagged PNG; returns the path.

    Args:
        picture: what `heatmaps.draw` drew.
        path: the file.
        tag: machine-readable text chunks: source, diagnosis, decision, model.

    Raises:
        OutputError: it can't be written.
    """
    with replacing(path) as partial, partial.open("wb") as file:
        _write(picture, file, tag)
    return path


def encode(picture: Image.Image, tag: Mapping[str, object]) -> bytes:
    """A heat map as the bytes of a tagged PNG; see `save`."""
    file = io.BytesIO()
    _write(picture, file, tag)
    return file.getvalue()


def _write(picture: Image.Image, file: IO[bytes], tag: Mapping[str, object]) -> None:
    info = PngInfo()
    info.add_text("Software", HEATMAP)
    info.add_text("lentigo", json.dumps(tag))
    # A third of the time of Pillow's default of 6, for a tenth more bytes.
    picture.save(file, format="PNG", pnginfo=info, compress_level=3)


def mark(picture: Image.Image) -> Image.Image:
    """Tag a picture in memory; Pillow carries the tag into a JPEG that it saves."""
    picture.info |= {"Software": HEATMAP, "comment": HEATMAP.encode()}
    return picture


def _tagged(image: Image.Image) -> bool:
    comment = image.info.get("comment", b"")
    said = comment if isinstance(comment, bytes) else str(comment).encode()
    return image.info.get("Software") == HEATMAP or said.startswith(HEATMAP.encode())

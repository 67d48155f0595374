"""Texts that people write, as their editor or spreadsheet saved them."""

import codecs
import os
from pathlib import Path

__all__ = ["encoding_of", "read_text"]

_MARKS = (  # UTF-32 first: its mark begins like that of UTF-16
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def encoding_of(path: str | os.PathLike[str]) -> str:
    """UTF-16 or UTF-32 where a byte order mark says so, else UTF-8, whose own mark is taken off.

    Raises:
        OSError: it can't be opened.
    """
    with Path(path).open("rb") as file:
        start = file.read(4)
    return next((name for mark, name in _MARKS if start.startswith(mark)), "utf-8-sig")


def read_text(path: str | os.PathLike[str]) -> str:
    """A whole text, in the encoding of `encoding_of`, its line ends as \\n.

    Raises:
        OSError: it can't be opened.
        UnicodeError: it is in another encoding, which is not guessed; the message says what to do.
    """
    try:
        text = Path(path).read_text(encoding=encoding_of(path))
    except UnicodeDecodeError:
        raise UnicodeError("it is not in UTF-8; save it in that encoding") from None
    if "\0" in text:
        raise UnicodeError("zero bytes in it, as in UTF-16 without a byte order mark; save it as UTF-8")
    return text

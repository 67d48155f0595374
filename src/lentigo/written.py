"""Texts that people write, as their editor or spreadsheet saved them; and JSON in them."""

import codecs
import json
import os
import unicodedata
from collections.abc import Iterable
from pathlib import Path
from typing import Any

__all__ = ["decode", "encoding_of", "parse_json", "read_json", "read_text", "unprintable"]

_MARKS = (  # UTF-32 first: its mark begins like that of UTF-16
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_ACTING = frozenset({"Cc", "Cs", "Zl", "Zp"})
_REVERSING = frozenset("\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def encoding_of(path: str | os.PathLike[str]) -> str:
    """UTF-16 or UTF-32 where a byte order mark says so, else UTF-8, whose own mark is taken off.

    Raises:
        OSError: it can't be opened.
    """
    with Path(path).open("rb") as file:
        return _encoding(file.read(4))


def decode(content: bytes) -> str:
    """A text in the encoding that its first bytes state, its line ends as \\n.

    Raises:
        UnicodeError: it is in another encoding, which is not guessed; the message says what to do.
    """
    try:
        text = content.decode(_encoding(content))
    except UnicodeDecodeError:
        raise UnicodeError("it is not in UTF-8; save it in that encoding") from None
    if "\0" in text:
        raise UnicodeError("zero bytes in it, as in UTF-16 without a byte order mark; save it as UTF-8")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def read_text(path: str | os.PathLike[str]) -> str:
    """The whole text of a file, as `decode` reads it.

    Raises:
        OSError: it can't be opened.
        UnicodeError: as in `decode`.
    """
    return decode(Path(path).read_bytes())


def read_json(path: str | os.PathLike[str]) -> Any:
    """What a JSON file says; a name that stands twice in an object is refused, of which JSON would keep the last.

    Raises:
        OSError: it can't be opened.
        ValueError: not JSON, a name that stands twice, or as in `decode`.
    """
    return parse_json(read_text(path))


def parse_json(text: str) -> Any:
    """What a JSON text says, as `read_json`.

    Raises:
        ValueError: not JSON, or a name that stands twice.
    """
    return json.loads(text, object_pairs_hook=_unique)


def unprintable(text: str, *, allowed: str = "") -> str:
    """The first character that would act on a terminal or a page instead of being shown; empty if there is none.

    Control characters, line and paragraph separators, halves of pairs, and what reverses the order of letters: with it
    a text reads as another one.

    Args:
        text: any text.
        allowed: characters that are taken nevertheless, such as the end of a line.
    """
    if text.isprintable():  # almost always, and quickly said
        return ""
    acting = (c for c in text if unicodedata.category(c) in _ACTING or c in _REVERSING)
    return next((c for c in acting if c not in allowed), "")


def _unique(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise ValueError(f"{name!r} stands in it twice")
        found[name] = value
    return found


def _encoding(start: bytes) -> str:
    return next((name for mark, name in _MARKS if start.startswith(mark)), "utf-8-sig")

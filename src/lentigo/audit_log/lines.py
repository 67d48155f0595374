"""The form of an audit log: its lines, and its side file."""

import hashlib
import json
from pathlib import Path
from typing import Any

from lentigo.errors import DataError, next_step, reason

__all__ = ["START", "is_begun", "is_hash", "make_line", "parsed", "read_anchor", "side_file"]

START = "0" * 64
"""What the first line names as the hash of the line before it."""
_KEYS = ("line", "time", "image_sha256", "model", "model_sha256", "decision", "diagnosis", "previous", "hash")


def make_line(number: int, values: dict[str, object], previous: str) -> tuple[bytes, str]:
    """A line as bytes, and its hash."""
    content = {"line": number, **values, "previous": previous}
    digest = hashlib.sha256(_plain(content)).hexdigest()
    return _plain({**content, "hash": digest}) + b"\n", digest


def _plain(values: dict[str, object]) -> bytes:
    return json.dumps(values, separators=(",", ":")).encode("ascii")


def parsed(line: bytes) -> dict[str, Any] | None:
    """The values of a line if it is byte for byte what was written; else None."""
    try:
        values = json.loads(line)
        if tuple(values) != _KEYS or type(values["line"]) is not int:
            return None
        content = {k: v for k, v in values.items() if k != "hash"}
        digest = hashlib.sha256(_plain(content)).hexdigest()
        return values if _plain({**content, "hash": digest}) == line else None
    except (ValueError, TypeError, RecursionError):
        return None


def is_begun(rest: bytes, number: int) -> bool:
    """Whether bytes are how the line of a number begins: what an interrupted writer may have left of it."""
    begin = b'{"line":%d,"time":"' % number
    return rest[: len(begin)] == begin[: len(rest)]


def side_file(path: Path) -> Path:
    """The file beside a log that holds the number and hash of its last line."""
    return path.with_name(path.name + ".head")


def read_anchor(path: Path) -> tuple[int, str] | None:
    """Number and hash of the last line by the side file; None where there is none.

    Raises:
        DataError: the side file is damaged.
    """
    side = side_file(path)
    try:
        values = json.loads(side.read_text(encoding="utf-8"))
        lines, digest = values["lines"], values["hash"]
    except FileNotFoundError:
        return None
    except OSError as error:
        raise DataError(
            f"{side}: the audit log's side file can't be read ({reason(error)}).", next_step(error)
        ) from None
    except (ValueError, TypeError, KeyError, RecursionError):
        lines, digest = None, None
    # Of no line nothing is ever written, and it would vouch for nothing.
    if type(lines) is not int or lines < 1 or not is_hash(digest):
        raise DataError(f"{side}: the audit log's side file is damaged.", "Keep it as evidence, and start another log.")
    return lines, digest


def is_hash(text: object) -> bool:
    """Whether it is a SHA-256 in hexadecimal."""
    return isinstance(text, str) and len(text) == 64 and set(text) <= set("0123456789abcdef")

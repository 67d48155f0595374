"""Errors that a user can act on: what is wrong, which file is affected, and what to do next."""

import errno
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

__all__ = [
    "BundleError",
    "DataError",
    "DataWarning",
    "ImageError",
    "LeakError",
    "LentigoError",
    "MissingExtraError",
    "OutputError",
    "RunError",
    "ServiceError",
    "did_you_mean",
    "install_command",
    "needs_extra",
    "next_step",
    "reason",
]


class LentigoError(Exception):
    """Base class of all errors that lentigo raises deliberately.

    Args:
        message: what is wrong, naming the file or value.
        hint: the next step for the user, as a sentence.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(f"{message} {hint}".strip())
        self.message = message
        self.hint = hint


class ImageError(LentigoError):
    """An image that can't or must not be read."""


class BundleError(LentigoError):
    """A model file that is damaged, not a lentigo bundle, or fails verification."""


class DataError(LentigoError):
    """A data set that can't be read as the format it claims to be."""


class DataWarning(UserWarning):
    """A data set was read only in part: rows skipped, ignored or kept with a problem, counted by kind."""


class LeakError(LentigoError):
    """A step that would leak test images into training or evaluation."""


class RunError(LentigoError):
    """A training run that can't be started, resumed or read."""


class ServiceError(LentigoError):
    """A service that answers with an error, or not at all.

    Attributes:
        status: of the response; 0 if there was none.
        request_id: to name in a question to whoever runs the service; empty if there was none.
    """

    def __init__(self, message: str, hint: str = "", *, status: int = 0, request_id: str = "") -> None:
        super().__init__(message, hint)
        self.status = status
        self.request_id = request_id


_NEXT_STEPS = {
    errno.EACCES: "Choose a writable location, or change its permissions.",
    errno.EPERM: "Choose a writable location, or change its permissions.",
    errno.EROFS: "Choose a location on a writable disk.",
    errno.ENOSPC: "Free some space on this disk, or choose another.",
    errno.EDQUOT: "Free some of your disk quota, or choose another disk.",
    errno.ENOENT: "Check the path; a parent folder is missing.",
    errno.EEXIST: "A file has the name of a required folder: choose another name, or move that file.",
    errno.ENOTDIR: "A file has the name of a required folder: choose another name, or move that file.",
    errno.EISDIR: "This is a folder: name a file.",
    errno.ENAMETOOLONG: "Choose a shorter name.",
    errno.ELOOP: "The links are cyclic: name the file itself.",
    errno.EMFILE: "Too many open files: close some, or raise the limit (ulimit -n).",
}


class OutputError(LentigoError, OSError):
    """A file that can't or must not be written."""

    @classmethod
    def of(cls, path: str | os.PathLike[str], error: OSError) -> "OutputError":
        """From an error of the operating system, with the matching next step."""
        return cls(f"{Path(path)}: {reason(error)}.", next_step(error))


def reason(error: Exception) -> str:
    """What an error says: the operating system's message, in lower case, or the text of any other error."""
    if not isinstance(error, OSError):
        return str(error) or type(error).__name__
    absent = os.strerror(errno.ENOENT) if isinstance(error, FileNotFoundError) else ""  # pyarrow's gives no number
    words = error.strerror or absent or str(error) or type(error).__name__
    return words[:1].lower() + words[1:]


def next_step(error: OSError) -> str:
    """What to do about an error of the operating system."""
    return _NEXT_STEPS.get(error.errno or 0, "Check that the location exists and is accessible.")


class MissingExtraError(LentigoError, ImportError):
    """A part of lentigo that needs packages beyond the plain install."""

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(f"{what} needs packages that are not installed.", f"Run: {install_command(extra)}")


@contextmanager
def needs_extra(what: str, extra: str) -> Iterator[None]:
    """Imports that succeed where an extra is installed: where a package is absent, the error names this extra.

    Also where a part below said so first, for it would name a smaller extra, which is not enough.
    """
    try:
        yield
    except MissingExtraError as missing:
        raise MissingExtraError(what, extra) from missing
    except ModuleNotFoundError as missing:
        if missing.name is None or missing.name.startswith("lentigo"):
            raise
        raise MissingExtraError(what, extra) from missing


def install_command(extra: str) -> str:
    """The command that adds an extra to this installation, which may come from a folder rather than an index."""
    # Imported here to keep the command line's start-up fast.
    import json
    import shlex
    from importlib.metadata import PackageNotFoundError, distribution
    from urllib.parse import urlsplit
    from urllib.request import url2pathname

    origin: dict = {}
    with suppress(PackageNotFoundError, ValueError):
        origin = json.loads(distribution("lentigo").read_text("direct_url.json") or "{}")
    place, editable = "lentigo", ""
    if "dir_info" in origin:
        place = url2pathname(urlsplit(origin["url"]).path)
        editable = "--editable " if origin["dir_info"].get("editable") else ""
    return f"{shlex.quote(sys.executable)} -m pip install {editable}{shlex.quote(f'{place}[{extra}]')}"


def did_you_mean(word: object, known: Iterable[str]) -> str:
    """The hint for an unknown name: the closest match, if there is one, and all known names."""
    from difflib import get_close_matches  # imported here to keep the command line's start-up fast

    plain = {name.lower().replace("_", "").replace("-", ""): name for name in known}
    asked = str(word).lower().replace("_", "").replace("-", "")
    close = get_close_matches(asked, plain, n=1) or [name for name in plain if asked and name.startswith(asked)]
    hint = f"Did you mean {plain[close[0]]!r}? " if close else ""
    return f"{hint}Known: {', '.join(plain.values())}."

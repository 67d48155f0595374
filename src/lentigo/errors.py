"""Errors that a user can act on: what is wrong, with which file, and what to do next."""

import errno
import os
import sys
from collections.abc import Iterable
from contextlib import suppress
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
    "did_you_mean",
    "install_command",
    "next_step",
    "reason",
]


class LentigoError(Exception):
    """Base of every error that lentigo raises on purpose.

    Args:
        message: what is wrong, naming the file or value.
        hint: the next step for the user, as a sentence.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(f"{message} {hint}".strip())
        self.message = message
        self.hint = hint


class ImageError(LentigoError):
    """An image that can't be read, or shouldn't be."""


class BundleError(LentigoError):
    """A model file that is damaged, foreign, or fails its verification."""


class DataError(LentigoError):
    """A data set that can't be read as what it claims to be."""


class DataWarning(UserWarning):
    """A data set was read, but not all of it: what was left out, ignored or kept with a fault, counted by kind."""


class LeakError(LentigoError):
    """A step that would let test images influence a model or its evaluation."""


class RunError(LentigoError):
    """A training run that can't be started, resumed or read."""


_NEXT_STEPS = {
    errno.EACCES: "Choose a place that you may write to, or change its permissions.",
    errno.EPERM: "Choose a place that you may write to, or change its permissions.",
    errno.EROFS: "Choose a place on a disk that can be written to.",
    errno.ENOSPC: "Free some space on this disk, or choose another.",
    errno.EDQUOT: "Free some of your quota on this disk, or choose another.",
    errno.ENOENT: "Check the name; a folder on the way to it is missing.",
    errno.EEXIST: "A file bears the name of a folder that is needed: choose another name, or move that file.",
    errno.ENOTDIR: "A file bears the name of a folder that is needed: choose another name, or move that file.",
    errno.EISDIR: "This is a folder: name a file.",
    errno.ENAMETOOLONG: "Choose a shorter name.",
    errno.ELOOP: "Links lead in a circle: name the file itself.",
    errno.EMFILE: "Too many files are open: close some, or raise the limit (ulimit -n).",
}


class OutputError(LentigoError, OSError):
    """A file that can't be written, or must not be."""

    @classmethod
    def of(cls, path: str | os.PathLike[str], error: OSError) -> "OutputError":
        """What the operating system refused, with the next step for that very reason."""
        return cls(f"{Path(path)}: {reason(error)}.", next_step(error))


def reason(error: OSError) -> str:
    """The operating system's words for an error, in lower case."""
    words = error.strerror or str(error) or type(error).__name__
    return words[:1].lower() + words[1:]


def next_step(error: OSError) -> str:
    """What to do about an error of the operating system."""
    return _NEXT_STEPS.get(error.errno or 0, "Check that the place exists and can be used.")


class MissingExtraError(LentigoError, ImportError):
    """A part of lentigo that needs packages which the plain install doesn't bring."""

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(f"{what} needs packages that are not installed.", f"Run: {install_command(extra)}")


def install_command(extra: str) -> str:
    """The command that adds an extra to this very installation, which may come from a folder and not from an index."""
    # Imported here: every start of the command line would pay for them.
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
    """The hint for a name that doesn't exist: the one that it is closest to, if any is close, and all there are."""
    from difflib import get_close_matches  # only here: it costs every start of the command line some milliseconds

    plain = {name.lower().replace("_", "").replace("-", ""): name for name in known}
    asked = str(word).lower().replace("_", "").replace("-", "")
    close = get_close_matches(asked, plain, n=1) or [name for name in plain if asked and name.startswith(asked)]
    hint = f"Did you mean {plain[close[0]]!r}? " if close else ""
    return f"{hint}There are: {', '.join(plain.values())}."

"""Errors that a user can act on: what is wrong, with which file, and what to do next."""

__all__ = [
    "BundleError",
    "DataError",
    "ImageError",
    "LeakError",
    "LentigoError",
    "MissingExtraError",
    "RunError",
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


class LeakError(LentigoError):
    """A step that would let test images influence a model or its evaluation."""


class RunError(LentigoError):
    """A training run that can't be started, resumed or read."""


class MissingExtraError(LentigoError, ImportError):
    """A part of lentigo that needs packages which the plain install doesn't bring."""

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(f"{what} needs packages that are not installed.", f"Run: pip install 'lentigo[{extra}]'")

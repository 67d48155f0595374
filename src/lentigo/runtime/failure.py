"""The result for an image that could not be read."""

from dataclasses import dataclass

from lentigo.runtime.json_form import FORMAT, KEYS

__all__ = ["Failure"]


@dataclass(frozen=True, repr=False)
class Failure:
    """An image that could not be read.

    Attributes:
        source: path or name of the image.
        error: what is wrong with it and what to do.
        model: name of the model.
        model_sha256: hash of its file, hexadecimal.
        classes: ids of the diagnoses that it distinguishes.
    """

    source: str
    error: str
    model: str
    model_sha256: str
    classes: tuple[str, ...]

    def __repr__(self) -> str:
        return f"Failure({self.source!r}: {self.error})"

    def to_dict(self) -> dict[str, object]:
        """As plain values for JSON, with the keys of a verdict's."""
        values = dict.fromkeys(KEYS)
        return values | {
            "format": FORMAT,
            "source": self.source,
            "error": self.error,
            "rejection_reasons": [],
            "model": self.model,
            "model_sha256": self.model_sha256,
        }

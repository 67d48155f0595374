"""Rows of results: the columns of `classify --format csv`, with the image's id, its hash, and the kind of failure."""

import hashlib
import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from lentigo.bulk.reading import UNREADABLE_IMAGE, Item
from lentigo.errors import ImageError, needs_extra
from lentigo.runtime import Classifier, Failure, Verdict
from lentigo.runtime.rendering import flat, flat_columns

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Row", "row_of", "schema"]

Row = dict[str, object]


class _Named(io.BytesIO):
    """The bytes of an image, with the name that results and errors have."""

    def __init__(self, content: bytes, name: str) -> None:
        super().__init__(content)
        self.name = name


_TEXTS = {"source", "decision", "diagnosis", "view", "rejection_reasons", "model", "model_sha256", "error"}


def schema(classes: Sequence[str], *, maps: bool) -> "pa.Schema":
    """Types of the columns, for a model that distinguishes these diagnoses.

    Raises:
        MissingExtraError: pyarrow is not installed.
    """
    with needs_extra("Bulk classification", "bulk"):
        import pyarrow as pa

    def kind(column: str) -> pa.DataType:
        if column in _TEXTS or column.endswith("_threshold_view"):
            return pa.string()
        return pa.bool_() if column == "gradable" else pa.float64()

    fields = [("image_id", pa.string()), ("content_sha256", pa.string())]
    fields += [(column, kind(column)) for column in flat_columns(classes)]
    fields += [("error_kind", pa.string())]
    fields += [("map", pa.list_(pa.list_(pa.float32())))] if maps else []
    return pa.schema(fields)


def row_of(item: Item, classifier: Classifier, *, prevalence: Mapping[str, float] | None, maps: bool) -> Row:
    """The row of one item: a verdict, or why there is none.

    Each image is classified by itself, so that its numbers don't depend on which others are in its part.
    """
    source = item.source.encode("utf-8", "backslashreplace").decode()
    if item.content is None:
        bundle = classifier.bundle.metadata
        failure = Failure(source, item.error, bundle.name, classifier.sha256, classifier.labels.classes)
        return _row(item, None, failure, item.kind, maps=maps)
    digest = hashlib.sha256(item.content).hexdigest()
    named = _Named(item.content, source)
    try:
        return _row(item, digest, classifier.classify(named, prevalence=prevalence), None, maps=maps)
    except ImageError as error:
        return _row(item, digest, classifier.failure(named, error), UNREADABLE_IMAGE, maps=maps)


def _row(item: Item, digest: str | None, result: Verdict | Failure, kind: str | None, *, maps: bool) -> Row:
    values = {"image_id": item.id, "content_sha256": digest, **flat(result), "error_kind": kind}
    return values | ({"map": _map(result)} if maps else {})


def _map(result: Verdict | Failure) -> list[list[float]] | None:
    """The class-activation map of the most probable diagnosis; None where there is none."""
    if isinstance(result, Failure) or not result.gradable:
        return None
    found: list[list[float]] = result.evidence().tolist()
    return found

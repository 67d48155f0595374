"""One call from predictions to a folder with everything that can be said of them."""

import os
from collections.abc import Sequence
from pathlib import Path

from lentigo.errors import DataError
from lentigo.report.page import describe, write
from lentigo.report.subject import Subject
from lentigo.runtime import Bundle
from lentigo.runtime.shipped import find_bundle

__all__ = ["report"]


def report(
    predictions_paths: Sequence[str | os.PathLike[str]],
    out: str | os.PathLike[str],
    *,
    bundle: str | os.PathLike[str] | None = None,
    replicates: int = 1000,
) -> Path:
    """Write index.html, and report.json with its schema.

    Args:
        predictions_paths: tables of predictions.
        out: folder to write into.
        bundle: name or path of the model that made the predictions; its thresholds are applied.
        replicates: bootstrap resamples behind the intervals; 0 for none.

    Returns:
        Path of the page.

    Raises:
        DataError: no table, or not one of the bundle's.
        BundleError: the bundle can't be read.
    """
    if not predictions_paths:
        raise DataError("There are no predictions to report on.", "Name a predictions.parquet.")
    opened = None if bundle is None else Bundle(find_bundle(bundle), threads=1)
    subject = Subject.read(Path(predictions_paths[0]), bundle=opened, replicates=replicates)
    return write(describe(subject), Path(out))

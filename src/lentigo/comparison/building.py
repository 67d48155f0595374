"""Make an index from a data set, or from the training part of a run."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from lentigo.atomic import refuse_existing, writable
from lentigo.comparison.described import content_hash, opened, unit
from lentigo.comparison.index import SUFFIX, Index
from lentigo.errors import DataError, ImageError, LeakError, OutputError
from lentigo.progress import note, track
from lentigo.runtime import Bundle, Classifier
from lentigo.runtime.perceptual import perceptual_hash

if TYPE_CHECKING:
    from lentigo.data import Records

__all__ = ["build_index", "index_of"]

Part = Literal["train", "all"]


def build_index(
    source: str | os.PathLike[str],
    model: str | os.PathLike[str] | None = None,
    out: str | os.PathLike[str] | None = None,
    *,
    part: Part = "train",
    labels: str | None = None,
    overwrite: bool = False,
) -> Index:
    """Write the index of a data set's known lesions.

    Args:
        source: the data set, or a run that was trained on it.
        model: name or path of the bundle whose embeddings are compared; None is the default model.
        out: the file; without it MODEL.index.npz beside the bundle.
        part: 'train' for the images that the model has learned from, and no others, so that what is measured on test
            images stays honest; 'all' for a data set of which it has seen none, such as a clinic's own archive.
        labels: the data set's label set, as in `data.read`.
        overwrite: replace an earlier index.

    Raises:
        BundleError: no such model, or it gives no embeddings.
        DataError: unreadable data, other diagnoses than the model's, or no image of the part.
        LeakError: 'all' of a data set of which the model has seen a part.
        OutputError: the file's name doesn't end in .npz, it exists, is the bundle or one of the data set's, or can't be
            written.
        RunError: a run that can't be read.
    """
    from lentigo import data
    from lentigo.data.outputs import refuse_inputs

    classifier = opened(model)
    bundle_path = classifier.bundle.path
    target = Path(out) if out else bundle_path.with_name(bundle_path.name.partition(".onnx")[0] + SUFFIX)
    refuse_existing(writable(target), overwrite=overwrite)
    if (Path(source) / "recipe.json").is_file():
        from lentigo.training import load_run

        records = load_run(source).records
    else:
        records = data.read(source, labels=labels)
    refuse_inputs(target, records, [bundle_path])
    if not target.name.endswith(".npz"):  # so that --overwrite never replaces a file of another kind
        raise OutputError(f"{target}: the name of an index must end in .npz.", f"Rename it, such as NAME{SUFFIX}.")
    return index_of(records, classifier, part).save(target, overwrite=overwrite)


def index_of(records: "Records", classifier: Classifier, part: Part = "train") -> Index:
    """The index of some records in memory; images that can't be read are left out and counted on standard error.

    Raises:
        DataError, LeakError: as in `build_index`.
    """
    from lentigo import data
    from lentigo.data.records import none_readable

    bundle = classifier.bundle
    _refuse_other_labels(records, bundle)
    _, groups = np.unique(data.find_groups(records).astype(str), return_inverse=True)
    chosen = _chosen(records, bundle, part)
    paths = records.table["path"].iloc[chosen].tolist()

    def one(path: str) -> tuple[NDArray[np.float32], np.uint64, np.uint64] | None:
        try:
            pixels = records.decode(path)
        except ImageError:
            return None
        return bundle.embed(pixels[None])[0], content_hash(pixels), perceptual_hash(pixels)

    with ThreadPoolExecutor() as pool:
        found = list(track(pool.map(one, paths), "Indexing", len(paths)))
    kept = [(row, values) for row, values in zip(chosen, found, strict=True) if values is not None]
    if not kept:
        raise none_readable(records.take(records.ids[chosen]))
    if lost := len(found) - len(kept):
        note(f"Not indexed: {lost} of {len(found)} images that can't be read.")
    rows = np.array([row for row, _ in kept])
    vectors = unit(np.stack([values[0] for _, values in kept]))
    steps = np.maximum(np.abs(vectors).max(axis=1) / 127, np.finfo(np.float32).tiny).astype(np.float32)
    label_ids = np.array(records.label_set.classes)[records.labels]
    return Index(
        ids=records.ids[rows].astype(str),
        lesions=records.table["lesion_id"].to_numpy(dtype=object)[rows].astype(str),
        diagnoses=label_ids[rows].astype(str),
        groups=groups[rows].astype(np.int32),
        contents=np.array([values[1] for _, values in kept], np.uint64),
        pictures=np.array([values[2] for _, values in kept], np.uint64),
        codes=np.round(vectors / steps[:, None]).astype(np.int8),
        steps=steps,
        model=bundle.name,
        model_sha256=bundle.sha256,
        source=records.name,
        part=part,
    )


def _refuse_other_labels(records: "Records", bundle: Bundle) -> None:
    unknown = sorted(set(records.label_set.classes) - set(bundle.labels.classes))
    if unknown:
        raise DataError(
            f"{records.root} has labels that {bundle.name} doesn't distinguish: {', '.join(unknown)}.",
            "Read the data with the model's label set (--labels).",
        )


def _chosen(records: "Records", bundle: Bundle, part: Part) -> NDArray[np.int64]:
    """Rows of the images to index."""
    origin = bundle.origin
    seen = origin.seen(records.ids) | origin.seen(records.table["lesion_id"])
    if part == "all":
        if seen.any():
            raise LeakError(
                f"{bundle.name} was trained or tuned on {int(seen.sum())} of the {len(records)} images of "
                f"{records.root} or their lesions: an index of all of them would hold its test images too.",
                "Index its training part: leave out --part all.",
            )
        return np.arange(len(records))
    if not len(origin.train):
        raise DataError(
            f"{bundle.path}: the file does not say which images it was trained on.", "Export the run again."
        )
    rows = np.flatnonzero(origin.train.contains(records.ids))
    if not len(rows):
        raise DataError(
            f"{records.root}: none of its {len(records)} images is in the training part of {bundle.name}.",
            "For known lesions that the model has not learned from use --part all.",
        )
    return rows

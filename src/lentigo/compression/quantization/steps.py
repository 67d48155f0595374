"""A bundle's network in fewer bits, as a bundle with its own calibration, thresholds and metrics."""

import os
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import onnx
from numpy.typing import NDArray
from scipy.special import softmax

from lentigo import data
from lentigo.compression.quantization.graph import chosen_layers, find_layers, load_graph, network_tensors
from lentigo.compression.quantization.images import calibration_images, decoded, ids_hash
from lentigo.compression.quantization.precisions import calibrated_tensors, to_clusters, to_float16, to_int8
from lentigo.compression.quantization.ranges import Method, Range, measure_ranges
from lentigo.errors import BundleError, DataError, OutputError, did_you_mean
from lentigo.evaluation.predict import own_part
from lentigo.export import check_parity, recalibrate
from lentigo.export.assemble import checked_path
from lentigo.export.parity import Parity
from lentigo.labels import LabelSet
from lentigo.runtime import Bundle, Origin, Outputs

__all__ = ["cluster", "derive", "output_path", "quantize"]

Precision = Literal["int8", "fp16"]
IMAGES = 256
"""Training images that the ranges are measured on, unless stated otherwise."""


def quantize(
    bundle: Bundle,
    records: data.Records,
    out: str | os.PathLike[str],
    *,
    precision: Precision = "int8",
    calibration: Method = "minmax",
    keep: Collection[str] = (),
    images: int = IMAGES,
    seed: int = 0,
    balanced: bool = False,
    only: Sequence[str] | None = None,
    ranges: Mapping[str, Range] | None = None,
    name: str | None = None,
    enforce: bool = True,
) -> Bundle:
    """Write a bundle whose network has weights of fewer bits.

    int8: layers compute in integers (static QDQ); weights have a step for each output channel, in 7 bits, see
    `to_int8`. fp16: weights are stored in 16 bits and computed with in 32. Preprocessing, the OOD score and the last
    layer are untouched in int8, so that maps add up to logits; in fp16 the last layer's weights are rounded too, in
    maps and logits alike. Temperature, operating points and OOD threshold are chosen anew with the file itself. The
    same arguments give the same file.

    Args:
        bundle: in fp32.
        records: the whole data set that it was trained on.
        out: the .onnx file to write, not that of the bundle.
        precision: 'int8' or 'fp16'.
        calibration: how the ranges of int8 are found: 'minmax', 'entropy' or 'percentile', see `measure_ranges`.
        keep: names of layers that stay in higher precision (fp16 in an int8 file, fp32 in one of fp16), for example
            those of `sensitivity(...).keep(...)`.
        images: training images to calibrate on.
        seed: of their draw.
        balanced: draw as many of each diagnosis.
        only: ids of the training images to calibrate on, instead of drawing.
        ranges: those that a quantization-aware training learned, see `learned_ranges`; the others are calibrated.
        name: the new model's name; without it the bundle's and the precision.
        enforce: False writes a file that violates its precision's policy too, to measure what a published form gives;
            its metadata hold the differences.

    Raises:
        BundleError: no fp32 bundle, unknown operators, no such layers, or the result differs too much from its parent.
        DataError: unknown names, calibration images that aren't training images or are of one diagnosis, or the data
            set isn't that of the training.
        OutputError: the file can't be written, or holds something else.
    """
    if precision not in get_args(Precision):
        raise DataError(f"Unknown precision {precision!r}.", did_you_mean(precision, get_args(Precision)))
    path = output_path(bundle, out)
    model = load_graph(bundle)
    layers = chosen_layers(model, keep, bundle.path)
    step: dict[str, Any] = {"step": "quantize", "precision": precision, "kept": sorted(keep)}
    if precision == "fp16":
        kept = {name for layer in find_layers(model) if layer.name in keep for name in (layer.weight, layer.bias)}
        names = [name for name in network_tensors(model) if name not in kept]
        return derive(bundle, to_float16(model, names), records, path, "fp16", step, name=name, enforce=enforce)
    chosen = calibration_images(bundle, records, images, seed=seed, balanced=balanced, only=only)
    pictures = decoded(chosen, "Calibrating")
    found = measure_ranges(model, calibrated_tensors(model, layers), pictures, calibration) | dict(ranges or {})
    step |= {"calibration": calibration, "images": len(chosen), "balanced": balanced, "seed": seed}
    step |= {"learned": sorted(set(ranges) & set(found))} if ranges else {}
    smaller = to_int8(model, layers, found)
    if keep:
        smaller = to_float16(smaller, [name for y in find_layers(smaller) for name in (y.weight, y.bias) if name])
    return derive(bundle, smaller, records, path, "int8", step, chosen, name=name, enforce=enforce)


def cluster(
    bundle: Bundle,
    records: data.Records,
    out: str | os.PathLike[str],
    *,
    clusters: int = 128,
    keep: Collection[str] = (),
    name: str | None = None,
) -> Bundle:
    """Write a bundle each of whose layers has few different weights, stored as 8-bit places in a table.

    The file shrinks to about a quarter, and further when it is packed, as places of few values compress. It computes in
    32 bits, and isn't faster. It states the precision int8, of what is stored.

    Args:
        bundle: in fp32.
        records: the whole data set that it was trained on.
        out: the .onnx file to write, not that of the bundle.
        clusters: different weights of a layer, 2 to 256.
        keep: names of layers that stay as they are.
        name: the model's name; without it that of the bundle, with its precision.

    Raises:
        BundleError, DataError, OutputError: as in `quantize`; or `clusters` is out of range.
    """
    if not 2 <= clusters <= 256:
        raise DataError(f"{clusters} clusters: places have 8 bits.", "Use 2 to 256.")
    path = output_path(bundle, out)
    model = load_graph(bundle)
    layers = chosen_layers(model, keep, bundle.path)
    step = {"step": "cluster", "clusters": clusters, "kept": sorted(keep)}
    return derive(bundle, to_clusters(model, layers, clusters), records, path, "int8", step, name=name)


def derive(
    parent: Bundle,
    model: onnx.ModelProto,
    records: data.Records,
    out: Path,
    precision: Literal["fp32", "fp16", "int8"],
    step: Mapping[str, Any],
    calibrated_on: data.Records | None = None,
    *,
    name: str | None = None,
    enforce: bool = True,
) -> Bundle:
    """Write a graph that was made from a bundle's, verified against it, with its own calibration.

    Args:
        parent: what it was made from.
        model: the graph.
        records: the whole data set of the training.
        out: from `output_path`.
        precision: of its weights.
        step: what was done, for the metadata's `compression`.
        calibrated_on: the images that ranges were measured on.
        name: the new model's; without it the parent's and the precision.
        enforce: as in `quantize`.
    """
    metadata = parent.metadata.model_copy(
        update={
            "name": name or f"{parent.name} {precision}",
            "precision": precision,
            "parent_sha256": parent.sha256,
            "calibration_sha256": None if calibrated_on is None else ids_hash(calibrated_on),
            "compression": (*parent.metadata.compression, dict(step)),
        }
    )
    if out.exists() and Bundle(out).metadata.compression != metadata.compression:
        raise OutputError(f"{out}: this bundle already exists and was made in another way.", "Name a new file.")
    onnx.checker.check_model(model, full_check=True)
    test = own_part(parent, records)

    def verify(draft: Bundle) -> Parity:
        return check_parity(draft, _Reference(parent, draft), test, enforce=enforce)

    return recalibrate(model, metadata, records, out, verify)


def output_path(bundle: Bundle, out: str | os.PathLike[str]) -> Path:
    """Where a step writes, refused before the work: over its own input, or over what no bundle of the kind is.

    Raises:
        OutputError: it holds something else.
        BundleError: it isn't called .onnx.
    """
    path = checked_path(Path(out))
    if path.exists():
        if path.samefile(bundle.path):
            raise OutputError(f"{path}: this is the bundle that is to be made smaller.", "Name another file.")
        try:
            parent = Bundle(path).metadata.parent_sha256
        except BundleError as error:
            raise OutputError(f"{path}: this file already exists and isn't a bundle.", "Name a new file.") from error
        if parent != bundle.sha256:
            raise OutputError(
                f"{path}: this bundle already exists and wasn't made from {bundle.path}.", "Name a new file."
            )
    return path


class _Reference:
    """A parent as it would answer with the temperature and the OOD limit of its descendant.

    Both are chosen on each file by itself; what is compared is what the change of the network did.
    """

    def __init__(self, parent: Bundle, like: Bundle) -> None:
        self.parent = parent
        self.name, self.sha256, self.size = parent.name, parent.sha256, parent.size
        self.labels: LabelSet = parent.labels
        self.origin: Origin = parent.origin
        self.power = parent.metadata.temperature / like.metadata.temperature
        limits = parent.metadata.ood_score, like.metadata.ood_score
        self.unit = limits[1].threshold / limits[0].threshold if limits[0] and limits[1] else 1.0

    def predict(self, images: NDArray[np.uint8]) -> Outputs:
        """Outputs for images uint8 [N, H, W, 3]."""
        probabilities, cam, ood_score = self.parent.predict(images)
        logits = np.log(np.maximum(probabilities, 1e-30).astype(np.float64))
        ood_score = None if ood_score is None else (ood_score * self.unit).astype(np.float32)
        return Outputs(softmax(self.power * logits, axis=1).astype(np.float32), cam, ood_score)

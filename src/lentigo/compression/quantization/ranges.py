"""The range of each tensor between layers, over real images: what 256 steps are spread over."""

import io
from collections.abc import Iterable, Sequence
from contextlib import redirect_stdout
from typing import Literal, get_args

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray
from onnx import TensorProto, helper
from onnxruntime.quantization.calibrate import HistogramCollector

from lentigo.errors import DataError, did_you_mean

__all__ = ["Method", "Range", "measure_ranges", "session"]

Method = Literal["minmax", "entropy", "percentile"]
Range = tuple[float, float]
_HISTOGRAMS = {
    # ONNX Runtime's own defaults: fewer bins make the search for the smallest divergence quick.
    "entropy": {"num_bins": 128, "num_quantized_bins": 128, "percentile": 99.999},
    "percentile": {"num_bins": 2048, "num_quantized_bins": 2048, "percentile": 99.999},
}


def measure_ranges(
    model: onnx.ModelProto, tensors: Sequence[str], images: Iterable[NDArray[np.uint8]], method: Method = "minmax"
) -> dict[str, Range]:
    """Lowest and highest value of some of a graph's tensors.

    Args:
        model: the graph; its own preprocessing reads the images.
        tensors: names of float tensors in it.
        images: uint8 [1, H, W, 3].
        method: the extremes; or the range with the smallest divergence between the values and their steps ('entropy':
            Migacz, 8-bit Inference with TensorRT, GTC 2017); or that of all but the outermost values ('percentile').

    Raises:
        DataError: no such method.
    """
    if method not in get_args(Method):
        raise DataError(f"Unknown calibration {method!r}.", did_you_mean(method, get_args(Method)))
    asked = session(model, tensors)
    if method == "minmax":
        return _extremes(asked, tensors, images)
    # Image by image: what ONNX Runtime's own calibrater keeps at a time is all activations of all images.
    collector = HistogramCollector(method=method, symmetric=False, scenario="same", **_HISTOGRAMS[method])
    for image in images:
        values = asked.run(list(tensors), {"image": image})
        with redirect_stdout(io.StringIO()):  # it prints a line for each image, and standard output is for results
            collector.collect({name: [value] for name, value in zip(tensors, values, strict=True)})
    with redirect_stdout(io.StringIO()):
        found = collector.compute_collection_result()
    return {name: (float(found[name][0]), float(found[name][1])) for name in tensors}


def _extremes(
    asked: ort.InferenceSession, tensors: Sequence[str], images: Iterable[NDArray[np.uint8]]
) -> dict[str, Range]:
    lows, highs = [], []
    for image in images:
        values = asked.run(list(tensors), {"image": image})
        lows.append([value.min() for value in values])
        highs.append([value.max() for value in values])
    low, high = np.min(lows, axis=0), np.max(highs, axis=0)
    return {name: (float(low[i]), float(high[i])) for i, name in enumerate(tensors)}


def session(model: onnx.ModelProto, tensors: Sequence[str] = ()) -> ort.InferenceSession:
    """Run a graph, with inner tensors as outputs too; on one thread, so that sums are always taken in one order."""
    asked = onnx.ModelProto()
    asked.CopyFrom(model)
    outputs = {output.name for output in asked.graph.output}
    asked.graph.output.extend(
        helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in tensors if name not in outputs
    )
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    return ort.InferenceSession(asked.SerializeToString(), options, providers=["CPUExecutionProvider"])

"""Where a bundle's graph has cropped and resized: from there on a page computes, since it reads photographs itself.

The place is found by what the graph computes, not by how: a tensor through which everything passes and which equals
the central square of `lentigo.runtime.squares`. So bundles of any version are understood, however they resize.
"""

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from lentigo.errors import BundleError
from lentigo.page.onnx_file import Graph
from lentigo.page.onnx_part import leading_to, part
from lentigo.runtime.squares import central_square

__all__ = ["ELSEWHERE", "find_square"]

ELSEWHERE = "Classify with `lentigo classify`, or write the page of a model that ships."
_IMAGE = "image"
_TOLERANCE = 0.05
"""Grey levels by which a resize may differ: another order of sums differs by 1e-4, another filter by several."""


def find_square(content: bytes, graph: Graph, outputs: list[str], size: int) -> str:
    """The name of the tensor [N, 3, size, size] that holds the cropped and resized pixels, values 0 to 255.

    Args:
        content: the bytes of an .onnx file.
        graph: what `read_graph` makes of them.
        outputs: names of the outputs that are wanted.
        size: the side of the model's square input.

    Raises:
        BundleError: there is none.
    """
    candidates = _passages(graph, outputs)
    session = _session(part(content, graph, candidates, _IMAGE))
    found = candidates
    for height, width in ((size // 2 + 3, size // 2 + 8), (2 * size + 5, 3 * size + 4)):
        image = _pattern(height, width)
        wanted = central_square(image, size).transpose(2, 0, 1)[None]
        values = dict(zip(candidates, session.run(candidates, {_IMAGE: image[None]}), strict=True))
        found = [name for name in found if _same(values[name], wanted)]
    if not found:
        raise BundleError("The graph's preprocessing is not the crop and resize of lentigo's bundles.", ELSEWHERE)
    return found[-1]


def _passages(graph: Graph, outputs: list[str]) -> list[str]:
    """Tensors through which everything that outputs know of the image passes, in order."""
    nodes = leading_to(graph.nodes, outputs, _IMAGE)
    last = {name: k for k, node in enumerate(nodes) for name in node.inputs} | dict.fromkeys(outputs, len(nodes))
    live: set[str] = {_IMAGE}
    found: list[str] = []
    for k, node in enumerate(nodes):
        if not live & set(node.inputs):
            continue
        live = {name for name in live | set(node.outputs) if last.get(name, -1) > k}
        if len(live) == 1:
            found += live
    if not found:
        raise BundleError("The graph's outputs don't depend on an image.", ELSEWHERE)
    return list(dict.fromkeys(found))


def _session(content: bytes) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def _pattern(height: int, width: int) -> NDArray[np.uint8]:
    """An image without symmetry, in all grey levels."""
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def _same(values: NDArray, wanted: NDArray[np.float32]) -> bool:
    return values.shape == wanted.shape and bool(np.abs(values.astype(np.float32) - wanted).max() <= _TOLERANCE)

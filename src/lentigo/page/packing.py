"""A bundle as the page holds it: a header in JSON, then the tensors' bytes.

Layout: uint32 length of the header, the header in UTF-8, padding to a multiple of 4, the bytes of all tensors. Weights
are rounded to 16 bits, low and high bytes apart, which compresses better; calculations are in 32 bits.
"""

import json
import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lentigo import __version__
from lentigo.labels import KNOWN
from lentigo.page.engine import for_own_engine
from lentigo.page.onnx_file import Graph, read_graph
from lentigo.page.preprocessing import find_square
from lentigo.runtime import Bundle, BundleMetadata, format_1
from lentigo.runtime.bundle import read_model
from lentigo.runtime.decisions import view_of

__all__ = ["describe", "outputs_of", "pack", "packed", "rounded"]

_FEW = 512
"""Tensors with fewer numbers keep 32 bits: biases and statistics are small and matter more."""
_OUTPUTS = ("probabilities", "cam", "ood_score")
_INT32 = np.iinfo(np.int32)


def pack(bundle: Bundle) -> bytes:
    """The graph and the metadata of a bundle as the page's own engine reads them.

    Raises:
        BundleError: the engine lacks one of its operators.
    """
    content = read_model(bundle.path)
    graph = read_graph(content)
    names = outputs_of(graph)
    square = find_square(content, graph, list(names.values()), bundle.size)
    for extra in bundle.metadata.inputs:
        graph.constants[extra.name] = np.full(1, extra.missing, np.float32 if extra.kind == "number" else np.int64)
    graph = for_own_engine(graph, list(names.values()), square)
    return packed(graph, names, describe(bundle))


def outputs_of(graph: Graph) -> dict[str, str]:
    """The outputs that a page shows: what they mean, and their names in the graph."""
    return {name: old for name in _OUTPUTS for old in (name, format_1.OUTPUTS.get(name)) if old in graph.outputs}


def describe(bundle: Bundle) -> dict[str, Any]:
    """What the page says of the model and decides by, as plain values."""
    m: BundleMetadata = bundle.metadata
    kept = ("name", "network", "parameters", "size", "precision", "licence", "citation", "notice", "source")
    return {
        **{key: getattr(m, key) for key in kept},
        "sha256": bundle.sha256,
        "lentigo": __version__,
        "trained_on": _data_set(m.source),
        "labels": [
            {
                "id": label.id,
                "name": label.name,
                "malignant": label.malignant,
                "snomed_ct": label.snomed_ct or None,
                "snomed_term": label.snomed_term or None,
            }
            for label in bundle.labels.labels
        ],
        "melanoma": bundle.labels.melanoma,
        "knows_malignancy": bundle.labels.knows_malignancy,
        "training_prevalence": list(m.training_prevalence),
        "operating_points": [point.model_dump() for point in m.operating_points],
        "no_operating_point": m.no_operating_point,
        "ood_score": None if m.ood_score is None else m.ood_score.model_dump(),
        "specificity": _specificity(bundle),
    }


def _data_set(source: str) -> str:
    """A data set's name as its authors write it, where it is known."""
    known = KNOWN.get(source.lower().replace("_", "-"))
    return known.name if known else source


def _specificity(bundle: Bundle) -> dict[str, Any]:
    """Measured on the test part at the sensitivity of the melanoma threshold, if it was."""
    found = {}
    for point in bundle.metadata.operating_points:
        key = f"specificity_at_{100 * point.target_sensitivity:.0f}_sensitivity.{bundle.labels.melanoma}"
        measured = bundle.metadata.metrics.get(point.view, {}).get(key, {}).get("value")
        if point.target == "melanoma" and measured is not None:
            found["melanoma"] = {"value": measured, "sensitivity": point.target_sensitivity, "view": view_of(point)}
    return found


def packed(graph: Graph, outputs: dict[str, str], described: dict[str, Any]) -> bytes:
    """The bytes of a graph and of what is reported for it; `outputs` names its outputs by what they mean."""
    numbers: dict[str, int] = {"": -1}

    def number(name: str) -> int:
        return numbers.setdefault(name, len(numbers) - 1)

    tensors, blob = [], bytearray()
    for name, values in graph.constants.items():
        kind, content = _stored(values)
        tensors.append([number(name), kind, list(values.shape), len(blob)])
        blob += content + bytes(-len(content) % 4)
    nodes = [[n.op, [number(i) for i in n.inputs], [number(o) for o in n.outputs], n.attributes] for n in graph.nodes]
    header = {
        "model": described,
        "image": number(*graph.inputs),
        "outputs": {field: number(name) for field, name in outputs.items()},
        "tensors": tensors,
        "nodes": nodes,
    }
    text = json.dumps(header, separators=(",", ":"), allow_nan=False).encode()
    text += b" " * (-len(text) % 4)
    return struct.pack("<I", len(text)) + text + bytes(blob)


def _stored(values: NDArray) -> tuple[str, bytes]:
    """How a tensor is stored, and its bytes."""
    if values.dtype.kind == "f":
        return _stored_float(values.astype("<f4"))
    if values.dtype in (np.uint8, np.bool_):
        return ("u8" if values.dtype == np.uint8 else "bool"), values.tobytes()
    if values.dtype == np.int8:
        return "i8", values.tobytes()
    return "i32", values.clip(_INT32.min, _INT32.max).astype("<i4").tobytes()


def _stored_float(values: NDArray[np.float32]) -> tuple[str, bytes]:
    half = rounded(values) if values.size >= _FEW else None
    if half is None or not np.abs(half - values).max() <= 2**-9 * np.abs(values).max():
        return "f32", values.tobytes()
    planes = half.view("u1").reshape(-1, 2)
    return "f16", planes[:, 0].tobytes() + planes[:, 1].tobytes()


def rounded(values: NDArray[np.float32]) -> NDArray[np.float16]:
    """In 16 bits; what rounding takes from a weight, the next one of its filter gets, so that sums stay.

    Neighbouring inputs of a filter are alike, so its output hardly changes.
    """
    rows = values.reshape(len(values), -1)
    rounded, rest = np.empty(rows.shape, "<f2"), np.zeros(len(rows), np.float32)
    with np.errstate(over="ignore", invalid="ignore"):
        for k in range(rows.shape[1]):
            wanted = rows[:, k] + rest
            rounded[:, k] = wanted
            rest = wanted - rounded[:, k]
    return rounded.reshape(values.shape)

"""What the page's own engine computes: the operators it has, and a bundle's graph in its terms.

The engine is in `app/`; which operators there are is read from its modules. The graph begins after its preprocessing,
which the page does row by row as it reads a photograph.
"""

import re
from functools import cache
from importlib.resources import files

import numpy as np

from lentigo.errors import BundleError
from lentigo.page.onnx_file import Graph, Node
from lentigo.page.onnx_part import leading_to

__all__ = ["for_own_engine", "operators"]

_REGISTERED = re.compile(r'^operator\("(\w+)"', re.MULTILINE)


@cache
def operators() -> frozenset[str]:
    """The operators of the page's own engine, by their ONNX names."""
    modules = files("lentigo.page").joinpath("app").iterdir()
    return frozenset(name for module in modules for name in _REGISTERED.findall(module.read_text(encoding="utf-8")))


def for_own_engine(graph: Graph, outputs: list[str], square: str) -> Graph:
    """The part of a graph that leads to some of its outputs, in the operators of the own engine.

    Args:
        graph: a bundle's graph.
        outputs: names of the outputs that are wanted.
        square: name of the tensor that holds the cropped and resized pixels, see `preprocessing.find_square`.

    Returns:
        A graph with the one input `square`.

    Raises:
        BundleError: it needs an operator, or a form of one, that the engine lacks; the message names them.
    """
    nodes = leading_to(graph.nodes, outputs, square)
    lacking = sorted({node.op for node in nodes} - operators())
    lacking += sorted({fault for node in nodes if node.op in operators() and (fault := _fault(node, graph))})
    if lacking:
        raise BundleError(
            f"The page's own engine lacks {', '.join(lacking)}.",
            "Write the page with the engine of onnxruntime-web: `lentigo export ... --engine ort`.",
        )
    used = {name for node in nodes for name in node.inputs}
    return Graph(nodes, {n: c for n, c in graph.constants.items() if n in used}, [square], outputs)


def _fault(node: Node, graph: Graph) -> str:
    """The form of an operator that the engine lacks, by name; empty if it has it."""
    a = node.attributes
    if node.op in ("Conv", "AveragePool", "MaxPool"):
        if a.get("auto_pad", "NOTSET") not in ("NOTSET", "VALID"):
            return f"{node.op} with auto_pad={a['auto_pad']}"
        if a.get("ceil_mode", 0):
            return f"{node.op} with ceil_mode"
        if node.op == "Conv" and node.inputs[1] in graph.constants and graph.constants[node.inputs[1]].ndim != 4:
            return "Conv of another dimension than 2"
        if len(a.get("kernel_shape", (1, 1))) != 2:
            return f"{node.op} of another dimension than 2"
        if node.op != "Conv" and any(d != 1 for d in a.get("dilations", ())):
            return f"{node.op} with dilations"
        if node.op == "MaxPool" and len(node.outputs) > 1:
            return "MaxPool with indices"
    if node.op == "Pad" and a.get("mode", "constant") not in ("constant", "reflect", "edge"):
        return f"Pad with mode={a['mode']}"
    if node.op == "Einsum" and not re.fullmatch(r"[a-z]+,[a-z]+->[a-z]*", a.get("equation", "").replace(" ", "")):
        return f"Einsum with equation={a.get('equation')}"
    if node.op == "BatchNormalization" and a.get("training_mode", 0):
        return "BatchNormalization in training"
    if node.op == "Cast" and a.get("to") not in (1, 2, 3, 6, 7, 9, 10, 11):
        return f"Cast to type {a.get('to')}"
    if any(isinstance(value, np.ndarray) for value in a.values()):
        return f"{node.op} with a tensor as attribute"
    return ""

"""What the page's own engine computes: the operators it has, and a bundle's graph in its terms.

The engine is `app/operators.js`; which operators there are is read from it. The graph's preprocessing becomes one
operator, `Square`, so that a browser never holds a photograph as floats.
"""

import re
from functools import cache
from importlib.resources import files

import numpy as np

from lentigo.errors import BundleError
from lentigo.page.onnx_file import Graph, Node

__all__ = ["for_own_engine", "operators"]

_ELSEWHERE = "Classify with `lentigo classify`, or write the page of a model that ships."
_REGISTERED = re.compile(r'^operator\("(\w+)"', re.MULTILINE)


@cache
def operators() -> frozenset[str]:
    """The operators of the page's own engine, by their ONNX names."""
    text = files("lentigo.page").joinpath("app/operators.js").read_text(encoding="utf-8")
    return frozenset(_REGISTERED.findall(text))


def for_own_engine(graph: Graph, outputs: list[str]) -> Graph:
    """The part of a graph that leads from `image` to some of its outputs, in the operators of the own engine.

    Args:
        graph: a bundle's graph.
        outputs: names of the outputs that are wanted.

    Raises:
        BundleError: it needs an operator, or a form of one, that the engine lacks; the message names them.
    """
    nodes = _needed(_with_square(graph), outputs)
    lacking = sorted({node.op for node in nodes} - operators())
    lacking += sorted({fault for node in nodes if node.op in operators() and (fault := _fault(node, graph))})
    if lacking:
        raise BundleError(f"The page's own engine lacks {', '.join(lacking)}.", _ELSEWHERE)
    used = {name for node in nodes for name in node.inputs}
    return Graph(nodes, {n: c for n, c in graph.constants.items() if n in used}, ["image"], outputs)


def _with_square(graph: Graph) -> list[Node]:
    """The nodes, with `Square` for crop and resize: two matrix products around the pixels, see `export.graph`."""
    made_by = {name: node for node in graph.nodes for name in node.outputs}

    def source(node: Node, position: int, op: str) -> Node | None:
        found = made_by.get(node.inputs[position])
        return found if found is not None and found.op == op else None

    for last in graph.nodes:
        if last.op != "MatMul":
            continue
        rows, across = source(last, 0, "MatMul"), source(last, 1, "Transpose")
        if rows is None or across is None:
            continue
        real = source(rows, 1, "Cast")
        turned = real and source(real, 0, "Transpose")
        cut = turned and source(turned, 0, "Slice")
        if cut and cut.inputs[0] == "image" and across.inputs[0] == rows.inputs[0]:
            square = Node("Square", ["image"], last.outputs)
            return [square if node is last else node for node in graph.nodes]
    raise BundleError("The graph's preprocessing is not the crop and resize of lentigo's bundles.", _ELSEWHERE)


def _needed(nodes: list[Node], outputs: list[str]) -> list[Node]:
    """Those that the outputs depend on, in order."""
    wanted, kept = set(outputs), []
    for node in reversed(nodes):
        if wanted & set(node.outputs):
            wanted |= set(node.inputs)
            kept.append(node)
    return kept[::-1]


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

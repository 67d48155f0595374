"""A part of an .onnx file as a model of its own, without the onnx package: bytes in, bytes out.

What is kept is copied as it is; only the graph's inputs and outputs are written anew. Fields have their numbers in
onnx.proto, see `onnx_file`.
"""

from collections.abc import Iterable, Sequence

from lentigo.page.onnx_file import Graph, Node, fields, name_of, node_of
from lentigo.runtime.fingerprints import varint

__all__ = ["leading_to", "part"]

_GRAPH, _NODE, _INITIALIZER, _INPUT, _OUTPUT, _VALUE_INFO = 7, 1, 5, 11, 12, 13
_FLOAT = 1


def leading_to(nodes: Sequence[Node], outputs: Iterable[str], start: str) -> list[Node]:
    """The nodes that outputs depend on, in order, where the tensor `start` is given."""
    wanted, kept = set(outputs), []
    for node in reversed(nodes):
        if wanted & set(node.outputs) - {start}:
            wanted |= set(node.inputs)
            kept.append(node)
    return kept[::-1]


def part(content: bytes, graph: Graph, outputs: Sequence[str], start: str, shape: Sequence[int] = ()) -> bytes:
    """The model that computes some tensors of a model from another one.

    Args:
        content: the bytes of an .onnx file.
        graph: what `read_graph` makes of them.
        outputs: tensors that the part gives, inner ones too.
        start: the tensor that it takes.
        shape: of `start`, as float32, if it isn't an input of the whole model.
    """
    nodes = leading_to(graph.nodes, outputs, start)
    made = {name for node in nodes for name in node.outputs}
    used = {name for node in nodes for name in node.inputs} | set(outputs)
    written = b""
    for number, value in fields(content):
        written += _field(number, _graph(value, made, used, outputs, start, shape) if number == _GRAPH else value)
    return written


def _graph(
    message: bytes, made: set[str], used: set[str], outputs: Sequence[str], start: str, shape: Sequence[int]
) -> bytes:
    kept, known = [], {}
    for number, value in fields(message):
        if number == _OUTPUT:
            known[name_of(value)] = value
        elif number == _NODE:
            node = node_of(value)
            if set(node.outputs) & (used if node.op == "Constant" else made):
                kept.append(_field(number, value))
        elif number == _INITIALIZER:
            if name_of(value, 8) in used:
                kept.append(_field(number, value))
        elif number == _INPUT:
            if not shape and name_of(value) in used:
                kept.append(_field(number, value))
        elif number != _VALUE_INFO:
            kept.append(_field(number, value))
    if shape:
        kept.append(_field(_INPUT, _floats(start, shape)))
    kept += [_field(_OUTPUT, known.get(name, _field(1, name.encode()))) for name in outputs]
    return b"".join(kept)


def _floats(name: str, shape: Sequence[int]) -> bytes:
    """A value's name and type: float32 of a shape."""
    dims = b"".join(_field(1, _field(1, extent)) for extent in shape)
    return _field(1, name.encode()) + _field(2, _field(1, _field(1, _FLOAT) + _field(2, dims)))


def _field(number: int, value: int | bytes) -> bytes:
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value

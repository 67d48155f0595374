"""Read the graph of an .onnx file without the onnx package: a plain install can make pages.

Only the fields that a graph is computed from are read, by their numbers in onnx.proto (ONNX 1.x). Protocol buffers are
a sequence of (field number, wire type, value); a message is bytes that hold such a sequence again.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lentigo.errors import BundleError

__all__ = ["Graph", "Node", "fields", "name_of", "node_of", "read_graph"]

_TYPES: dict[int, Any] = {
    1: np.dtype("<f4"),
    2: np.dtype("u1"),
    3: np.dtype("i1"),
    6: np.dtype("<i4"),
    7: np.dtype("<i8"),
    9: np.dtype("?"),
    10: np.dtype("<f2"),
    11: np.dtype("<f8"),
}
"""Types of tensors by their number in onnx.proto."""


@dataclass
class Node:
    """One operation of a graph: names of tensors in and out, and attributes as plain values."""

    op: str
    inputs: list[str]
    outputs: list[str]
    attributes: dict[str, Any] = field(default_factory=dict)


@dataclass
class Graph:
    """Operations in an order in which they can be computed, constants, and the names of inputs and outputs."""

    nodes: list[Node]
    constants: dict[str, NDArray]
    inputs: list[str]
    outputs: list[str]


def read_graph(content: bytes) -> Graph:
    """The graph in the bytes of an .onnx file.

    Raises:
        BundleError: damaged, or with tensors of a type that no bundle has.
    """
    try:
        (graph,) = (value for number, value in fields(content) if number == 7)
        return _graph(graph)
    except (ValueError, IndexError, KeyError, TypeError, struct.error, UnicodeDecodeError) as error:
        raise BundleError(f"The graph can't be read ({error!r}).", "Export the bundle again.") from None


def _graph(message: bytes) -> Graph:
    found = Graph([], {}, [], [])
    for number, value in fields(message):
        if number == 1:
            found.nodes.append(node_of(value))
        elif number == 5:
            name, tensor = _tensor(value)
            found.constants[name] = tensor
        elif number == 11:
            found.inputs.append(name_of(value))
        elif number == 12:
            found.outputs.append(name_of(value))
    for node in [n for n in found.nodes if n.op == "Constant"]:
        found.nodes.remove(node)
        (found.constants[node.outputs[0]],) = (np.asarray(v) for v in node.attributes.values())
    return found


def node_of(message: bytes) -> Node:
    """An operation from its message."""
    node = Node("", [], [])
    for number, value in fields(message):
        if number == 1:
            node.inputs.append(value.decode())
        elif number == 2:
            node.outputs.append(value.decode())
        elif number == 4:
            node.op = value.decode()
        elif number == 5:
            name, content = _attribute(value)
            node.attributes[name] = content
    return node


def _attribute(message: bytes) -> tuple[str, Any]:
    """Name and value: a number, a text, a tensor, or a list of numbers or texts."""
    name, value, many = "", None, []
    for number, content in fields(message):
        if number == 1:
            name = content.decode()
        elif number == 2:
            value = struct.unpack("<f", content)[0]
        elif number == 3:
            value = _signed(content)
        elif number == 4:
            value = content.decode()
        elif number == 5:
            value = _tensor(content)[1]
        elif number == 7:
            many += np.frombuffer(content, "<f4").tolist()
        elif number == 8:
            many += _integers(content)
        elif number == 9:
            many.append(content.decode())
    return name, many if value is None else value


def _tensor(message: bytes) -> tuple[str, NDArray]:
    name, shape, kind, raw, numbers = "", [], 0, None, []
    for number, value in fields(message):
        if number == 1:
            shape += _integers(value)
        elif number == 2:
            kind = value
        elif number == 4:
            numbers += np.frombuffer(value, "<f4").tolist()
        elif number in (5, 7):
            numbers += _integers(value)
        elif number == 8:
            name = value.decode()
        elif number == 9:
            raw = value
    if kind not in _TYPES:
        raise BundleError(f"The tensor {name} has type {kind} of onnx.proto, which pages don't know.", "Use fp32.")
    dtype = _TYPES[kind]
    if raw is None and dtype == np.dtype("<f2"):  # stated as the integers of its bits
        return name, np.array(numbers, "<u2").view("<f2").reshape(shape)
    flat = np.array(numbers, dtype) if raw is None else np.frombuffer(raw, dtype)
    return name, flat.reshape(shape)


def name_of(message: bytes, field: int = 1) -> str:
    """The name in a message: field 1 of inputs and outputs, field 8 of tensors."""
    return next(value.decode() for number, value in fields(message) if number == field)


def _integers(value: int | bytes) -> list[int]:
    """One integer, or packed ones."""
    if isinstance(value, int):
        return [_signed(value)]
    found, place = [], 0
    while place < len(value):
        number, place = _varint(value, place)
        found.append(_signed(number))
    return found


def _signed(value: int) -> int:
    return value - (1 << 64) if value >> 63 else value


def fields(message: bytes) -> Iterator[tuple[int, Any]]:
    """Field numbers and values of a message: integers, or bytes."""
    place = 0
    while place < len(message):
        key, place = _varint(message, place)
        number, wire = key >> 3, key & 7
        if wire == 0:
            value, place = _varint(message, place)
            yield number, value
            continue
        if wire == 2:
            length, place = _varint(message, place)
        else:
            length = {1: 8, 5: 4}[wire]
        if place + length > len(message):
            raise ValueError("it ends within a field")
        yield number, message[place : place + length]
        place += length


def _varint(message: bytes, place: int) -> tuple[int, int]:
    """An integer of seven bits a byte, the lowest first, and the place after it."""
    value = shift = 0
    while True:
        byte = message[place]
        place += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, place
        shift += 7

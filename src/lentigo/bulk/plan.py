"""The plan of a run, written before anything is classified: which inputs make up which part, and with what arguments.

A part is a fixed list of inputs with one file of rows, `part-000012.parquet`. Whoever continues a run reads the plan
instead of the source, so that a part never changes.
"""

import hashlib
import io
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from lentigo.bulk import storage
from lentigo.bulk.listing import IMAGE, Input
from lentigo.errors import OutputError

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = [
    "FORMAT",
    "INPUTS",
    "PLAN",
    "Part",
    "Plan",
    "has_plan",
    "load_plan",
    "make_plan",
    "refuse_other",
    "save_plan",
]

FORMAT = 1
PLAN, INPUTS = "_plan.json", "_inputs.parquet"
"""Readers of parquet folders leave out names that start with an underscore."""


@dataclass(frozen=True, slots=True)
class Part:
    """A list of inputs that is done as a whole.

    Args:
        number: from 0.
        inputs: images; or one shard; or one row group.
    """

    number: int
    inputs: tuple[Input, ...]

    @property
    def name(self) -> str:
        """Name of its file."""
        return f"part-{self.number:06d}.parquet"

    @property
    def ids(self) -> tuple[str, ...]:
        """Ids of its rows, in order, where they are known before it is read."""
        return tuple(i for one in self.inputs for i in one.ids) if all(one.counted for one in self.inputs) else ()

    def to_json(self) -> str:
        """As text, for another process."""
        return json.dumps([self.number, [(one.kind, one.address, one.ids, one.group) for one in self.inputs]])

    @classmethod
    def from_json(cls, text: str) -> "Part":
        """The inverse of `to_json`."""
        number, inputs = json.loads(text)
        return cls(number, tuple(Input(kind, address, tuple(ids), group) for kind, address, ids, group in inputs))


@dataclass(frozen=True)
class Plan:
    """What a folder of results was begun with.

    Attributes:
        arguments: everything that the rows depend on.
        content: the inputs, as a parquet file.
    """

    arguments: dict[str, Any]
    content: bytes = field(repr=False)

    @cached_property
    def sha256(self) -> str:
        """Hash of arguments and inputs."""
        return hashlib.sha256(json.dumps(self.arguments, sort_keys=True).encode() + self.content).hexdigest()

    @cached_property
    def _table(self) -> "pa.Table":
        from pyarrow import parquet

        return parquet.read_table(io.BytesIO(self.content))

    def __len__(self) -> int:
        return int(self._table.num_rows)

    def __iter__(self) -> Iterator[Part]:
        for batch in self._table.to_batches(max_chunksize=64):
            for row in batch.to_pylist():
                yield Part(row["part"], tuple(_inputs(row)))

    @property
    def files(self) -> set[tuple[str, int | None]]:
        """Address and row group of each input."""
        return {(one.address, one.group) for part in self for one in part.inputs}


def make_plan(inputs: Sequence[Input], arguments: dict[str, Any], images_per_part: int) -> Plan:
    """Group inputs in their order: images by number, shards and row groups one by one."""
    import pyarrow as pa
    from pyarrow import parquet

    groups: list[list[Input]] = []
    for one in inputs:
        if one.kind == IMAGE and groups and groups[-1][0].kind == IMAGE and len(groups[-1]) < images_per_part:
            groups[-1].append(one)
        else:
            groups.append([one])
    columns = {
        "part": pa.array(range(len(groups)), pa.int32()),
        "kind": pa.array([group[0].kind for group in groups], pa.string()),
        # Names of files may be any bytes.
        "addresses": pa.array([[os.fsencode(one.address) for one in group] for group in groups], pa.list_(pa.binary())),
        "ids": pa.array([[i for one in group for i in one.ids] for group in groups], pa.list_(pa.string())),
        "group": pa.array([group[0].group for group in groups], pa.int32()),
    }
    content = io.BytesIO()
    parquet.write_table(pa.table(columns), content, compression="zstd")
    return Plan(arguments, content.getvalue())


def has_plan(out: str) -> bool:
    """Whether a folder of results was begun.

    Raises:
        OutputError: it holds other files.
    """
    present = {name for name in storage.listed(out) if not name.startswith(".")}
    if PLAN not in present and (others := present - {INPUTS}):
        raise OutputError(f"{out}: this folder contains other files, such as {min(others)}.", "Name a new folder.")
    return PLAN in present


def load_plan(out: str) -> Plan | None:
    """The plan of a folder of results; None where there is none.

    Raises:
        OutputError: the folder holds other files, or a damaged or newer plan.
    """
    if not has_plan(out):
        return None
    try:
        arguments = json.loads(storage.read(storage.joined(out, PLAN)))
        sha256, known = arguments.pop("sha256"), arguments.pop("format")
        plan = Plan(arguments, storage.read(storage.joined(out, INPUTS)))
    except (storage.UnavailableError, ValueError, KeyError) as error:
        raise OutputError(f"{out}: its plan can't be read ({error}).", "Name a new folder.") from None
    if known != FORMAT:
        raise OutputError(f"{out}: written by another version of lentigo (format {known}).", "Name a new folder.")
    if plan.sha256 != sha256:
        raise OutputError(f"{out}: its plan is damaged.", "Name a new folder.")
    return plan


def save_plan(plan: Plan, out: str) -> None:
    """Write a plan; the inputs first, so that a plan is whole where it is there.

    Raises:
        OutputError: it can't be written, or another run has written one meanwhile.
    """
    storage.write(storage.joined(out, INPUTS), plan.content)
    values = {"format": FORMAT, **plan.arguments, "sha256": plan.sha256}
    if not storage.create(storage.joined(out, PLAN), json.dumps(values, indent=1).encode() + b"\n"):
        raise OutputError(f"{out}: another run has begun here meanwhile.", "Name another folder, or continue that one.")


def refuse_other(plan: Plan, arguments: dict[str, Any], out: str) -> None:
    """Refuse to continue a run with other arguments.

    Raises:
        OutputError: names what differs.
    """
    for name, value in arguments.items():
        before = plan.arguments.get(name)
        if before != value:
            raise OutputError(
                f"{out}: begun with {name} {_shown(before)}, not {_shown(value)}.",
                "Name another folder, or continue with the same.",
            )


def _inputs(row: dict[str, Any]) -> Iterator[Input]:
    addresses = [os.fsdecode(one) for one in row["addresses"]]
    if row["kind"] == IMAGE:
        for address, identifier in zip(addresses, row["ids"], strict=True):
            yield Input(IMAGE, address, (identifier,))
    else:
        yield Input(row["kind"], addresses[0], tuple(row["ids"]), row["group"])


def _shown(value: Any) -> str:
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return text if len(text) <= 200 else f"{text[:200]}..."

"""The images of a part, one after another: content, or the reason why there is none. Nothing is left out."""

from collections import Counter
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from typing import Any

from lentigo.bulk import storage
from lentigo.bulk.columns import column_of_images, content_of, ids_of
from lentigo.bulk.listing import IMAGE, TAR, Input
from lentigo.bulk.shards import UnreadableShardError, members
from lentigo.errors import DataError, ImageError, LentigoError

__all__ = ["UNREADABLE_IMAGE", "UNREADABLE_SHARD", "Item", "items"]

UNREADABLE_IMAGE, UNREADABLE_SHARD = "unreadable image", "unreadable shard"


@dataclass(frozen=True, slots=True)
class Item:
    """What gets one row.

    Args:
        id: unique in the source.
        source: where it is.
        content: the image's bytes; None where there are none.
        kind: of the failure, where there is no content.
        error: what is wrong and what to do.
        spoils: whether the images that came before from the same shard can't be relied on.
    """

    id: str
    source: str
    content: bytes | None
    kind: str = ""
    error: str = ""
    spoils: bool = False


def items(inputs: Collection[Input], others: Counter[str], alive: Callable[[], None] | None = None) -> Iterator[Item]:
    """The items of a part, in order and each once.

    Args:
        inputs: of the part.
        others: counts members of shards that are not images, by suffix.
        alive: called while shards are read.
    """
    taken: set[str] = set()
    for one in inputs:
        for item in [_image(one)] if one.kind == IMAGE else _contained(one, others, alive):
            identifier, times = item.id, 1
            while identifier in taken:  # a name may stand twice in a shard
                times += 1
                identifier = f"{item.id} ({times})"
            taken.add(identifier)
            yield item if times == 1 else replace(item, id=identifier)


def _image(one: Input) -> Item:
    try:
        return Item(one.ids[0], one.address, storage.read(one.address))
    except storage.UnavailableError as error:
        return Item(one.ids[0], one.address, None, error.kind, str(error))
    except ImageError as error:
        return Item(one.ids[0], one.address, None, UNREADABLE_IMAGE, f"{one.address}: {error}")


def _contained(one: Input, others: Counter[str], alive: Callable[[], None] | None) -> Iterator[Item]:
    """The items in a shard or a row group; what is missing of it is an item too."""
    seen, spoils = 0, False
    try:
        with storage.opened(one.address, alive) as file:
            for item in _members(one, file, others) if one.kind == TAR else _rows(one, file):
                seen += 1
                yield item
        return
    except (UnreadableShardError, DataError) as error:
        kind, message = UNREADABLE_SHARD, f"{one.address}: {error.message} Make it again, then run this again."
        spoils = getattr(error, "spoils", False)
    except Exception as error:  # file systems raise what their clients do
        failure = storage.unavailable(one.address, error)
        kind, message = failure.kind, str(failure)
    before = f" Images that came before: {seen}." if seen and not one.counted else ""
    for identifier in one.ids[seen:] if one.counted else one.ids:
        yield Item(identifier, one.address, None, kind, message + before, spoils)


def _members(one: Input, file: storage.Watched, others: Counter[str]) -> Iterator[Item]:
    empty = True
    for name, content in members(file, others):
        empty = False
        identifier = f"{one.ids[0]}/{name}".encode("utf-8", "backslashreplace").decode()
        source = f"{one.address}/{name}"
        if isinstance(content, LentigoError):
            kind = UNREADABLE_SHARD if isinstance(content, UnreadableShardError) else UNREADABLE_IMAGE
            yield Item(identifier, source, None, kind, f"{source}: {content}")
        else:
            yield Item(identifier, source, content)
    if empty:
        raise UnreadableShardError("there is no image in it.")


def _rows(one: Input, file: storage.Watched) -> Iterator[Item]:
    """The rows of one group; of all groups where the file could not be opened when it was listed."""
    from pyarrow import parquet

    try:
        table = parquet.ParquetFile(file)
        column = column_of_images(table.schema_arrow, one.address)
        groups = range(table.num_row_groups) if one.group is None else [one.group]
        first = 0
        for group in groups:
            ids = list(one.ids) if one.counted else ids_of(table, group, first, one.ids[0])
            first += len(ids)
            yield from _of_group(table, group, column, ids, one.address)
    except DataError:
        raise
    except Exception as error:  # pyarrow raises an OSError for damage too
        if file.failure is not None:
            raise file.failure from None
        raise DataError(f"damaged, or not a parquet file ({error}).", "Write it again, or leave it out.") from None


def _of_group(table: Any, group: int, column: str | None, ids: list[str], address: str) -> Iterator[Item]:
    known = group < table.num_row_groups and table.metadata.row_group(group).num_rows == len(ids)
    if column is None or not known:
        raise DataError("changed since it was listed.", "Run again when nothing writes there.")
    i = 0
    # A few rows at a time: a group may hold gigabytes.
    for batch in table.iter_batches(batch_size=16, row_groups=[group], columns=[column]):
        for cell in batch.column(0).to_pylist():
            content, source = content_of(cell), f"{address}/{ids[i]}"
            if content is None:
                yield Item(ids[i], source, None, UNREADABLE_IMAGE, f"{source}: no image in this row.")
            else:
                yield Item(ids[i], source, content)
            i += 1

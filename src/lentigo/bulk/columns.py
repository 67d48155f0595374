"""Which columns of a table are the images, their addresses and their ids: by name, and never by guess."""

from collections.abc import Sequence
from typing import Any

from lentigo.errors import DataError

__all__ = ["column_of_addresses", "column_of_images", "columns_of_ids", "content_of", "ids_of"]

_ADDRESSES = ("image", "path", "address")
_IMAGES = ("image", "bytes", "content")
_IDS = ("image_id", "id")


def column_of_addresses(names: Sequence[str], table: str) -> str:
    """The column that names files.

    Raises:
        DataError: none of the known names, or several.
    """
    found = [name for name in _ADDRESSES if name in names]
    if len(found) != 1:
        what = f"columns {', '.join(found)}" if found else f"no column {' or '.join(_ADDRESSES)}"
        raise DataError(f"{table}: {what}, where one must name the images.", "Name exactly one column so.")
    return found[0]


def column_of_images(schema: Any, table: str) -> str | None:
    """The column of a parquet file that holds images as bytes, or as a struct with `bytes`; None if none does.

    Raises:
        DataError: several do, and their names don't tell.
    """
    found = [one.name for one in schema if _holds_bytes(one.type)]
    named = [name for name in _IMAGES if name in found]
    if len(found) > 1 and len(named) != 1:
        raise DataError(
            f"{table}: the columns {', '.join(found)} hold bytes.", "Call the one of the images `image`, and no other."
        )
    return (named or found or [None])[0]


def columns_of_ids(names: Sequence[str]) -> list[str]:
    """The columns that may hold ids, of which the first counts."""
    return [name for name in _IDS if name in names]


def ids_of(table: Any, group: int, first: int, identifier: str) -> list[str]:
    """Ids of a row group: of the column `image_id` or `id`, else the file's id and the row's number.

    Args:
        table: a `pyarrow.parquet.ParquetFile`.
        group: number of the row group.
        first: number of its first row in the file.
        identifier: of the file.

    Raises:
        DataError: a row without id.
    """
    names = columns_of_ids(table.schema_arrow.names)
    count = table.metadata.row_group(group).num_rows
    if not names:
        return [f"{identifier}/{first + i}" for i in range(count)]
    ids = table.read_row_group(group, columns=names[:1])[names[0]].to_pylist()
    if None in ids:
        raise DataError(f"{identifier}, row {first + ids.index(None)}: no {names[0]}.", "Give each row its id.")
    return list(map(str, ids))


def content_of(value: Any) -> bytes | None:
    """The bytes of a cell."""
    found = value.get("bytes") if isinstance(value, dict) else value
    return None if found is None else bytes(found)


def _holds_bytes(kind: Any) -> bool:
    import pyarrow as pa

    if pa.types.is_struct(kind):
        return any(one.name == "bytes" and _holds_bytes(one.type) for one in kind)
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_binary_view(kind))

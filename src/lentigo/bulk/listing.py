"""What a source holds: images one by one, tar shards, and the row groups of parquet files, in a fixed order."""

import glob
import os
import posixpath
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from lentigo.bulk import storage
from lentigo.bulk.columns import column_of_addresses, column_of_images, columns_of_ids, ids_of
from lentigo.errors import DataError, ImageError, LentigoError
from lentigo.runtime.formats import START, claimed_format, sniff
from lentigo.runtime.matching import match
from lentigo.runtime.tables import parse_table
from lentigo.runtime.walking import Skipped, survey
from lentigo.written import decode

__all__ = ["IMAGE", "ROWS", "TAR", "Input", "Listing", "list_sources"]

IMAGE, TAR, ROWS = "image", "tar", "rows"

_TAR = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tar.zst")
_PARQUET = (".parquet", ".pq")
_TABLES, _LISTS = (".csv",), (".txt", ".lst")


@dataclass(frozen=True, slots=True)
class Input:
    """One image, one tar shard, or one row group of a parquet file.

    Args:
        kind: `IMAGE`, `TAR` or `ROWS`.
        address: of the file.
        ids: of the image; of the shard; or of each row.
        group: number of the row group; None for a parquet file that could not be read when it was listed, whose only
            id is then its own.
    """

    kind: str
    address: str
    ids: tuple[str, ...]
    group: int | None = None

    @property
    def counted(self) -> bool:
        """Whether it is known how many images it holds."""
        return self.kind == IMAGE or self.group is not None


@dataclass
class Listing:
    """What was found.

    Args:
        inputs: in order, each once.
        notices: a sentence for each kind of thing that gets no row.
    """

    inputs: list[Input] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)


def list_sources(sources: Iterable[str]) -> Listing:
    """All inputs of folders, manifests, shards, parquet files, images and patterns.

    Args:
        sources: addresses, as `storage.plain` gives them.

    Raises:
        ImageError: nothing to classify in one of them, or no such file.
        DataError: a manifest or a parquet file that can't be understood, or two different inputs of one id.
        UnavailableError: the storage is unreachable.
    """
    found = Listing()
    for source in sources:
        before = len(found.inputs)
        found.inputs += _inputs_of(source, found.notices)
        if len(found.inputs) == before:
            raise ImageError(f"{source}: no images found. {' '.join(found.notices)}".strip(), "Check the path.")
    _once(found)
    return found


def _inputs_of(source: str, notices: list[str]) -> Iterator[Input]:
    if glob.has_magic(source) and not storage.exists(source):
        yield from _matches(source, notices)
    elif _is_folder(source):
        yield from _folder(source, notices)
    elif not storage.exists(source):
        raise ImageError(f"{source}: there is no such file or folder.", "Check the path.")
    elif source.lower().endswith(_TABLES + _LISTS):
        yield from _manifest(source)
    else:
        yield from _file(source, PurePosixPath(source).name)


def _file(address: str, identifier: str) -> Iterator[Input]:
    """A named file, by what its name says."""
    if address.lower().endswith(_TAR):
        yield Input(TAR, address, (_text(identifier),))
    elif address.lower().endswith(_PARQUET):
        yield from _parquet(address, identifier)
    else:
        yield Input(IMAGE, address, (_text(identifier),))


def _matches(pattern: str, notices: list[str]) -> Iterator[Input]:
    fixed = pattern[: pattern.index(next(c for c in pattern if c in "*?["))].rpartition("/")[0]
    if storage.is_remote(pattern):
        system, path = storage.system_of(pattern)
        kinds = {one: info["type"] for one, info in system.glob(path, detail=True).items()}
        found = [_url(pattern, path, one) for one in sorted(kinds) if kinds[one] != "directory"]
    else:
        matches, skipped = match(pattern)
        found = [os.fspath(one) for one in matches if one.is_file()]
        skipped += [Skipped(one, "broken link", "its target does not exist") for one in matches if not one.exists()]
        notices += [f"Not classified: {one.path} ({one.kind}: {one.reason})." for one in skipped]
    if not found:
        raise ImageError(f"{pattern}: no file matches this pattern. {' '.join(notices)}".strip(), "Check the pattern.")
    for address in found:
        yield from _file(address, address.removeprefix(fixed).lstrip("/"))


def _folder(folder: str, notices: list[str]) -> Iterator[Input]:
    """The images, shards and parquet files below a folder; the rest is counted."""
    images, others, remarks = _remote(folder) if storage.is_remote(folder) else _local(folder)
    bulk = [address for address in others if address.lower().endswith(_TAR + _PARQUET)]
    rest = Counter(PurePosixPath(a).suffix.lower() or "no suffix" for a in set(others) - set(bulk))
    for address in sorted([*images, *bulk]):
        yield from _file(address, address.removeprefix(folder).lstrip("/"))
    if rest:
        listed = ", ".join(f"{name} {count}" for name, count in sorted(rest.items()))
        remarks = [f"{rest.total()} files that are not images ({listed})", *remarks]
    if remarks:
        notices.append(f"Not classified in {folder}: {'; '.join(remarks)}.")


def _local(folder: str) -> tuple[list[str], list[str], list[str]]:
    """Images, other files, and what else there is to say."""
    found = survey(folder)
    images = [*map(os.fspath, found.images), *(os.fspath(path) for path, _ in found.foreign)]
    harmless = sum(s.harmless for s in found.skipped)
    remarks = [f"{harmless} hidden or system files"] if harmless else []
    remarks += [f"{s.path} ({s.kind}: {s.reason})" for s in found.skipped if not s.harmless]
    return images, list(map(os.fspath, found.others)), remarks


def _remote(folder: str) -> tuple[list[str], list[str], list[str]]:
    """As `_local`; where a name tells nothing, the first bytes are asked for, and a file that gives none has a row."""
    system, path = storage.system_of(folder)
    try:
        sizes = {one: info["size"] for one, info in system.find(path, detail=True).items()}
    except Exception as error:
        raise storage.unavailable(folder, error) from None
    hidden = [one for one in sizes if any(name.startswith(".") for name in one.removeprefix(path).split("/"))]
    shown = sorted(set(sizes) - set(hidden))
    named = [one for one in shown if claimed_format(Path(one))]
    known = {*named, *(one for one in shown if one.lower().endswith(_TAR + _PARQUET))}
    unnamed = [one for one in shown if one not in known and sizes[one] != 0]
    starts = system.cat_ranges(unnamed, 0, START, on_error="return") if unnamed else []
    images = named + [
        one for one, start in zip(unnamed, starts, strict=True) if not isinstance(start, bytes) or sniff(start)
    ]
    others = sorted(set(shown) - set(images))
    remarks = [f"{len(hidden)} hidden files"] if hidden else []
    return [_url(folder, path, one) for one in images], [_url(folder, path, one) for one in others], remarks


def _manifest(address: str) -> Iterator[Input]:
    """A text of one address a line, or a CSV with a column of them; relative ones start at the manifest's folder."""
    try:
        text = decode(storage.read(address))
    except UnicodeError as error:
        raise DataError(f"{address}: not a text in UTF-8 ({error}).", "Save it as UTF-8.") from None
    if address.lower().endswith(_TABLES):
        named = _cells(text, address)
    else:
        # Not `splitlines`: names may have the rarer characters at which it splits.
        lines = filter(None, (line.strip(" \t\r") for line in text.split("\n")))
        named = [(line, line) for line in lines]
    yield from _addresses(named, posixpath.dirname(address))


def _cells(text: str, address: str) -> list[tuple[str, str]]:
    """Address and id of each row of a CSV."""
    header, rows = parse_table(text, address)
    columns = [column_of_addresses(header, address), *columns_of_ids(header)[:1]]
    found = []
    for number, row in rows:
        if empty := [name for name in columns if not row[name]]:
            raise DataError(f"{address}, line {number}: nothing in the column {empty[0]!r}.", "Complete or remove it.")
        found.append((row[columns[0]], row[columns[-1]]))
    return found


def _addresses(named: Iterable[tuple[str, str]], folder: str) -> Iterator[Input]:
    """The files that a manifest names, with their ids."""
    known: set[str] = set()
    for line, identifier in named:
        address = storage.plain(storage.joined(folder, line))
        kind = address.partition("://")[0] if storage.is_remote(address) else ""
        if kind and kind not in known:
            storage.system_of(address)  # what can never be read is refused now
            known.add(kind)
        yield from _file(address, identifier)


def _parquet(address: str, identifier: str) -> Iterator[Input]:
    """The row groups of a file, or, where its column names addresses, what these name."""
    try:
        with storage.opened(address) as file:
            found = list(_row_groups(file, address, identifier))  # all of them, or the file as one
    except LentigoError:
        raise
    except Exception:  # damaged, or it can't be had now: its part says so, and a later run tries again
        found = [Input(ROWS, address, (_text(identifier),))]
    yield from found


def _row_groups(file: Any, address: str, identifier: str) -> Iterator[Input]:
    from pyarrow import parquet

    table = parquet.ParquetFile(file)
    schema = table.schema_arrow
    if column_of_images(schema, address) is None:
        columns = [column_of_addresses(schema.names, address), *columns_of_ids(schema.names)[:1]]
        cells = table.read(columns)
        texts = [["" if one is None else str(one).strip() for one in cells[name].to_pylist()] for name in columns]
        for name, column in zip(columns, texts, strict=True):
            if "" in column:
                where = f"{address}, row {column.index('')}"
                raise DataError(f"{where}: nothing in the column {name!r}.", "Complete or remove it.")
        yield from _addresses(zip(texts[0], texts[-1], strict=True), posixpath.dirname(address))
        return
    first = 0
    for group in range(table.num_row_groups):
        ids = ids_of(table, group, first, identifier)
        first += len(ids)
        if ids:
            yield Input(ROWS, address, tuple(map(_text, ids)), group)


def _once(found: Listing) -> None:
    """Leave each file once, and refuse two files of one id."""
    inputs = list({(one.address, one.group): one for one in reversed(found.inputs)}.values())[::-1]
    if again := len(found.inputs) - len(inputs):
        found.notices.append(f"Named again, and classified once: {again}.")
    found.inputs = inputs
    owner: dict[str, str] = {}
    for one in inputs:
        for identifier in one.ids:
            if identifier in owner:
                there = owner[identifier]
                where = f"in {there}" if there == one.address else f"{there} and {one.address}"
                raise DataError(
                    f"Two inputs have the id {identifier!r}: {where}.",
                    "Classify them into folders of their own, or give each its own id.",
                )
            owner[identifier] = one.address


def _is_folder(address: str) -> bool:
    if not storage.is_remote(address):
        return Path(address).is_dir()
    system, path = storage.system_of(address)
    try:
        return bool(system.isdir(path))
    except Exception as error:
        raise storage.unavailable(address, error) from None


def _url(like: str, its_path: str, path: str) -> str:
    """The URL of a path in the file system of another URL, of which the path is known: hosts and archives stay."""
    if "://" in path:
        return path
    first, chained, rest = like.partition("::")
    before = (
        first.removesuffix(its_path) if its_path and first.endswith(its_path) else f"{first.partition('://')[0]}://"
    )
    return f"{before}{path}{chained}{rest}"


def _text(identifier: str) -> str:
    """An id as UTF-8; bytes of names that are not are escaped."""
    return identifier.encode("utf-8", "backslashreplace").decode()

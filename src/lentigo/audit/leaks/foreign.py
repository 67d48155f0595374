"""Read a split made elsewhere: a table, or a tree of folders."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import pandas as pd

from lentigo.data.copies import MARK, with_copies
from lentigo.data.groups import find_groups
from lentigo.data.records import Records
from lentigo.data.sources.delimited import read_table
from lentigo.data.sources.image_files import find_id
from lentigo.data.split_file import HEADER
from lentigo.data.splits import Split, freeze, load_split
from lentigo.errors import DataError
from lentigo.runtime.walking import find_images

__all__ = ["PART_WORDS", "read_split"]

PART_WORDS = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "dev": "validation",
    "test": "test",
    "testing": "test",
}
"""Words for the parts, in lower case."""

PART_COLUMNS = ("split", "part", "partition", "set", "subset")
IMAGE_COLUMNS = ("image_id", "image", "isic_id", "image_name", "filename", "file", "path")


def read_split(path: Path, records: Records, pairs: Iterable[tuple[str, str]] = ()) -> Split:
    """Read a split of some records, made here or elsewhere.

    Args:
        path: a split that lentigo saved; a CSV table with a column for the part (one of `PART_COLUMNS`) and one for the
            image (one of `IMAGE_COLUMNS`), its id or its file; or a folder with train/ and test/ in it, whose images
            are named after their ids.
        records: the images. Those that the split doesn't name are unused; one that it names twice gets a copy.
        pairs: image ids known to show one lesion, such as `Audit.pairs`; a split of lentigo's keeps its own groups.

    Returns:
        The split; unless it is lentigo's, its protocol is 'foreign', or 'foreign_leaky' where a group is on two
        sides.

    Raises:
        DataError: no table or tree of parts, an unknown part, or an image that is not among the records.
    """
    if path.is_dir():
        named = list(_read_tree(path))
    elif path.is_file():
        if path.read_bytes().startswith(HEADER.encode()):
            return load_split(path, records)
        named = list(_read_table(path))
    else:
        raise DataError(f"{path}: there is no such file or folder.", "Check the path.")
    if not named:
        raise DataError(f"{path}: names no image of any part.", "Use a CSV table, or a folder with train/ and test/.")
    ids = _find_ids(path, records, [name for name, _ in named])
    unused = sorted(set(records.ids) - set(ids))
    placed = with_copies(records, [*_number_copies(ids), *unused])
    groups = find_groups(placed, pairs)
    manifest = pd.DataFrame({"image_id": placed.ids, "group": groups})
    manifest["part"] = [*(part for _, part in named), *("unused" for _ in unused)]
    used = manifest[manifest["part"] != "unused"]
    leaky = bool((used.groupby("group")["part"].nunique() > 1).any())
    return freeze(placed, manifest, "foreign_leaky" if leaky else "foreign", leaky, fold=0, folds=1, seed=0)


def _read_table(path: Path) -> Iterator[tuple[str, str]]:
    """The name and the part of each image in a CSV table."""
    table = read_table(path)
    part_column = next((c for c in PART_COLUMNS if c in table.columns), None)
    image_column = next((c for c in IMAGE_COLUMNS if c in table.columns), None)
    if part_column is None or image_column is None:
        raise DataError(
            f"{path}: no column for the part and the image; it has {', '.join(table.columns)}.",
            f"Name them {PART_COLUMNS[0]} and {IMAGE_COLUMNS[0]}.",
        )
    for row, (name, word) in enumerate(zip(table[image_column], table[part_column], strict=True), start=2):
        if name is None or word is None:
            raise DataError(f"{path}, row {row}: no {'image' if name is None else 'part'}.", "Fill it in.")
        if word.lower() not in PART_WORDS:
            raise DataError(f"{path}, row {row}: unknown part {word!r}.", "Parts are train, validation and test.")
        yield name, PART_WORDS[word.lower()]


def _read_tree(path: Path) -> Iterator[tuple[str, str]]:
    """The name and the part of each image below folders called train, test and so on."""
    for image in find_images(path):
        below = image.relative_to(path)
        part = next((PART_WORDS[f.lower()] for f in below.parts[:-1] if f.lower() in PART_WORDS), None)
        if part:
            yield str(below), part


def _find_ids(path: Path, records: Records, names: Sequence[str]) -> list[str]:
    """The record of each name."""
    known = set(records.ids)
    ids = []
    for name in names:
        found = find_id(name, known)
        if found is None:
            raise DataError(
                f"{path}: no image {name!r} among the {len(records)} records.", "Read the data set that was split."
            )
        ids.append(found)
    return ids


def _number_copies(ids: Sequence[str]) -> Iterator[str]:
    """Ids where the second and later occurrences are marked as copies."""
    seen: Counter[str] = Counter()
    for image_id in ids:
        yield f"{image_id}{MARK}{seen[image_id]}" if seen[image_id] else image_id
        seen[image_id] += 1

"""Records, pixels and splits, independent of any model.

>>> from lentigo import data
>>> records = data.read("HAM10000/")
>>> fold = data.split(records, "grouped", fold=0)
"""

from lentigo.errors import MissingExtraError

try:
    from lentigo.data.fetch import fetch
    from lentigo.data.groups import find_groups
    from lentigo.data.pairs import Pairs, read_pairs
    from lentigo.data.pixels import Pixels, load_pixels
    from lentigo.data.protocols import PROTOCOLS
    from lentigo.data.records import COLUMNS, Problem, Records
    from lentigo.data.sources import Labels, read
    from lentigo.data.sources.packed import pack
    from lentigo.data.splits import Split, freeze, load_split, split, write_split
except ModuleNotFoundError as missing:
    if missing.name is None or missing.name.startswith("lentigo"):
        raise
    raise MissingExtraError("lentigo.data", "data") from missing

__all__ = [
    "COLUMNS",
    "PROTOCOLS",
    "Labels",
    "Pairs",
    "Pixels",
    "Problem",
    "Records",
    "Split",
    "fetch",
    "find_groups",
    "freeze",
    "load_pixels",
    "load_split",
    "pack",
    "read",
    "read_pairs",
    "split",
    "write_split",
]
